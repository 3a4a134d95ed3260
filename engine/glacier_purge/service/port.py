"""The door to Amazon Glacier: what a run may ask of the service, in the run's own words.

Adapters (``service.sdk``) and pretend services implement ``Glacier``; only the command line and ``purge()``
choose one.  An adapter is bound to one vault, makes exactly one HTTP request per call of ``delete_archive`` and
retries nothing: every attempt has to pass the pacer and the audit.

A reply to a delete comes as a call and not as the value of an ``await``: a task or a future for each of a million
archives would cost more than all the rest of the engine (benchmarks/README.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from glacier_purge.archive import ArchiveId, Vault
    from glacier_purge.service.reply import Reply

    Settle = Callable[[Reply], object]
    """Takes the reply to one request; called once, from the event loop, never from within ``delete_archive``."""

    Later = Callable[[], Coroutine[None, None, None]]
    """What is left to be awaited, in a task of the caller's own, for a request to leave and be settled."""


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

    def delete_archive(self, archive_id: ArchiveId, settle: Settle) -> Later | None:
        """Send one DeleteArchive and give ``settle`` what came back; faults of the network are replies too.

        None: it is on its way.  Otherwise it cannot leave at once (there is no connection yet, say), and does so when
        the caller awaits what is returned.  Raises ``UsageError`` for an id that must not be sent.
        """

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description.

        Raises ``ServiceRefused`` (denied, missing, no longer supported), ``CredentialsFailed`` (none, expired)
        and ``RunStopped`` (no answer).
        """

    async def renew_credentials(self) -> None:
        """Fetch credentials afresh. Raises ``CredentialsFailed`` when there are none to be had now."""
