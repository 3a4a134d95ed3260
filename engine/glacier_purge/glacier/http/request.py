"""The bytes of a DeleteArchive request: the ones the SDK would send, but for date, signature and user agent.

Whatever does not change within a second is laid out once; a delete adds its id, its signature and its invocation id.
The path is put together from parts that were checked when they were made and need no percent-encoding, and it has six
segments: with fewer it would name the vault, and the request would be DeleteVault.
"""

from __future__ import annotations

import uuid
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from glacier_purge.glacier.http.sigv4 import API_VERSION, DeleteSigner, SigningKeys, SigningSecond

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.archive import ArchiveId, Vault
    from glacier_purge.aws.credentials import FrozenCredentials

_INVOCATION_ID_PREFIX_CHARACTERS = 24  # of a UUID's 36; the rest counts
_END = b"\r\namz-sdk-request: attempt=1\r\nContent-Length: 0\r\nAccept-Encoding: identity\r\nAccept: */*\r\n\r\n"


def host_header(endpoint_url: str) -> str:
    """The Host header for an endpoint: with its port only where that is not the scheme's own, as it is signed."""
    url = urlsplit(endpoint_url)
    return url.netloc.removesuffix(":443" if url.scheme == "https" else ":80")


class DeleteRequest:
    """Builds and signs the deletes of one vault. ``host`` is as ``host_header`` says."""

    def __init__(self, vault: Vault, *, host: str) -> None:
        self._region = vault.region
        self._host = host
        self._path = f"/{vault.account_id}/vaults/{vault.name}/archives/"
        assert self._path.count("/") == 5
        self._agent = f"glacier-purge/{version('glacier-purge')} transport/rest"
        self._invocation = str(uuid.uuid4())[:_INVOCATION_ID_PREFIX_CHARACTERS]
        self._sent = 0
        self._start = f"DELETE {self._path}".encode()
        self._second: int | None = None
        self._credentials: FrozenCredentials | None = None

    def to_delete(
        self, archive_ids: Sequence[ArchiveId], credentials: FrozenCredentials, epoch_seconds: float
    ) -> list[bytes]:
        """Return the signed requests to delete archives, whose ids have been checked."""
        second = int(epoch_seconds)
        if second != self._second or credentials is not self._credentials:
            self._lay_out(credentials, second)
        names = [archive_id.encode("ascii") for archive_id in archive_ids]
        counts = range(self._sent + 1, self._sent + len(names) + 1)
        self._sent += len(names)
        start, middle, before_count, join = self._start, self._middle, self._before_count, b"".join
        return [
            join((start, name, middle, signature, before_count, b"%012x" % count, _END))
            for name, signature, count in zip(names, self._signing.signatures(names), counts, strict=True)
        ]

    def _lay_out(self, credentials: FrozenCredentials, second: int) -> None:
        if credentials is not self._credentials:
            keys = SigningKeys(
                access_key_id=credentials.access_key,
                secret_access_key=credentials.secret_key,
                session_token=credentials.token,
            )
            self._signer = DeleteSigner(keys, region=self._region, host=self._host, path=self._path)
            self._credentials = credentials
        self._second = second
        self._signing: SigningSecond = self._signer.at(second)
        token = "" if credentials.token is None else f"X-Amz-Security-Token: {credentials.token}\r\n"
        self._middle = (
            f" HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: {self._agent}\r\nx-amz-glacier-version: {API_VERSION}\r\n"
            f"X-Amz-Date: {self._signing.amz_date}\r\n{token}Authorization: {self._signing.authorization}"
        ).encode("ascii")
        self._before_count = f"\r\namz-sdk-invocation-id: {self._invocation}".encode()
