"""What ends a vault's work from outside of it, under its lease: a lifecycle abandoned, a vault removed by itself.

What is on record of that is in the replica afterwards, or another host would go on with what was ended here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.api.leasing import leasing
from glacier_purge.api.replicating import of_lifecycle, of_run, opened_bucket
from glacier_purge.api.values import access
from glacier_purge.archive import Vault
from glacier_purge.aws.bucket import BucketAway
from glacier_purge.errors import UsageError
from glacier_purge.glacier.service_clock import OnServiceTime
from glacier_purge.lifecycle.endings import abandon, abandonment
from glacier_purge.lifecycle.files import round_path
from glacier_purge.lifecycle.phases import Phase
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.run.host import who
from glacier_purge.storage.locks import vault_locked
from glacier_purge.vault.emptiness import Certified
from glacier_purge.vault.removal import VaultRemoval

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from glacier_purge.api.clients import Clients
    from glacier_purge.glacier.control import Removal
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.lifecycle.terms import Terms
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

    Confirm = Callable[[Vault, LifecycleFile], Awaitable[None]]
    """Returns when somebody said yes to ending this lifecycle; raises where nobody does."""


async def abandoned(
    folder: RunFolder, terms: Terms, settings: Settings, clients: Clients, waiter: Waiter, confirm: Confirm
) -> tuple[Step, list[str]]:
    """Abandon the lifecycle in ``folder``; give its last step, and the other lifecycles that deny uploads all the same.

    One that was abandoned before stays so, and what the bucket lacks of it is written there.  Raises ``UsageError`` for
    one that is done, ``RunLocked`` while another process or host works on it, ``Superseded`` where one went on with it,
    ``BucketAway``, and as ``confirm`` and ``thaw`` do.
    """
    vault = Vault.from_arn(terms.vault_arn)
    reached = access(settings, terms.endpoint_url, vault=vault, id_rule=settings.inventory.id_rule)
    still_denied_by = list[str]()
    with folder.held():
        lifecycle = LifecycleFile(folder.path, waiter.now)
        async with leasing(vault, settings, clients, reached, folder.path) as lease:
            bucket = await opened_bucket(settings, clients, reached, vault.region)
            replica = None if bucket is None else of_lifecycle(bucket, folder, vault, lambda: lease.epoch)
            if abandonment(lifecycle.steps) is None:
                _check_goes_on(folder, lifecycle)
                with vault_locked(vault, terms.endpoint_url, folder.path):
                    await confirm(vault, lifecycle)
                    await lease.hold(round_path(folder.path, lifecycle.round))
                    if replica is not None:
                        await replica.keep()
                    control = await clients.control(vault, reached)
                    still_denied_by = await abandon(control, folder, lifecycle, by=who())
            if replica is not None:
                await replica.keep()
        return lifecycle.steps[-1], still_denied_by


async def removed(
    folder: RunFolder,
    plan: Plan,
    settings: Settings,
    clients: Clients,
    waiter: Waiter,
    say: Callable[[str], None],
    *,
    confirmed_name: str,
    even_the_last: bool,
) -> Removal:
    """Remove the vault of a proven run. Raises as ``VaultRemoval.remove`` and ``VaultLease.hold`` do."""
    reached = access(settings, plan.endpoint_url, vault=plan.vault, id_rule=plan.snapshot.id_rule)
    async with leasing(plan.vault, settings, clients, reached, folder.path) as lease:
        removal = VaultRemoval(
            await clients.control(plan.vault, reached),
            folder.path,
            Certified(folder=folder, plan=plan),
            OnServiceTime(waiter, clients.clock, say),
            by=who(),
            even_the_last=even_the_last,
            keep_others_out=lambda: lease.hold(folder.path),
        )
        answer = await removal.remove(confirmed_name)
        if (bucket := await opened_bucket(settings, clients, reached, plan.vault.region)) is not None:
            try:
                await of_run(bucket, folder, plan, lambda: lease.epoch).keep()
            except BucketAway as away:
                say(f"that the vault was removed is not in the replica: {away} glacier-purge handover writes it there.")
    return answer


def _check_goes_on(folder: RunFolder, lifecycle: LifecycleFile) -> None:
    if lifecycle.phase is Phase.DONE:
        raise UsageError(
            f"the lifecycle in {folder.path} ended at {lifecycle.steps[-1].at}: there is nothing to abandon. "
            "Nothing was sent."
        )
