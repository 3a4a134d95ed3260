"""Amazon Glacier over connections of our own: DeleteArchive signed and sent at a fortieth of the SDK's cost.

What is rare (describing the vault, finding and renewing credentials, resolving the endpoint) is left to the SDK.
It makes one request per delete and retries nothing: a connection that dies with a request on it means "no reply".
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from glacier_purge.errors import CredentialsFailed
from glacier_purge.glacier.http.connection import Connection
from glacier_purge.glacier.http.connections import ConnectionPool
from glacier_purge.glacier.http.dial import Dialer, NotConnectedError
from glacier_purge.glacier.http.request import DeleteRequest, host_header
from glacier_purge.glacier.port import Replies
from glacier_purge.glacier.reply import Meaning, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from glacier_purge.archive import IdRule, Vault
    from glacier_purge.aws.access import Access
    from glacier_purge.aws.credentials import CredentialSource
    from glacier_purge.glacier.port import Addressed, Later, Settle, VaultDescription
    from glacier_purge.glacier.recording import Recording
    from glacier_purge.glacier.request_ids import SeenRequestIds
    from glacier_purge.glacier.sdk.client import SdkGlacier


@asynccontextmanager
async def open_rest(
    sdk: SdkGlacier, access: Access, seen: SeenRequestIds, recording: Recording | None = None
) -> AsyncIterator[RestGlacier]:
    """Open connections of our own to the service that ``sdk`` reaches; leaving the context drops every one of them.

    Sends nothing. ``seen`` are the request ids that the process has seen elsewhere; ``recording`` takes notes.
    """
    url = urlsplit(sdk.endpoint_url)
    assert url.hostname is not None
    dialer = Dialer(
        url.hostname,
        url.port or (443 if url.scheme == "https" else 80),
        tls=sdk.tls if url.scheme == "https" else None,
        timeout_seconds=access.connect_timeout_seconds,
        patience_seconds=access.request_timeout_seconds,
    )
    replies = Replies(seen)
    pool = ConnectionPool(
        dialer,
        replies.add,
        limit=access.max_in_flight,
        request_timeout_seconds=access.request_timeout_seconds,
        kind=Connection if recording is None else recording.of(Connection),
    )
    try:
        request = DeleteRequest(sdk.vault, host=host_header(sdk.endpoint_url))
        yield RestGlacier(sdk, pool, request, replies, id_rule=access.id_rule)
    finally:
        pool.close()


class RestGlacier:
    """``glacier.port.Glacier`` on connections of our own. Made by ``open_rest``."""

    def __init__(
        self, sdk: SdkGlacier, pool: ConnectionPool, request: DeleteRequest, replies: Replies, *, id_rule: IdRule
    ) -> None:
        self._sdk = sdk
        self._credentials = sdk.credentials
        self._pool = pool
        self._request = request
        self._replies = replies
        self._id_rule = id_rule

    @property
    def vault(self) -> Vault:
        """The vault every call is about."""
        return self._sdk.vault

    @property
    def endpoint_url(self) -> str:
        """Where requests go, as resolved."""
        return self._sdk.endpoint_url

    @property
    def credentials(self) -> CredentialSource:
        """What the requests are signed with."""
        return self._credentials

    def deliver_to(self, settle: Settle) -> None:
        """See ``Glacier``."""
        self._replies.deliver_to(settle)

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        """See ``Glacier``; those leave at once for which credentials are fresh and connections idle."""
        archive_ids = [archive.archive_id for archive in archives]
        self._id_rule.check(archive_ids)
        credentials = self._credentials.fresh()
        if credentials is None:
            return [partial(self._delete_later, archive) for archive in archives]
        connections = self._pool.take(len(archives))
        requests = self._request.to_delete(archive_ids[: len(connections)], credentials, time.time())
        for connection, request, archive in zip(connections, requests, archives, strict=False):
            connection.send(request, archive)
        return [partial(self._delete_later, archive) for archive in archives[len(connections) :]]

    async def connect(self) -> None:
        """Open a connection, as deletes will, and send nothing on it. Raises ``NotConnectedError``."""
        self._pool.released(await self._pool.wait())

    async def _delete_later(self, archive: Addressed) -> None:
        try:
            credentials = await self._credentials.soon()
            connection = await self._pool.wait()
        except CredentialsFailed as failure:
            code = type(failure.__cause__ or failure).__name__
            self._replies.add(archive, Reply(Meaning.CREDENTIALS, code=code, message=str(failure)))
        except NotConnectedError as fault:
            self._replies.add(archive, fault.reply)
        else:
            (request,) = self._request.to_delete([archive.archive_id], credentials, time.time())
            connection.send(request, archive)

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description; raises as ``Glacier.describe_vault`` says."""
        return await self._sdk.describe_vault()

    async def renew_credentials(self) -> None:
        """Go through AWS's credential chain afresh. Raises ``CredentialsFailed`` when there is nothing to be had."""
        await self._sdk.renew_credentials()
