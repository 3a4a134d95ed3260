"""Makes plans: from an inventory at hand into a new folder, or of one round of a lifecycle into the one it has.

Both are the same from the first reading on: whatever the choices make worth asking (who retrieves what, what is proven
migrated) is asked, then every record is decided.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from glacier_purge.api.addresses import vault_of
from glacier_purge.api.person import as_warning
from glacier_purge.api.values import access, endpoint, recent, rules, sign_key
from glacier_purge.approval.documents import sign_plan
from glacier_purge.approval.statement import NAMESPACES
from glacier_purge.archive import check_vault_name
from glacier_purge.clock import utc_now
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.glacier.service_clock import OnServiceTime
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.guard.inventory_age import check_inventory_age
from glacier_purge.guard.noticed import keep_noticed
from glacier_purge.guard.rules import check_place, check_plan
from glacier_purge.guard.writers import signs_of_writers
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.lifecycle.terms import check_files
from glacier_purge.plan.choices import EVERY_ARCHIVE, check_standard_input
from glacier_purge.plan.choosing import PlanContext, open_selection
from glacier_purge.plan.first_reading import FirstReading, Target
from glacier_purge.plan.in_retrieval import held_back
from glacier_purge.plan.making import DecidedPlan, decide_all
from glacier_purge.plan.migration.proofs import gathered
from glacier_purge.run.host import who
from glacier_purge.run.planned import keep_plan, new_folder
from glacier_purge.storage.folder import run_name
from glacier_purge.storage.ssh_signature import sign

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.lifecycle.terms import Terms
    from glacier_purge.plan.choices import Choices
    from glacier_purge.plan.choosing import Earlier
    from glacier_purge.plan.document import Plan
    from glacier_purge.plan.migration.proofs import Stores
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

NO_WAIT = NoWait()


async def plan_in_new_folder(
    vault_name: str,
    inventory: str,
    settings: Settings,
    clients: Clients,
    choices: Choices = EVERY_ARCHIVE,
    *,
    run_dir: Path | None,
    set_aside_defects: bool,
    waiter: Waiter = NO_WAIT,
    say: Callable[[str], None] = as_warning,
    credentials: StaticCredentials | None = None,
) -> tuple[RunFolder, Plan]:
    """Spool the inventory (a path, or ``-`` for stdin) into a new run folder and plan in it.

    Without ``run_dir`` the folder is made below ``runs`` in the current one.  Raises ``UsageError`` and its children
    for anything in doubt (the folder is taken away again), and errors of the service when only it can tell the account.
    ``waiter`` waits for archives that are being retrieved, where ``choices`` ask for that; ``say`` is told when this
    host's clock is off, by which no ages are counted once the service was heard.  Kept beside the plan is
    what shows whether somebody still writes to the vault, of which the service is asked where it was reached anyway.
    Where there is a key that signs (``audit.sign_key``), the folder says by it who made the plan.
    """
    check_vault_name(vault_name)
    check_standard_input(inventory, choices)
    id_rule, key = settings.inventory.id_rule, sign_key(settings)
    if key is not None:
        sign(b"", key, NAMESPACES["plan"])  # tried before anything is read
    path = run_dir if run_dir is not None else Path("runs") / run_name(vault_name, utc_now())
    with (
        Source(inventory) as content,
        new_folder(path) as folder,
        FirstReading(folder.path, set_aside_defects=set_aside_defects) as reading,
    ):
        snapshot = await anyio.to_thread.run_sync(lambda: spool(content, folder.path, id_rule, reading.look))
        vault = await vault_of(
            vault_name, snapshot, settings, clients, inventory_name=content.name, credentials=credentials
        )
        check_place(vault, rules(settings))
        target = Target(
            vault=vault,
            endpoint_url=endpoint(settings, vault.region),
            tool_version=version("glacier-purge"),
            inventory_name=content.name,
            id_rule=id_rule,
        )
        waiter = OnServiceTime(waiter, clients.clock, say)
        sources = _sources(target, settings, clients, waiter, credentials)

        async def check_age() -> None:
            await check_inventory_age(snapshot.inventory_date, rules(settings), waiter.now(), sources.control)

        await anyio.to_thread.run_sync(reading.judge, snapshot, target)  # before anybody is asked anything about it
        await check_age()
        decided = await _decide(reading, choices, lambda: _context(target, settings, waiter.now()), sources)
        if clients.clock.skew:  # heard of since, it may be
            await check_age()
        control = sources.control if decided.retrievals_looked_at else None
        keep_noticed(folder, await signs_of_writers(snapshot, control, waiter.now(), recent(settings)))
        keep_plan(folder, decided.plan, retrievals_looked_at=decided.retrievals_looked_at)
        if key is not None:
            sign_plan(folder, decided.plan, key, who(), utc_now())
    return folder, decided.plan


async def decide_round(
    snapshot: Snapshot,
    target: Target,
    terms: Terms,
    settings: Settings,
    clients: Clients,
    waiter: Waiter,
    earlier: Earlier | None,
    *,
    set_aside_defects: bool,
    credentials: StaticCredentials | None = None,
) -> DecidedPlan:
    """Plan one round of a lifecycle from the inventory in its folder, by the terms it began with; writes no plan.

    Raises ``InventoryDamaged``, ``NothingToDelete``, and ``PlanRefused`` for what is protected, for a plan larger than
    allowed and for files of the terms that were changed.
    """
    await anyio.to_thread.run_sync(check_files, terms)
    with FirstReading(snapshot.path.parent, set_aside_defects=set_aside_defects) as reading:
        await anyio.to_thread.run_sync(reading.read, snapshot, target)
        context = _context(target, settings, terms.began, earlier)
        sources = _sources(target, settings, clients, waiter, credentials)
        decided = await _decide(reading, terms.choices, lambda: context, sources)
    check_plan(decided.plan, rules(settings))
    return decided


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """Whom planning may ask, where the choices make it worth asking, and how long an answer is waited for."""

    credentials: Callable[[], Awaitable[object]]
    control: Callable[[], Awaitable[GlacierControl]]
    stores: Stores
    waiter: Waiter


def _sources(
    target: Target,
    settings: Settings,
    clients: Clients,
    waiter: Waiter,
    credentials: StaticCredentials | None = None,
) -> _Sources:
    reached = access(settings, target.endpoint_url, vault=target.vault, id_rule=target.id_rule, credentials=credentials)
    return _Sources(
        credentials=partial(clients.lifetime, reached, target.vault.region),
        control=partial(clients.control, target.vault, reached),
        stores=clients.stores(reached, target.vault.region),
        waiter=waiter,
    )


def _context(target: Target, settings: Settings, now: datetime, earlier: Earlier | None = None) -> PlanContext:
    return PlanContext(now=now, deny_files=settings.safety.deny_id_files, id_rule=target.id_rule, earlier=earlier)


async def _decide(
    reading: FirstReading, choices: Choices, context: Callable[[], PlanContext], sources: _Sources
) -> DecidedPlan:
    """Decide every record that was read; ``context`` is asked for when the services were heard.

    Raises ``NothingToDelete``, ``UsageError`` for choices that mean nothing, and what the services answer.
    """
    snapshot = reading.snapshot
    folder = snapshot.path.parent
    if choices.in_retrieval is None:
        with suppress(GlacierPurgeError):  # whoever needs them says so
            await sources.credentials()  # a person who types a code is not hurried by how long an answer is waited for
    held = await held_back(choices.in_retrieval, sources.control, sources.waiter)
    async with gathered(choices, snapshot, folder, sources.stores) as proofs:
        learned = replace(context(), proofs=proofs, held=held or frozenset())

        def decide() -> Plan:
            with open_selection(choices, learned, folder) as selection:
                return decide_all(reading, selection)

        plan = await anyio.to_thread.run_sync(decide)
    return DecidedPlan(plan=plan, retrievals_looked_at=held is not None)
