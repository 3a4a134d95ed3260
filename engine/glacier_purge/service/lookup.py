"""What the user's AWS configuration and the service say about a vault that is known by name only.

Used when planning; it reads, and sends nothing that changes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.archive import Vault
from glacier_purge.errors import CredentialsFailed, RunStopped, ServiceRefused

if TYPE_CHECKING:
    from glacier_purge.service.access import Access


async def find_vault(name: str, region: str, access: Access) -> Vault:
    """Ask for the vault ``name`` in the account of the credentials.

    Raises ``CredentialsFailed`` (none, expired), ``ServiceRefused`` (missing, denied) and ``RunStopped`` (no answer).
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415  # heavy

    from glacier_purge.service.session import AwsSession  # noqa: PLC0415  # heavy

    async with AwsSession(access, region).client("glacier") as client:
        try:
            answer = await client.describe_vault(accountId="-", vaultName=name)
        except NoCredentialsError as fault:
            raise CredentialsFailed(
                f"{fault}. Give a profile with --profile, or --account-id to plan offline."
            ) from fault
        except ClientError as fault:
            raise ServiceRefused(
                f"the service did not describe vault {name} in {region}: {fault}. Check name, region and profile."
            ) from fault
        except BotoCoreError as fault:
            raise RunStopped(
                f"no answer from {access.endpoint_url}: {fault}. Try again, or give --account-id."
            ) from fault
    return Vault.from_arn(answer["VaultARN"])


def profile_region(profile: str | None) -> str | None:
    """The region the AWS configuration gives for ``profile`` (None: the default one), if any."""
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415  # heavy
    from botocore.session import Session  # noqa: PLC0415  # heavy

    try:
        region = Session(profile=profile).get_config_variable("region")
    except ProfileNotFound as fault:
        raise CredentialsFailed(f"{fault}. Check --profile and AWS_PROFILE.") from fault
    return str(region) if region else None
