"""Which vault a name means: the settings, an inventory, the AWS configuration or the service itself say the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.api.values import access, account_id, endpoint
from glacier_purge.archive import Vault, check_vault_name
from glacier_purge.aws.endpoints import is_loopback
from glacier_purge.errors import InventoryDamaged, UsageError

if TYPE_CHECKING:
    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.settings import Settings

LOOPBACK_REGION = "us-east-1"
"""A pretended service has one region; which one, matters to nobody."""


async def vault_by_name(
    name: str,
    settings: Settings,
    clients: Clients,
    *,
    known: Vault | None = None,
    credentials: StaticCredentials | None = None,
) -> Vault:
    """The full address of the vault ``name``: from the settings, else ``known`` if it has that name, else from the
    service itself, which says nothing of a vault that is gone.

    Raises ``UsageError`` for what is no name and where no region is known, and as ``Clients.find_vault`` does.
    """
    check_vault_name(name)
    return await _find(name, known if known and known.name == name else None, settings, clients, credentials)


async def vault_of(
    name: str,
    snapshot: Snapshot,
    settings: Settings,
    clients: Clients,
    *,
    inventory_name: str,
    credentials: StaticCredentials | None = None,
) -> Vault:
    """The vault's full address: from the settings, else from its inventory, else from the service itself.

    Raises ``InventoryDamaged`` for an inventory of no vault, and as ``vault_by_name`` does.
    """
    return await _find(name, _listed_vault(snapshot, inventory_name), settings, clients, credentials)


async def vaults_there(settings: Settings, clients: Clients) -> list[Vault]:
    """All vaults of the account and region that the settings, or the profile, say. Sends nothing but the question."""
    region = region_of(settings)
    reached = access(settings, endpoint(settings, region))
    return [Vault.from_arn(one.arn) for one in await clients.list_vaults(reached, region, account_id(settings))]


async def _find(
    name: str, listed: Vault | None, settings: Settings, clients: Clients, credentials: StaticCredentials | None
) -> Vault:
    owner = account_id(settings) or (listed and listed.account_id)
    region = settings.aws.region or (listed and listed.region) or _region_of_profile(settings)
    if owner:
        return Vault(account_id=owner, region=region, name=name)
    reached = access(settings, endpoint(settings, region), credentials=credentials)
    return Vault.from_arn((await clients.find_vault(name, reached, region)).arn)


def _listed_vault(snapshot: Snapshot, inventory_name: str) -> Vault | None:
    """The vault an inventory says it is of; CSV inventories do not say."""
    if snapshot.vault_arn is None:
        return None
    try:
        return Vault.from_arn(snapshot.vault_arn)
    except UsageError as error:
        raise InventoryDamaged(f"its VaultARN names no vault: {error}", offset_bytes=0, file=inventory_name) from error


def region_of(settings: Settings) -> str:
    """The region that the settings, or the profile, say. Raises ``UsageError`` where nobody does."""
    return settings.aws.region or _region_of_profile(settings)


def _region_of_profile(settings: Settings) -> str:
    if settings.aws.endpoint_url is not None and is_loopback(settings.aws.endpoint_url):
        return LOOPBACK_REGION
    from glacier_purge.aws.profiles import profile_region  # noqa: PLC0415 - brings botocore in

    region = profile_region(settings.aws.profile)
    if region is None:
        raise UsageError("no region is known. Give the vault's with --region, AWS_REGION or the profile.")
    return region
