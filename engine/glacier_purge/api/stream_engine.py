"""The engine of ``delete_archives``: a pool fed with ids as they come, beside a caller who looks at outcomes.

What is kept of ids and outcomes is a ``Book``'s: an audit log (``stream_log``) or nothing.  The engine is a task of its
own and ends with its caller.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext, suppress
from typing import TYPE_CHECKING, Protocol

import anyio
from anyio.lowlevel import checkpoint

from glacier_purge.archive import Archive, ArchiveId
from glacier_purge.audit.given_ids import cut
from glacier_purge.audit.record import Outcome
from glacier_purge.deletion.credentials import Renewal
from glacier_purge.deletion.pacer import Pacer, PacerState
from glacier_purge.deletion.pool import Pool
from glacier_purge.deletion.tally import Tally
from glacier_purge.deletion.turns import Turns
from glacier_purge.errors import one_error
from glacier_purge.run.feed import RELEASE_MIN, RELEASE_SECONDS
from glacier_purge.run.windows import Hours

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.streams.memory import MemoryObjectSendStream

    from glacier_purge.deletion.retry import RetryPolicy
    from glacier_purge.deletion.turns import Recorder
    from glacier_purge.glacier.port import Glacier
    from glacier_purge.run.host import Host
    from glacier_purge.run.settings import PurgeSettings

_UNREAD_MAX = 1_000
"""Unread outcomes down to which deletes wait for the caller, once there were more than ``UNRECORDED_MAX`` of them."""


class Book(Protocol):
    """Numbers ids and keeps what has to be kept of them: an audit log, or nothing."""

    @property
    def maybe_sent(self) -> Callable[[int], bool] | None:
        """Tells whether an earlier process may have sent an ordinal; None where there was none."""

    @property
    def pacer_state(self) -> PacerState | None:
        """What an earlier process learnt about the pace."""

    @property
    def pending(self) -> int:
        """Outcomes that were taken and not handed to the caller yet."""

    @property
    def released_together_max(self) -> int:
        """Most ids that are worth being released together, and so being read ahead."""

    def enter(self, text: str, *, is_id: bool) -> int | Outcome:
        """The ordinal of an id that is not known; or its outcome, where it needs no request."""

    async def release(self, archives: Sequence[Archive]) -> None:
        """Return when these may be sent."""

    def record(self, outcomes: Sequence[Outcome], /) -> None:
        """Take outcomes."""

    def note(self, event: str, **facts: object) -> None:
        """Take an event."""

    async def checkpoint(self, pacer: PacerState) -> None:
        """Remember how far the work is."""


class NoLog:
    """Keeps nothing."""

    maybe_sent: Callable[[int], bool] | None = None
    pacer_state: PacerState | None = None
    pending = 0
    released_together_max = 64

    def __init__(self, unread: Unread) -> None:
        self._next = 0
        self.record = unread.put

    def enter(self, text: str, *, is_id: bool) -> int | Outcome:
        """See ``Book``."""
        self._next += 1
        return self._next - 1

    async def release(self, archives: Sequence[Archive]) -> None:
        """See ``Book``."""

    def note(self, event: str, **facts: object) -> None:
        """See ``Book``."""

    async def checkpoint(self, pacer: PacerState) -> None:
        """See ``Book``."""


class Unread:
    """Outcomes that the caller has not looked at."""

    def __init__(self) -> None:
        self._outcomes: deque[Outcome] = deque()
        self._news = asyncio.Event()
        self._looked_at = asyncio.Event()

    def __len__(self) -> int:
        return len(self._outcomes)

    def put(self, outcomes: Sequence[Outcome]) -> None:
        """Keep outcomes for the caller."""
        self._outcomes.extend(outcomes)
        self._news.set()

    async def looked_at(self) -> None:
        """Wait until the caller has looked at one more."""
        self._looked_at.clear()
        await self._looked_at.wait()

    async def beside(self, work: Coroutine[object, object, None]) -> AsyncGenerator[Outcome]:
        """Run ``work`` beside the caller and hand out what comes of it; end, and raise, as it does."""
        # A task group must not stay open across a yield (its cancel scope would leak into the caller), so the work
        # is a task of its own, and this generator is its only owner.
        engine = asyncio.create_task(work)
        engine.add_done_callback(lambda _: self._news.set())
        try:
            while not engine.done() or self._outcomes:
                while self._outcomes:
                    yield self._outcomes.popleft()
                    self._looked_at.set()
                if not engine.done():
                    self._news.clear()
                    await self._news.wait()
            with one_error():
                await engine
        finally:
            if not engine.done():
                engine.cancel()
                with suppress(asyncio.CancelledError):
                    await engine


class _Recorder:
    """Where the pool's outcomes go: into the book, and from there to the caller."""

    def __init__(self, book: Book, unread: Unread) -> None:
        self.record = book.record
        self._book = book
        self._unread = unread

    @property
    def pending(self) -> int:
        """How many outcomes the caller has not looked at."""
        return self._book.pending + len(self._unread)

    async def room(self) -> None:
        """Wait until the caller has looked at most of them."""
        while self.pending > _UNREAD_MAX:
            await self._unread.looked_at()


class Engine:
    """One call's pool, with all that it needs."""

    def __init__(
        self,
        service: Glacier,
        settings: PurgeSettings,
        host: Host,
        policy: RetryPolicy,
        *,
        is_id: Callable[[str], bool],
    ) -> None:
        self._service = service
        self._settings = settings
        self._host = host
        self._policy = policy
        self._is_id = is_id
        self._tally = Tally()

    async def delete(
        self, ids: Iterable[str] | AsyncIterable[str], opening: AbstractAsyncContextManager[Book], unread: Unread
    ) -> None:
        """Delete what ``ids`` names and ``opening``'s book does not know."""
        async with opening as book:
            host, settings = self._host, self._settings
            kept = book.pacer_state.if_fresh(host.wall_clock()) if book.pacer_state else None
            pacer = Pacer(settings.pace, now=host.clock(), random=host.random, resumed=kept)
            send, receive = anyio.create_memory_object_stream[list[Archive]](2)
            recorder = _Recorder(book, unread)
            pool = self._pool(Turns(receive), pacer, recorder, book.maybe_sent)
            feed = _Feed(book, recorder, unread, self._is_id, lambda: pacer.rate_per_second)
            hours = Hours(settings.windows, pool, host.wall_clock, before_opening=_nothing)
            hours.look()
            try:
                held = nullcontext() if host.lease is None else host.lease.holding(pool, pool.drain)
                with held:
                    async with receive, anyio.create_task_group() as tasks:
                        tasks.start_soon(hours.keep)
                        tasks.start_soon(self._checkpoint, book, pacer)
                        tasks.start_soon(feed.read, ids)
                        tasks.start_soon(feed.send, send)
                        await pool.run()
                        tasks.cancel_scope.cancel()
            finally:
                reason = pool.stop_reason or ("the ids ended" if feed.has_ended else "an error or the caller ended it")
                book.note("stopped", reason=reason, drained=True, unknown=pool.unknown(), **self._counted())
            await book.checkpoint(pacer.state(host.wall_clock()))
        if host.lease is not None:
            host.lease.check()
        if feed.failure is not None:
            raise feed.failure

    def _pool(self, turns: Turns, pacer: Pacer, recorder: Recorder, maybe_sent: Callable[[int], bool] | None) -> Pool:
        host, service = self._host, self._service
        return Pool(
            service=service,
            turns=turns,
            pacer=pacer,
            policy=self._policy,
            recorder=recorder,
            tally=self._tally,
            renewal=Renewal(
                service.renew_credentials,
                clock=host.clock,
                patience_seconds=self._settings.credentials_patience_seconds,
            ),
            clock=host.clock,
            maybe_sent=maybe_sent,
        )

    def _counted(self) -> dict[str, int]:
        tally = self._tally
        return {"attempts": tally.sent, "throttled": tally.throttled, "server_faults": tally.faults}

    async def _checkpoint(self, book: Book, pacer: Pacer) -> None:
        while True:
            await anyio.sleep(self._settings.checkpoint_seconds)
            await book.checkpoint(pacer.state(self._host.wall_clock()))


class _Feed:
    """Reads ids ahead of the pool, as many as are released together, and feeds it what may be sent.

    Reading and sending are two tasks, so that ids which pause keep nothing waiting that is here.
    """

    def __init__(
        self,
        book: Book,
        recorder: Recorder,
        unread: Unread,
        is_id: Callable[[str], bool],
        rate_per_second: Callable[[], float],
    ) -> None:
        self._book = book
        self._recorder = recorder
        self._unread = unread
        self._is_id = is_id
        self._rate_per_second = rate_per_second
        self._waiting: list[Archive] = []
        self._together_max = RELEASE_MIN
        """Most ids that wait here, and are then released together."""
        self._more = asyncio.Event()
        self._taken = asyncio.Event()
        self._sender_waits = False
        self.failure: Exception | None = None
        """What the ids raised; it must not cancel deletes that are under way."""
        self.has_ended = False
        """The ids have come to their end, by themselves or by an error."""

    async def read(self, ids: Iterable[str] | AsyncIterable[str]) -> None:
        """Read ids to their end."""
        try:
            async with aclosing(_each(ids)) as each:
                async for text in each:
                    if not self._needs_request(text):
                        await self._recorder.room()
                    while len(self._waiting) >= self._together_max:
                        self._taken.clear()
                        await self._taken.wait()
                    if self._sender_waits and self._waiting:
                        self._more.set()
                        await checkpoint()
        except Exception as failure:
            self.failure = failure
        self.has_ended = True
        self._more.set()

    def _needs_request(self, text: str) -> bool:
        """Have the id wait for its delete; or see to its outcome here, and say False."""
        is_id = self._is_id(text)
        entered = self._book.enter(text, is_id=is_id)
        if not isinstance(entered, int):
            self._unread.put([entered])
            return False
        if is_id:
            self._waiting.append(Archive(ArchiveId(text), "", "", 0, "", entered))
        else:
            self._book.record([Outcome(entered, cut(text), 0, "invalid", code="not an archive id")])
        return is_id

    async def send(self, fresh: MemoryObjectSendStream[list[Archive]]) -> None:
        """Feed the pool batch by batch: as many as come together, half a second's worth at most."""
        async with fresh:
            while self._waiting or not self.has_ended:
                if not self._waiting:
                    self._more.clear()
                    self._sender_waits = True
                    await self._more.wait()
                    self._sender_waits = False
                    continue
                batch, self._waiting = self._waiting, []
                soon = max(RELEASE_MIN, int(self._rate_per_second() * RELEASE_SECONDS))
                self._together_max = min(self._book.released_together_max, soon)
                self._taken.set()
                await self._book.release(batch)
                await fresh.send(batch)


def _nothing() -> None:
    """Nothing is watched that would have to be looked at anew when a window opens."""


async def _each(ids: Iterable[str] | AsyncIterable[str]) -> AsyncGenerator[str]:
    if isinstance(ids, AsyncIterable):
        async for text in ids:
            yield text
    else:
        for text in ids:
            yield text
