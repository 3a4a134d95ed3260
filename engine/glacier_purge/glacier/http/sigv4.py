"""AWS Signature Version 4 for one request only: ``DELETE /ACCOUNT/vaults/VAULT/archives/ID``, without a body.

Signing is a quarter of what a delete costs in the SDK, and all but 138 characters of it are the same for every delete
of a vault within one second.  So the key of the day is derived once, and for each second the three hash states are
brought to the point where the archive id comes in; a signature then is three copied states and three short updates.
It reads no clock: the caller says what second it is.

Source: "Create a signed AWS API request" (IAM User Guide); compared with botocore's signer in the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

API_VERSION = "2012-06-01"
"""The only version of the vault API, sent and signed as ``x-amz-glacier-version``."""

_SHA256_OF_NOTHING = hashlib.sha256(b"").hexdigest()
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """The credentials a signature is made with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class DeleteSigner:
    """Signs deletes in one vault with one set of credentials.

    ``host`` is as in the Host header; ``path`` ends in ``/archives/`` and needs no percent-encoding.
    """

    def __init__(self, keys: SigningKeys, *, region: str, host: str, path: str) -> None:
        self._keys = keys
        self._region = region
        self._host = host
        self._canonical_start = hashlib.sha256(f"DELETE\n{path}".encode())
        self._day = ""
        self._inner = self._outer = hashlib.sha256()

    def at(self, epoch_seconds: int) -> SigningSecond:
        """Return what signs deletes sent in the given second of Unix time."""
        amz_date = datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
        day = amz_date[:8]
        if day != self._day:
            self._use_key_of(day)
        token = self._keys.session_token
        names = "host;x-amz-date;x-amz-glacier-version" + ("" if token is None else ";x-amz-security-token")
        lines = f"host:{self._host}\nx-amz-date:{amz_date}\nx-amz-glacier-version:{API_VERSION}\n"
        if token is not None:
            lines += f"x-amz-security-token:{token}\n"  # sorts after x-amz-glacier-version
        scope = f"{day}/{self._region}/glacier/aws4_request"
        inner = self._inner.copy()
        inner.update(f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n".encode())
        return SigningSecond(
            amz_date=amz_date,
            authorization=(
                f"AWS4-HMAC-SHA256 Credential={self._keys.access_key_id}/{scope}, SignedHeaders={names}, Signature="
            ),
            canonical_start=self._canonical_start,
            canonical_end=f"\n\n{lines}\n{names}\n{_SHA256_OF_NOTHING}".encode(),
            inner=inner,
            outer=self._outer,
        )

    def _use_key_of(self, day: str) -> None:
        key = f"AWS4{self._keys.secret_access_key}".encode()
        for part in (day, self._region, "glacier", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))
        self._day = day


class SigningSecond:
    """Signs every delete of one second, in bytes. ``authorization`` is the header's value up to the signature."""

    __slots__ = ("_canonical_end", "_canonical_start", "_inner", "_outer", "amz_date", "authorization")

    def __init__(
        self,
        *,
        amz_date: str,
        authorization: str,
        canonical_start: hashlib._Hash,
        canonical_end: bytes,
        inner: hashlib._Hash,
        outer: hashlib._Hash,
    ) -> None:
        self.amz_date = amz_date
        self.authorization = authorization
        self._canonical_start = canonical_start
        self._canonical_end = canonical_end
        self._inner = inner
        self._outer = outer

    def signatures(self, archive_ids: Sequence[bytes]) -> list[bytes]:
        """Return the signatures, in hexadecimal digits, of the deletes of archives.

        A call for one of them costs a quarter more than its part of a call for many.
        """
        start, end, inner, outer = self._canonical_start.copy, self._canonical_end, self._inner.copy, self._outer.copy
        made: list[bytes] = []
        for archive_id in archive_ids:
            canonical = start()
            canonical.update(archive_id + end)
            to_sign = inner()
            to_sign.update(canonical.hexdigest().encode())
            signed = outer()
            signed.update(to_sign.digest())
            made.append(signed.hexdigest().encode())
        return made
