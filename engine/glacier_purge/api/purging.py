"""The one place that puts a run together: what it sends by, what it asks about the vault, and where it writes."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from glacier_purge.api.leasing import leasing
from glacier_purge.api.replicating import log_of, of_run, opened_bucket
from glacier_purge.api.values import access, anchor_file, purge_settings
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.recovery import replay
from glacier_purge.audit.segments import last_request_ids
from glacier_purge.clock import utc_now
from glacier_purge.guard.rules import check_fresh
from glacier_purge.lifecycle.endings import check_round
from glacier_purge.plan.identity import planned_at
from glacier_purge.run.purge import KeptElsewhere, PurgeRun
from glacier_purge.storage.disk import FileDisk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.deletion.budget import PacerFor
    from glacier_purge.glacier.port import Glacier
    from glacier_purge.plan.document import Plan
    from glacier_purge.replica.folder_replica import FolderReplica
    from glacier_purge.run.host import Host
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


_log: Any = structlog.wrap_logger(logging.getLogger(__name__))


@contextmanager
def alone_with(folder: RunFolder, plan: Plan) -> Iterator[None]:
    """Keep every other process off the run and off its vault, before anybody is asked about them.

    Raises ``PlanRefused`` for a round that its lifecycle abandoned or has not come to, ``RunLocked``, and as
    ``RunFolder.check_disk`` does.
    """
    check_round(folder.path)
    with folder.locked(plan.vault, plan.endpoint_url):
        folder.check_disk()
        yield


def was_approved(folder: RunFolder, plan: Plan) -> bool:
    """Whether the log says that somebody approved this very plan before, so that it may go on however long that is ago.

    Raises ``PlanOutdated`` where nobody did and the plan is too old for it, ``PlanRefused`` where nothing vouches for
    its age, and ``AuditDamaged``.
    """
    if replay(folder.path).approved_digest == plan.digest:
        return True
    check_fresh(planned_at(folder, plan), utc_now())
    return False


@asynccontextmanager
async def opened_run(
    folder: RunFolder,
    plan: Plan,
    settings: Settings,
    clients: Clients,
    host: Host,
    *,
    credentials: StaticCredentials | None = None,
    pacer_for: PacerFor | None = None,
    around: Callable[[Glacier], Glacier] = lambda service: service,
    replica: FolderReplica | None = None,
    on_hold: Callable[[str, str], None] = lambda since, found: None,
) -> AsyncIterator[PurgeRun]:
    """Open what a run needs, for a caller that is alone with it; nothing is deleted before its ``carry_out``.

    ``pacer_for`` gives the pace where it is shared with other runs; ``around`` puts something between the run and the
    service, as what takes the time of each delete; ``replica`` is what keeps the folder that the run's lies in, where
    it is a round of a lifecycle's; ``on_hold`` is called as ``PurgeRun`` says.  Where a bucket says which host may send
    and ``host`` has no lease, one is held meanwhile, unless the run is finished.  Raises as ``Clients.service`` and
    ``VaultLease.hold`` do, and ``AuditDamaged``.
    """
    reached = access(
        settings, plan.endpoint_url, vault=plan.vault, id_rule=plan.snapshot.id_rule, credentials=credentials
    )
    clients.know(last_request_ids(FileDisk(folder.path)))
    if reached.max_in_flight < settings.pace.max_in_flight:
        _log.warning(
            "in_flight.lowered",
            asked_for=settings.pace.max_in_flight,
            now=reached.max_in_flight,
            because="this process may open no more files; ulimit -n says how many",
        )
    async with (
        leasing(plan.vault, settings, clients, reached, folder.path) as lease,
        clients.service(plan.vault, reached, settings.aws.transport) as service,
    ):
        guarded = await clients.control(plan.vault, reached)
        bucket = await opened_bucket(settings, clients, reached, plan.vault.region)
        known = Ledger(0) if bucket is None else replay(folder.path)
        if host.lease is None and known.finished is None:  # else nothing is changed any more
            await lease.hold(folder.path)
            host = lease.on(host)
        if bucket is not None and replica is None:
            replica = of_run(bucket, folder, plan, lambda: lease.epoch or known.lease_epoch)
        if replica is not None:
            _log.info("replica.kept", place=replica.place)
        run = PurgeRun(
            folder,
            plan,
            around(service),
            purge_settings(settings),
            FileDisk(folder.path),
            host,
            guarded=guarded,
            pacer_for=pacer_for,
            kept=KeptElsewhere(
                anchors=anchor_file(settings),
                replica=None if replica is None else log_of(replica, folder, settings),
            ),
            on_hold=on_hold,
        )
        place = folder.path.resolve()
        with clients.telling_renewals(reached, plan.vault.region, run.credentials_renewed):
            _AT_WORK[place] = run
            try:
                yield run
            finally:
                del _AT_WORK[place]


_AT_WORK: dict[Path, PurgeRun] = {}


def at_work_here(folder: Path) -> PurgeRun | None:
    """The run that this very process carries out in ``folder``: whoever looks need not read what it knows by heart."""
    return _AT_WORK.get(folder.resolve())
