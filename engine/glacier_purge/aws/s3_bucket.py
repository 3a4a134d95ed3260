"""A bucket of Amazon S3, or of what speaks its protocol on loopback, through aioboto3.

Writes are conditional and tried again, and a try whose answer was lost may have been done.  So a refused condition
(412) is looked into: an object with our own bytes is ours.  Each question is bounded by the client's time-outs and few
tries, since whoever asks has a lease that runs out meanwhile.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from glacier_purge.aws.bucket import BucketAway, ObjectTaken, Stored
from glacier_purge.aws.faults import Fault, fault_of, told
from glacier_purge.aws.tls import check_trusted
from glacier_purge.errors import ConfigurationFailed, CredentialsUnreachable, GlacierPurgeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from glacier_purge.aws.bucket import BucketAccess, BucketAddress
    from glacier_purge.aws.session import AwsSession

    _T = TypeVar("_T")

TRIES_MAX = 3
CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 4.0
"""A bucket that is slower than this is away: three tries of both come to less than half a lease of a minute."""
_CONFLICT, _CHANGED = 409, 412
_WHO_CAN_HELP = {Fault.CREDENTIALS, Fault.CONFIGURATION, Fault.CLOCK, Fault.REFUSED}


class S3Bucket:
    """``Bucket`` over S3. Made by ``open_bucket``."""

    def __init__(self, client: Any, address: BucketAddress) -> None:
        self._client = client
        self._address = address
        self._policy = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, BucketAway) and not error.is_denied),
            wait=wait_random_exponential(multiplier=0.2, max=1.0),
            stop=stop_after_attempt(TRIES_MAX),
            sleep=anyio.sleep,
            reraise=True,
        )

    def place(self, key: str) -> str:
        """See ``Bucket``."""
        return f"s3://{self._address.name}/{self._address.key(key)}"

    async def create(self, key: str, content: bytes) -> str:
        """See ``Bucket``."""
        return await self._write(key, content, IfNoneMatch="*")

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """See ``Bucket``."""
        return await self._write(key, content, IfMatch=etag)

    async def read(self, key: str) -> Stored | None:
        """See ``Bucket``."""

        async def once() -> Stored | None:
            try:
                answer = await self._client.get_object(Bucket=self._address.name, Key=self._address.key(key))
                async with answer["Body"] as body:
                    return Stored(await body.read(), self._etag(answer, key))
            except Exception as fault:
                if _code(fault) == "NoSuchKey":
                    return None
                raise

        return await self._asked(key, "read", once)

    async def keys(self, folder: str) -> Sequence[str]:
        """See ``Bucket``."""
        prefix, found, more = self._address.key(folder), list[str](), dict[str, str]()

        async def once() -> Any:
            return await self._client.list_objects_v2(Bucket=self._address.name, Prefix=prefix, **more)

        while True:
            page = await self._asked(folder, "listed", once)
            found += (one["Key"] for one in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                break
            more = {"ContinuationToken": page["NextContinuationToken"]}
        begins = len(prefix) - len(folder)
        return sorted((key[begins:] for key in found), key=str.encode)

    async def _write(self, key: str, content: bytes, **condition: str) -> str:
        whole_key = self._address.key(key)

        async def once() -> str | None:
            try:
                answer = await self._client.put_object(
                    Bucket=self._address.name, Key=whole_key, Body=content, **condition
                )
            except Exception as fault:
                if _status(fault) == _CHANGED or _code(fault) == "NoSuchKey":
                    return None
                raise
            return self._etag(answer, key)

        etag = await self._asked(key, "written", once)
        if etag is not None:
            return etag
        held = await self.read(key)
        if held is None or held.content != content:
            raise ObjectTaken(self.place(key))
        return held.etag

    def _etag(self, answer: Mapping[str, Any], key: str) -> str:
        """What S3 always says; a page of something in between does not. Raises ``BucketAway`` without it."""
        etag: str | None = answer.get("ETag")
        if not etag:
            raise BucketAway(f"what answers for {self.place(key)} does not answer as S3 does (no ETag)")
        return etag

    async def _asked(self, key: str, done: str, once: Callable[[], Awaitable[_T]]) -> _T:
        """Ask until there is an answer, a few times. Raises ``BucketAway`` for every other end but a bug."""

        async def tried() -> _T:
            try:
                return await once()
            except BucketAway:
                raise
            except Exception as fault:  # whatever the SDK, or what it stands on, may raise; bugs are raised again
                raise _as_away(fault, f"{self.place(key)} could not be {done}") from fault

        answer: _T = await self._policy.copy()(tried)
        return answer


def _as_away(fault: Exception, what: str) -> BucketAway:
    """Why the bucket is of no use. Raises ``fault`` itself where it is a bug."""
    if isinstance(fault, GlacierPurgeError):  # of who gives the credentials
        return BucketAway(f"{what}: {fault}", is_denied=not isinstance(fault, CredentialsUnreachable))
    try:
        check_trusted(fault, what)
    except ConfigurationFailed as untrusted:
        return BucketAway(str(untrusted), is_denied=True)
    kind = fault_of(fault)
    if kind is Fault.BUG:
        raise fault
    is_denied = kind in _WHO_CAN_HELP and _status(fault) != _CONFLICT
    advice = (
        " It takes the rights of config/iam/replica.json, the bucket's own region (replica.region), and a bucket that "
        "is there."
        if is_denied
        else ""
    )
    return BucketAway(f"{what}: {told(fault)}.{advice}", is_denied=is_denied)


def _status(fault: Exception) -> int | None:
    answer: Any = getattr(fault, "response", None)
    status: int | None = answer["ResponseMetadata"].get("HTTPStatusCode") if isinstance(answer, dict) else None
    return status


def _code(fault: Exception) -> str | None:
    answer: Any = getattr(fault, "response", None)
    code: str | None = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return code


@asynccontextmanager
async def open_bucket(session: AwsSession, wanted: BucketAccess) -> AsyncIterator[S3Bucket]:
    """Open a bucket with the credentials of ``session``; sends nothing. Raises as ``AwsSession.bucket_client`` does."""
    async with session.bucket_client(wanted.region, wanted.endpoint_url) as client:
        yield S3Bucket(client, wanted.address)
