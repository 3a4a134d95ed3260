"""``thaw``: take the statements by which lifecycles deny uploads out of a vault's policy, where no folder helps.

It goes by the policy alone: every statement whose id is of ours is shown, and taken out when somebody says so; the rest
stays as it is.  A lifecycle whose folder is there is ended with ``abandon``, or goes on, and puts back what was there.
No folder can be asked whether one waits somewhere, so what becomes of it is said; it sees for itself what was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    Hyphened,
    LogOptions,
    Logs,
    Output,
    Replica,
    ReplicaOptions,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat, print_result, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.api.leasing import VaultLease
    from glacier_purge.glacier.control import GlacierControl


_IF_IT_LIVES = (
    "If a lifecycle of this vault still goes on, it notes that uploads are allowed, and goes on without; whatever is "
    "uploaded meanwhile is another round. glacier-purge abandon DIR ends it."
)


def thaw(
    vault: str,
    *,
    confirm_vault: Hyphened | None = None,
    replica: Replica = ReplicaOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Let uploads to a vault again that a lost lifecycle denies: take its statement out of the vault's access policy.

    Shows the statements of ours and asks for the vault's name. Whatever else the policy says stays. While a process on
    this host deletes from the vault, or one on any host that is given the same bucket, it is refused; a lifecycle whose
    folder is there is ended with `abandon`. One that goes on all the same sees that uploads are allowed, notes it, and
    says so.

    Parameters
    ----------
    vault
        Name of the vault.
    confirm_vault
        The vault's name, once more, where there is no terminal.

    Examples
    --------
    glacier-purge thaw photos
    glacier-purge thaw photos --confirm-vault photos
    """
    from glacier_purge.api import values
    from glacier_purge.api.addresses import vault_by_name
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.leasing import leasing
    from glacier_purge.archive import check_vault_name
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.report.results.lifecycles import Thawed
    from glacier_purge.storage.locks import vault_locked

    configure_logs(logs)
    check_vault_name(vault)
    settings = source.load(aws, replica=replica.overrides())

    async def work() -> int:
        async with Clients() as clients:
            address = await vault_by_name(vault, settings, clients)
            endpoint_url = values.endpoint(settings, address.region)
            access = values.access(settings, endpoint_url, vault=address)
            with vault_locked(address, endpoint_url, None):
                async with leasing(address, settings, clients, access, None) as lease:
                    taken = await _taken_out(await clients.control(address, access), confirm_vault, lease)
        if taken:
            tell(_IF_IT_LIVES, "warning")
        print_result(
            Thawed(
                state="thawed" if taken else "nothing to take away: no statement of ours denies uploads",
                vault=address.arn,
                taken_away=", ".join(taken),
            ),
            output,
        )
        return ExitCode.DONE

    return in_event_loop(work)


async def _taken_out(control: GlacierControl, confirmed: str | None, lease: VaultLease) -> list[str]:
    """The ids of the statements that were taken out, which the service has no more."""
    from glacier_purge.cli.naming import confirm_by_name
    from glacier_purge.guard.upload_denial import ours_in, sids_of
    from glacier_purge.vault.freeze import take_out

    found = ours_in(await control.access_policy())
    sids = sids_of(found)
    if found:
        await confirm_by_name(control.vault.name, confirmed, _shown(control.vault.arn, found))
        await lease.hold()
        await take_out(control, sids)
    return sids


def _shown(vault_arn: str, statements: list[dict[str, object]]) -> Iterator[str]:
    import json

    yield f"The access policy of {vault_arn} has {len(statements):,} statements by which a lifecycle denies uploads:"
    for statement in statements:
        yield f"  {json.dumps(statement)}"
    yield f"They are taken out, and the rest of the policy stays. {_IF_IT_LIVES}"
