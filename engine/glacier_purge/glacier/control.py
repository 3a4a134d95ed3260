"""The other way to Amazon Glacier: everything around the deletes, in the run's own words.

``port.Glacier`` is for the one request that goes out a million times; this is for the few dozen that come before and
after it: jobs and their output, policies, tags, uploads, and the vault itself.  An adapter is bound to one vault and is
patient: throttles, 5xx and lost replies are tried again with growing waits, expired credentials are renewed once.
Of ``job_output`` that is true until its first byte comes: after that only its reader knows how far it came.

What is not there (no lock, no policy, no such job) is None and no error.  It is believed only of the service itself, in
the one form in which it says so; an answer that does not hold what ``promises`` has for its operation is ``NoAnswer``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from glacier_purge.errors import RunStopped, ServiceRefused
from glacier_purge.glacier.promises import NOT_AS_PROMISED
from glacier_purge.glacier.reply import Meaning

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping
    from datetime import datetime

    from glacier_purge.archive import Vault
    from glacier_purge.glacier.port import VaultDescription
    from glacier_purge.glacier.reply import Reply

JOB_DESCRIPTION = "glacier-purge"
"""How the descriptions of our own inventory jobs begin, for whoever lists the vault's jobs."""

OUTPUT_LASTS = timedelta(hours=24)
"""Output can be downloaded for at least this long after the job completed (Developer Guide, "Get Job Output")."""

_VAULT_IS_MISSING = "Vault not found"
"""How the message begins when a 404 is about the vault and not about what was asked of it (mt-aws-glacier #32)."""


class ControlRefused(ServiceRefused):
    """The service refused one operation. ``reply.meaning`` tells a missing permission from a missing vault."""

    def __init__(self, message: str, *, operation: str, reply: Reply) -> None:
        super().__init__(message)
        self.operation = operation
        self.reply = reply

    @property
    def is_denied(self) -> bool:
        """Tell whether a permission is missing: the service said so, in the one way it says it."""
        return self.reply.meaning is Meaning.REFUSED and self.reply.code == "AccessDeniedException"

    @property
    def is_not_there(self) -> bool:
        """Tell whether what was asked for is not there, while the vault is."""
        reply = self.reply
        is_missing = reply.meaning is Meaning.VAULT_MISSING and reply.code == "ResourceNotFoundException"
        return is_missing and not self.is_vault_missing

    @property
    def is_vault_missing(self) -> bool:
        """Tell whether it is the vault that is not there."""
        reply = self.reply
        return reply.meaning is Meaning.VAULT_MISSING and reply.message.startswith(_VAULT_IS_MISSING)


class NotTrusted(ControlRefused):
    """Whoever answers can't show that it is the service: its TLS certificate does not hold. Nothing was sent to it.

    What to trust is a matter of configuration, so trying again helps nobody.
    """

    exit_code = 253


class NoAnswer(RunStopped):
    """No answer, or one that says "later" or can't be the service's, however often it was asked for.

    ``reply`` is the last.
    """

    def __init__(self, message: str, *, operation: str, reply: Reply) -> None:
        super().__init__(message)
        self.operation = operation
        self.reply = reply

    @property
    def is_weather(self) -> bool:
        """Tell whether it passes by itself; a login page, or what can't be an answer, is somebody's doing and stays."""
        return self.reply.meaning is not Meaning.NOT_AWS and self.reply.code != NOT_AS_PROMISED


class JobState(Enum):
    """How far a job is; each value is the service's own word (StatusCode)."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class JobAction(Enum):
    """What a job does; each value is the service's own word (Action)."""

    INVENTORY = "InventoryRetrieval"
    ARCHIVE = "ArchiveRetrieval"
    SELECT = "Select"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryScope:
    """What an inventory job was asked for. A whole vault has neither dates nor ``limit`` nor ``marker``."""

    format: str
    start_date: str | None = None
    end_date: str | None = None
    limit: str | None = None
    marker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A retrieval job. ``size_bytes`` is that of an inventory's output, None until it is done; times are UTC."""

    job_id: str
    action: JobAction
    state: JobState
    created: datetime
    completed: datetime | None = None
    status_message: str | None = None
    description: str | None = None
    inventory: InventoryScope | None = None
    archive_id: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultLock:
    """A vault's lock policy (JSON text). ``expires`` is None once it is locked for ever; it is enforced before, too."""

    policy: str
    state: str
    expires: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """Where the vault announces finished jobs. Read only: it is somebody else's."""

    topic: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadInProgress:
    """A multipart upload that may yet become an archive."""

    upload_id: str
    description: str
    created: datetime
    part_size_bytes: int


class Removal(Enum):
    """What DeleteVault was answered with."""

    DONE = "deleted"
    NOT_YET = "not empty or recently written to"
    MISSING = "no such vault"
    NO_LONGER_SUPPORTED = "no longer supported"


class GlacierControl(Protocol):
    """Amazon Glacier, one vault of it, without its archives.

    Every method raises ``ControlRefused``, ``CredentialsFailed`` and ``NoAnswer``.
    """

    @property
    def vault(self) -> Vault:
        """The vault every call is about."""

    @property
    def endpoint_url(self) -> str:
        """Where requests go, as resolved."""

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description."""

    def list_jobs(self) -> AsyncIterator[Job]:
        """Go through all of the vault's jobs that the service still knows, in no order to rely on."""

    async def describe_job(self, job_id: str) -> Job | None:
        """Ask for one job; None when the service does not know it (any more)."""

    async def initiate_inventory(self, description: str) -> str:
        """Start a job for the vault's whole inventory in JSON, described as this; return its id.

        After a lost reply a second job may be started, which does no harm.
        """

    def job_output(self, job_id: str, first: int, last: int) -> AsyncGenerator[bytes, None]:
        """Read bytes ``first`` to ``last`` (inclusive) of a finished job's output.

        What breaks off is not asked for again.  Ends only when every byte came.  Raises ``ControlRefused`` also when
        the output is gone.
        """

    async def vault_lock(self) -> VaultLock | None:
        """Ask for the vault's lock."""

    async def access_policy(self) -> str | None:
        """Ask for the vault's access policy, as JSON text."""

    async def set_access_policy(self, policy: str) -> None:
        """Replace the vault's access policy."""

    async def delete_access_policy(self) -> None:
        """Take the vault's access policy away."""

    async def tags(self) -> Mapping[str, str]:
        """Ask for the vault's tags."""

    async def notifications(self) -> Notifications | None:
        """Ask where the vault announces finished jobs."""

    def multipart_uploads(self) -> AsyncIterator[UploadInProgress]:
        """Go through the vault's multipart uploads in progress."""

    async def abort_multipart_upload(self, upload_id: str) -> None:
        """End a multipart upload; what was uploaded of it is lost."""

    async def delete_vault(self) -> Removal:
        """Ask for the vault itself to be deleted, which the service refuses until it is empty by an inventory."""

    def list_vaults(self) -> AsyncGenerator[VaultDescription, None]:
        """Go through all vaults of the account in this region, by name."""
