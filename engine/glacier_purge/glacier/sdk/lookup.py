"""What the service says about vaults that are known by name only, or not yet.

Used when planning; it reads, and sends nothing that changes anything.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, NoCredentialsError
from botocore.parsers import ResponseParserError

from glacier_purge.archive import Vault
from glacier_purge.errors import CredentialsFailed, RunStopped
from glacier_purge.glacier.sdk.answers import as_error, read_fault

if TYPE_CHECKING:
    from collections.abc import Iterator


async def find_vault(name: str, region: str, client: Any) -> Vault:
    """Ask for the vault ``name`` in the account of the credentials.

    Raises ``CredentialsFailed`` (none, expired), ``ServiceRefused`` (missing, denied) and ``RunStopped`` (no answer).
    """
    with _translated("DescribeVault", f"vault {name} in {region}"):
        answer = await client.describe_vault(accountId="-", vaultName=name)
    found = Vault.from_arn(answer["VaultARN"])
    if (found.name, found.region) != (name, region):
        raise _about_another(f"DescribeVault of vault {name} in {region}", found.arn)
    return found


async def list_vaults(region: str, account_id: str | None, client: Any) -> list[Vault]:
    """Ask for all vaults of ``account_id`` (None: the account of the credentials), by name.

    Raises what ``find_vault`` raises.
    """
    vaults: list[Vault] = []
    marker: dict[str, str] = {}
    while True:
        with _translated("ListVaults", f"the account in {region}"):
            page = await client.list_vaults(accountId=account_id or "-", **marker)
        vaults += [Vault.from_arn(vault["VaultARN"]) for vault in page["VaultList"]]
        if not page.get("Marker"):
            return vaults
        if page["Marker"] == marker.get("marker"):  # it would go on for ever
            raise _about_another(f"ListVaults in {region}", "the page that was just read")
        marker = {"marker": page["Marker"]}


def _about_another(question: str, what: str) -> RunStopped:
    return RunStopped(
        f"{question} was answered about {what}. Look at what stands between here and the service, then run the same "
        "command again."
    )


@contextmanager
def _translated(operation: str, about: str) -> Iterator[None]:
    """Turn what the SDK raises into errors of our own."""
    try:
        yield
    except NoCredentialsError as fault:
        raise CredentialsFailed(f"{fault}. Give a profile with --profile, or --account-id to plan offline.") from fault
    except (BotoCoreError, ResponseParserError) as fault:
        raise as_error(read_fault(fault), operation, about) from fault
