"""A fleet of a few vaults, and the log of a script, whose processes lose power at operations drawn by a seed.

As in ``crash_story``, of which this has the images: all that is done to the folder is done to a pretended disk as well,
what a cut may leave is looked at by everything that reads it, and from one of the folders the next process goes on.
What a member does to its vault is that story's; here it is the fleet's own files, and that members stand by each other.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from glacier_purge.api import stream_log
from glacier_purge.api.clients import Clients
from glacier_purge.api.fleet import FleetPeople, opened_fleet
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.archive import Archive, ArchiveId, Vault
from glacier_purge.audit.verification import NotToBeChecked, verify_folder
from glacier_purge.fleet.fleet import State
from glacier_purge.fleet.roster import ROSTER_FILE, settled_roster
from glacier_purge.run.host import Host
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import archive_id, log_bytes, outcome
from tests.clients import Stepping, simulated
from tests.reliability.crash_story import Image, below, check_log, mortal, world_of
from tests.reliability.mirror import files_in, laid_out, mirrored
from tests.reliability.power import KINDS, PowerCut, power_cut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.fleet.fleet import Ending
    from glacier_simulator import SimulatedGlacier

PROCESSES_CUT = 3
_FLEETS_EVERY = 4
"""Of so many seeds one has a fleet as well, which takes as long as its members together."""
_FLEETS_POINTS, _SCRIPTS_POINTS = 500, 60
"""As many operations as their files see, roughly; a cut behind the end does not happen."""
_LOOKED_AT = 14
_KINDS = [kind for kind in KINDS if kind != "checkpoint damaged"]  # which is no crash's doing
_FLEET = '[[vaults]]\nname = "*"\nfreeze = true\n'
_VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
_ENDPOINT = f"http://127.0.0.1:{10_000 + os.getpid() % 50_000}"
"""A process's own, as the lock of a vault is the host's, and other seeds are tried at the same time."""


class Power:
    """The power of one disk: it goes before an operation that is drawn, and stays away.

    ``images`` are folders as it might have left them, had it gone at others; the last one is what it left.
    """

    def __init__(self, chance: random.Random, disk: PretendDisk, points: int, *, goes: bool) -> None:
        self.images: list[Image] = []
        self.is_gone = False
        self._chance, self._disk, self._passed = chance, disk, 0
        self._at = chance.randint(1, points) if goes else 0
        most = self._at or points
        self._looked_at = set(chance.sample(range(1, most + 1), k=min(most, _LOOKED_AT)))
        disk.before = self._before

    def check(self) -> None:
        """Raise ``PowerCut`` once it is gone."""
        if self.is_gone:
            raise PowerCut

    def _before(self, verb: str, name: str) -> None:
        self.check()
        self._passed += 1
        if self._passed not in self._looked_at | {self._at}:
            return
        kind = self._chance.choice(_KINDS)
        self.images.append(
            Image(
                at=f"{verb} {name} ({kind})",
                disk=power_cut(self._chance, self._disk, kind),
                promised=self._disk.promised(),
                written=self._disk.contents(),
            )
        )
        if self._passed == self._at:
            self.is_gone = True
            raise PowerCut


class _Story:
    """What lies on one disk below ``name``, over as many processes as it takes."""

    def __init__(self, chance: random.Random, folder: Path, name: str, points: int) -> None:
        self.counted = Counter[str]()
        self.root = folder
        self._chance, self._folder, self._name, self._points = chance, folder, name, points
        self._disk = PretendDisk()

    async def tell(
        self, process: Callable[[Path, Power], Awaitable[None]], look: Callable[[Image, Path], None]
    ) -> None:
        """Have ``process`` begin in the folder until it came to its end, and ``look`` at what cuts would leave."""
        for number in range(PROCESSES_CUT + 1):
            self.root = laid_out(self._disk, self._folder / f"{self._name}s-{number}")
            power = Power(self._chance, self._disk, self._points, goes=number < PROCESSES_CUT)
            with mirrored(self.root, self._disk), world_of(self.root), mortal(power.check):
                try:
                    await process(self.root / self._name, power)
                except (PowerCut, BaseExceptionGroup):
                    if not power.is_gone:
                        raise
            if power.is_gone:
                self._disk = power.images[-1].disk
                self.counted[f"{self._name}s gone on with"] += 1
            else:
                self._disk = PretendDisk(files_in(self.root), folders=self._disk.folders())
            for image in power.images:
                self.counted[f"{self._name}s looked at"] += 1
                place = laid_out(image.disk, self._folder / f"{self._name}-{self.counted[f'{self._name}s looked at']}")
                try:
                    look(image, place / self._name)
                except BaseException as error:
                    error.add_note(f"power cut before {image.at}, by process {number}")
                    raise


# -- a fleet ----------------------------------------------------------------------------------------------------------


async def _fleet(chance: random.Random, folder: Path) -> Counter[str]:
    story = _Story(chance, folder, "fleet", _FLEETS_POINTS)
    endings: dict[str, Ending] = {}
    file = folder / "fleet.toml"
    file.write_text(_FLEET, "utf-8")
    async with simulated(archives=chance.randint(1, 9)) as (glacier, client):
        for name in chance.sample(["films", "maps"], chance.randint(1, 2)):
            glacier.service.generate_vault(name, chance.randint(1, 5), 1_000_000_000.0)

        async def process(place: Path, _: Power) -> None:
            endings.clear()
            endings.update(await _gone_on(glacier, file, place))

        await story.tell(process, _look_at_a_fleet)
        assert {ending.state for ending in endings.values()} == {State.DONE}, endings
        assert len(endings) == len(glacier.service.vault_names())
        for name, what, found in verify_folder(story.root / "fleet"):
            assert (found.faults, found.finished) == ((), True), (name, what, found)
        for name in glacier.service.vault_names():
            left = json.loads(b"".join(glacier.desk.inventory_now(name, "JSON").pieces()))["ArchiveList"]
            assert not left, f"I1: approved, and still there: {left}"
        assert await client.access_policy() is None
    return story.counted


async def _gone_on(glacier: SimulatedGlacier, file: Path, place: Path) -> dict[str, Ending]:
    """One process's part of a fleet."""
    settings = Settings.model_validate(
        {"aws": {"endpoint_url": glacier.endpoint_url, "region": "us-east-1"}, "pace": {"first_per_second": 1000.0}}
    )

    async def approve(request: ApprovalRequest) -> Approval:
        return approve_by_digest(request.plan, request.plan.digest, "me@here")

    people = FleetPeople(approve=approve, say=lambda *_: None, waiter_for=lambda *_: Stepping(glacier))
    async with (
        Clients() as clients,
        opened_fleet(file, RunFolder.open_or_create(place), lambda *_: settings, clients, people) as opened,
    ):
        await opened.fleet.go_on()
    return opened.fleet.endings


def _look_at_a_fleet(image: Image, place: Path) -> None:
    """The list is there whole or was not promised, and all that reads the folder finds nothing wrong."""
    found, roster = image.disk.contents(), f"fleet/{ROSTER_FILE}"
    assert roster not in found or found[roster] == image.written[roster], "half a list"
    assert roster in found or roster not in image.promised, "the list is lost"
    for folder in {name.partition("/audit/")[0] for name in image.promised if "/audit/" in name}:
        check_log(image, folder)
    if roster not in found:
        with suppress(NotToBeChecked):
            raise AssertionError(f"begun without its list: {verify_folder(place)}")
        return
    assert settled_roster(RunFolder.open_or_create(place)) is not None
    for name, what, verdict in verify_folder(place):
        assert verdict.faults == (), (name, what, verdict.faults)


# -- the log of a script ----------------------------------------------------------------------------------------------


async def _script(chance: random.Random, folder: Path) -> Counter[str]:
    """A script that gives the same ids each time it is started; those without an outcome are sent."""
    story = _Story(chance, folder, "script", _SCRIPTS_POINTS)
    ids = [archive_id(number) for number in range(chance.randint(5, 60))]
    chance.shuffle(ids)
    settings = PurgeSettings(commit_seconds=0.001, commit_records=3, segment_records=7)

    async def process(place: Path, _: Power) -> None:
        with stream_log.stream_folder(place, _VAULT, _ENDPOINT) as run_folder:
            async with stream_log.open_stream_log(run_folder, lambda _: None, settings, Host()) as log:
                for first in range(0, len(ids), 5):
                    entered = [(one, log.enter(one, is_id=True)) for one in ids[first : first + 5]]
                    going = [
                        Archive(ArchiveId(one), "", "", 0, "", ordinal)
                        for one, ordinal in entered
                        if isinstance(ordinal, int)
                    ]
                    if not going:
                        continue
                    await log.release(going)
                    released = log_bytes(below("script", story._disk.promised()))
                    assert all(one.archive_id.encode() in released for one in going), "I3: sent, and not on record"
                    log.record([outcome(one.ordinal, archive_id=one.archive_id) for one in going])
                    await log.durable()

    await story.tell(process, _look_at_a_script)
    records = map(json.loads, log_bytes(below("script", files_in(story.root))).splitlines())
    outcomes = Counter(said["archive_id"] for said in records if said["event"] == "outcome")
    assert outcomes == Counter(ids), "I1: an id without its one outcome"
    return story.counted


def _look_at_a_script(image: Image, place: Path) -> None:
    found = image.disk.contents()
    assert "script/stream.json" in found or not any("/audit/" in name for name in found), "a log of nobody"
    check_log(image, "script")
    if "script/stream.json" in found:
        for name, what, verdict in verify_folder(place):
            assert verdict.faults == (), (name, what, verdict.faults)


def told(seed: int, folder: Path) -> Counter[str]:
    """Tell the stories; how many folders were looked at and gone on with."""
    counted = asyncio.run(_script(random.Random(f"script {seed}"), folder))
    if seed % _FLEETS_EVERY == _FLEETS_EVERY - 1:
        counted += asyncio.run(_fleet(random.Random(f"fleet {seed}"), folder))
    return counted
