"""What happens in a rehearsal: who starts what, who approves, how the service's days pass, and what dies when."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporalio.client import Client, WorkflowUpdateFailedError

from glacier_purge.cluster.client import ended, pairs
from glacier_purge.errors import HostFailed
from tests.cluster.dev_server import DevServer
from tests.rehearsal.company.checks import Figures, Kill, checked
from tests.rehearsal.company.estate import DENIED, company, pairs_of
from tests.rehearsal.company.hosts import COMMAND, Host, Places
from tests.replica.s3 import pretend_s3

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.cluster.client import Pair
    from tests.rehearsal.company.estate import Company, Delete

HOSTS = ("anna", "bert", "cara")
DESK = "desk"
"""Who starts, approves and looks."""
RATE = 15.0
"""Deletes a second that an account and region may have."""
_AT_WORK = frozenset(["at work", "begins"])
_LOOK_SECONDS = 1.0
_BEAT_SECONDS = 3.0
_HOUR = 3600.0
_STANDS_STILL_SECONDS = 180.0
_SENDING_SECONDS = 2.0
_WITHOUT_SERVER_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How large, and what dies how often."""

    vaults: int
    archives: int
    worker_kills: int
    server_kills: int
    lost_disks: int
    partitions: int
    forgets: int
    lease_seconds: float
    at_once: int
    minutes_max: float


def rehearsed(wishes: Wishes, folder: Path) -> tuple[Figures, list[str]]:
    """Carry all of it out; what it came to, and what must not be."""
    with ExitStack() as opened:
        s3 = opened.enter_context(pretend_s3())
        there = opened.enter_context(company(wishes.vaults, wishes.archives, (*HOSTS, DESK), s3.objects))
        server = DevServer(folder)
        server.start()
        opened.callback(server.kill)
        places = Places(
            service=there.endpoint_url,
            bucket=s3.endpoint("all"),
            temporal=server.address,
            lease_seconds=wishes.lease_seconds,
            rate=RATE,
        )
        hosts = [Host(name, folder, places, wishes.at_once) for name in HOSTS]
        for host in hosts:
            opened.callback(host.end)
            host.begin()
        story = Story(wishes, folder, there, server, places, hosts)
        try:
            figures = story.told()
        except Exception as wrong:
            say(f"it did not come to its end: {wrong}")
            raise
        return figures, [*story.failures, *checked(there, story.kills, figures)]


@dataclass
class Story:
    """One rehearsal."""

    wishes: Wishes
    folder: Path
    company: Company
    server: DevServer
    places: Places
    hosts: list[Host]
    kills: list[Kill] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    approvals: int = 0
    refused: int = 0
    memory_kib: float | None = None
    start_seconds: float = 0.0
    _approved: set[str] = field(default_factory=set)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))
    _due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _awaits: list[tuple[int, str]] = field(default_factory=list)

    def told(self) -> Figures:
        """From the beginning to the last certificate."""
        began = time.monotonic()
        self._write_fleet()
        self.start_seconds = self._start()
        say(f"{self.start_seconds:.1f} s to list and start {self.wishes.vaults} vaults")
        self._awaits = self._schedule()
        until, moved, known = began + 60 * self.wishes.minutes_max, time.monotonic(), ""
        while True:
            looked = self._looked()
            self._let_things_happen(looked)
            if looked is not None:
                if looked.is_over:
                    break
                if stuck := [row for row in looked.rows if row["state"] == "failed" and row["needs"] == "operator"]:
                    raise AssertionError(f"{len(stuck)} vaults can't go on: {stuck[0]}")
                if looked.standing != known:
                    known, moved = looked.standing, time.monotonic()
                    say(f"{time.monotonic() - began:5.0f} s  {known}")
                self._approve(looked)
                self._let_time_pass(looked)
                if not looked.at_work and len(looked.rows) == self.wishes.vaults:
                    self._weigh()
            if time.monotonic() > until or time.monotonic() - moved > _STANDS_STILL_SECONDS:
                raise AssertionError(f"it stands still, or takes longer than it may: {known}")
            time.sleep(_LOOK_SECONDS)
        for _, act in self._due:
            act()
        if missing := [what for _, what in self._awaits]:
            self.failures.append(f"it was over before {Counter(missing)}")
        if wrong := [row for row in looked.rows if row["state"] != "done" or not row["certificate"]]:
            self.failures.append(f"{len(wrong)} vaults came to no certificate: {wrong[:2]}")
        real = [one for one in self.company.vaults if one.name != DENIED]
        return Figures(
            vaults=len(real),
            pairs=len({(one.account_id, one.region) for one in real}),
            archives=len(real) * self.wishes.archives,
            workers=len(self.hosts),
            lease_seconds=self.wishes.lease_seconds,
            rate=RATE,
            faults=dict(self.faults),
            start_seconds=round(self.start_seconds, 1),
            seconds=round(time.monotonic() - began, 1),
            approvals=self.approvals,
            bad_approvals_refused=self.refused,
            memory_kib_waiting_vault=self.memory_kib,
        )

    def _weigh(self) -> None:
        """What workers hold in memory while all vaults wait, by vault."""
        pages = [int((Path("/proc") / str(one.worker) / "statm").read_text("ascii").split()[1]) for one in self.hosts]
        kib = sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1024 / self.wishes.vaults
        self.memory_kib = max(kib, self.memory_kib or 0.0)

    # -- what people do -----------------------------------------------------------------------------------------------

    def _write_fleet(self) -> None:
        pairs_there = pairs_of(self.wishes.vaults)
        profiles = sorted({f"of-{account_id}" for account_id, _ in pairs_there})
        regions = sorted({region for _, region in pairs_there})
        (self.folder / "fleet.toml").write_text(
            f'deny = ["{DENIED}"]\n[[vaults]]\nname = "*"\nprofile = {json.dumps(profiles)}\n'
            f"region = {json.dumps(regions)}\n",
            "utf-8",
        )

    def _start(self) -> float:
        began = time.monotonic()
        beat = ("--look-every-seconds", "600", "--heartbeat-seconds", str(_BEAT_SECONDS))
        self._command("start", "fleet.toml", *beat)
        return time.monotonic() - began

    def _approve(self, looked: Looked) -> None:
        """Say yes to a few pairs, so that no step waits for its turn, after what is no yes was refused."""
        free = self._slots - len(self.hosts) - looked.at_work
        by_pair = [
            [one for row in pair.rows for one in row["confirm_digests"] if one not in self._approved]
            for pair in looked.going_on
            if pair.standing not in _AT_WORK
        ]
        waiting = [one for digests in [digests for digests in by_pair if digests][: max(0, free)] for one in digests]
        if not waiting:
            return
        if not self.approvals:
            self._try_bad_approvals(looked)
        if self._command("approve", *waiting) == 0:
            self._approved |= {*waiting}
            self.approvals += len(waiting)

    def _try_bad_approvals(self, looked: Looked) -> None:
        waits = next(one for one in looked.going_on if any(row["confirm_digests"] for row in one.rows))
        digest = next(one for row in waits.rows for one in row["confirm_digests"])
        wrong = ["0" * 64, digest[:-1], digest[::-1], ""]
        for one in wrong:
            self.refused += self._command("approve", one, exit_code=2) == 2
        by_hand: list[list[object]] = [[[one], [], "mallory"] for one in (*wrong, digest.upper())]
        by_hand += [[[], [f"glacier-purge-approval 1\nplan {'0' * 64}\n"], "mallory"]]
        refused = asyncio.run(_asked_by_hand(self.server.address, waits.pair, by_hand))
        self.refused += refused
        if self.refused != len(wrong) + len(by_hand) or self.company.deletes():
            self.failures.append(f"{len(wrong) + len(by_hand)} bad approvals, and {self.refused} were refused")

    def _let_time_pass(self, looked: Looked) -> None:
        """A day of the service, where everybody waits for nothing but that."""
        if len(looked.rows) == self.wishes.vaults and not looked.at_work and not looked.waiting:
            hours = 6 if any(row["phase"] == "inventory" for row in looked.rows) else 26
            self.company.let_pass(hours * _HOUR)
            self._command("resume", "fleet")

    def _command(self, *words: str, exit_code: int = 0) -> int:
        with (self.folder / "desk.log").open("ab") as log:
            ended_with = subprocess.run(
                [*COMMAND, "cluster", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.places.environment(DESK, self.folder),
                check=False,
            ).returncode
        if ended_with != exit_code:
            say(f"cluster {words[0]} ended with {ended_with}")
        return ended_with

    def _looked(self) -> Looked | None:
        """How all of it stands; None while nobody answers."""
        try:
            return asyncio.run(_look(self.server.address))
        except (RuntimeError, HostFailed):
            return None

    # -- what dies ----------------------------------------------------------------------------------------------------

    def _schedule(self) -> list[tuple[int, str]]:
        """What happens, and at how many deletes: spread over the purge, in an order that chance has."""
        wishes = self.wishes
        kinds = {
            "worker kills": wishes.worker_kills,
            "server kills": wishes.server_kills,
            "lost disks": wishes.lost_disks,
            "partitions": wishes.partitions,
            "databases wiped": wishes.forgets,
        }
        all_of_them = [what for what, number in kinds.items() for _ in range(number)]
        self._chance.shuffle(all_of_them)
        whole = wishes.vaults * wishes.archives
        return [(round(whole * (at + 0.5) / (len(all_of_them) + 1)), what) for at, what in enumerate(all_of_them)]

    @property
    def _slots(self) -> int:
        """How many steps can be under way without one that waits for its turn."""
        return len(self.hosts) * self.wishes.at_once

    def _let_things_happen(self, looked: Looked | None) -> None:
        for one in [one for one in self._due if one[0] <= time.monotonic()]:
            self._due.remove(one)
            one[1]()
        if not self._awaits or self._due or looked is None:  # one thing at a time
            return
        deletes = self.company.deletes()
        if looked.at_work > self._slots - self.wishes.at_once or not self._is_sent_again(deletes):
            return  # who lost a worker would wait for another's turn, and not for a lease
        at, what = self._awaits[0]
        if len(deletes) < at:
            return
        strikes = {
            "worker kills": self._kill_worker,
            "server kills": self._kill_server,
            "lost disks": self._lose_disk,
            "partitions": self._cut_off,
            "databases wiped": self._forget,
        }
        if strikes[what]():
            self._awaits.pop(0)
            self.faults[what] += 1
            say(f"       {what}, at {len(deletes)} deletes")

    def _is_sent_again(self, deletes: list[Delete]) -> bool:
        """Whether what was hit before goes on, or had no archive left."""
        sent = Counter((one.pair, one.vault) for one in deletes)
        last = {(one.pair, one.vault): one.at for one in deletes}
        return all(
            last[one.pair, one.vault] > one.at + 1.0 or sent[one.pair, one.vault] >= self.wishes.archives
            for one in self.kills
        )

    def _sender(self, what: str) -> Host | None:
        """The host that sent last; what it was at is noted."""
        now = time.monotonic()
        latest = [one for one in self.company.deletes()[-200:] if one.at > now - _SENDING_SECONDS]
        if not latest:
            return None
        host = latest[-1].host
        for pair, vault in {(one.pair, one.vault) for one in latest if one.host == host}:
            self.kills.append(Kill(what, now, host, pair, vault))
        return next(one for one in self.hosts if one.name == host)

    def _kill_worker(self) -> bool:
        host = self._sender("a kill")
        if host is not None:
            host.kill()
            self._later(1.0, host.start)
        return host is not None

    def _lose_disk(self) -> bool:
        host = self._sender("a lost disk")
        if host is not None:
            host.kill()
            self._later(0.5, host.lose_disk)
            self._later(1.0, host.start)
        return host is not None

    def _cut_off(self) -> bool:
        host = self._sender("a partition")
        if host is not None:
            ways = ("service", "bucket", "temporal")
            host.cut(*ways)
            self._later(2.5 * self.wishes.lease_seconds, lambda: host.mend(*ways))
        return host is not None

    def _kill_server(self) -> bool:
        self.server.kill()
        self._later(_WITHOUT_SERVER_SECONDS, self.server.start)
        return True

    def _forget(self) -> bool:
        self.server.kill()
        self.server.forget()

        def again() -> None:
            self.server.start()
            self._approved.clear()
            self._start()

        self._later(_WITHOUT_SERVER_SECONDS, again)
        return True

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self._due.append((time.monotonic() + seconds, lambda: (act(), None)[1]))


@dataclass(frozen=True, slots=True)
class Looked:
    """The table at one moment."""

    going_on: list[Pair]
    over: list[dict[str, Any]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every vault."""
        return [*(row for one in self.going_on for row in one.rows), *self.over]

    @property
    def waiting(self) -> list[str]:
        """The digests of plans that wait for a yes."""
        return [one for row in self.rows for one in row["confirm_digests"]]

    @property
    def at_work(self) -> int:
        """How many pairs have a step under way, or none yet."""
        return sum(one.standing in _AT_WORK for one in self.going_on)

    @property
    def is_over(self) -> bool:
        """Whether no pair goes on any more."""
        return not self.going_on and bool(self.over)

    @property
    def standing(self) -> str:
        """In a few words."""
        phases = Counter(f"{row['phase']}" for row in self.rows)
        return f"{self.at_work} of {len(self.going_on)} pairs at work; " + ", ".join(
            f"{number} {phase}" for phase, number in sorted(phases.items())
        )


async def _look(address: str) -> Looked:
    client = await Client.connect(address)
    return Looked(await pairs(client), await ended(client))


async def _asked_by_hand(address: str, pair: str, asked: list[list[object]]) -> int:
    client = await Client.connect(address)
    refused = 0
    for arguments in asked:
        try:
            await client.get_workflow_handle(f"glacier-purge/{pair}").execute_update("approve", args=arguments)
        except WorkflowUpdateFailedError:
            refused += 1
    return refused


def say(message: str) -> None:
    print(f"company: {message}", flush=True)  # noqa: T201 - this is a command
