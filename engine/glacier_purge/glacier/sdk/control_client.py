"""``glacier.control.GlacierControl`` on an aioboto3 client: patient, paged, and never trusting a status alone.

What an answer has to hold is in ``promises``, and the session sees to it; "not there" is believed only when it does
not say that the vault itself is missing.  How often it asks is ``patience``'s.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from glacier_purge.aws.faults import Fault, fault_of
from glacier_purge.errors import CredentialsFailed
from glacier_purge.glacier.control import (
    ControlRefused,
    Job,
    NoAnswer,
    Notifications,
    Removal,
    UploadInProgress,
    VaultLock,
)
from glacier_purge.glacier.promises import NOT_AS_PROMISED
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.glacier.sdk.answers import (
    as_error,
    read_answer,
    read_description,
    read_fault,
    read_job,
    read_time,
    removal_refused,
)
from glacier_purge.glacier.sdk.lookup import pages
from glacier_purge.long_work import Unit, long_work

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    from glacier_purge.archive import Vault
    from glacier_purge.aws.credentials import CredentialSource
    from glacier_purge.aws.session import AwsSession
    from glacier_purge.glacier.port import VaultDescription
    from glacier_purge.glacier.sdk.patience import ControlRetry

_READ_BYTES = 256 * 1024


class ControlClient:
    """``GlacierControl`` through the SDK. Made by ``api.clients``."""

    def __init__(self, client: Any, vault: Vault, session: AwsSession, retry: ControlRetry) -> None:
        self._client = client
        self._vault = vault
        self._session = session
        self._policy = retry.policy()

    @property
    def vault(self) -> Vault:
        """The vault every call is about."""
        return self._vault

    @property
    def endpoint_url(self) -> str:
        """Where requests go, as resolved."""
        return str(self._client.meta.endpoint_url)

    @property
    def credentials(self) -> CredentialSource:
        """What the requests are signed with."""
        return self._session.credentials

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description."""
        described = read_description(await self._ask("DescribeVault", self._client.describe_vault))
        if described.arn != self._vault.arn:
            raise self._about_another("DescribeVault", described.arn)
        return described

    async def list_jobs(self) -> AsyncIterator[Job]:
        """Go through the vault's jobs."""
        async for job in self._each("ListJobs", self._client.list_jobs, "JobList"):
            yield read_job(job)

    async def describe_job(self, job_id: str) -> Job | None:
        """Ask for one job."""
        members = await self._ask_for("DescribeJob", self._client.describe_job, jobId=job_id)
        if members is not None and members["JobId"] != job_id:
            raise self._about_another("DescribeJob", members["JobId"])
        return None if members is None else read_job(members)

    async def initiate_inventory(self, description: str) -> str:
        """Start a job for the vault's whole inventory in JSON."""
        parameters = {"Type": "inventory-retrieval", "Format": "JSON", "Description": description}
        return str((await self._ask("InitiateJob", self._client.initiate_job, jobParameters=parameters))["jobId"])

    async def job_output(self, job_id: str, first: int, last: int) -> AsyncGenerator[bytes, None]:
        """Read a range of a finished job's output."""
        wanted = f"bytes={first}-{last}"
        members = await self._ask("GetJobOutput", self._client.get_job_output, jobId=job_id, range=wanted)
        wanted_bytes, read_bytes = last - first + 1, 0
        async with members["body"] as body:
            if not str(members.get("contentRange", "")).startswith(f"bytes {first}-{last}/"):
                reply = read_answer(members)
                raise ControlRefused(
                    f"GetJobOutput of {self._vault.arn} gave {members.get('contentRange')!r} when it was asked for "
                    f"bytes {first}-{last}: this output is not as long as the job says. Ask for a new inventory.",
                    operation="GetJobOutput",
                    reply=reply,
                )
            try:
                while piece := await body.content.read(min(_READ_BYTES, wanted_bytes - read_bytes)):
                    read_bytes += len(piece)
                    yield piece
            except Exception as fault:
                if fault_of(fault) is not Fault.NO_ANSWER:
                    raise
                raise self._cut(fault) from fault
        if read_bytes < wanted_bytes:
            raise self._cut(EOFError(f"{read_bytes:,} of {wanted_bytes:,} bytes came"))

    async def vault_lock(self) -> VaultLock | None:
        """Ask for the vault's lock."""
        members = await self._ask_for("GetVaultLock", self._client.get_vault_lock)
        if members is None:
            return None
        return VaultLock(
            policy=members["Policy"], state=members["State"], expires=read_time(members.get("ExpirationDate"))
        )

    async def access_policy(self) -> str | None:
        """Ask for the vault's access policy."""
        members = await self._ask_for("GetVaultAccessPolicy", self._client.get_vault_access_policy)
        return None if members is None else str(members["policy"]["Policy"])

    async def set_access_policy(self, policy: str) -> None:
        """Replace the vault's access policy."""
        await self._ask("SetVaultAccessPolicy", self._client.set_vault_access_policy, policy={"Policy": policy})

    async def delete_access_policy(self) -> None:
        """Take the vault's access policy away."""
        await self._ask("DeleteVaultAccessPolicy", self._client.delete_vault_access_policy)

    async def tags(self) -> Mapping[str, str]:
        """Ask for the vault's tags."""
        tags: Mapping[str, str] = (await self._ask("ListTagsForVault", self._client.list_tags_for_vault))["Tags"]
        return tags

    async def notifications(self) -> Notifications | None:
        """Ask where the vault announces finished jobs."""
        members = await self._ask_for("GetVaultNotifications", self._client.get_vault_notifications)
        if members is None:
            return None
        told = members["vaultNotificationConfig"]
        return Notifications(topic=told["SNSTopic"], events=tuple(told["Events"]))

    async def multipart_uploads(self) -> AsyncIterator[UploadInProgress]:
        """Go through the vault's multipart uploads in progress."""
        async for upload in self._each("ListMultipartUploads", self._client.list_multipart_uploads, "UploadsList"):
            yield UploadInProgress(
                upload_id=upload["MultipartUploadId"],
                description=upload.get("ArchiveDescription") or "",
                created=datetime.fromisoformat(upload["CreationDate"]),
                part_size_bytes=upload["PartSizeInBytes"],
            )

    async def abort_multipart_upload(self, upload_id: str) -> None:
        """End a multipart upload."""
        await self._ask_for("AbortMultipartUpload", self._client.abort_multipart_upload, uploadId=upload_id)

    async def delete_vault(self) -> Removal:
        """Ask for the vault itself to be deleted."""
        try:
            await self._ask("DeleteVault", self._client.delete_vault)
        except ControlRefused as refused:
            removal = removal_refused(refused.reply)
            if removal is None:
                raise
            return removal
        return Removal.DONE

    async def list_vaults(self) -> AsyncGenerator[VaultDescription, None]:
        """Go through all vaults of the account in this region."""
        async for vault in self._each("ListVaults", self._client.list_vaults, "VaultList"):
            yield read_description(vault)

    # -- asking -------------------------------------------------------------------------------------------------------

    async def _each(self, name: str, operation: Any, member: str) -> AsyncIterator[Mapping[str, Any]]:
        """Go through what all pages list as ``member``."""
        async for page in pages(partial(self._ask, name, operation), partial(self._about_another, name)):
            for item in page[member]:
                yield item

    async def _ask_for(self, name: str, operation: Any, **arguments: object) -> Mapping[str, Any] | None:
        """Ask for something that may not be there: None then."""
        try:
            return await self._ask(name, operation, **arguments)
        except ControlRefused as refused:
            if refused.is_not_there:
                return None
            raise

    async def _ask(self, name: str, operation: Any, **arguments: object) -> Mapping[str, Any]:
        """Ask patiently; credentials that are not accepted are renewed once."""
        once = partial(self._once, name, operation, **arguments)
        with long_work(f"asking Amazon Glacier ({name})", unit=Unit.PARTS):
            try:
                return await self._patiently(once)
            except CredentialsFailed:
                await self._session.credentials.renew()
                return await self._patiently(once)

    async def _patiently(self, once: Callable[[], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
        members: Mapping[str, Any] = await self._policy.copy()(once)
        return members

    async def _once(self, name: str, operation: Any, **arguments: object) -> Mapping[str, Any]:
        """Make one request; raise whatever is not a success as the operation promises it."""
        whose: dict[str, object] = {"accountId": self._vault.account_id}
        if name != "ListVaults":
            whose["vaultName"] = self._vault.name
        try:
            members: Mapping[str, Any] = await operation(**whose, **arguments)
        except Exception as fault:  # whatever the SDK, or what it stands on, may raise; bugs are raised again
            raise as_error(read_fault(fault), name, self._vault.arn, self.endpoint_url) from fault
        return members

    def _about_another(self, name: str, what: str) -> NoAnswer:
        reply = Reply(Meaning.NO_REPLY, code=NOT_AS_PROMISED, message=f"it is about {what}")
        return NoAnswer(
            f"{name} of {self._vault.arn} was answered about something else: {what}. Look at what stands between here "
            "and the service, then run the same command again.",
            operation=name,
            reply=reply,
        )

    def _cut(self, fault: BaseException) -> NoAnswer:
        reply = Reply(Meaning.NO_REPLY, code=type(fault).__name__, message=str(fault))
        return NoAnswer(
            f"GetJobOutput of {self._vault.arn} broke off ({type(fault).__name__}: {fault}). The same command goes on.",
            operation="GetJobOutput",
            reply=reply,
        )
