"""Do faults come of the rate?  Found out by trying: the full pace and a quarter of it, in turns.

Two things can be behind a share of faults.  Either it is the same at any rate (one broken host of three, a bad
network): then going slower only costs.  Or the service has the strength for so much a second and fails what is beyond:
then going slower costs nothing, and spares it.  At a quarter of the rate the two differ: in the first case the share
stays, in the second as much would be served a second as before, so it falls, often to nothing.  How many times as
likely the counts are with the one as with the other decides (a sequential binomial test, after Wald).  That paces are
compared in turns and a fall has to be seen twice, so that gusts which happen to fall into one turn decide nothing, is
from PCC (Dong et al., NSDI 2015).

A reply belongs to the turn its request left in, and nothing is judged before nearly all of them are back: faults that
take ten seconds would be missing from the turn they belong to, and the slow one would look clean.

Each figure was halved and doubled as those of ``fault_factor`` were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from glacier_purge.deletion.traffic import Slice

SLOW_PACE = 0.25  # both at once: 2 % less used when halved; at half the pace 60 % of faults take 2.6 pairs, not 1.5
_SENDS_MIN = 10  # no matter
_SECONDS_MIN = 0.5  # overload 70/s: 15 % of faults when halved, not 10; doubled, 317 attempts in the outage, not 213
"""A turn lasts for so many requests and so long."""
_SETTLING_SECONDS = 0.25  # no matter; without it an overload of half the limit was missed in one trial of ten
"""What is sent right after a change of pace counts for neither: a queue has to fill or drain first."""
_CONVINCED = math.log(50.0)  # 10 %: 2 % less used at its root; slow: 2 % less at its square
"""One explanation has to be so many times as likely as the other."""
_FALLS_MIN = 2
"""So many pairs have to show a fall, each by itself."""
_PAIRS_MAX = 6  # no matter
"""What is as unclear after so many pairs of turns is not worth slowing down for."""
_REPLIED_SHARE = 0.95
_REPLIES_SECONDS_MAX = 35.0
"""Longer than a request may take: what is not back by then is lost."""
_SLOWER_AT_MOST = 0.8  # no matter in scenarios, where nothing else holds sending back
"""Of the full pace. If it was more, something else held sending back, and the turns say nothing."""
_SERVED_SHARE_MAX = 0.98
"""A service that is not overloaded has everyday faults all the same."""
_MORE_SERVED = 1.4  # both at once: 66 % of faults when doubled, not 50; no matter when halved
"""Faults known to come at any pace explain what is left at the slow one, where so many times more were served."""
CEASED_SHARE = 0.1  # overload 40/s: 10 % of faults at half of it, 12, 20 at twice; at half everyday shares are cut for
"""Fewer faults than that at the full pace, and there is nothing left to try."""


class Verdict(Enum):
    """What a trial found out."""

    FALLS = "fewer requests a second, and a smaller share of them is faults"
    STAYS = "the share of faults is the same at a quarter of the pace"
    CEASED = "there are hardly any faults left"


@dataclass(slots=True)
class _Turn:
    """What left at one of the two paces, and what came back of that; throttles and the like only as ``replied``."""

    begun_at: float = math.inf
    ended_at: float = math.inf
    sent: int = 0
    replied: int = 0
    accepted: int = 0
    faulted: int = 0

    @property
    def seconds(self) -> float:
        return self.ended_at - self.begun_at

    @property
    def fault_share(self) -> float:
        return self.faulted / max(1, self.replies)

    @property
    def replies(self) -> int:
        return self.accepted + self.faulted

    def log_likelihood(self, served_share: float) -> float:
        """Of its counts, if each request had been served with this likelihood."""
        share = max(1.0 - _SERVED_SHARE_MAX, min(_SERVED_SHARE_MAX, served_share))
        return self.accepted * math.log(share) + self.faulted * math.log(1.0 - share)

    def is_back(self, now: float) -> bool:
        """Whether the turn is over and nearly all that was sent in it was answered."""
        if self.ended_at == math.inf:
            return False
        return self.replied >= _REPLIED_SHARE * self.sent or now - self.ended_at >= _REPLIES_SECONDS_MAX


class FaultTrial:
    """Turns, one at the full pace and one at a quarter of it, until one explanation is the better by far.

    ``verdict`` is None as long as that is open.  ``borne_share`` of all requests are known to fail at any pace.
    """

    __slots__ = ("_borne_share", "_turns", "verdict")

    def __init__(self, now: float, *, borne_share: float) -> None:
        self._borne_share = borne_share
        self._turns = [_Turn(begun_at=now)]
        self.verdict: Verdict | None = None

    @property
    def is_slow(self) -> bool:
        """Whether the slow pace is asked for now."""
        return len(self._turns) % 2 == 0

    @property
    def fault_share(self) -> float:
        """The share of faults over all turns so far."""
        return _fault_share(self._turns)

    @property
    def replies(self) -> int:
        """How many replies ``fault_share`` is of; throttles say nothing about it."""
        return sum(turn.replies for turn in self._turns)

    @property
    def fast_per_second(self) -> float:
        """What was really sent a second in the last turn at the full pace that is over."""
        fast = self._turns[len(self._turns) // 2 * 2 - 2]
        return fast.sent / fast.seconds

    @property
    def served_share(self) -> float:
        """The share that was served at the full pace."""
        return 1.0 - _fault_share(self._turns[::2])

    @property
    def slow_fault_share(self) -> float:
        """The share of faults at a quarter of the pace."""
        return _fault_share(self._turns[1::2])

    def seconds(self, now: float) -> float:
        """How long it has taken until ``now``."""
        return now - self._turns[0].begun_at

    def reply(self, sent_at: float, *, accepted: bool, faulted: bool) -> None:
        """Count a reply in the turn its request left in, at ``sent_at``."""
        for turn in reversed(self._turns):
            if turn.begun_at <= sent_at < turn.ended_at:
                turn.replied += 1
                turn.accepted += accepted
                turn.faulted += faulted
                return

    def go_on(self, now: float, newest: Slice) -> None:
        """Take in the newest slice, which ended ``now``: end a turn that was long enough, judge what is complete."""
        turn = self._turns[-1]
        if turn.begun_at == math.inf:
            if now - self._turns[-2].ended_at >= _SETTLING_SECONDS:
                turn.begun_at = now
            return
        if turn.ended_at == math.inf:
            turn.sent += newest.sent
            if turn.sent >= _SENDS_MIN and now - turn.begun_at >= _SECONDS_MIN:
                turn.ended_at = now
                if not self.is_slow:
                    self._turns.append(_Turn())
        fast = self._turns[-2] if self.is_slow else turn
        if fast.is_back(now) and fast.fault_share < CEASED_SHARE:
            self.verdict = Verdict.CEASED
        elif self.is_slow and fast.is_back(now) and self._turns[-1].is_back(now):
            self._judge(now)

    def _judge(self, now: float) -> None:
        pairs = list(zip(self._turns[::2], self._turns[1::2], strict=True))
        evidence = [_evidence(fast, slow, self._borne_share) for fast, slow in pairs]
        if sum(evidence) >= _CONVINCED and sum(each > 0.0 for each in evidence) >= _FALLS_MIN:
            self.verdict = Verdict.FALLS
        elif sum(evidence) <= -_CONVINCED or len(pairs) == _PAIRS_MAX:
            self.verdict = Verdict.STAYS
        else:
            self._turns.append(_Turn())


def _fault_share(turns: list[_Turn]) -> float:
    return sum(turn.faulted for turn in turns) / max(1, sum(turn.replies for turn in turns))


def _evidence(fast: _Turn, slow: _Turn, borne_share: float) -> float:
    """How much better it explains the counts that as much is served at any pace than that the share is the same.

    As the logarithm of the ratio of likelihoods, 0 where the turns say nothing.
    """
    pace = (slow.sent / slow.seconds) / (fast.sent / fast.seconds)
    if pace > _SLOWER_AT_MOST:
        return 0.0
    served = fast.accepted + slow.accepted
    same_share = served / max(1, fast.replies + slow.replies)
    fast_share = fast.accepted / max(1, fast.replies)
    most = [_SERVED_SHARE_MAX]
    if 1.0 - borne_share >= _MORE_SERVED * fast_share:
        most.append(1.0 - borne_share)
    as_many = (served / max(1.0, fast.replies + slow.replies / pace), fast_share)
    return max(
        fast.log_likelihood(share) + slow.log_likelihood(min(share / pace, cap)) for share in as_many for cap in most
    ) - (fast.log_likelihood(same_share) + slow.log_likelihood(same_share))
