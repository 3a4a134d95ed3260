"""Amazon Glacier on an aioboto3 client: one call is one request, and whatever goes wrong becomes a ``Reply``.

It never retries.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from glacier_purge.errors import CredentialsFailed
from glacier_purge.glacier.port import Replies
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.glacier.request_ids import SeenRequestIds
from glacier_purge.glacier.sdk.answers import as_error, read_answer, read_description, read_fault

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from glacier_purge.archive import IdRule, Vault
    from glacier_purge.aws.credentials import CredentialSource
    from glacier_purge.aws.session import AwsSession
    from glacier_purge.glacier.port import Addressed, Later, Settle, VaultDescription


class SdkGlacier:
    """``glacier.port.Glacier`` through the SDK. Made by ``api.clients``."""

    def __init__(self, client: Any, vault: Vault, session: AwsSession, *, id_rule: IdRule) -> None:
        self._client = client
        self._vault = vault
        self._id_rule = id_rule
        self._session = session
        self._replies = Replies(SeenRequestIds())  # beside those that its connections look into

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
    def tls(self) -> ssl.SSLContext:
        """How server certificates are checked, for connections that are not the SDK's."""
        return self._session.tls

    def deliver_to(self, settle: Settle) -> None:
        """See ``Glacier``."""
        self._replies.deliver_to(settle)

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        """See ``Glacier``; the SDK sends nothing without being awaited."""
        self._id_rule.check([archive.archive_id for archive in archives])
        return [partial(self._delete, archive) for archive in archives]

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description; raises as ``Glacier.describe_vault`` says."""
        reply, members = await self._ask(self._client.describe_vault)
        if not members:
            raise as_error(reply, "DescribeVault", self._vault.arn)
        return read_description(members)

    async def renew_credentials(self) -> None:
        """Go through AWS's credential chain afresh. Raises ``CredentialsFailed`` when there is nothing to be had."""
        await self._session.credentials.renew()

    async def _delete(self, archive: Addressed) -> None:
        try:
            await self.credentials.soon()
            reply, _ = await self._ask(self._client.delete_archive, archiveId=archive.archive_id)
        except CredentialsFailed as failure:
            reply = Reply(Meaning.CREDENTIALS, code=type(failure.__cause__ or failure).__name__, message=str(failure))
        self._replies.add(archive, reply)

    async def _ask(self, operation: Any, **arguments: str) -> tuple[Reply, Mapping[str, Any]]:
        """Make one request; return what it means and the members of the answer.

        Raises ``CredentialsFailed`` when there is nothing to sign it with.
        """
        try:
            answer = await operation(accountId=self._vault.account_id, vaultName=self._vault.name, **arguments)
        except CredentialsFailed:
            raise
        except Exception as fault:  # whatever the SDK, or what it stands on, may raise; bugs are raised again
            return read_fault(fault), {}
        return read_answer(answer), answer
