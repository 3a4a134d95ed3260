"""What happens to one vault's lifecycle and when, all of it drawn from the seed before anything begins."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glacier_purge.plan.choices import EVERY_ARCHIVE, Choices
from glacier_simulator.faults import Rule
from tests.reliability.simulation.machine import Death

if TYPE_CHECKING:
    from collections.abc import Callable

DAY, HOUR = 86_400.0, 3_600.0
OPEN_SECONDS = 2_400.0
"""How long of each hour deletes may be sent, where there are windows."""
VAULT = "photos"

UNTOLD = ("reset-after", "close-after", "half-close", "truncated-head", "reset-in-head", "no-reply", "late-reply")
"""Faults of a delete that is carried out, which nobody is told."""
WEATHER = (
    *UNTOLD,
    *("refuse", "close-before", "black-hole", "slow-reply", "garbage", "bad-status-line", "connection-close"),
    *("internal-error", "internal-error-after", "internal-failure", "empty-error", "insufficient-capacity"),
    *("throttle", "too-many-requests", "slow-down", "retry-after", "amz-retry-after", "gateway-timeout"),
    *("garbage-after-reply", "duplicate-reply", "keep-alive-race", "interim-reply", "length-nonsense", "huge-head"),
    *("204-without-id", "204-with-error-type", "204-with-body", "204-of-http-2", "proxy-page-with-id"),
)
"""Faults of a delete that pass by themselves and are no archive's."""
REPEATED = ("repeated-here", "repeated-anywhere", "stray-reply")
"""A 204 that is another delete's: it puts two in doubt."""
ENDINGS = ("vault-missing", "access-denied", "wrong-vault", "captive-portal", "expired-token", "invalid-signature")
"""Answers to a delete that end a run or pause it, and are no archive's either."""
GROUND = (
    "internal-error",
    "internal-failure",
    "reset-after",
    "close-before",
    "throttle",
    "slow-down",
    "truncated-body",
)
"""Faults of what is asked beside the deletes."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens so long after the first delete came (or, before that, after the beginning)."""

    seconds: float
    what: str
    value: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Fate:
    """One seed's. ``faults`` are over after ``calm_after_seconds``, as is everything else that stands in the way."""

    seed: int
    archives: dict[str, int]
    latency_seconds: float
    rate_per_second: float
    burst: float | None
    faults: tuple[Rule, ...]
    settings: dict[str, dict[str, object]]
    choices: Choices
    freeze: bool
    remove: bool
    has_policy: bool
    asks_later: bool
    """Whether nobody is there to say yes at first."""
    comes_by_cron: bool
    """Whether a process waits for nothing and is started again, or sleeps."""
    events: tuple[Event, ...]
    deaths: tuple[Death, ...]
    pauses_seconds: tuple[float, ...] = ()
    """How long it takes until somebody starts it again, after each death."""
    slow_work: bool = False
    keys_last_seconds: float | None = None
    """How long a set of credentials lasts; None is for good."""
    calm_after_seconds: float = 20 * DAY


def drawn(seed: int) -> Fate:
    """The fate of a seed."""
    chance = random.Random(seed)
    archives = round(10 ** chance.uniform(1.0, 2.9)) if chance.random() < 0.93 else chance.randrange(1_000, 2_500)
    latency_seconds = chance.choice([0.0, 0.005, 0.05, 0.3]) * chance.uniform(0.5, 2.0)
    rate_per_second = 0.0 if chance.random() < 0.5 else 10 ** chance.uniform(1.0, 2.7)
    rate_max = None if chance.random() < 0.6 else round(10 ** chance.uniform(0.5, 2.5), 1)
    choices = _choices(chance, archives)
    remove = choices == EVERY_ARCHIVE and chance.random() < 0.4
    settings: dict[str, dict[str, object]] = {
        "pace": {"first_per_second": 10 ** chance.uniform(0.7, 3.0), "max_rate": rate_max},
        "audit": {
            "segment_records": 1_000,
            "commit_seconds": chance.choice([0.02, 0.1, 0.5]),
            "checkpoint_seconds": chance.choice([2.0, 20.0, 60.0]),
            "telemetry_seconds": chance.choice([5.0, 10.0, 60.0]),
        },
        "safety": {"protection_interval_seconds": chance.choice([10.0, 30.0, 60.0])},
    }
    if chance.random() < 0.2:
        settings["safety"]["protection_interval_seconds"] = 120.0  # it looks while it waits for its hours, too
        settings["pace"]["windows"] = tuple(f"{hour:02}:00-{hour:02}:{OPEN_SECONDS / 60:.0f} UTC" for hour in range(24))
    if chance.random() < 0.08 and archives < 300:
        settings["aws"] = {"transport": "sdk"}
    events = tuple(sorted(_events(chance, settings, remove=remove), key=lambda event: event.seconds))
    deaths = tuple(_death(chance) for _ in range(chance.randint(1, 5)))
    vaults = {VAULT: archives}
    if chance.random() < 0.2:  # a fleet
        vaults |= {
            name: chance.randint(1, 120) for name in chance.sample(["films", "maps", "logs"], chance.randint(1, 2))
        }
    return Fate(
        seed=seed,
        archives=vaults,
        latency_seconds=latency_seconds,
        rate_per_second=rate_per_second,
        burst=None if chance.random() < 0.5 else chance.choice([1.0, 20.0, 200.0]),
        faults=tuple(_faults(chance)),
        settings=settings,
        choices=choices,
        freeze=chance.random() < 0.5,
        remove=remove,
        has_policy=chance.random() < 0.5,
        asks_later=chance.random() < 0.3,
        comes_by_cron=chance.random() < 0.3,
        events=events,
        deaths=deaths,
        pauses_seconds=tuple(10 ** chance.uniform(0.0, 4.5) for _ in deaths),
        slow_work=chance.random() < 0.5,
        keys_last_seconds=None if chance.random() < 0.6 else chance.choice([120.0, 600.0, 3_600.0]),
    )


def _choices(chance: random.Random, archives: int) -> Choices:
    draw = chance.random()
    if draw < 0.6:
        return EVERY_ARCHIVE
    if draw < 0.8:
        return Choices(limit=chance.randint(1, archives))
    return Choices(older_than=f"{chance.randint(100, 1500)}d")


def _faults(chance: random.Random) -> list[Rule]:
    rules = []
    until = 20 * DAY
    kinds = WEATHER if chance.random() < 0.8 else (*WEATHER, *REPEATED)
    for kind in chance.sample(kinds, chance.choice([0, 0, 1, 2, 3, 5])):
        begins = chance.choice([0.0, chance.uniform(0.0, 30.0)])
        ends = chance.choice([until, begins + 10 ** chance.uniform(0.5, 3.5)])
        share = chance.choice([0.005, 0.05, 0.2, 0.6])
        rules.append(
            Rule(kind, share, from_seconds=begins, until_seconds=min(ends, until), after="DeleteArchive", count=400)
        )
    if chance.random() < 0.2:
        begins = chance.uniform(0.0, 20.0)
        rules.append(Rule(chance.choice(ENDINGS), 0.1, from_seconds=begins, after="DeleteArchive", count=2))
    for kind in chance.sample(GROUND, chance.choice([0, 0, 1, 2])):
        operation = chance.choice(_ASKED)
        rules.append(Rule(kind, chance.choice([0.1, 0.4]), operation, until_seconds=until, count=30))
    if chance.random() < 0.15:
        rules.append(Rule("job-failed", 1.0, "InitiateJob", count=1))
    if chance.random() < 0.15:
        rules.append(Rule("job-expired", 1.0, chance.choice(["DescribeJob", "GetJobOutput"]), count=1))
    if chance.random() < 0.15:
        rules.append(
            Rule(chance.choice(["output-cut", "output-truncated", "output-stalled"]), 1.0, "GetJobOutput", count=2)
        )
    return rules


_ASKED = (
    "*",
    "DescribeVault",
    "ListJobs",
    "DescribeJob",
    "InitiateJob",
    "GetJobOutput",
    "GetVaultLock",
    "GetVaultAccessPolicy",
    "SetVaultAccessPolicy",
    "DeleteVaultAccessPolicy",
    "ListTagsForVault",
    "DeleteVault",
)


def _events(chance: random.Random, settings: dict[str, dict[str, object]], *, remove: bool) -> list[Event]:
    """What others do, counted from the first delete."""
    span = chance.choice([5.0, 60.0, 600.0])

    def soon() -> float:
        return chance.uniform(0.0, span)

    events = []
    if chance.random() < 0.25:
        begins, hold = soon(), chance.choice(["tag", "policy", "lock"])
        events += [Event(begins, f"hold {hold}"), Event(begins + 10 ** chance.uniform(1.0, 4.5), f"lift {hold}")]
    if chance.random() < 0.25:
        begins = soon()
        how = chance.choice(["refused", "silent"])
        events += [Event(begins, f"cut {how}"), Event(begins + 10 ** chance.uniform(0.5, 4.4), "mend")]
    if chance.random() < 0.25:
        events.append(Event(soon(), "skew", chance.choice([-1, 1]) * 10 ** chance.uniform(0.0, 4.93)))
    if chance.random() < 0.25 and not remove:
        events += [Event(soon(), "upload") for _ in range(chance.randint(1, 3))]
    if chance.random() < 0.25:
        events += [Event(soon(), "limit", 10 ** chance.uniform(0.7, 2.7)) for _ in range(chance.randint(1, 3))]
    if chance.random() < 0.25:
        begins = soon()
        events += [Event(begins, "pause"), Event(begins + 10 ** chance.uniform(0.0, 3.0), "resume")]
    if chance.random() < 0.2:
        events += [Event(soon(), "rate", round(10 ** chance.uniform(0.3, 2.0), 1)), Event(soon() + span, "rate", 0.0)]
    if chance.random() < 0.1:
        events.append(Event(soon(), "stop"))
    if chance.random() < 0.3:
        begins = soon()
        events += [Event(begins, f"keys {chance.choice(['fails', 'strange'])}")]
        events += [Event(begins + 10 ** chance.uniform(0.5, 3.5), "keys given")]
    if chance.random() < 0.1:
        events.append(Event(soon(), "thaw"))
    if chance.random() < 0.15:
        settings["safety"]["max_duration_seconds"] = chance.choice([3.0, 20.0])
    return events


def _death(chance: random.Random) -> Death:
    kind: str = chance.choice(["disk", "disk", "sent", "turn"])
    most: Callable[[], float] = {
        "disk": lambda: 10 ** chance.uniform(0.0, 2.7),
        "sent": lambda: 10 ** chance.uniform(0.0, 3.0),
        "turn": lambda: 10 ** chance.uniform(1.0, 3.7),
    }[kind]
    at = max(1, round(most()))
    return Death(kind, at, power=chance.random() < 0.4, afterwards=chance.random() < 0.5)
