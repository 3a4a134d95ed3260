"""The workflows: a company has a shard for each account and region, a shard goes step after step until it is done.

Nothing here does anything: this code is run again from its history, and its only acts are steps, waits and answers.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError

from glacier_purge.cluster import orders
from glacier_purge.cluster.orders import COMPANY, SHARD, STEP, CompanyOrder, Row, ShardOrder, StepReport

_STEP_MAX = timedelta(days=1)
"""Longer than any step: a worker that lives drains it before."""
_WAIT_MIN_SECONDS = 1.0
_BEATS_MISSED, _BEATS_BACK, _BEATS_PATIENT = 3, 4, 30
"""After so many heartbeats without a word a step counts as dead. A worker on its disk, which has the whole log, may be
back that soon; otherwise it is for anybody. A step that nobody began waits longer: others may be under way there."""
_DOCUMENT_MAX = 1 << 14
_NOTHING = "Nothing was approved."


@workflow.defn(name=SHARD)
class Shard:
    """The vaults of one account in one region."""

    @workflow.init
    def __init__(self, order: ShardOrder) -> None:
        self._order = order
        self._has_news = False
        self._is_stopping = False
        self._beats = _BEATS_PATIENT

    @workflow.run
    async def run(self, order: ShardOrder) -> list[Row]:
        """Go on until every vault is done, or it is stopped; how each stands then."""
        del order
        while not self._is_stopping:
            if self._order.is_paused:
                self._show("paused")
                await workflow.wait_condition(lambda: self._is_stopping or not self._order.is_paused)
                continue
            self._has_news = False
            self._show("at work")
            report = await self._step()
            self._order = replace(self._order, disk=report.disk, rows=report.rows or self._order.rows)
            if report.needs == "nothing":
                break
            if not (report.was_drained or self._has_news):
                await self._wait(report)
            if workflow.info().is_continue_as_new_suggested() and not self._is_stopping:
                workflow.continue_as_new(self._order)
        self._show("stopped" if self._is_stopping else "done")
        return self._order.rows

    async def _step(self) -> StepReport:
        order = self._order
        step: workflow.ActivityHandle[StepReport] = workflow.start_activity(
            STEP,
            replace(order, rows=[]),
            result_type=StepReport,
            task_queue=orders.home_queue(order.home, order.disk),
            schedule_to_start_timeout=timedelta(seconds=self._beats * order.beat_seconds) if order.disk else None,
            start_to_close_timeout=_STEP_MAX,
            heartbeat_timeout=timedelta(seconds=_BEATS_MISSED * order.beat_seconds),
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1), maximum_attempts=1 if order.disk else 0),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self._has_news or step.done())
        if not step.done():
            step.cancel()  # drained, and begun again with what is new
        try:
            report = await step
            self._beats = _BEATS_PATIENT
        except ActivityError:  # cancelled before a worker took it, or whoever is on its disk is gone
            disk = order.disk if self._beats == _BEATS_PATIENT else ""
            report = StepReport(needs="time", until=None, told=None, rows=[], was_drained=True, disk=disk)
            self._beats = _BEATS_BACK
        return report

    async def _wait(self, report: StepReport) -> None:
        seconds = self._order.look_every_seconds
        if report.until is not None:
            seconds = min(seconds, (datetime.fromisoformat(report.until) - workflow.now()).total_seconds())
        self._show(report.told or f"waits for {report.needs}", until=report.until)
        try:
            timeout = timedelta(seconds=max(_WAIT_MIN_SECONDS, seconds))
            await workflow.wait_condition(lambda: self._has_news, timeout=timeout)
        except TimeoutError:
            return

    def _show(self, standing: str, until: str | None = None) -> None:
        """Put into the list of workflows what the table is made of."""
        rate, rows = self._order.max_rate, self._order.rows
        workflow.upsert_memo({"standing": standing, "until": until, "max_rate": rate, "rows": rows})

    @workflow.update
    def approve(self, digests: list[str], documents: list[str], by: str) -> None:
        """Carry somebody's yes to plans that wait for it, or what people signed about them, which the step judges."""
        here = self._order
        self._change(approved=[*here.approved, *digests], documents=[*here.documents, *documents])

    @approve.validator
    def _check_approval(self, digests: list[str], documents: list[str], by: str) -> None:
        waiting = {one for row in self._order.rows for one in row["confirm_digests"]}
        for digest in digests:
            if digest in self._order.approved or digest not in waiting:
                raise ValueError(f"no plan with the digest {digest} waits for {by}'s approval here. {_NOTHING}")
        for document in documents:
            is_of_none = not any(f"\nplan {digest}\n" in document for digest in waiting)
            if is_of_none or len(document) > _DOCUMENT_MAX or document in self._order.documents:
                raise ValueError(f"what {by} hands in is signed about no plan that waits here, or is here. {_NOTHING}")

    @workflow.update
    def rate(self, max_rate: float | None, by: str) -> None:
        """Send at most so many requests a second from now on; None leaves it to the settings."""
        self._change(max_rate=max_rate)

    @rate.validator
    def _check_rate(self, max_rate: float | None, by: str) -> None:
        if max_rate is not None and not (math.isfinite(max_rate) and max_rate > 0):
            raise ValueError(f"a rate has to be above 0, or none, and {by} gave {max_rate}. Nothing was changed.")

    @workflow.update
    def pause(self, by: str) -> None:
        """Let no process be at work until it is resumed."""
        self._change(is_paused=True)

    @pause.validator
    def _check_pause(self, by: str) -> None:
        if self._order.is_paused:
            raise ValueError(f"it was paused before {by} asked for it.")

    @workflow.update
    def resume(self, by: str) -> None:
        """Go on, and look at once whatever it waited for: somebody did what it took."""
        self._change(is_paused=False)

    @workflow.update
    def stop(self, by: str) -> None:
        """End here, in good order; the same order goes on with what is in the folders."""
        self._is_stopping = self._has_news = True

    @stop.validator
    def _check_stop(self, by: str) -> None:
        if self._is_stopping:
            raise ValueError(f"it was stopping before {by} asked for it.")

    def _change(self, **changed: object) -> None:
        self._order = replace(self._order, **changed)  # type: ignore[arg-type]  # each to its type, by the updates
        self._has_news = True


@workflow.defn(name=COMPANY)
class Company:
    """All shards of a fleet file; those that ended are kept here after the engine forgets them."""

    @workflow.init
    def __init__(self, order: CompanyOrder) -> None:
        self._order = order
        self._ended: list[Row] = []

    @workflow.run
    async def run(self, order: CompanyOrder) -> list[Row]:
        """Have all of them carried; how each vault stands in the end."""
        await asyncio.gather(*map(self._carry, order.shards))
        return self._ended

    @workflow.query
    def ended(self) -> list[Row]:
        """How the vaults stand whose shards ended."""
        return self._ended

    async def _carry(self, shard: ShardOrder) -> None:
        try:
            self._ended += await workflow.execute_child_workflow(
                Shard.run,
                shard,
                id=orders.workflow_id(shard.pair),
                memo={"company": self._order.name, "home": shard.home, "standing": "begins", "rows": []},
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            )
        except ChildWorkflowError as error:  # somebody ended it by the engine's own means; start goes on with it
            workflow.logger.warning("%s ended: %s", shard.pair, error.cause)
        except WorkflowAlreadyStartedError:
            workflow.logger.warning("%s goes on already, under another company or an earlier start", shard.pair)
