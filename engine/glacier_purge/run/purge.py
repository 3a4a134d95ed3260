"""Carries out a plan: one process's part of a run, from the first check to the last line of the audit log.

Nothing is sent before the snapshot, the decisions and the target have been held against the plan.  One task group
owns every task: the journal's committer, two tickers, and those of the part that sends (``Sending``).  However
the work ends - all done, drained, refused, cancelled - what is known is made durable before this returns; only a disk
that failed ends it at once, because then nothing can be known to be written.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import structlog

from glacier_purge.approval.typed import Approval
from glacier_purge.audit.anchor import Anchor
from glacier_purge.audit.journal import Journal
from glacier_purge.audit.ledger import Ledger
from glacier_purge.aws.bucket import BucketAway
from glacier_purge.deletion.budget import PacerFor, Pacing
from glacier_purge.deletion.pacer import Pacer, PacerState
from glacier_purge.errors import DiskFailed, UsageError
from glacier_purge.glacier.port import Glacier
from glacier_purge.guard.clearance import Look, check_target, check_unprotected
from glacier_purge.guard.protection import Guarded
from glacier_purge.guard.rules import check_archives, check_inventory, check_plan
from glacier_purge.plan.document import Plan
from glacier_purge.plan.files import PlanFiles, plan_files
from glacier_purge.plan.identity import check_same_as_logged, hashed_identity
from glacier_purge.replica.log_replica import LogKeeping, LogReplica
from glacier_purge.run.anchor_file import AnchorFile
from glacier_purge.run.bounds import DenyLists, check_outcomes
from glacier_purge.run.host import Host, package_sha256, who
from glacier_purge.run.sending import Sending, SendingContext, every
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.run.steering import AskStatus, Order
from glacier_purge.run.telemetry import BEFORE
from glacier_purge.storage.disk import Disk
from glacier_purge.storage.folder import IDENTITY_FILE, RunFolder
from glacier_purge.storage.ownership import check_own_folder

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))
"""For the operator, through the standard library's logging: silent in a program that configured none."""

_LAST_WORDS_SECONDS = 2.0
_REPLICA_SECONDS_MAX = 3.0
_ANCHOR_SECONDS_MAX = 5.0
"""What a share that hangs may cost at a run's end, which comes within ten seconds of being told to stop (I17)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptElsewhere:
    """What is kept of a log outside of its folder: its head, at each checkpoint and at the end; all of it, by chunks,
    and then nothing is sent that these would not know of. None is nothing."""

    anchors: AnchorFile | None = None
    replica: LogKeeping | None = None


class PurgeRun:
    """One process that works on a run. ``carry_out`` does it; the other methods watch and steer meanwhile.

    ``guarded`` is asked what protects the vault, before anything is sent and again meanwhile.
    ``pacer_for`` gives the pace where it is shared with other runs, from the time now and from what an earlier process
    left; otherwise the run has a pacer of its own.  ``kept`` says what outlives the folder.  ``on_hold`` is called with
    since when something holds the run that was set meanwhile, and what.
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
        kept: KeptElsewhere = KeptElsewhere(),
        on_hold: Callable[[str, str], None] = lambda since, found: None,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._service = service
        self._settings = settings
        self._disk = disk
        self._host = host
        self._guarded = guarded
        self._pacer_for = pacer_for or self._own_pacer
        self._anchors, self._keeping = kept.anchors, kept.replica
        self._replica: LogReplica | None = None
        self._on_hold = on_hold
        self._run = ""
        self._began = host.clock()
        self._journal: Journal | None = None
        self._sending: Sending | None = None
        self._drain_reason: str | None = None
        self._deny_lists = DenyLists(())
        self._looking: anyio.CancelScope | None = None

    async def carry_out(self, approval: Approval) -> Ledger:
        """Delete what the plan lets go and has no outcome yet; return the durable state at the end.

        The ledger tells whether everything is accounted for (``finished``) or the run was stopped and can be resumed.
        Raises ``PlanRefused``, ``CredentialsFailed``, ``ServiceRefused``, ``RunStopped``, ``AuditDamaged``,
        ``NotAsApproved``, ``NotOurs`` and ``DiskFailed`` (alone or inside an exception group of the task group).
        """
        check_own_folder(self._folder.path)  # it was before somebody was asked, perhaps for days
        with ExitStack() as opened:
            bound = plan_files(self._folder.path, self._plan)
            files = await self._host.elsewhere(lambda: opened.enter_context(bound))
            identity, run_sha256 = hashed_identity(self._folder, self._plan)
            self._run = identity.run
            journal = self._journal = await self._open_journal(identity.run)
            if self._host.lease is not None:
                self._host.lease.chain_head = lambda: journal.anchor
            try:
                if self._anchors is not None:
                    await self._with_anchors(self._anchors, self._anchors.hold_against, journal)
                if self._keeping is not None:
                    self._replica = await self._keeping.attached(journal, self._disk, self._host.clock)
                check_same_as_logged(self._folder.path / IDENTITY_FILE, run_sha256, journal.ledger.run_sha256)
                check_outcomes(self._plan, journal.ledger)
                if journal.ledger.finished is None:
                    await self._check_rules(files, journal.ledger)
                    first_look = None
                    with anyio.CancelScope() as self._looking:
                        first_look = await self._check_vault(journal.ledger)
                    if first_look is None:  # told to stop while it waited for an answer, or for credentials to ask with
                        return journal.ledger
                    approved = {"digest": approval.digest, "run_sha256": run_sha256}
                    approved |= {"how": approval.how, "by": approval.by}
                    opening = [*approval.notes, ("approved", approved)]
                    await self._carry_out(self._context(files, journal), opening, first_look)
                else:
                    await self._flush_replica()
            finally:
                with anyio.CancelScope(shield=True), suppress(DiskFailed):
                    await journal.aclose()
                    await self._keep_anchor(journal)
        return journal.ledger

    def drain(self, reason: str) -> None:
        """Send nothing new; give requests in flight ``sending.DRAIN_SECONDS`` to settle, then end."""
        if self._sending is not None:
            self._sending.drain(reason)
            return
        self._drain_reason = reason
        _log.info("run.draining", reason=reason)
        if self._looking is not None:
            self._looking.cancel()

    def credentials_renewed(self) -> None:
        """Read what protects the vault again before more is sent."""
        if self._sending is not None:
            self._sending.credentials_renewed()

    def obey(self, order: Order) -> dict[str, object]:
        """Carry out an order and say how the run stands then: what ``telemetry`` says.

        Raises ``UsageError`` for what makes no sense, and for a change while the plan is still being checked.
        """
        if self._sending is not None:
            return self._sending.obey(order)
        if not isinstance(order, AskStatus):
            raise UsageError("the plan is still being checked and nothing is sent yet. Ask again in a moment.")
        return BEFORE

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
        return BEFORE if self._sending is None else self._sending.telemetry()

    # -- inside -------------------------------------------------------------------------------------------------------

    async def _check_rules(self, files: PlanFiles, ledger: Ledger) -> None:
        rules = self._settings.rules
        check_plan(self._plan, rules)
        self._deny_lists = DenyLists(rules.deny_id_files)
        await self._host.elsewhere(lambda: check_archives(files, rules, ledger.done))

    async def _check_vault(self, ledger: Ledger) -> Look:
        described = await check_target(self._plan, self._service)
        if ledger.approved_digest is None:  # a run that was begun makes the vault's inventories newer by itself
            now = datetime.fromtimestamp(self._host.wall_clock(), UTC)
            check_inventory(self._plan.snapshot.inventory_date, self._settings.rules, now, described)
        return await check_unprotected(self._plan.vault, described, self._guarded)

    async def _open_journal(self, run: str) -> Journal:
        return await Journal.open(
            self._disk,
            run=run,
            plan_digest=self._plan.digest,
            records=self._plan.counts.inventory,
            wall_clock=self._host.wall_clock,
            commit_seconds=self._settings.commit_seconds,
            commit_records=self._settings.commit_records,
            segment_records=self._settings.segment_records,
        )

    def _context(self, files: PlanFiles, journal: Journal) -> SendingContext:
        return SendingContext(
            path=self._folder.path,
            plan=self._plan,
            files=files,
            service=self._service,
            guarded=self._guarded,
            settings=self._settings,
            host=self._host,
            journal=journal,
            began=self._began,
            deny_lists=self._deny_lists,
            on_hold=self._on_hold,
            replica=self._replica,
        )

    async def _carry_out(
        self, context: SendingContext, opening: list[tuple[str, dict[str, Any]]], first_look: Look
    ) -> None:
        journal, settings = context.journal, self._settings
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.run)
            journal.note("opened", **self._opening())
            for event, facts in opening:
                journal.note(event, **facts)
            await journal.durable()
            if self._replica is not None:
                await self._replica.flush()
            _log.info("run.opened", vault=self._plan.vault.arn, epoch=journal.epoch, endpoint=self._plan.endpoint_url)
            with closing(Sending(context, self._make_pacer(journal), first_look, self._drain_reason)) as sending:
                self._sending = sending
                tasks.start_soon(every, settings.telemetry_seconds, sending.look_at_itself)
                tasks.start_soon(every, settings.checkpoint_seconds, sending.checkpoint)
                tasks.start_soon(every, settings.checkpoint_seconds, lambda: self._keep_anchor(journal))
                try:
                    await sending.work()
                finally:
                    with anyio.CancelScope(shield=True), suppress(DiskFailed):
                        await self._last_words(sending, journal)
                        await self._flush_replica()
            tasks.cancel_scope.cancel()

    async def _flush_replica(self) -> None:
        """Have the replica take the last lines; one that can't is told and not waited for."""
        if self._replica is None or self._replica.has_ended:
            return
        try:
            with anyio.fail_after(_REPLICA_SECONDS_MAX):
                await self._replica.flush(drained=True)
        except (BucketAway, TimeoutError) as away:
            _log.warning(
                "replica.behind",
                place=self._replica.place,
                because=str(away) or f"no answer in {_REPLICA_SECONDS_MAX:g} s",
                then="the log here is whole; the next start of the same command, or handover, has it there",
            )

    async def _keep_anchor(self, journal: Journal) -> None:
        """Keep the log's head elsewhere, where that is wanted and there is one."""
        if self._anchors is not None and journal.anchor is not None:
            await self._with_anchors(self._anchors, self._anchors.keep, journal)

    async def _with_anchors(self, anchors: AnchorFile, act: Callable[[Anchor], None], journal: Journal) -> None:
        """Do so with the log's head. A place that does not answer is told, and not waited for."""
        at = datetime.fromtimestamp(self._host.wall_clock(), UTC)
        head = Anchor.of(journal.anchor or "-1:", run=self._run, plan_digest=self._plan.digest, at=at)
        with anyio.move_on_after(_ANCHOR_SECONDS_MAX) as waiting:
            await self._host.aside(lambda: act(head))
        if waiting.cancelled_caught:
            anchors.tell(f"no answer in {_ANCHOR_SECONDS_MAX:g} seconds")

    def _make_pacer(self, journal: Journal) -> Pacing:
        kept = journal.pacer_state
        resumed = PacerState(**kept).if_fresh(self._host.wall_clock()) if kept else None
        return self._pacer_for(self._host.clock(), resumed)

    def _own_pacer(self, now: float, resumed: PacerState | None) -> Pacing:
        return Pacer(self._settings.pace, now=now, random=self._host.random, resumed=resumed)

    def _opening(self) -> dict[str, object]:
        lease = {} if self._host.lease is None else {"lease_epoch": self._host.lease.epoch}
        return {
            "plan_digest": self._plan.digest,
            "vault_arn": self._plan.vault.arn,
            "endpoint_url": self._service.endpoint_url,
            "tool_version": self._plan.tool_version,
            "package_sha256": package_sha256(),
            "by": who(),
            "pid": os.getpid(),
            **lease,
        }

    async def _last_words(self, sending: Sending, journal: Journal) -> None:
        """Close this process's part of the log, and say whether the run is finished or how it stopped."""
        with anyio.move_on_after(_LAST_WORDS_SECONDS):
            await journal.durable()
            accounted = sum(journal.ledger.counts.values())
            facts = {**sending.telemetry(), "counts": dict(journal.ledger.counts)}
            if accounted == self._plan.counts.inventory and sending.fault is None:
                journal.note("finished", **facts)
                _log.info("run.finished", **journal.ledger.counts)
            else:
                unknown = sending.unknown()
                reason = sending.stop_reason or "an error ended the process"
                journal.note("stopped", reason=reason, drained=True, unknown=unknown, **facts)
                _log.warning("run.stopped", reason=reason, in_doubt=len(unknown), **journal.ledger.counts)
            await journal.durable()
            await sending.checkpoint()
            sending.remember_rate()
