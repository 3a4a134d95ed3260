"""Hosts with a bucket between them: killed, lost with their disks, cut off; the purge goes on elsewhere (T3).

Each host has a network namespace of its own, so locks and ports of one are none of the other's, as on two machines;
what it reaches are the service and the bucket, by bridges that can be taken up.  Leases are of seconds, not of minutes.

How much is sent twice goes with how long it was sent unseen, and not with the vault: so the vault is one that takes
eighty leases at the pace at which it is struck (a million archives at 50 a second take 330), and a hundredth of it is
the most that one strike may cost.  When the last one is over the rest goes as fast as it can.

A process that was killed is waited for like a lost host: each process is a host of its own here, as in containers.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from glacier_purge.cli.exit_codes import ExitCode
from tests.reliability import buckets
from tests.reliability.apart import Bridge
from tests.reliability.campaign import Campaign
from tests.reliability.commands import check_sound, inventory_ids, outcomes_of, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.reliability.commands import World
    from tests.reliability.forked import Forked

ARCHIVES = 16_000
RATE = 40
LEASE_SECONDS = 5.0
TWICE_SHARE_MAX = 0.01
URL = "s3://purges/vaults"
STRIKES = (("kill", "lost disk"), ("cut off", "kill"), ("kill", "kill"), ("lost disk", "kill"))
"""What happens in a seed, one after the other."""
_TERMS_MAX = 2.0
"""How many terms of the lease may pass between a strike and the next delete, starting a process not counted."""
_START_SECONDS_MAX = 30.0
"""Starting a process and reading its first file, where two dozen of them want two cores."""


@dataclass
class Hosts:
    """The hosts of one seed: the one that has the run now, and how many there were."""

    here: World
    bucket_url: str
    chance: random.Random
    number: int = 0
    is_last: bool = False
    """The next process is the last one."""
    started: int = 0
    bridges: list[Bridge] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.another()

    @property
    def run_dir(self) -> Path:
        """Where this host has the run."""
        return self.here.folder / f"host-{self.number}" / "run"

    @property
    def key_id(self) -> str:
        """By which the service tells the last process that was started from the others."""
        return f"PROCESS{self.started}"

    def another(self) -> None:
        """Be another host from now on: nothing of the one before is here."""
        self.number += 1
        place = self.here.folder / f"host-{self.number}"
        place.mkdir()
        self.bridges = [
            Bridge(self.here.folder / f"{what}-{self.number}", urlsplit(url).port or 0)
            for what, url in (("g", self.here.simulator.endpoint_url), ("s", self.bucket_url))
        ]

    def start(self, *arguments: str) -> Forked:
        """Give a command on this host."""
        self.started += 1
        ports = (self.here.simulator.endpoint_url, self.bucket_url)
        return self.here.forked(
            *arguments,
            doors={urlsplit(url).port or 0: bridge.path for url, bridge in zip(ports, self.bridges, strict=True)},
            AWS_ACCESS_KEY_ID=self.key_id,
            XDG_STATE_HOME=str(self.here.folder / f"host-{self.number}" / "state"),
            GLACIER_PURGE_REPLICA__ENDPOINT_URL=self.bucket_url,
            GLACIER_PURGE_REPLICA__LEASE_SECONDS=str(LEASE_SECONDS),
        )


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One purge that goes from host to host."""
    chance, hit = random.Random(seed), Counter[str]()
    strikes = STRIKES[seed % len(STRIKES)]
    with ExitStack() as opened:
        here = opened.enter_context(world(folder, seed=seed, archives=ARCHIVES))
        bucket_name, bucket_url = opened.enter_context(_bucket(seed, folder))
        hosts = Hosts(here, bucket_url, chance)
        digest = here.plan()["digest"]
        here.run_dir.rename(hosts.run_dir)
        wanted = set(inventory_ids(hosts.run_dir))
        apply = ("apply", str(hosts.run_dir), "--replica", URL, "--max-rate", str(RATE), "--confirm-digest", digest)
        process = hosts.start(*apply)
        before, terms = 0, list[float]()
        for strike in strikes:
            _sent_more(here, process, before + chance.randrange(60, 160))
            hosts.is_last = len(terms) == len(strikes) - 1
            process, waited = _STRIKES[strike](hosts, process)
            terms.append(waited)
            before = len(here.service.deletes())
        ended = process.wait()
        assert ended == ExitCode.DONE, process.err()[-3000:]
        _check(here, hosts, wanted)
        for strike, waited, twice in zip(strikes, terms, _twice(here), strict=True):
            print(f"seed {seed}: {strike}, {bucket_name}: {twice:.3%} sent twice, sent again in {waited:.2f} terms")
            hit[f"{strike}, {bucket_name}: {_at_most(twice)} twice, {_at_most_terms(waited)}"] += 1
    return hit


@contextmanager
def _bucket(seed: int, folder: Path) -> Iterator[tuple[str, str]]:
    """One of the buckets there are here, by its name and place."""
    there = [one for one in (buckets.ours, buckets.moto, buckets.seaweed) if buckets.is_here(one)]
    chosen = there[seed // len(STRIKES) % len(there)]
    with chosen(folder) as bucket_url:
        yield chosen.__name__, bucket_url


def _killed(hosts: Hosts, process: Forked) -> tuple[Forked, float]:
    """The process dies, and the same command is given again on the same host."""
    process.kill()
    return _sends_in_time(hosts, hosts.start(*_apply(hosts)))


def _lost_disk(hosts: Hosts, process: Forked) -> tuple[Forked, float]:
    """The host is gone with its disk; another one takes the run."""
    process.kill()
    shutil.rmtree(hosts.run_dir)
    hosts.another()
    return _sends_in_time(hosts, hosts.start(*_take(hosts)))


def _cut_off(hosts: Hosts, process: Forked) -> tuple[Forked, float]:
    """The host does not reach the bucket any more, and goes on living; another one takes the run; the first ends."""
    for bridge in hosts.bridges[1:]:
        bridge.cut()
    bridges = hosts.bridges
    hosts.another()
    later = _sends_in_time(hosts, hosts.start(*_take(hosts)))
    for bridge in bridges:
        bridge.mend()
    ended = process.wait(60.0)
    assert ended == ExitCode.PENDING, f"cut off, and ended with {ended}: {process.err()[-2000:]}"
    return later


_STRIKES = {"kill": _killed, "lost disk": _lost_disk, "cut off": _cut_off}


def _apply(hosts: Hosts) -> tuple[str, ...]:
    return ("apply", str(hosts.run_dir), "--replica", URL, *_pace(hosts))


def _take(hosts: Hosts) -> tuple[str, ...]:
    return ("take", str(hosts.run_dir), "--from", URL, *_pace(hosts))


def _pace(hosts: Hosts) -> tuple[str, ...]:
    return () if hosts.is_last else ("--max-rate", str(RATE))


def _sent_more(here: World, process: Forked, deletes: int) -> None:
    assert here.until(lambda: len(here.service.deletes()) >= deletes, process), process.err()[-3000:]


def _sends_in_time(hosts: Hosts, process: Forked) -> tuple[Forked, float]:
    """Wait for the next delete; give in how many terms since the process asked for the lease it was sent.

    A process that starts takes as long as this machine is slow, whatever the term.
    """
    struck, began = time.monotonic(), None
    lease = f"{URL}/leases/"
    while not any(came.key_id == hosts.key_id for came in hosts.here.service.deletes()):
        now = time.monotonic()
        assert process.poll() is None, process.err()[-3000:]
        if began is None and lease in process.err():
            began = now
        assert now - struck < _START_SECONDS_MAX + _TERMS_MAX * LEASE_SECONDS, process.err()[-3000:]
        time.sleep(0.02)
    waited = (time.monotonic() - (began or struck)) / LEASE_SECONDS
    assert waited <= _TERMS_MAX, f"sent again {waited:.2f} terms after it asked: {process.err()[-3000:]}"
    return process, waited


def _check(here: World, hosts: Hosts, wanted: set[str]) -> None:
    """At the service: all of it once, nothing else, and little of it twice; the last folder is whole."""
    sent = Counter(came.archive_id for came in here.service.deletes())
    assert sent.keys() <= wanted, "I2: sent what is not planned"
    outcomes = outcomes_of(hosts.run_dir)
    assert {record["archive_id"] for record in outcomes if record["outcome"] == "deleted"} == wanted == sent.keys()
    told = {record["archive_id"]: record.get("redelete", False) for record in outcomes}
    untold = [archive_id for archive_id, times in sent.items() if times > 1 and not told[archive_id]]
    assert not untold, f"sent again, and the log does not say so: {untold[:3]}"
    check_sound(hosts.run_dir, finished=True)


def _twice(here: World) -> list[float]:
    """By the server's ledger: which share of the vault each process but the first sent that one before it had sent.

    A process that is cut off goes on beside its successor: what it sent late was sent twice by it.
    """
    first, again = dict[str, str](), Counter[str]()
    order = list(dict.fromkeys(came.key_id for came in here.service.deletes()))
    for came in here.service.deletes():
        by = first.setdefault(came.archive_id, came.key_id)
        if by != came.key_id:
            again[max(by, came.key_id, key=order.index)] += 1
    shares = [again[key_id] / ARCHIVES for key_id in order[1:]]
    worst = max(shares)
    assert worst <= TWICE_SHARE_MAX, f"{worst:.2%} of the vault was sent twice for one strike"
    return shares


def _at_most(share: float) -> str:
    return next(f"at most {limit:.2%}" for limit in (0.001, 0.0025, 0.005, TWICE_SHARE_MAX) if share <= limit)


def _at_most_terms(terms: float) -> str:
    return next(f"in {limit:g} terms" for limit in (1.25, 1.5, _TERMS_MAX) if terms <= limit)


CAMPAIGN = Campaign(
    name="lost-machines",
    asks="processes are killed, hosts lost with their disks or cut off from the bucket that keeps the run, and another "
    "goes on within two terms of the lease: every archive is deleted, nothing outside of the plan is sent, and what is "
    "sent twice for a strike is at most a hundredth of the vault, by the server's ledger, and said in the log.",
    programme=("T3",),
    invariants=("I1", "I2", "I4", "I5"),
    unit="strikes",
    wanted=6,
    try_seed=try_seed,
)
