"""The worker pool: deletes under way, each *pace, send, classify, record - or wait its turn and go first*.

A worker is a delete under way, not a task.  The replies of one turn of the event loop come in one call from the
transport; in that call they are settled (recorded or parked, never lost) and whatever may go next is sent together, so
the happy path has no task, timer, future or exception for each archive, and few calls.  What has to be waited for - the
pacer, archives, room in the log, the end of a pause - is waited for by one dispatcher.  A request that can't leave at
once (it needs a connection, credentials, the SDK) is a task of the pool's own group.  The first delete of a process
goes alone: until the service has accepted one, nothing else is sent, so a denied or misdirected run makes one request
and not one a worker.

The pool never retries inside a call, never decides what to delete, and writes no outcome but the two it has seen
itself: ``deleted`` after a 204 for that id, ``failed`` after the retry policy gave up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from glacier_purge.archive import Archive, Vault
from glacier_purge.audit.record import Outcome
from glacier_purge.deletion.budget import Pacing
from glacier_purge.deletion.credentials import Renewal
from glacier_purge.deletion.pacer import Signal
from glacier_purge.deletion.pauses import Pauses, Side
from glacier_purge.deletion.reason import Cause, Reason
from glacier_purge.deletion.retry import RetryPolicy, refusal
from glacier_purge.deletion.tally import Tally
from glacier_purge.deletion.turns import Recorder, Turn, Turns
from glacier_purge.errors import GlacierPurgeError, InvariantBroken
from glacier_purge.glacier.doubts import DOUBTED
from glacier_purge.glacier.port import Glacier
from glacier_purge.glacier.reply import ENDS_THE_RUN, LEAVES_OPEN, PAUSES_THE_RUN, Meaning, Reply
from glacier_purge.invariants import Invariant

_TIMER_SECONDS = 0.001
"""uvloop counts in whole milliseconds: a shorter timer fires at once and is set again, a hundred times a slot."""

UNRECORDED_MAX = 4_096
"""Outcomes that may wait for the disk before nothing more is sent: bounds memory when the disk is slow."""

_SIGNALS: dict[Meaning, Signal] = {
    Meaning.THROTTLED: Signal.THROTTLED,
    Meaning.SERVER_FAULT: Signal.FAULT,
    Meaning.NO_REPLY: Signal.FAULT,
}


_DELETED = Meaning.DELETED


class BlockedBy(Enum):
    """What holds the next delete back."""

    POOL = "a stop, a pause, the disk, or as many in flight as may be"
    NO_ARCHIVE = "no archive is there or due"
    PACER = "the pacer's next slot"


class Pool:
    """Sends deletes for the archives of ``turns``, as many at once as ``pacer`` allows, and records what came of each.

    ``clock`` gives monotonic seconds; ``maybe_sent`` tells whether an ordinal may have been sent by an earlier
    process that did not live to record it, and is None where there was no earlier process.
    """

    def __init__(
        self,
        *,
        service: Glacier,
        turns: Turns,
        pacer: Pacing,
        policy: RetryPolicy,
        recorder: Recorder,
        tally: Tally,
        renewal: Renewal,
        clock: Callable[[], float],
        maybe_sent: Callable[[int], bool] | None,
    ) -> None:
        self._service = service
        self._turns = turns
        self._pacer = pacer
        self._policy = policy
        self._recorder = recorder
        self._tally = tally
        self._renewal = renewal
        self._clock = clock
        self._maybe_sent = maybe_sent
        self._tasks: TaskGroup | None = None
        self._is_over = False
        self._held: anyio.CancelScope | None = None
        self._starved: anyio.CancelScope | None = None
        self._pacing: anyio.CancelScope | None = None
        self._wait = {
            BlockedBy.POOL: self._wait_for_change,
            BlockedBy.NO_ARCHIVE: self._wait_for_archives,
            BlockedBy.PACER: self._wait_for_pacer,
        }
        self._slot_seconds = 0.0
        self._in_flight: dict[int, Turn] = {}
        self._stop_reason: str | None = None
        self._refused_by: GlacierPurgeError | None = None
        self._broken_by: Exception | None = None
        self._pauses = Pauses()
        self._sends_until = math.inf
        service.deliver_to(self._replied)

    # -- for those who watch and steer ------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered yet."""
        return len(self._in_flight)

    @property
    def waiting(self) -> int:
        """Archives that were refused and wait for another turn."""
        return len(self._turns)

    @property
    def stop_reason(self) -> str | None:
        """Why nothing new is sent any more; None while the pool works."""
        return self._stop_reason

    def why(self) -> Reason:
        """What holds the pace now, and whether replies had to be disbelieved."""
        holds, doubted = self._what_holds(), self._tally.doubted
        if not doubted:
            return holds
        return holds._replace(
            words=f"{holds.words}; not believed so far: {doubted:,} replies, as a box in between repeats or makes them "
            "up (those deletes are sent again)"
        )

    def _what_holds(self) -> Reason:
        if self._stop_reason is not None and not self._in_flight:
            return Reason(Cause.STOPPING, f"stopped ({self._stop_reason})")
        if self._stop_reason is not None:
            waits = f"waiting for {self.in_flight} requests in flight"
            return Reason(Cause.STOPPING, f"stopping ({self._stop_reason}): {waits}")
        if (paused := self._pauses.why()) is not None:
            return paused
        if not self._tally.accepted:
            return Reason(Cause.FIRST_DELETE, "the first delete goes alone: waiting until the service accepts it")
        return self._pacer.why(self._clock(), in_flight=self.in_flight)

    def drain(self, reason: str) -> None:
        """Send nothing new from now on; ``run`` returns when the requests in flight are settled."""
        if self._stop_reason is None:
            self._stop_reason = reason
        self._wake()

    @property
    def paused_by(self) -> list[Side]:
        """Who holds dispatch now; empty while nobody does."""
        return self._pauses.sides()

    def why_paused(self, side: Side) -> str | None:
        """Why ``side`` holds dispatch; None while it does not."""
        return self._pauses.why_of(side)

    def pause(self, side: Side, why: str) -> None:
        """Send nothing until ``side`` resumes; requests in flight are settled as usual."""
        self._pauses.begin(side, why)

    def resume(self, side: Side) -> None:
        """Let go for ``side``; sending goes on unless another side still holds it."""
        self._pauses.end(side)
        self._wake()

    def send_until(self, moment: float) -> None:
        """Send nothing from ``moment`` of the pool's clock on, until another one is said: another host may send then.

        Whoever says so pauses, too; this holds where it had no turn to.
        """
        self._sends_until = moment

    @property
    def vault(self) -> Vault:
        """The vault deletes are sent for."""
        return self._service.vault

    def refuse(self, reply: Reply) -> None:
        """Send nothing new: ``reply`` concerns every archive alike. ``run`` raises what it means."""
        if self._refused_by is None:
            self._refused_by = refusal(self._service.vault, reply)
        self.drain(f"refused: {reply.meaning.value}")

    def ask_for_credentials(self, reply: Reply, sent_at: float) -> None:
        """Pause until credentials are renewed, because of ``reply`` to a request sent at ``sent_at``, if it is news."""
        if (why := self._renewal.ask(reply, sent_at)) is not None:
            self.pause(Side.CREDENTIALS, why)

    def unknown(self) -> list[int]:
        """Ordinals whose delete may have happened without anyone knowing: sent without a reply, and not sent since."""
        parked = [turn.archive.ordinal for turn in self._turns.waiting() if turn.maybe_deleted]
        return sorted([*self._in_flight, *parked])

    # -- the work -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until every archive of the stream has its outcome, or until drained.

        Raises ``ServiceRefused`` when a reply concerned the whole run and ``CredentialsFailed`` when credentials could
        not be renewed in time; requests in flight were settled before.
        """
        async with anyio.create_task_group() as keepers:
            keepers.start_soon(self._keep_credentials)
            async with anyio.create_task_group() as self._tasks:
                await self._dispatch()
            keepers.cancel_scope.cancel()
        if self._refused_by is not None:
            raise self._refused_by

    async def _dispatch(self) -> None:
        """Send what may go, wait for whatever holds the next one back, and again, until nothing is left to do."""
        try:
            while not self._over():
                now = self._clock()
                held_by = self._send_what_may_go(now)
                if self._broken_by is not None:
                    raise self._broken_by
                await self._wait[held_by](now)
        finally:
            self._tasks = None
            with anyio.CancelScope(shield=True):
                await checkpoint()  # replies that are here are delivered when this turn of the loop is over
            self._is_over = True

    def _send_what_may_go(self, now: float) -> BlockedBy:
        """Send until something holds the next delete back, and say what."""
        while (room := self._room(now)) > 0:
            ready = self._turns.ready(now)
            if not ready:
                return BlockedBy.NO_ARCHIVE
            if (seconds := self._pacer.take(now)) > 0.0:
                self._slot_seconds = seconds
                return BlockedBy.PACER
            slots = 1 + self._pacer.take_more(now, min(room, ready) - 1)
            self._send(self._turns.take(now, slots), now)
        return BlockedBy.POOL

    def _send(self, turns: Sequence[Turn], now: float) -> None:
        if self._stop_reason is not None or self._pauses or now >= self._sends_until:
            raise InvariantBroken(Invariant.MAY_SEND, requests=len(turns), because=self._what_holds().words)
        archives = [turn.archive for turn in turns]
        for turn, archive in zip(turns, archives, strict=True):
            turn.sent_at = now
            turn.attempts += 1
            self._in_flight[archive.ordinal] = turn
        self._tally.sent += len(turns)
        assert self._tasks is not None
        for later in self._service.delete_archives(archives):
            self._tasks.start_soon(later)

    def _replied(self, replies: Sequence[tuple[Archive, Reply]]) -> None:
        """Take replies, and send what may go next. The transport's call: whatever it raised, nobody would hear."""
        if self._is_over:  # cancelled: what was in flight is in doubt, and stays so
            return
        try:
            now = self._clock()
            self._settle(replies, now)
            held_by = self._send_what_may_go(now)
        except Exception as fault:
            self._break_down(fault)
            return
        if not self._in_flight or (self._held is not None and held_by is not BlockedBy.POOL):
            self._wake()

    def _settle(self, replies: Sequence[tuple[Archive, Reply]], now: float) -> None:
        """Record what is over, let the rest wait for another turn, and have pace and counts learn from all."""
        done: list[Outcome] = []
        accepted_after_seconds: list[float] = []
        in_flight, maybe_sent = self._in_flight, self._maybe_sent
        try:
            for archive, reply in replies:
                ordinal = archive.ordinal
                turn = in_flight.pop(ordinal, None)
                if turn is None:
                    raise InvariantBroken(Invariant.REPLIES, ordinal=ordinal, request_id=reply.request_id)
                latency_seconds = now - turn.sent_at
                word = "deleted"
                if reply.meaning is _DELETED:
                    accepted_after_seconds.append(latency_seconds)
                elif self._goes_again(turn, reply, now, latency_seconds):
                    continue
                else:
                    word = "failed"
                # Made here and positional: a call and keywords would double the cost of the one object an archive has.
                outcome = Outcome(
                    ordinal,
                    archive.archive_id,
                    archive.size_bytes,
                    word,
                    turn.attempts,
                    reply.status,
                    reply.code,
                    reply.request_id,
                    int(latency_seconds * 10_000 + 0.5) / 10,  # ``round`` to a tenth takes four times as long
                    turn.maybe_deleted or (maybe_sent is not None and maybe_sent(ordinal)),
                )
                done.append(outcome)
        finally:
            if accepted_after_seconds:
                self._tally.accept(accepted_after_seconds)
                self._pacer.accepted(now, accepted_after_seconds)
            if done:
                self._recorder.record(done)

    def _goes_again(self, turn: Turn, reply: Reply, now: float, latency_seconds: float) -> bool:
        """Tell whether a delete that was not accepted has another turn, or none only because the run ends."""
        signal = _SIGNALS.get(reply.meaning, Signal.OTHER)
        self._tally.refuse(reply.meaning, latency_seconds)
        self._tally.doubted += reply.code in DOUBTED
        self._pacer.replied(now, turn.sent_at, signal, latency_seconds, reply.retry_after_seconds)
        turn.maybe_deleted |= reply.meaning in LEAVES_OPEN
        if reply.meaning in ENDS_THE_RUN:
            self.refuse(reply)
            self._turns.park(turn, now, now)  # for another process
            return True
        return self._once_more(turn, reply, now)

    def _once_more(self, turn: Turn, reply: Reply, now: float) -> bool:
        """Let the archive wait for another turn, unless the policy gives it up."""
        times = turn.count(reply.meaning)
        wait_seconds = self._policy.wait_seconds(reply.meaning, times, now - turn.first_sent_at)
        if wait_seconds is None:
            return False
        if reply.meaning in PAUSES_THE_RUN:
            self.ask_for_credentials(reply, turn.sent_at)
        self._turns.park(turn, now + wait_seconds, now + self._policy.soonest_seconds(reply.meaning, wait_seconds))
        if self._starved is not None:
            self._starved.cancel()
        return True

    def _break_down(self, fault: Exception) -> None:
        """Send nothing more, and have the dispatcher raise what was raised where nobody listens."""
        self._broken_by = fault
        self.drain(str(fault) if isinstance(fault, InvariantBroken) else "an error ended the process")

    # -- what holds the next one back --------------------------------------------------------------------------------

    def _room(self, now: float) -> int:
        """How many more deletes a stop, a pause, the disk and the requests in flight let be sent."""
        if self._tasks is None or self._stop_reason is not None or self._pauses or self._waits_for_disk:
            return 0
        if now >= self._sends_until:
            return 0
        most = self._pacer.in_flight_cap(now) if self._tally.accepted else 1
        return most - len(self._in_flight)

    @property
    def _waits_for_disk(self) -> bool:
        return self._recorder.pending > UNRECORDED_MAX

    def _over(self) -> bool:
        if self._in_flight:
            return False
        if self._stop_reason is not None:
            return True
        return self._turns.ended and not self._turns and not self._turns.ready(self._clock())

    async def _wait_for_change(self, _now: float) -> None:
        """Wait until the log has room, or until a reply, a stop or the end of a pause changes what holds the next."""
        if self._waits_for_disk:
            await self._recorder.room()
            return
        with anyio.CancelScope() as self._held:
            await anyio.sleep_forever()
        self._held = None

    async def _wait_for_archives(self, now: float) -> None:
        """Wait for fresh archives, for a parked one's time, or for the last reply."""
        seconds = self._turns.seconds_until_due(now)
        with anyio.move_on_after(seconds) as self._starved:
            await self._turns.more()
        self._starved = None

    async def _wait_for_pacer(self, _now: float) -> None:
        """Wait for a slot. Replies do not shorten it (the pacer is asked again afterwards); a stop does."""
        with anyio.move_on_after(max(self._slot_seconds, _TIMER_SECONDS)) as self._pacing:
            await anyio.sleep_forever()
        self._pacing = None

    def _wake(self) -> None:
        """Have the dispatcher look again."""
        for scope in (self._held, self._starved, self._pacing):
            if scope is not None:
                scope.cancel()

    async def _keep_credentials(self) -> None:
        """Renew credentials when a reply asked for it, for as long as the pool works."""
        while True:
            try:
                await self._renewal.renew_when_asked(self._tally, partial(self.pause, Side.CREDENTIALS))
            except GlacierPurgeError as error:
                self._refused_by = error
                self.drain("credentials could not be renewed")
                return
            self.resume(Side.CREDENTIALS)
