"""What is asked of an S3-compatible bucket by what must outlive this machine: four questions, all of them conditional.

A bucket has no append and no lock, but it promises two things: an object is created once (``If-None-Match: *``), and
replaced only as it was last seen (``If-Match``).  On these two rest the replica, whose chunks nobody can write a second
time, and the lease, which one of several takers gets.  ``s3_bucket`` asks a real one; ``pretend_bucket`` keeps one in
memory, for tests.  The port lies here and not with the disk, as an adapter over AWS's SDK has to know its errors.

Whoever writes puts something of its own into what it writes.  A write whose answer was lost may have been done, and
asked again it meets its own object: the adapter reads that one, and bytes that are the same are this writer's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from glacier_purge.errors import GlacierPurgeError, HostFailed, Needs, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


class BucketAway(HostFailed):
    """The bucket gives no answer, or is denied: nothing is known of what it holds. ``is_denied`` tells which.

    One that gives no answer may give one later; what is denied stays so until somebody changes it.
    """

    def __init__(self, reason: str, *, is_denied: bool = False) -> None:
        super().__init__(reason)
        self.is_denied = is_denied
        self.needs = Needs.OPERATOR if is_denied else Needs.TIME


class ObjectTaken(GlacierPurgeError):
    """An object is there already, or is no longer as it was last seen: somebody else wrote it. ``key`` says which."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was written by somebody else meanwhile")
        self.key = key


_ADDRESS = re.compile(r"s3://(?P<name>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[!-~]*?))?/?", re.ASCII)


class BucketAddress(NamedTuple):
    """Where objects lie: a bucket, and the prefix all their keys begin with, without the slash behind it."""

    name: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``s3://bucket/prefix``. Raises ``UsageError``, which says what is wrong with it."""
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is no place in a bucket; write s3://bucket/prefix")
        prefix = match["prefix"] or ""
        if prefix and not all(part.strip(".") for part in prefix.split("/")):
            raise UsageError(f"{text!r} has a prefix with an empty or dotted part; write s3://bucket/prefix")
        return cls(match["name"], prefix)

    def key(self, key: str) -> str:
        """The whole key of an object."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}" if self.prefix else f"s3://{self.name}"


class BucketAccess(NamedTuple):
    """How a bucket is reached; None is the vault's region, and the endpoint that AWS's own configuration says."""

    address: BucketAddress
    region: str | None = None
    endpoint_url: str | None = None


class Stored(NamedTuple):
    """An object's bytes, and the ETag by which it is replaced."""

    content: bytes
    etag: str


class Bucket(Protocol):
    """Objects below one prefix of one bucket; keys are relative to it. Each call may raise ``BucketAway``."""

    def place(self, key: str) -> str:
        """What an object is called when people are told of it: ``s3://bucket/prefix/key``."""

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that is not there yet, and return its ETag. Raises ``ObjectTaken``."""

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over an object as it was last seen, and return its new ETag. Raises ``ObjectTaken``."""

    async def read(self, key: str) -> Stored | None:
        """An object; None when there is none."""

    async def keys(self, folder: str) -> Sequence[str]:
        """The keys that begin with ``folder``, sorted as bytes."""
