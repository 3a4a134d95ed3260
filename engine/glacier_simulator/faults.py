"""What goes wrong, with which request: decided by the seed, for the kinds of ``fault_kinds``.

A rule says which operation it is about, when, and for what share of requests.  Whether it strikes depends on the
seed, the rule, the archive (or the path) and how often that archive was struck before, and on nothing else: not on
the order in which concurrent requests arrive.  So the same seed gives the same faults to the same archives in every
run, however the client schedules its work.  Only archives that were struck are remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from zlib import crc32

import msgspec

from glacier_simulator.fault_kinds import KINDS

EVERY_OPERATION = "*"
_MASK = 0xFFFFFFFF


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault and whom it strikes.

    ``share`` (0 to 1) of the requests of ``operation`` (a name of the service's API, or ``*``) that arrive from
    ``from_seconds`` until ``until_seconds`` (None: for ever) after the start, in simulated time; ``count`` of them at
    most.  With ``after``, the name of an operation, that time is counted from its first request: a purge may begin
    whenever it likes and still meets what is meant for purges.  With ``regions``, requests to others are left alone.
    ``seconds`` is how long the fault waits where it waits, in real time; None is the kind's own default.
    """

    kind: str
    share: float = 1.0
    operation: str = "DeleteArchive"
    from_seconds: float = 0.0
    until_seconds: float | None = None
    count: int | None = None
    seconds: float | None = None
    after: str | None = None
    regions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is not a kind of fault. There are: {', '.join(sorted(KINDS))}.")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share {self.share} of fault {self.kind!r} is not between 0 and 1")
        if self.seconds is not None and not 0 <= self.seconds <= 86_400:
            raise ValueError(f"seconds {self.seconds} of fault {self.kind!r} are not between 0 and 86,400")

    def is_on(self, at_seconds: float) -> bool:
        """Whether it strikes at this moment, counted as ``after`` says, at all."""
        until = self.until_seconds
        return self.from_seconds <= at_seconds and (until is None or at_seconds < until)


class Fault(msgspec.Struct, frozen=True):
    """A fault that strikes one request. ``draw`` (0 up to 1) decides what the kind leaves open, as where to cut."""

    kind: str
    seconds: float
    draw: float


class FaultPlan:
    """The rules in force. The first one that strikes wins."""

    def __init__(self, rules: Sequence[Rule] = (), *, seed: int = 1) -> None:
        self._seed = seed
        self._rules: tuple[Rule, ...] = ()
        self._struck: list[int] = []
        self._strikes: dict[int, int] = {}
        self._concerning: dict[str, list[tuple[int, Rule]]] = {}
        self._begun: dict[str | None, float] = {None: 0.0}
        self.counts: dict[str, int] = {}
        self.replace(rules)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What is in force, in order of precedence."""
        return self._rules

    def replace(self, rules: Sequence[Rule]) -> None:
        """Put other rules in force; what the old ones did stays counted."""
        self._rules = tuple(rules)
        self._struck = [0] * len(self._rules)
        self._concerning = {}

    def decide(self, operation: str, key: bytes, at_seconds: float, region: str) -> Fault | None:
        """The fault that strikes this request to ``region``, if any. ``key`` is the archive id or the path."""
        concerning = self._concerning.get(operation)
        if concerning is None:
            self._begun.setdefault(operation, at_seconds)
            concerning = self._concerning[operation] = [
                (index, rule)
                for index, rule in enumerate(self._rules)
                if rule.operation in (operation, EVERY_OPERATION)
            ]
        if not concerning:
            return None
        digest = crc32(key)
        for index, rule in concerning:
            if not rule.is_on(at_seconds - self._begun.get(rule.after, inf)):
                continue
            if rule.regions and region not in rule.regions:
                continue
            if rule.count is not None and self._struck[index] >= rule.count:
                continue
            draw = _mixed(digest, self._seed, index, self._strikes.get(digest, 0))
            if draw < rule.share:
                return self._strike(index, rule, digest, draw / rule.share)
        return None

    def _strike(self, index: int, rule: Rule, digest: int, draw: float) -> Fault:
        self._struck[index] += 1
        self._strikes[digest] = self._strikes.get(digest, 0) + 1
        self.counts[rule.kind] = self.counts.get(rule.kind, 0) + 1
        default = KINDS[rule.kind].seconds
        return Fault(rule.kind, default if rule.seconds is None else rule.seconds, draw)


def _mixed(digest: int, seed: int, index: int, strikes: int) -> float:
    """A number from 0 up to 1 out of four: murmur3's finaliser, as crc32 alone keeps differences as they are."""
    value = (digest ^ (seed * 0x9E3779B1 + index * 0x85EBCA77 + strikes * 0xC2B2AE3D)) & _MASK
    value = ((value ^ value >> 16) * 0x85EBCA6B) & _MASK
    value = ((value ^ value >> 13) * 0xC2B2AE35) & _MASK
    return (value ^ value >> 16) / 2**32
