"""Takes the lease of a vault, keeps it while this process changes anything there, and lets it go.

``Lease`` decides; here the bucket is asked, the clocks are looked at, and whoever sends is held in time.  A pool has
the moment by which it must have stopped as a number of its own, so that it stops also where nothing here gets a turn:
the host slept, the loop was busy, the bucket hangs.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import anyio
import structlog

from glacier_purge.archive import Vault
from glacier_purge.aws.bucket import Bucket, BucketAway, ObjectTaken
from glacier_purge.deletion.pauses import Side
from glacier_purge.errors import first_sentence
from glacier_purge.replica.lease import Holder, Lease, LeaseTimes, Read, Wait, Write

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

_TRIES_MAX = 3
"""Questions without an answer, one after the other, before who wants a lease gives up: nothing is under way yet."""
_LAST_WORD_SECONDS = 2.0
"""How long a bucket may take to hear that the lease is let go; else whoever comes next waits a term."""


class Sender(Protocol):
    """What sends while a lease is held: a pool."""

    def send_until(self, moment: float) -> None:
        """Send nothing from this moment on."""

    def pause(self, side: Side, why: str) -> None:
        """Send nothing until ``side`` resumes."""

    def resume(self, side: Side) -> None:
        """Let go for ``side``."""


class LeaseHolder:
    """One process's lease of one vault. ``keep`` has to run from ``take`` on, in a task of the caller's.

    ``clock`` is the one by which senders take their moments; it should count while the host sleeps.  ``wall_clock`` is
    held against it only to find that more time has passed than it tells.
    """

    def __init__(
        self,
        bucket: Bucket,
        vault: Vault,
        holder: Holder,
        times: LeaseTimes,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Callable[[], float],
        epoch_known: int = 0,
    ) -> None:
        self._key = lease_key(vault)
        self._bucket = bucket
        self._vault = vault
        self._times = times
        self._clock = clock
        self._wall_clock = wall_clock
        self._random = random
        self._place = bucket.place(self._key)
        self._lease = Lease(vault, holder, times, self._place, epoch_known=epoch_known)
        self._looked_at = clock(), wall_clock()
        self._senders: dict[Sender, Callable[[str], None]] = {}
        self._away: BucketAway | None = None
        """Why the last question had no answer; None where it had one."""
        self._failures = 0
        self._changed = anyio.Event()
        self.chain_head: Callable[[], str | None] = lambda: None
        """The head of the log that is being written, if one is."""

    @property
    def epoch(self) -> int:
        """The lease's number, higher with each holder; 0 before it was taken."""
        return self._lease.epoch

    @property
    def times(self) -> LeaseTimes:
        """How long it holds, and all that follows from it."""
        return self._times

    @property
    def may_send(self) -> bool:
        """Whether it holds now, for all that this process knows."""
        return self._lease.lost is None and self._clock() < self._lease.sends_until

    async def take(self) -> None:
        """Take the lease, after a term of waiting where somebody holds it who does not renew it.

        Raises ``RunLocked`` for one who does, ``LeaseUnreadable``, and ``BucketAway``.
        """
        is_told = False
        while not self.may_send:
            waits = await self._act()
            self.check()
            if self._away is not None and (self._away.is_denied or self._failures >= _TRIES_MAX):
                raise BucketAway(
                    f"{self._away} Nothing was sent, since another host may work on {self._vault.arn}.",
                    is_denied=self._away.is_denied,
                ) from self._away
            if waits is not None and self._away is None and not is_told:
                is_told = True
                _log.warning("lease.waited_for", vault=self._vault.arn, place=self._place, because=_WAITS)
            if waits is not None:
                await anyio.sleep(min(waits, self._times.look_seconds))
        _log.info("lease.taken", vault=self._vault.arn, lease_epoch=self.epoch)

    async def keep(self) -> None:
        """Renew it again and again, hold those who send while that is not known to have come about; end when it is
        lost.
        """
        while self._lease.lost is None:
            waits = await self._act()
            self._tell_senders()
            if waits is not None:
                await anyio.sleep(min(waits, self._times.look_seconds))
        self._tell_senders()

    async def settled(self) -> None:
        """Wait until it is known to hold, before something is changed that is not sent by a pool.

        Raises ``RunLocked`` and ``LeaseUnreadable`` where it is lost, ``BucketAway`` where a term does not bring it.
        """
        with anyio.move_on_after(self._times.term_seconds):
            while not self.may_send and self._lease.lost is None:
                await self._changed.wait()
        self.check()
        if not self.may_send:
            raise BucketAway(
                f"the lease of {self._vault.arn} could not be renewed: {self._why_away()}. Nothing is changed "
                "while another host may have it. The same command goes on."
            )

    def check(self) -> None:
        """Raise ``RunLocked`` or ``LeaseUnreadable`` where it is lost."""
        if self._lease.lost is not None:
            raise self._lease.lost

    @contextmanager
    def holding(self, sender: Sender, drain: Callable[[str], None]) -> Iterator[None]:
        """Hold ``sender`` whenever the lease does not; ``drain`` is called with why, once it is lost."""
        self._senders[sender] = drain
        try:
            self._tell_senders()
            yield
        finally:
            del self._senders[sender]

    async def let_go(self) -> None:
        """Send nothing any more, and say so, so that nobody has to wait. A bucket that is away is not waited for."""
        written = self._lease.let_go()
        if written is None or written.etag is None:
            return
        with anyio.move_on_after(min(_LAST_WORD_SECONDS, self._times.question_seconds), shield=True):
            try:
                await self._bucket.replace(self._key, written.content, written.etag)
            except (BucketAway, ObjectTaken) as fault:
                _log.info("lease.runs_out", vault=self._vault.arn, because=str(fault))

    # -- inside -------------------------------------------------------------------------------------------------------

    async def _act(self) -> float | None:
        """Do what is to be done now; return for how long nothing is, None where something may be at once."""
        self._look_at_clocks()
        step = self._lease.step(self._clock(), self._random())
        if isinstance(step, Wait):
            return step.seconds
        self._lease.chain_head = self.chain_head()
        try:
            with anyio.fail_after(self._times.question_seconds):
                await self._ask(step)
        except BucketAway as fault:
            self._was_away(fault)
        except TimeoutError:
            self._was_away(BucketAway(f"{self._place}: no answer within {self._times.question_seconds:g} s."))
        else:
            self._away, self._failures = None, 0
        self._look_at_clocks()
        self._changed.set()
        self._changed = anyio.Event()
        return None

    async def _ask(self, step: Read | Write) -> None:
        lease, asked = self._lease, self._clock()
        try:
            if isinstance(step, Read):
                stored = await self._bucket.read(self._key)
                lease.was_read(self._clock(), stored)
            elif step.etag is None:
                lease.was_written(asked, await self._bucket.create(self._key, step.content))
            else:
                lease.was_written(asked, await self._bucket.replace(self._key, step.content, step.etag))
        except ObjectTaken:
            lease.was_taken()

    def _was_away(self, fault: BucketAway) -> None:
        if self._away is None:
            _log.warning("lease.bucket_away", vault=self._vault.arn, because=str(fault))
        self._away, self._failures = fault, self._failures + 1
        self._lease.was_away(self._clock(), self._random())

    def _look_at_clocks(self) -> None:
        """See whether the clock on the wall says that more time has passed: what is held ends earlier then."""
        clock, wall = self._looked_at
        self._looked_at = now, on_the_wall = self._clock(), self._wall_clock()
        skipped = (on_the_wall - wall) - (now - clock)
        if skipped > self._times.look_seconds:
            _log.warning("lease.time_skipped", vault=self._vault.arn, seconds=round(skipped, 1))
            self._lease.skipped(skipped)
            self._tell_senders()

    def _tell_senders(self) -> None:
        lost, until = self._lease.lost, self._lease.sends_until
        holds = self.may_send
        for sender, drain in list(self._senders.items()):
            sender.send_until(-math.inf if lost is not None else until)
            if lost is not None:
                drain(first_sentence(lost))
            elif holds:
                sender.resume(Side.LEASE)
            else:
                sender.pause(
                    Side.LEASE,
                    f"the lease of this vault is not known to hold ({self._why_away()}), so another host may send. It "
                    f"is asked for again about every {self._times.look_seconds:.3g} s, and sending goes on by itself",
                )

    def _why_away(self) -> str:
        return first_sentence(self._away or "this host stood still, or its clock was set")


_WAITS = "who held it last did not let it go; if it is not renewed within its term, its holder is gone"


def lease_key(vault: Vault) -> str:
    """Where the lease of a vault lies, below the bucket's prefix."""
    return f"leases/{vault.account_id}/{vault.region}/{vault.name}.json"
