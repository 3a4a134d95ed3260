"""The door to Amazon Glacier: what a run may ask of the service, in the run's own words.

Adapters (``service.sdk``) and pretend services implement ``Glacier``; only the command line and ``purge()``
choose one.  An adapter is bound to one vault, makes exactly one HTTP request per call of ``delete_archive`` and
retries nothing: every attempt has to pass the pacer and the audit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from glacier_purge.archive import ArchiveId, Vault
    from glacier_purge.service.reply import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultDescription:
    """DescribeVault's answer. Counts are as of ``last_inventory``; None before the vault's first inventory."""

    arn: str
    last_inventory: datetime | None
    archives: int | None
    size_bytes: int | None


class Glacier(Protocol):
    """Amazon Glacier, one vault of it."""

    @property
    def vault(self) -> Vault:
        """The vault every call is about."""

    @property
    def endpoint_url(self) -> str:
        """Where requests go, as resolved."""

    async def delete_archive(self, archive_id: ArchiveId) -> Reply:
        """Send one DeleteArchive and say what came back. Network faults are replies too; nothing is raised for them."""

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description.

        Raises ``ServiceRefused`` (denied, missing, no longer supported), ``CredentialsFailed`` (none, expired)
        and ``RunStopped`` (no answer).
        """

    async def renew_credentials(self) -> None:
        """Fetch credentials afresh. Raises ``CredentialsFailed`` when there are none to be had now."""
