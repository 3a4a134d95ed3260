"""The one place that opens a vault's lifecycle: what it was begun with, whom it asks, what it sends by.

The command line, a fleet's member and ``run_lifecycle`` differ in who the person is, and in nothing else.
"""

from __future__ import annotations

import shlex
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from glacier_purge.api.addresses import vault_by_name
from glacier_purge.api.approving import approved_by_documents, documents_wanted
from glacier_purge.api.examining import check_none_left_over, examined, look_for_writers, look_over
from glacier_purge.api.leasing import leasing
from glacier_purge.api.news import Stand, news_of
from glacier_purge.api.not_waiting import not_waiting
from glacier_purge.api.person import ApprovalRequest
from glacier_purge.api.planning import decide_round
from glacier_purge.api.purging import opened_run
from glacier_purge.api.replicating import of_lifecycle, opened_bucket
from glacier_purge.api.values import access, anchor_file, approvers, capped, endpoint, rules, sign_key
from glacier_purge.api.watching import shown
from glacier_purge.archive import Vault
from glacier_purge.audit.recovery import replay
from glacier_purge.errors import UsageError
from glacier_purge.glacier.service_clock import OnServiceTime
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.lifecycle.beginning import check_allowed, check_planner_known, settled_terms, what_holds
from glacier_purge.lifecycle.context import LifecycleCallbacks, LifecycleContext, RoundLocks
from glacier_purge.lifecycle.lifecycle import Lifecycle
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.state import Noting, noting_the_end, telling_while_denied
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.lifecycle.terms import read_terms
from glacier_purge.plan.choices import EVERY_ARCHIVE, UNCAPPED
from glacier_purge.plan.first_reading import Target
from glacier_purge.run.host import Host, who

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager
    from typing import Self

    from glacier_purge.api.clients import Clients
    from glacier_purge.api.leasing import VaultLease
    from glacier_purge.api.news import News
    from glacier_purge.api.person import Person
    from glacier_purge.api.telling import Telling
    from glacier_purge.approval.signers import Approvers
    from glacier_purge.approval.typed import Approval
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.deletion.budget import Lane
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.lifecycle.terms import Terms
    from glacier_purge.plan.choices import Caps, Choices
    from glacier_purge.plan.document import Plan
    from glacier_purge.replica.folder_replica import FolderReplica
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

    OpenLane = Callable[[], AbstractContextManager[Lane | None]]
    """Opens a run's part of a pace that is shared with others; None is a pace of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleOrder:
    """What is ordered: which archives go, how much at most, and what to do besides. Settled when it begins.

    ``approvers`` are those whom a fleet has settled already; None leaves it to the settings.
    """

    options: LifecycleOptions = field(default_factory=LifecycleOptions)
    choices: Choices = EVERY_ARCHIVE
    caps: Caps = UNCAPPED
    approvers: Approvers | None = None


@asynccontextmanager
async def opened_lifecycle(
    folder: RunFolder,
    vault: Vault | str,
    order: LifecycleOrder,
    settings: Settings,
    clients: Clients,
    person: Person,
    *,
    waiter: Waiter,
    credentials: StaticCredentials | None = None,
    lane: OpenLane = nullcontext,
    telling: Telling | None = None,
) -> AsyncIterator[Lifecycle]:
    """Open the lifecycle in ``folder``, which is held meanwhile: begun now, or where an earlier process left it.

    ``vault`` may be a name, whose account and region are those it began with, else found as everywhere.  ``telling`` is
    what hooks are told by, None: by nothing.  What ends the work in the context before its end is noted in the folder,
    and said to leave uploads denied where it does.  Raises ``RunLocked``, ``NotOurs``, ``AuditDamaged`` for a folder
    that does not hold together, ``PlanRefused`` for a vault that must not be touched and for an order that is not the
    one it began with, ``UsageError`` for another vault's removal, and what the service answers.
    """
    name = vault.name if isinstance(vault, Vault) else vault
    again = f"glacier-purge run {shlex.quote(name)} --run-dir {shlex.quote(str(folder.path.absolute()))}"
    async with AsyncExitStack() as held:
        await held.enter_async_context(shown(folder, settings, person.say))
        held.enter_context(folder.held())
        news = await held.enter_async_context(news_of(folder, name, telling, now=waiter.now, again=again))
        held.enter_context(noting_the_end(folder))
        held.enter_context(telling_while_denied(folder, person.say))
        file = LifecycleFile(folder.path, waiter.now)  # what terms are worth is what the steps say of them
        if not isinstance(vault, Vault):
            begun_with = read_terms(folder.path)
            known = None if begun_with is None else Vault.from_arn(begun_with.vault_arn)
            vault = await vault_by_name(vault, settings, clients, known=known, credentials=credentials)
        if order.options.remove_vault not in {None, vault.name}:
            raise UsageError(
                f"{order.options.remove_vault!r} is to be removed, and this is the lifecycle of {vault.name!r}. Give "
                "that name once more, or none and keep the vault. Nothing was sent."
            )
        news.vault_arn, news.stand = vault.arn, lambda: Stand(phase=file.phase.value, round=file.round)
        target = Target(
            vault=vault,
            endpoint_url=endpoint(settings, vault.region),
            tool_version=version("glacier-purge"),
            inventory_name="the vault's inventory",
            id_rule=settings.inventory.id_rule,
        )
        news.endpoint_url = target.endpoint_url
        anchor_file(settings)  # tried before anything begins
        check_allowed(target, file, rules(settings), order.options)
        asked = order.approvers or approvers(settings)
        terms = await settled_terms(folder, target, file, order.choices, order.caps, asked)
        check_planner_known(terms, sign_key(settings))
        for line in what_holds(file, terms, order.options, asked):
            person.say(line)
        reached = access(settings, target.endpoint_url, vault=vault, id_rule=target.id_rule, credentials=credentials)
        lease = await held.enter_async_context(leasing(vault, settings, clients, reached, folder.path))
        bucket = await opened_bucket(settings, clients, reached, vault.region)
        replica = None if bucket is None else of_lifecycle(bucket, folder, vault, lambda: lease.epoch)
        composed = _Composed(
            folder=folder,
            target=target,
            terms=terms,
            options=order.options,
            settings=capped(settings, terms.caps),
            clients=clients,
            control=await clients.control(vault, reached),
            person=person,
            waiter=news.waiting(Noting(waiter, folder, file)),
            news=news,
            never_waits=isinstance(waiter, NoWait),
            credentials=credentials,
            lane=lane,
            lease=lease,
            replica=replica,
        )
        lifecycle = Lifecycle(composed.context(file))
        yield lifecycle
        if file.phase is Phase.DONE:
            _tell_the_end(news, LifecycleReport.of(folder, vault.name, lifecycle))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Composed:
    """What a lifecycle is put together from, and what its phases ask for by it."""

    folder: RunFolder
    target: Target
    terms: Terms
    options: LifecycleOptions
    settings: Settings
    clients: Clients
    control: GlacierControl
    person: Person
    waiter: Waiter
    news: News
    never_waits: bool
    credentials: StaticCredentials | None
    lane: OpenLane
    lease: VaultLease
    replica: FolderReplica | None

    @property
    def on_service_time(self) -> OnServiceTime:
        """What counts ages and waits; ``waiter`` has this host's time, by which steps and outcomes are dated."""
        return OnServiceTime(self.waiter, self.clients.clock, self.person.say)

    def context(self, file: LifecycleFile) -> LifecycleContext:
        return LifecycleContext(
            folder=self.folder,
            file=file,
            control=self.control,
            target=self.target,
            options=self.options,
            callbacks=LifecycleCallbacks(
                preflight=self._preflight,
                look_at=lambda snapshot: look_for_writers(
                    self.control, snapshot, self.on_service_time.now(), self.settings, self.person.say
                ),
                decide=lambda snapshot, earlier: decide_round(
                    snapshot,
                    self.target,
                    self.terms,
                    self.settings,
                    self.clients,
                    self.on_service_time,
                    earlier,
                    set_aside_defects=self.options.set_aside_defects,
                    credentials=self.credentials,
                ),
                approve=self._approve,
                keep_others_out=self.lease.hold,
                carry_out=self._carry_out,
                keep=self._keep,
                say=self.person.say,
                tell=self._reached,
            ),
            waiter=self.on_service_time,
            terms=self.terms,
            rules=rules(self.settings),
            by=who(),
            locks=RoundLocks(),
            sign_key=sign_key(self.settings),
        )

    async def _preflight(self) -> dict[str, Any]:
        reached = access(
            self.settings,
            self.target.endpoint_url,
            vault=self.target.vault,
            id_rule=self.target.id_rule,
            credentials=self.credentials,
        )
        findings = await examined(
            self.control, self.clients, reached, self.folder.path, self.settings, self.on_service_time.now
        )
        counted = look_over(findings, self.control, self.options, self.person.say)
        if self.options.freeze:
            await check_none_left_over(self.control)
        return counted

    async def _keep(self) -> None:
        if self.replica is not None:
            await self.replica.keep()

    def _reached(self, step: Step) -> None:
        self.person.reached(step)
        if step.event is Event.DELETED:
            self.news.vault_deleted(step.facts["answer"])

    async def _approve(self, place: RunFolder, plan: Plan) -> Approval:
        request = ApprovalRequest.of(place, plan, self.settings, self._documents_of(plan))
        async with self.news.asking(plan, place.path):
            answer = await self.person.approve(request)
            return await request.by_documents() or answer  # whatever somebody answered: people have to have signed

    def _documents_of(self, plan: Plan) -> list[bytes]:
        """Those of the documents brought along that are of this plan: others are of other rounds, or other vaults."""
        return [one for one in self.person.documents if f"\nplan {plan.digest}\n".encode() in one]

    async def _carry_out(self, place: RunFolder, plan: Plan, approval: Approval) -> Ledger:
        wanted = documents_wanted(place, plan, self.settings, documents=self._documents_of(plan))
        if wanted is not None:  # once more in each process: a key may have been revoked, or a file taken away
            async with self.news.asking(plan, place.path):
                approval = await approved_by_documents(wanted)
        host = self.lease.on(Host(wall_clock=lambda: self.waiter.now().timestamp()))
        with self.lane() as lane:
            async with (
                opened_run(
                    place,
                    plan,
                    self.settings,
                    self.clients,
                    host,
                    credentials=self.credentials,
                    pacer_for=None if lane is None else lane.begin,
                    replica=self.replica,
                    on_hold=self.news.held,
                ) as run,
                not_waiting(run, self.waiter) if self.never_waits else nullcontext(),
                self.news.watching(run, plan),
                self.person.watch(run, plan),
            ):
                await run.carry_out(approval)
        return replay(place.path) if run.ledger is None else run.ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleReport:
    """How a lifecycle ended. ``certificate`` is the digest of the last certificate, None where there is none.

    ``kept`` archives were let be by the plan; ``kept_gone`` of them are gone all the same, and this did not delete
    them.  ``last_round`` is the folder of the last round that had a plan.
    """

    state: str
    rounds: int
    vault: str
    vault_deleted: bool
    certificate: str | None
    kept: int
    ended_with: str
    kept_gone: int
    last_round: str | None
    run_dir: str

    @classmethod
    def of(cls, folder: RunFolder, vault: str, lifecycle: Lifecycle) -> Self:
        """The report of a lifecycle that is done."""
        file, planned = lifecycle.file, lifecycle.planned
        fact = file.fact
        return cls(
            state="done",
            rounds=file.round,
            vault=vault,
            vault_deleted=fact(Event.DELETED, "answer") is not None,
            certificate=fact(Event.PROVEN, "certificate") or fact(Event.KEPT_REST, "certificate"),
            kept=fact(Event.KEPT_REST, "kept") or fact(Event.NOTHING_CHOSEN, "kept") or 0,
            ended_with=file.steps[-1].event.value,
            kept_gone=fact(Event.PROVEN, "kept_gone") or fact(Event.KEPT_REST, "kept_gone") or 0,
            last_round=None if planned is None else str(planned.path),
            run_dir=str(folder.path),
        )

    def as_dict(self) -> dict[str, object]:
        """The report as a result for programs."""
        return asdict(self)


def _tell_the_end(news: News, report: LifecycleReport) -> None:
    kept = f" {report.kept:,} archives were kept." if report.kept else ""
    gone = f" {report.kept_gone:,} of those are gone, and this did not delete them." if report.kept_gone else ""
    removed = " The vault is removed." if report.vault_deleted else ""
    news.finished(
        f"The work on {report.vault} is done: {report.ended_with}.{kept}{gone}{removed}",
        certificate=report.certificate,
        kept=report.kept,
        kept_gone=report.kept_gone,
        vault_deleted=report.vault_deleted,
    )
