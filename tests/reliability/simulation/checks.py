"""What has to hold, after every life and at the end: by what the service saw, and not by what was said."""

from __future__ import annotations

import itertools
import json
from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Any

from glacier_purge.audit.segments import find_segments, read_lines
from glacier_purge.audit.verification import NotToBeChecked, verify_folder
from glacier_purge.fleet.fleet import State
from glacier_purge.plan.decisions import selected_bitmap
from glacier_purge.storage.disk import FileDisk
from tests.reliability.simulation.fate import HOUR, OPEN_SECONDS
from tests.reliability.simulation.keys import STRANGERS

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.archive import Vault
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.fleet.fleet import Ending
    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder
    from tests.reliability.simulation.fate import Event
    from tests.reliability.simulation.lives import Lives

LOOK_SECONDS = 160.0
"""How much longer than its interval a look at holds may take in bad weather, before no answer holds, too."""
UNDER_WAY_SECONDS = 36.0
"""So long after a pause a delete may still leave that was given its turn before: it waited for a connection."""
KNOWN_ENDINGS = {
    State.DONE: {0},
    State.PENDING: {75},
    State.STOPPED: {3, 130},
    State.FAILED: {2, 3, 253, 254},  # 3: nobody was reached who gives credentials, or who says whose they are
}


class Checks:
    """Of one vault. ``object_to`` is asked about each delete when it comes."""

    def __init__(self, lives: Lives, vault: Vault, folder: Path) -> None:
        self._lives = lives
        self._vault = vault
        self._folder = folder
        self._approved: set[str] = set()
        self._there_at_first: list[str] = []
        self._born_at = 0.0
        self._deaths: list[float] = []
        self._held: dict[str, float] = {}
        """Holds in force, and since when."""
        self._cuts: list[float] = []
        """When the wire was cut and mended, by turns."""
        self._owners: list[dict[str, Any]] = []
        """The owner's own statements in the vault's policy."""
        self._paused_at: float | None = None
        self._skewed_at = -1e9

    def begin(self) -> None:
        """Look at what is there before anything happens."""
        self._there_at_first = self._lives.service.ids(self._vault.name)
        policy = self._lives.service.policy(self._vault.name)
        self._owners = [] if policy is None else json.loads(policy)["Statement"]

    def approved(self, folder: RunFolder, plan: Plan) -> None:
        """Somebody says yes to these now."""
        records = json.loads((folder.path / "inventory.json").read_bytes())["ArchiveList"]
        bitmap = selected_bitmap(folder.path)
        chosen = {each["ArchiveId"] for n, each in enumerate(records) if bitmap[n >> 3] >> (n & 7) & 1}
        assert len(chosen) == plan.counts.selected
        limit = self._lives.fate.choices.limit
        assert limit is None or len(chosen) <= limit
        self._approved |= chosen

    def born(self) -> None:
        """Another process begins, which was told to pause by nobody."""
        self._born_at, self._paused_at = self._lives.machine.seconds, None

    def happened(self, event: Event, *, is_about_it: bool) -> None:
        """Something was done to the host, or, if it is about this one, to the vault or its run."""
        verb, _, rest = event.what.partition(" ")
        seconds = self._lives.machine.seconds
        if verb in {"cut", "mend"}:
            self._cuts.append(seconds)
        elif verb == "skew":
            self._skewed_at = seconds
        elif not is_about_it:
            return
        elif verb == "hold":
            self._held[rest] = seconds
            if rest == "policy":
                self._owners.append({"Sid": "hold"})
        elif verb == "lift":
            self._held.pop(rest, None)
            if rest == "policy":
                self._owners = [each for each in self._owners if each["Sid"] != "hold"]
        elif verb == "thaw":
            self._owners = []
            self._held.pop("policy", None)

    def obeyed(self, verb: str) -> None:
        """A run took an order."""
        if verb in {"pause", "resume"}:
            self._paused_at = self._lives.machine.seconds if verb == "pause" else None

    def object_to(self, seconds: float, archive_id: str) -> str | None:
        """Why this delete should not have been sent; None when nothing is said against it."""
        what = f"a delete of {archive_id[:12]}..."
        if archive_id not in self._approved:
            return f"{what} in {self._vault.name}, which nobody approved"
        interval: Any = self._lives.fate.settings["safety"]["protection_interval_seconds"]
        for kind, since in self._held.items():
            if since < self._born_at or seconds > since + interval + LOOK_SECONDS:
                return (
                    f"{what} by the process of {self._born_at:.0f} s, while a {kind} held the vault since {since:.0f} s"
                )
        if self._paused_at is not None and seconds > self._paused_at + UNDER_WAY_SECONDS:
            return f"{what} during the operator's pause since {self._paused_at:.0f} s"
        if self._is_out_of_hours(seconds):
            return f"{what} outside of the hours asked for"
        return None

    def _is_out_of_hours(self, seconds: float) -> bool:
        """By this host's clock, which is looked at once a minute at least."""
        if "windows" not in self._lives.fate.settings["pace"] or seconds < self._skewed_at + UNDER_WAY_SECONDS + 60.0:
            return False
        return self._lives.machine.wall_seconds() % HOUR > OPEN_SECONDS + UNDER_WAY_SECONDS

    def died(self, ledger: Ledger) -> None:
        """What counted for a process that has just died, and so was shown, is promised on its disk (I6)."""
        places = [place for place in self._folder.glob("round-*") if (place / "audit").exists()]
        place = max(places, key=lambda one: int(one.name.removeprefix("round-")))
        disk, promised = FileDisk(place), 0
        for segment in find_segments(disk):
            bytes_left = self._lives.machine.promised_bytes(place / segment.name)
            for line in itertools.chain.from_iterable(read_lines(disk, segment)):
                if bytes_left is not None:
                    bytes_left -= len(line)
                promised += (bytes_left is None or bytes_left >= 0) and b'"event":"outcome"' in line
        counted = sum(ledger.counts.values())
        assert counted <= promised, f"{counted} outcomes counted when it died, and {promised} were durable"

    def after_a_life(self, ending: Ending | None) -> None:
        """Look at how it ended for the vault."""
        if ending is None:
            self._deaths.append(self._lives.machine.seconds)
        else:
            assert ending.exit_code in KNOWN_ENDINGS[ending.state], ending

    def at_the_end(self) -> None:
        """Hold everything against the service."""
        lives, seen = self._lives, self._lives.service.seen
        name = self._vault.name
        is_there = name in lives.service.glacier.vault_names()
        left = set(lives.service.ids(name)) if is_there else set()
        gone = {one for one, times in seen.times.items() if any(each.accepted for each in times)}
        recorded: Counter[str] = Counter()
        for place in sorted(self._folder.glob("round-*")):
            if (place / "plan.json").exists() and (place / "audit").exists():
                self._look_at_a_round(place, recorded)
        strange = [each for each in lives.machine.keys.used if each.startswith(STRANGERS)]
        assert not strange, f"deletes were signed with another account's keys: {strange[:3]}"
        assert not recorded["failed"], "an archive failed of nothing but weather"
        deleted = set(recorded) - {"failed"}
        assert deleted <= gone, "recorded as deleted, and the service never took it"
        assert not deleted & left, "recorded as deleted, and still there"
        twice = [one for one in deleted if recorded[one] > 1]
        assert not twice, f"recorded as deleted by two rounds, and so the first time falsely: {twice[:3]}"
        if is_there:
            kept = set(self._there_at_first) - self._approved
            assert kept <= left, "an archive is gone that was to be kept"
            assert not self._approved & left, "an approved archive is left, and the lifecycle is done"
            policy = lives.service.policy(name)
            sids = [] if policy is None else sorted(each["Sid"] for each in json.loads(policy)["Statement"])
            assert sids == sorted(each["Sid"] for each in self._owners), f"the policy is not the owner's: {policy}"
        assert is_there is not lives.fate.remove, "the vault is not as it was ordered"
        assert not left or is_there
        self._look_at_redeletes()

    def _look_at_a_round(self, place: Path, recorded: Counter[str]) -> None:
        """Every record has one outcome, the log is at its end, and the certificate says what the log says."""
        disk, outcomes, kinds = FileDisk(place), {}, Counter[str]()
        for segment in find_segments(disk):
            for lines in read_lines(disk, segment):
                for line in lines:
                    said = json.loads(line)
                    if said["event"] == "outcome":
                        assert said["ordinal"] not in outcomes, f"two outcomes for record {said['ordinal']}"
                        outcomes[said["ordinal"]] = said["outcome"]
                        kinds[said["outcome"]] += 1
                        if said["outcome"] == "deleted":
                            recorded[said["archive_id"]] += 1
                            self._look_at_an_outcome(said)
        recorded["failed"] += kinds["failed"]
        if not kinds:
            return
        plan = json.loads((place / "plan.json").read_bytes())["plan"]
        assert len(outcomes) == plan["counts"]["inventory"], f"{len(outcomes)} outcomes of {plan['counts']}"
        if (place / "certificate.json").exists():
            said = json.loads((place / "certificate.json").read_bytes())["certificate"]
            assert said["deleted"] == kinds["deleted"] == plan["counts"]["selected"], (said, kinds)
            assert said["found"]["gone"] == kinds["deleted"], said["found"]
            assert said["found"]["still_listed"] == 0, said["found"]

    def _look_at_an_outcome(self, said: dict[str, Any]) -> None:
        """What the service may have done before is not told as done now (I5)."""
        taken = [each for each in self._lives.service.seen.times[said["archive_id"]] if each.accepted]
        assert said.get("redelete") or len(taken) < 2, f"deleted {len(taken)} times, and it says once: {said}"

    def _look_at_redeletes(self) -> None:
        """A delete is sent again because nobody knew, and for no other reason."""
        fate, settings = self._lives.fate, self._lives.fate.settings
        commit: Any = settings["audit"]["commit_seconds"]
        reply_seconds = 8.0 * fate.latency_seconds + 0.1
        unknown_seconds = commit + reply_seconds + (2.2 if fate.slow_work else 0.2)
        needless = []
        for archive_id, times in self._lives.service.seen.times.items():
            if times[0].vault != self._vault.name:
                continue
            for first, again in itertools.pairwise(times):
                if not (first.told and first.accepted) or self._is_cut(first.seconds, reply_seconds):
                    continue
                if any(first.seconds <= death <= first.seconds + unknown_seconds for death in self._deaths):
                    continue
                needless.append(f"{archive_id[:12]} at {first.seconds:.3f} and {again.seconds:.3f} s")
        strikes = self._lives.service.desk.faults.counts
        doubted = sum(strikes.get(kind, 0) for kind in ("repeated-here", "repeated-anywhere", "stray-reply"))
        behind = sum(strikes.get(kind, 0) for kind in ("duplicate-reply", "garbage-after-reply", "keep-alive-race"))
        assert len(needless) <= 2 * doubted + 2 * behind, f"{len(needless)} sent again without need: {needless[:5]}"

    def _is_cut(self, seconds: float, reply_seconds: float) -> bool:
        """Whether the wire was cut before the reply had come."""
        return bisect_right(self._cuts, seconds) != bisect_right(self._cuts, seconds + reply_seconds) or bool(
            bisect_right(self._cuts, seconds) % 2
        )


def look_at_the_folder(place: Path) -> None:
    """Whoever checks the folder finds nothing wrong after any life."""
    if not place.exists():
        return
    try:
        verdicts = verify_folder(place)
    except NotToBeChecked:
        return
    faults = [f"{name}: {fault}" for name, _, found in verdicts for fault in found.faults]
    assert not faults, faults


def look_at_the_rate(lives: Lives) -> None:
    """Never faster than was asked for, over any second and all vaults: they are one account's."""
    most: Any = lives.fate.settings["pace"]["max_rate"]
    if most is None or any(event.what == "rate" for event in lives.fate.events):
        return
    moments = [each.seconds for each in lives.service.seen.arrivals]
    span = max(1.0, 5.0 / most)
    for n, moment in enumerate(moments):
        within = bisect_right(moments, moment + span) - n
        assert within <= 1.05 * most * span + 4, f"{within} deletes within {span:g} s of {moment:.1f} s, {most}/s"
