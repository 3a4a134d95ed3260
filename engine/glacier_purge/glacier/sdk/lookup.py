"""What the user's AWS configuration and the service say about a vault that is known by name only.

Used when planning; it reads, and sends nothing that changes anything.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from glacier_purge.archive import Vault
from glacier_purge.errors import CredentialsFailed, RunStopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.aws.access import Access


async def find_vault(name: str, region: str, access: Access) -> Vault:
    """Ask for the vault ``name`` in the account of the credentials.

    Raises ``CredentialsFailed`` (none, expired), ``ServiceRefused`` (missing, denied) and ``RunStopped`` (no answer).
    """
    from glacier_purge.aws.session import AwsSession  # noqa: PLC0415  # heavy
    from glacier_purge.glacier.sdk.wire import scrutiny  # noqa: PLC0415  # heavy

    async with AwsSession(access, region, scrutiny()).client("glacier") as client:
        with _translated("DescribeVault", f"vault {name} in {region}"):
            answer = await client.describe_vault(accountId="-", vaultName=name)
    found = Vault.from_arn(answer["VaultARN"])
    if (found.name, found.region) != (name, region):
        raise _about_another(f"DescribeVault of vault {name} in {region}", found.arn)
    return found


async def list_vaults(region: str, access: Access, account_id: str | None) -> list[Vault]:
    """Ask for all vaults of ``account_id`` (None: the account of the credentials), by name.

    Raises what ``find_vault`` raises.
    """
    from glacier_purge.aws.session import AwsSession  # noqa: PLC0415  # heavy
    from glacier_purge.glacier.sdk.wire import scrutiny  # noqa: PLC0415  # heavy

    vaults: list[Vault] = []
    marker: dict[str, str] = {}
    async with AwsSession(access, region, scrutiny()).client("glacier") as client:
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
    from botocore.exceptions import BotoCoreError, NoCredentialsError  # noqa: PLC0415  # heavy
    from botocore.parsers import ResponseParserError  # noqa: PLC0415  # heavy

    from glacier_purge.glacier.sdk.answers import as_error, read_fault  # noqa: PLC0415  # heavy

    try:
        yield
    except NoCredentialsError as fault:
        raise CredentialsFailed(f"{fault}. Give a profile with --profile, or --account-id to plan offline.") from fault
    except (BotoCoreError, ResponseParserError) as fault:
        raise as_error(read_fault(fault), operation, about) from fault


def profile_region(profile: str | None) -> str | None:
    """The region the AWS configuration gives for ``profile`` (None: the default one), if any."""
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415  # heavy
    from botocore.session import Session  # noqa: PLC0415  # heavy

    try:
        region = Session(profile=profile).get_config_variable("region")
    except ProfileNotFound as fault:
        raise CredentialsFailed(f"{fault}. Check --profile and AWS_PROFILE.") from fault
    return str(region) if region else None
