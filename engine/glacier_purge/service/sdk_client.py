"""Amazon Glacier on an aioboto3 client: one call is one request, and whatever goes wrong becomes a ``Reply``.

Errors are told apart by the code string of the body, never by the SDK's exception classes, because the SDK's model
lacks the codes that matter most here (throttling among them).  It never retries.
"""

from __future__ import annotations

import ssl
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from glacier_purge.archive import ArchiveId, Vault, is_archive_id
from glacier_purge.errors import CredentialsFailed, GlacierPurgeError, RunStopped, ServiceRefused, UsageError
from glacier_purge.service.port import VaultDescription
from glacier_purge.service.reply import (
    ENDS_THE_RUN,
    MESSAGE_CHARACTERS_MAX,
    Meaning,
    Reply,
    interpret,
    no_reply,
    retry_after_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier_purge.service.credentials import CredentialSource
    from glacier_purge.service.session import AwsSession


class SdkGlacier:
    """``service.port.Glacier`` through the SDK. Made by ``service.sdk.open_sdk``."""

    def __init__(self, client: Any, vault: Vault, session: AwsSession, *, any_id_length: bool) -> None:
        self._client = client
        self._vault = vault
        self._any_id_length = any_id_length
        self._session = session

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

    @property
    def authorities(self) -> str | None:
        """The PEM file server certificates are checked against; None when they are not (loopback only)."""
        return self._session.authorities

    async def delete_archive(self, archive_id: ArchiveId) -> Reply:
        """Send one DeleteArchive and say what came back; raises ``UsageError`` for an id that must not be sent."""
        if not is_archive_id(archive_id, any_length=self._any_id_length):
            raise UsageError(f"{archive_id!r} is not an archive id. It was not sent.")
        reply, _ = await self._ask(self._client.delete_archive, archiveId=archive_id)
        return reply

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description; raises as ``Glacier.describe_vault`` says."""
        reply, members = await self._ask(self._client.describe_vault)
        if reply.status == 200 and reply.request_id is not None and "VaultARN" in members:
            return _description(members)
        raise _as_error(reply, self._vault)

    async def renew_credentials(self) -> None:
        """Go through AWS's credential chain afresh. Raises ``CredentialsFailed`` when there is nothing to be had."""
        await self._session.credentials.renew()

    async def _ask(self, operation: Any, **arguments: str) -> tuple[Reply, Mapping[str, Any]]:
        """Make one request; return what it means and the members of the answer."""
        try:
            answer = await operation(accountId=self._vault.account_id, vaultName=self._vault.name, **arguments)
        except ClientError as refusal:
            return _reply(refusal.response), {}
        except CredentialsFailed as failure:
            cause = failure.__cause__ or failure
            return Reply(Meaning.CREDENTIALS, code=type(cause).__name__, message=str(failure)), {}
        except (BotoCoreError, ResponseParserError) as fault:
            return _no_reply(fault), {}
        return _reply(answer), answer


def _reply(answer: Mapping[str, Any]) -> Reply:
    metadata = answer["ResponseMetadata"]
    headers: Mapping[str, str] = metadata["HTTPHeaders"]
    status: int = metadata["HTTPStatusCode"]
    if status < 200:
        return no_reply("HTTPClientError", f"the reply is an interim one ({status}) and no other followed")
    error: Mapping[str, str] = answer.get("Error", {})
    code: str | None = error.get("Code")
    if code == str(status):  # how the SDK says that the body named none
        code = None
    message = (error.get("Message") or "") if code else ""
    request_id = headers.get("x-amzn-requestid")
    return Reply(
        interpret(status, code, message, from_aws=request_id is not None),
        status=status,
        code=code,
        message=message[:MESSAGE_CHARACTERS_MAX],
        request_id=request_id,
        retry_after_seconds=retry_after_seconds(headers.get("retry-after"), headers.get("x-amz-retry-after")),
    )


def _no_reply(fault: Exception) -> Reply:
    reply = no_reply(type(fault).__name__, str(fault))
    return msgspec.structs.replace(reply, meaning=Meaning.UNTRUSTED) if _is_certificate_fault(fault) else reply


def _is_certificate_fault(fault: BaseException | None) -> bool:
    """Look for a certificate that does not hold anywhere below the SDK's fault."""
    while fault is not None:
        if isinstance(fault, ssl.SSLCertVerificationError | ssl.CertificateError):
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def _description(members: Mapping[str, Any]) -> VaultDescription:
    last_inventory = members.get("LastInventoryDate")
    return VaultDescription(
        arn=members["VaultARN"],
        last_inventory=None if last_inventory is None else datetime.fromisoformat(last_inventory),
        archives=members.get("NumberOfArchives"),
        size_bytes=members.get("SizeInBytes"),
    )


def _as_error(reply: Reply, vault: Vault) -> GlacierPurgeError:
    """Say a reply to DescribeVault as the error the port promises."""
    said = f"{reply.code or reply.status or 'no code'}: {reply.message}".rstrip(": ")
    what = f"DescribeVault of {vault.arn} was answered with {reply.meaning.value} ({said})"
    if reply.meaning is Meaning.CREDENTIALS:
        return CredentialsFailed(f"{what}. Renew the AWS credentials, then run the same command again.")
    if reply.meaning in ENDS_THE_RUN:
        return ServiceRefused(f"{what}. Check account, region, vault name and the role's permissions.")
    return RunStopped(f"{what}. Run the same command again when the service can be reached.")
