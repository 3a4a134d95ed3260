"""What is asked of an S3-compatible bucket by what must outlive this machine: four questions, all of them conditional.

A bucket has no append and no lock, but it promises two things: an object is created once (``If-None-Match: *``), and
replaced only as it was last seen (``If-Match``).  On these two rest the replica, whose chunks nobody can write a second
time, and the lease, which one of several takers gets.  ``aws.bucket`` asks a real one; ``pretend_bucket`` keeps one in
memory, for tests.

Whoever writes puts something of its own into what it writes.  A write whose answer was lost may have been done, and
asked again it meets its own object: the adapter reads that one, and bytes that are the same are this writer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from glacier_purge.errors import GlacierPurgeError, HostFailed


class BucketAway(HostFailed):
    """The bucket gives no answer, or is denied: nothing is known of what it holds. ``is_denied`` tells which."""

    def __init__(self, reason: str, *, is_denied: bool = False) -> None:
        super().__init__(reason)
        self.is_denied = is_denied


class ObjectTaken(GlacierPurgeError):
    """An object is there already, or is no longer as it was last seen: somebody else wrote it. ``key`` says which."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was written by somebody else meanwhile")
        self.key = key


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
