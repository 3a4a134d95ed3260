"""Amazon S3 through aioboto3, for one question: is this object there, and how large is it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from glacier_purge.aws.faults import as_error
from glacier_purge.aws.tls import check_trusted
from glacier_purge.errors import RunStopped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glacier_purge.aws.session import AwsSession

TRIES_MAX = 6


class S3:
    """Objects of any bucket. Made by ``open_s3``."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._policy = AsyncRetrying(
            retry=retry_if_exception_type(RunStopped),
            wait=wait_random_exponential(multiplier=0.5, max=20.0),
            stop=stop_after_attempt(TRIES_MAX),
            sleep=anyio.sleep,
            reraise=True,
        )

    async def object_size_bytes(self, bucket: str, key: str) -> int | None:
        """Ask for an object's size; None when there is none, or a delete marker stands for it.

        Raises ``ServiceRefused`` when it must not be asked for, ``CredentialsFailed`` and ``RunStopped``.
        """
        size_bytes: int | None = await self._policy.copy()(self._once, bucket, key)
        return size_bytes

    async def _once(self, bucket: str, key: str) -> int | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415  # heavy

        try:
            answer = await self._client.head_object(Bucket=bucket, Key=key)
        except Exception as fault:  # whatever the SDK, or what it stands on, may raise; bugs are raised again
            if isinstance(fault, ClientError) and fault.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            check_trusted(fault, f"S3 was not asked for {bucket}/{key}")
            raise as_error(
                fault,
                f"S3 does not say whether {bucket}/{key} is there",
                "It needs s3:GetObject and s3:ListBucket on the bucket, which has to be in the vault's region. Nothing "
                "was planned.",
            ) from fault
        return int(answer["ContentLength"])


@asynccontextmanager
async def open_s3(session: AwsSession) -> AsyncIterator[S3]:
    """Open S3 with the credentials and in the region of ``session``; sends nothing."""
    async with session.client("s3") as client:
        yield S3(client)
