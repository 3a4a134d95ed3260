"""The part of a run in which requests may be sent, and all that exists only then: pool, pace, hours, holds, orders.

One task group owns its tasks: the feed, the worker pool, who watches windows, holds and files, and who listens for
orders.  What stops it lets requests in flight settle first.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import structlog

from glacier_purge.archive import Archive
from glacier_purge.audit.journal import Journal
from glacier_purge.deletion.budget import Pacing
from glacier_purge.deletion.credentials import Renewal
from glacier_purge.deletion.pauses import Side
from glacier_purge.deletion.pool import Pool
from glacier_purge.deletion.retry import RetryPolicy
from glacier_purge.deletion.tally import Tally
from glacier_purge.deletion.turns import Turns
from glacier_purge.errors import DiskFailed, FileUnreadable, InvariantBroken, NotAsApproved
from glacier_purge.glacier.port import Glacier
from glacier_purge.guard.clearance import Look, check_renewed, look
from glacier_purge.guard.fuse import Canary
from glacier_purge.guard.protection import Guarded
from glacier_purge.plan.document import Plan
from glacier_purge.plan.files import PlanFiles, read_decided
from glacier_purge.plan.forecast import KnownRate
from glacier_purge.replica.log_replica import Ends, LogReplica
from glacier_purge.run import socket as control
from glacier_purge.run.accounts import Accounts
from glacier_purge.run.bounds import Allowance, DenyLists, check_outcomes
from glacier_purge.run.feed import Feed
from glacier_purge.run.holds import Holds
from glacier_purge.run.host import Host
from glacier_purge.run.limits import remember_rate
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.run.steering import AskStatus, Order, Steering
from glacier_purge.run.telemetry import SAMPLE_SECONDS, RecentRate, moment
from glacier_purge.run.windows import Hours

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

DRAIN_SECONDS = 8.0
"""How long requests in flight may take to settle after a stop was asked for (I17: exit within 10 s)."""
_LOOK_AT_FILES_SECONDS = 1.0
_PROVEN_BY_DELETES = 100
_FRESH_BATCHES = 2
"""Released ranges that wait between the feed and the pool; the only buffer."""


Fault = NotAsApproved | FileUnreadable | Ends
"""What ends sending for this process: what is approved is not known, or the replica is not this process's to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingContext:
    """What a run sends by. ``path`` is its folder's; ``files`` hold its plan's, bound to what was approved."""

    path: Path
    plan: Plan
    files: PlanFiles
    service: Glacier
    guarded: Guarded
    settings: PurgeSettings
    host: Host
    journal: Journal
    began: float
    """When this process began with the run, by the host's clock: its checks are a part of what a run takes."""
    deny_lists: DenyLists
    on_hold: Callable[[str, str], None]
    """Called with since when something holds the run, and what."""
    replica: LogReplica | None = None
    """What keeps the log elsewhere, and holds sending where it can't; None is nothing."""


class Sending:
    """One process's deletes, from the first to the last.

    ``first_look`` is what was found at the vault before them; ``drain_reason`` is why to send none after all.
    """

    def __init__(self, context: SendingContext, pacer: Pacing, first_look: Look, drain_reason: str | None) -> None:
        self._context = context
        self._pacer = pacer
        self._tally = Tally()
        self._recent = RecentRate()
        self._send, self._receive = anyio.create_memory_object_stream[list[Archive]](_FRESH_BATCHES)
        self._canary = Canary(context.journal, context.settings.caution, self.drain)
        self._pool = self._make_pool()
        self._holds = self._make_holds(first_look)
        self._hours = Hours(
            context.settings.windows,
            self._pool,
            context.host.wall_clock,
            before_opening=lambda: self._holds.look_first("a window opened"),
        )
        self._steering = Steering(
            pool=self._pool,
            pacer=pacer,
            journal=context.journal,
            drain=self.drain,
            wall_clock=context.host.wall_clock,
            before_resuming=lambda: self._holds.look_first("it was resumed"),
            rate_per_second_wall=context.settings.rate_per_second_wall,
        )
        self._accounts = Accounts(
            plan=context.plan,
            journal=context.journal,
            pool=self._pool,
            tally=self._tally,
            in_flight_max=context.settings.pace.in_flight_max,
        )
        self._work = anyio.CancelScope()
        self._drain_reason = drain_reason
        self.fault: Fault | None = None
        """Why nothing more may be sent, whatever becomes of it; None while all is as it should be."""

    def close(self) -> None:
        """Take no more archives."""
        self._send.close()
        self._receive.close()

    async def work(self) -> None:
        """Delete what the plan lets go and has no outcome yet, until all is done or something stops it.

        Raises ``NotAsApproved``, ``Superseded``, ``CredentialsFailed``, ``ServiceRefused`` and ``RunStopped``, alone
        or in a group.
        """
        self._hours.look()
        self.note_telemetry()
        if self._drain_reason is not None:
            return
        lease = self._context.host.lease
        with self._work, nullcontext() if lease is None else lease.holding(self._pool, self.drain):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._feed)
                tasks.start_soon(self._hours.keep)
                tasks.start_soon(self._holds.keep)
                tasks.start_soon(control.serve, self._context.path, self.obey)
                tasks.start_soon(self._stop_in_time)
                tasks.start_soon(self._keep_replica)
                tasks.start_soon(self._keep_accounts)
                tasks.start_soon(every, SAMPLE_SECONDS, self._sample_rate)
                tasks.start_soon(every, _LOOK_AT_FILES_SECONDS, self._look_at_files)
                tasks.start_soon(every, _LOOK_AT_FILES_SECONDS, self._look_at_deny_lists)
                await self._pool.run()
                tasks.cancel_scope.cancel()
        await self._context.journal.durable()
        self._look_at_outcomes()
        self._look_at_accounts(self._accounts.look_at_the_end)
        await self._look_at_files()
        if self.fault is not None:
            raise self.fault
        if lease is not None:
            lease.check()

    def drain(self, reason: str) -> None:
        """Send nothing new; give requests in flight ``DRAIN_SECONDS`` to settle, then end."""
        self._drain_reason = reason
        _log.info("run.draining", reason=reason)
        self._pool.drain(reason)
        self._work.deadline = min(self._work.deadline, anyio.current_time() + DRAIN_SECONDS)

    def credentials_renewed(self) -> None:
        """Send nothing more until what protects the vault was read again."""
        self._holds.look_first("credentials were renewed")

    def obey(self, order: Order) -> dict[str, object]:
        """Carry out an order and say how it stands then. Raises ``UsageError`` for what makes no sense."""
        if not isinstance(order, AskStatus):
            self._steering.obey(order)
            self._recent.begin_anew()
            self.note_telemetry()
        return self.telemetry()

    def telemetry(self) -> dict[str, object]:
        """How the work goes now; the counts are this process's, latencies since the last telemetry line."""
        return moment(
            tally=self._tally,
            recent=self._recent,
            pacer=self._pacer,
            pool=self._pool,
            hours=self._hours,
            now=self._context.host.clock(),
            active_seconds=self._active_seconds,
        )

    def note_telemetry(self) -> None:
        """Write down how the work goes."""
        self._context.journal.note("telemetry", **self.telemetry())
        self._tally.latencies.clear()

    async def look_at_itself(self) -> None:
        """Write down how the work goes, and stop where an outcome is not one the plan lets come of it."""
        self.note_telemetry()
        self._look_at_outcomes()

    def _look_at_outcomes(self) -> None:
        try:
            check_outcomes(self._context.plan, self._context.journal.ledger)
        except (NotAsApproved, FileUnreadable) as fault:
            self._stop_because_of(fault)

    async def checkpoint(self) -> None:
        """Remember how far the log is, and the pace."""
        await self._context.journal.checkpoint(asdict(self._pacer.state(self._context.host.wall_clock())))

    @property
    def stop_reason(self) -> str | None:
        """Why it stopped before its end; None where that is not known."""
        return self._pool.stop_reason or self._drain_reason

    def unknown(self) -> list[int]:
        """The ordinals that may have been sent and have no reply."""
        return self._pool.unknown()

    def remember_rate(self) -> None:
        """Keep for the next forecast what pace this account bore; a few deletes prove nothing."""
        seconds = self._active_seconds
        if self._tally.accepted < _PROVEN_BY_DELETES or seconds <= 0:
            return
        limit = self._pacer.limit_per_second
        per_second = self._tally.accepted / seconds if limit is None else limit
        seen = datetime.fromtimestamp(self._context.host.wall_clock(), UTC)
        known = KnownRate(per_second=per_second, is_limit=limit is not None, seen=seen)
        remember_rate(self._context.plan.vault, self._context.plan.endpoint_url, known)

    # -- inside -------------------------------------------------------------------------------------------------------

    @property
    def _active_seconds(self) -> float:
        return self._context.host.clock() - self._context.began

    async def _feed(self) -> None:
        """Feed the pool; where it meets what was not approved, let what is in flight settle before anybody is told."""
        context, pacer = self._context, self._pacer
        feed = Feed(
            decided=read_decided(context.files, context.host.elsewhere),
            journal=context.journal,
            fresh=self._send,
            rate_per_second=lambda: pacer.rate_per_second,
            reasons=context.plan.codes,
            canary=self._canary,
            allowance=Allowance(context.plan.counts.selected, context.journal.ledger),
            reach=None if context.replica is None else context.replica.reach,
        )
        try:
            await feed.run()
        except (NotAsApproved, FileUnreadable) as fault:
            self._stop_because_of(fault)

    async def _sample_rate(self) -> None:
        if self._pool.paused_by:
            self._recent.begin_anew()
        else:
            self._recent.sample(self._context.host.clock(), self._tally.accepted)

    async def _keep_accounts(self) -> None:
        with suppress(DiskFailed):  # of which whoever writes the log tells
            while True:
                await self._context.journal.committed()
                self._look_at_accounts(self._accounts.look)

    def _look_at_accounts(self, look: Callable[[], None]) -> None:
        try:
            look()
        except InvariantBroken as fault:
            self._stop_because_of(fault)

    async def _look_at_files(self) -> None:
        try:
            await self._context.host.elsewhere(self._context.files.check)
        except (NotAsApproved, FileUnreadable) as fault:
            self._stop_because_of(fault)

    async def _look_at_deny_lists(self) -> None:
        changed = await self._context.host.elsewhere(self._context.deny_lists.changed)
        if changed is not None and self._drain_reason is None:
            self.drain(
                f"the deny list {changed} was changed meanwhile; the same command holds what is left against it, and "
                "goes on where it lets all of it go"
            )

    async def _keep_replica(self) -> None:
        """Have the log kept elsewhere, while there is such a place, and stop where somebody else goes on with it."""
        replica, pool = self._context.replica, self._pool
        if replica is None:
            return

        def pause(why: str) -> None:
            is_news = Side.REPLICA not in pool.paused_by
            pool.pause(Side.REPLICA, why)
            if is_news:
                _log.warning("replica.behind", because=why)
                self.note_telemetry()

        def resume() -> None:
            pool.resume(Side.REPLICA)
            _log.info("replica.has_all")
            self.note_telemetry()

        await replica.run(
            rate_per_second=lambda: self._pacer.rate_per_second,
            on_pause=pause,
            on_resume=resume,
            on_end=self._stop_because_of,
        )

    def _stop_because_of(self, fault: Fault) -> None:
        if self.fault is not None:
            return
        self.fault = fault
        self.drain(str(fault))

    async def _stop_in_time(self) -> None:
        seconds_max = self._context.settings.duration_seconds_max
        if seconds_max is not None:
            await anyio.sleep(seconds_max)
            self.drain(f"worked for {seconds_max:,.0f} s, the --max-duration")

    def _make_pool(self) -> Pool:
        context = self._context
        settings, host, journal = context.settings, context.host, context.journal
        return Pool(
            service=context.service,
            turns=Turns(self._receive),
            pacer=self._pacer,
            policy=RetryPolicy(settings.retry, host.random),
            recorder=self._canary,
            tally=self._tally,
            renewal=Renewal(self._renew, clock=host.clock, patience_seconds=settings.credentials_patience_seconds),
            clock=host.clock,
            maybe_sent=journal.ledger.maybe_sent if journal.epoch > 1 else None,
        )

    def _make_holds(self, first: Look) -> Holds:
        context = self._context
        return Holds(
            first=first,
            look=lambda: look(first.described, context.guarded),
            pool=self._pool,
            journal=context.journal,
            told=self.note_telemetry,
            on_hold=context.on_hold,
            host=context.host,
            interval_seconds=context.settings.protection_interval_seconds,
        )

    async def _renew(self) -> None:
        _log.warning("credentials.renewing", because=self._pool.why_paused(Side.CREDENTIALS))
        await self._context.service.renew_credentials()
        await check_renewed(self._context.plan, self._context.service)
        self.credentials_renewed()
        _log.info("credentials.renewed")


async def every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again."""
    while True:
        await anyio.sleep(seconds)
        await act()
