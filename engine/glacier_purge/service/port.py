"""The door to Amazon Glacier: what a run may ask of the service, in the run's own words.

Adapters (``service.sdk``) and pretend services implement ``Glacier``; only the command line and ``purge()``
choose one.  An adapter is bound to one vault, makes exactly one HTTP request for each archive it is given and retries
nothing: every attempt has to pass the pacer and the audit.

Deletes go out together and replies come back together, those of one turn of the event loop, as one call each way and
not as the value of an ``await``: a task, a future or a few calls for each of a million archives would cost more than
all the rest of the engine (benchmarks/README.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime

    from glacier_purge.archive import ArchiveId, Vault
    from glacier_purge.service.reply import Reply

    Settle = Callable[[Sequence[tuple[Any, Reply]]], object]
    """Takes replies, each beside what was given to ``delete_archives`` for it, every one once.

    Called from the event loop, never from within ``delete_archives``.
    """

    Later = Callable[[], Coroutine[None, None, None]]
    """What is left to be awaited, in a task of the caller's own, for a request to leave and be settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultDescription:
    """DescribeVault's answer. Counts are as of ``last_inventory``; None before the vault's first inventory."""

    arn: str
    last_inventory: datetime | None
    archives: int | None
    size_bytes: int | None


class Addressed(Protocol):
    """What a delete can be asked for: an archive, or whatever else knows an archive's id."""

    @property
    def archive_id(self) -> ArchiveId:
        """The id that stands in the request."""


class Glacier(Protocol):
    """Amazon Glacier, one vault of it."""

    @property
    def vault(self) -> Vault:
        """The vault every call is about."""

    @property
    def endpoint_url(self) -> str:
        """Where requests go, as resolved."""

    def deliver_to(self, settle: Settle) -> None:
        """Name who takes the replies, before the first delete. Raises ``RuntimeError`` for another one after that."""

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        """Send a DeleteArchive for each, and let what came back be settled; faults of the network are replies too.

        All are on their way, but for those that cannot leave at once (there is no connection yet, say) and do so when
        the caller awaits what is returned.  Raises ``UsageError`` for an id that must not be sent; then none was.
        """

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description.

        Raises ``ServiceRefused`` (denied, missing, no longer supported), ``CredentialsFailed`` (none, expired)
        and ``RunStopped`` (no answer).
        """

    async def renew_credentials(self) -> None:
        """Fetch credentials afresh. Raises ``CredentialsFailed`` when there are none to be had now."""
