"""Carries out a plan: one process's part of a run, from the first check to the last line of the audit log.

Nothing is sent before the snapshot, the decisions and the target have been held against the plan.  One task group
owns every task: the journal's committer, the feed, the worker pool, two tickers, and who listens for orders.  However
the work ends - all done, drained, refused, cancelled - what is known is made durable before this returns; only a disk
that failed ends it at once, because then nothing can be known to be written.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import anyio
import structlog

from glacier_purge.approval.typed import Approval
from glacier_purge.archive import Archive
from glacier_purge.audit.journal import Journal
from glacier_purge.audit.ledger import Ledger
from glacier_purge.deletion.budget import PacerFor, Pacing
from glacier_purge.deletion.credentials import Renewal
from glacier_purge.deletion.pacer import Pacer, PacerState
from glacier_purge.deletion.pool import Pool
from glacier_purge.deletion.retry import RetryPolicy
from glacier_purge.deletion.tally import Tally
from glacier_purge.deletion.turns import Recorder, Turns
from glacier_purge.errors import DiskFailed, NotAsApproved, UsageError
from glacier_purge.glacier.port import Glacier
from glacier_purge.guard.clearance import Look, check_renewed, check_target, check_unprotected, look
from glacier_purge.guard.fuse import Canary
from glacier_purge.guard.protection import Guarded
from glacier_purge.guard.rules import check_archives, check_inventory, check_plan
from glacier_purge.plan.document import Plan
from glacier_purge.plan.files import PlanFiles, plan_files, read_decided
from glacier_purge.plan.forecast import KnownRate
from glacier_purge.plan.identity import check_same_as_logged, hashed_identity
from glacier_purge.run import socket as control
from glacier_purge.run.bounds import Allowance, check_outcomes
from glacier_purge.run.feed import Feed
from glacier_purge.run.holds import Holds
from glacier_purge.run.host import Host, package_sha256, who
from glacier_purge.run.limits import remember_rate
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.run.steering import AskStatus, Order, Steering
from glacier_purge.run.telemetry import BEFORE, moment
from glacier_purge.run.windows import Hours
from glacier_purge.storage.disk import Disk
from glacier_purge.storage.folder import IDENTITY_FILE, RunFolder

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))
"""For the operator, through the standard library's logging: silent in a program that configured none."""

DRAIN_SECONDS = 8.0
"""How long requests in flight may take to settle after a stop was asked for (I17: exit within 10 s)."""
_LAST_WORDS_SECONDS = 2.0
_LOOK_AT_FILES_SECONDS = 1.0
_PROVEN_BY_DELETES = 100
_FRESH_BATCHES = 2
"""Released ranges that wait between the feed and the pool; the only buffer."""


class PurgeRun:
    """One process that works on a run. ``carry_out`` does it; the other methods watch and steer meanwhile.

    ``guarded`` is asked what protects the vault, before anything is sent and again meanwhile.
    ``pacer_for`` gives the pace where it is shared with other runs, from the time now and from what an earlier process
    left; otherwise the run has a pacer of its own.
    """

    def __init__(
        self,
        folder: RunFolder,
        plan: Plan,
        service: Glacier,
        settings: PurgeSettings,
        disk: Disk,
        host: Host,
        *,
        guarded: Guarded,
        pacer_for: PacerFor | None = None,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._service = service
        self._settings = settings
        self._disk = disk
        self._host = host
        self._guarded = guarded
        self._pacer_for = pacer_for or self._own_pacer
        self._tally = Tally()
        self._started_at = host.clock()
        self._journal: Journal | None = None
        self._pool: Pool | None = None
        self._pacer: Pacing | None = None
        self._hours: Hours | None = None
        self._holds: Holds | None = None
        self._steering: Steering | None = None
        self._work: anyio.CancelScope | None = None
        self._drain_reason: str | None = None
        self._files: PlanFiles | None = None
        self._run_sha256 = ""
        self._not_as_approved: NotAsApproved | None = None

    async def carry_out(self, approval: Approval) -> Ledger:
        """Delete what the plan lets go and has no outcome yet; return the durable state at the end.

        The ledger tells whether everything is accounted for (``finished``) or the run was stopped and can be resumed.
        Raises ``PlanRefused``, ``CredentialsFailed``, ``ServiceRefused``, ``RunStopped``, ``AuditDamaged``,
        ``NotAsApproved`` and ``DiskFailed`` (alone or inside an exception group of the task group).
        """
        with ExitStack() as opened:
            files = plan_files(self._folder.path, self._plan)
            self._files = await self._host.elsewhere(lambda: opened.enter_context(files))
            journal = self._journal = await self._open_journal()
            try:
                self._check_log(journal.ledger)
                if journal.ledger.finished is None:
                    await self._check_rules(journal.ledger)
                    first_look = await self._check_vault(journal.ledger)
                    await self._carry_out(journal, approval, first_look)
            finally:
                with anyio.CancelScope(shield=True), suppress(DiskFailed):
                    await journal.aclose()
        return journal.ledger

    def drain(self, reason: str) -> None:
        """Send nothing new; give requests in flight ``DRAIN_SECONDS`` to settle, then end."""
        self._drain_reason = reason
        _log.info("run.draining", reason=reason)
        if self._pool is not None:
            self._pool.drain(reason)
        if self._work is not None:
            self._work.deadline = min(self._work.deadline, anyio.current_time() + DRAIN_SECONDS)

    def obey(self, order: Order) -> dict[str, object]:
        """Carry out an order and say how the run stands then: what ``telemetry`` says.

        Raises ``UsageError`` for what makes no sense, and while the plan is still being checked.
        """
        if not isinstance(order, AskStatus):
            if self._steering is None:
                raise UsageError("the plan is still being checked and nothing is sent yet. Ask again in a moment.")
            self._steering.obey(order)
            self._note_telemetry_now()
        return self.telemetry()

    @property
    def ledger(self) -> Ledger | None:
        """What is durable so far; None before the log was opened."""
        return self._journal.ledger if self._journal else None

    @property
    def anchor(self) -> str | None:
        """``SEQ:HASH`` of the last durable line: kept elsewhere, it shows any later rewrite of the log."""
        return self._journal.anchor if self._journal else None

    def telemetry(self) -> dict[str, object]:
        """How the work goes now; the counts are this process's, latencies since the last telemetry line."""
        if self._pacer is None or self._pool is None or self._hours is None:
            return BEFORE
        return moment(
            tally=self._tally,
            pacer=self._pacer,
            pool=self._pool,
            hours=self._hours,
            active_seconds=self._host.clock() - self._started_at,
        )

    # -- inside -------------------------------------------------------------------------------------------------------

    def _check_log(self, ledger: Ledger) -> None:
        check_same_as_logged(self._folder.path / IDENTITY_FILE, self._run_sha256, ledger.run_sha256)
        check_outcomes(self._plan, ledger)

    async def _check_rules(self, ledger: Ledger) -> None:
        rules = self._settings.rules
        check_plan(self._plan, rules)
        files = self._files
        assert files is not None
        await self._host.elsewhere(lambda: check_archives(files, rules, ledger.done))

    async def _check_vault(self, ledger: Ledger) -> Look:
        described = await check_target(self._plan, self._service)
        if ledger.approved_digest is None:  # a run that was begun makes the vault's inventories newer by itself
            now = datetime.fromtimestamp(self._host.wall_clock(), UTC)
            check_inventory(self._plan.snapshot.inventory_date, self._settings.rules, now, described)
        return await check_unprotected(self._plan.vault, described, self._guarded)

    async def _open_journal(self) -> Journal:
        identity, self._run_sha256 = hashed_identity(self._folder, self._plan)
        return await Journal.open(
            self._disk,
            run=identity.run,
            plan_digest=self._plan.digest,
            records=self._plan.counts.inventory,
            wall_clock=self._host.wall_clock,
            commit_seconds=self._settings.commit_seconds,
            commit_records=self._settings.commit_records,
            segment_records=self._settings.segment_records,
        )

    async def _carry_out(self, journal: Journal, approval: Approval, first_look: Look) -> None:
        pacer = self._pacer = self._make_pacer(journal)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.run)
            journal.note("opened", **self._opening())
            approved = {"digest": approval.digest, "run_sha256": self._run_sha256}
            journal.note("approved", **approved, how=approval.how, by=approval.by)
            await journal.durable()
            _log.info("run.opened", vault=self._plan.vault.arn, epoch=journal.epoch, endpoint=self._plan.endpoint_url)
            tasks.start_soon(self._every, self._settings.telemetry_seconds, self._note_telemetry)
            tasks.start_soon(self._every, self._settings.checkpoint_seconds, self._checkpoint)
            try:
                await self._delete(journal, pacer, first_look)
            finally:
                with anyio.CancelScope(shield=True), suppress(DiskFailed):
                    await self._last_words(journal)
            tasks.cancel_scope.cancel()

    async def _delete(self, journal: Journal, pacer: Pacing, first_look: Look) -> None:
        send, receive = anyio.create_memory_object_stream[list[Archive]](_FRESH_BATCHES)
        with send, receive:
            canary = Canary(journal, self._settings.caution, self.drain)
            pool = self._pool = self._make_pool(journal, pacer, Turns(receive), canary)
            holds = self._holds = self._make_holds(journal, pool, first_look)
            hours = self._hours = Hours(
                self._settings.windows,
                pool,
                self._host.wall_clock,
                before_opening=lambda: holds.look_first("a window opened"),
            )
            self._steering = Steering(
                pool=pool, pacer=pacer, journal=journal, drain=self.drain, wall_clock=self._host.wall_clock
            )
            assert self._files is not None
            feed = Feed(
                decided=read_decided(self._files, self._host.elsewhere),
                journal=journal,
                fresh=send,
                rate_per_second=lambda: pacer.rate_per_second,
                reasons=self._plan.codes,
                canary=canary,
                allowance=Allowance(self._plan.counts.selected, journal.ledger),
            )
            hours.look()
            self._note_telemetry_now()
            if self._drain_reason is not None:
                return
            with anyio.CancelScope() as self._work:
                async with anyio.create_task_group() as work:
                    work.start_soon(self._feed, feed)
                    work.start_soon(hours.keep)
                    work.start_soon(holds.keep)
                    work.start_soon(control.serve, self._folder.path, self.obey)
                    work.start_soon(self._stop_in_time)
                    work.start_soon(self._every, _LOOK_AT_FILES_SECONDS, self._look_at_files)
                    await pool.run()
                    work.cancel_scope.cancel()
            await journal.durable()
            self._look_at_outcomes(journal.ledger)
            await self._look_at_files()
            if self._not_as_approved is not None:
                raise self._not_as_approved

    async def _feed(self, feed: Feed) -> None:
        """Feed the pool; where it meets what was not approved, let what is in flight settle before anybody is told."""
        try:
            await feed.run()
        except NotAsApproved as fault:
            self._stop_as_not_approved(fault)

    async def _look_at_files(self) -> None:
        assert self._files is not None
        try:
            await self._host.elsewhere(self._files.check)
        except NotAsApproved as fault:
            self._stop_as_not_approved(fault)

    def _look_at_outcomes(self, ledger: Ledger) -> None:
        try:
            check_outcomes(self._plan, ledger)
        except NotAsApproved as fault:
            self._stop_as_not_approved(fault)

    def _stop_as_not_approved(self, fault: NotAsApproved) -> None:
        if self._not_as_approved is not None:
            return
        self._not_as_approved = fault
        self.drain(str(fault))

    async def _stop_in_time(self) -> None:
        if self._settings.duration_seconds_max is not None:
            await anyio.sleep(self._settings.duration_seconds_max)
            self.drain(f"worked for {self._settings.duration_seconds_max:,.0f} s, the --max-duration")

    def _make_pool(self, journal: Journal, pacer: Pacing, turns: Turns, recorder: Recorder) -> Pool:
        return Pool(
            service=self._service,
            turns=turns,
            pacer=pacer,
            policy=RetryPolicy(self._settings.retry, self._host.random),
            recorder=recorder,
            tally=self._tally,
            renewal=Renewal(
                self._renew, clock=self._host.clock, patience_seconds=self._settings.credentials_patience_seconds
            ),
            clock=self._host.clock,
            maybe_sent=journal.ledger.maybe_sent if journal.epoch > 1 else None,
        )

    def _make_holds(self, journal: Journal, pool: Pool, first: Look) -> Holds:
        return Holds(
            first=first,
            look=lambda: look(first.described, self._guarded),
            pool=pool,
            journal=journal,
            told=self._note_telemetry_now,
            host=self._host,
            interval_seconds=self._settings.protection_interval_seconds,
        )

    async def _renew(self) -> None:
        _log.warning("credentials.renewing", because="the service did not accept them")
        await self._service.renew_credentials()
        await check_renewed(self._plan, self._service)
        assert self._holds is not None
        self._holds.look_first("credentials were renewed")
        _log.info("credentials.renewed")

    def _make_pacer(self, journal: Journal) -> Pacing:
        kept = journal.pacer_state
        resumed = PacerState(**kept).if_fresh(self._host.wall_clock()) if kept else None
        return self._pacer_for(self._host.clock(), resumed)

    def _own_pacer(self, now: float, resumed: PacerState | None) -> Pacing:
        return Pacer(self._settings.pace, now=now, random=self._host.random, resumed=resumed)

    def _opening(self) -> dict[str, object]:
        return {
            "plan_digest": self._plan.digest,
            "vault_arn": self._plan.vault.arn,
            "endpoint_url": self._service.endpoint_url,
            "tool_version": self._plan.tool_version,
            "package_sha256": package_sha256(),
            "by": who(),
            "pid": os.getpid(),
        }

    # -- what is written down besides outcomes ----------------------------------------------------------------------

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await anyio.sleep(seconds)
            await act()

    async def _note_telemetry(self) -> None:
        self._note_telemetry_now()
        assert self._journal is not None
        self._look_at_outcomes(self._journal.ledger)

    def _note_telemetry_now(self) -> None:
        assert self._journal is not None
        self._journal.note("telemetry", **self.telemetry())
        self._tally.latencies.clear()

    async def _checkpoint(self) -> None:
        assert self._journal is not None
        assert self._pacer is not None
        await self._journal.checkpoint(asdict(self._pacer.state(self._host.wall_clock())))

    async def _last_words(self, journal: Journal) -> None:
        """Close this process's part of the log, and say whether the run is finished or how it stopped."""
        with anyio.move_on_after(_LAST_WORDS_SECONDS):
            await journal.durable()
            accounted = sum(journal.ledger.counts.values())
            facts = {**self.telemetry(), "counts": dict(journal.ledger.counts)}
            if accounted == self._plan.counts.inventory and self._not_as_approved is None:
                journal.note("finished", **facts)
                _log.info("run.finished", **journal.ledger.counts)
            else:
                unknown = self._pool.unknown() if self._pool else []
                reason = (self._pool and self._pool.stop_reason) or self._drain_reason or "an error ended the process"
                journal.note("stopped", reason=reason, drained=True, unknown=unknown, **facts)
                _log.warning("run.stopped", reason=reason, in_doubt=len(unknown), **journal.ledger.counts)
            await journal.durable()
            await self._checkpoint()
            self._remember_rate()

    def _remember_rate(self) -> None:
        """Keep for the next forecast what pace this account bore; a few deletes prove nothing."""
        seconds = self._host.clock() - self._started_at
        if self._pacer is None or self._tally.accepted < _PROVEN_BY_DELETES or seconds <= 0:
            return
        limit = self._pacer.limit_per_second
        per_second = self._tally.accepted / seconds if limit is None else limit
        seen = datetime.fromtimestamp(self._host.wall_clock(), UTC)
        known = KnownRate(per_second=per_second, is_limit=limit is not None, seen=seen)
        remember_rate(self._plan.vault, self._plan.endpoint_url, known)
