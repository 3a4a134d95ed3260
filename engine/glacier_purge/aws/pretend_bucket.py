"""A bucket in memory, which keeps the promises of ``Bucket`` and nothing else.

``weather`` is awaited before each call and after it, and may take its time or raise: a bucket that is slow, denied or
away, or whose answer is lost although it did as asked.  Several hosts are several ``PretendBucket`` over one
``objects``.
"""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING

from glacier_purge.aws.bucket import ObjectTaken, Stored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


async def fair_weather(call: str, key: str, *, is_done: bool) -> None:
    """Nothing happens."""


class PretendBucket:
    """``Bucket`` over ``objects``, bytes by key, which several of them may share."""

    def __init__(
        self,
        objects: dict[str, bytes] | None = None,
        weather: Callable[..., Awaitable[None]] = fair_weather,
    ) -> None:
        self.objects: dict[str, bytes] = {} if objects is None else objects
        self._weather = weather

    def place(self, key: str) -> str:
        """See ``Bucket``."""
        return f"s3://pretended/{key}"

    async def create(self, key: str, content: bytes) -> str:
        """See ``Bucket``."""
        await self._weather("create", key, is_done=False)
        if self.objects.setdefault(key, content) != content:
            raise ObjectTaken(self.place(key))
        await self._weather("create", key, is_done=True)
        return _etag(content)

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """See ``Bucket``."""
        await self._weather("replace", key, is_done=False)
        held = self.objects.get(key)
        if held is None or (_etag(held) != etag and held != content):
            raise ObjectTaken(self.place(key))
        self.objects[key] = content
        await self._weather("replace", key, is_done=True)
        return _etag(content)

    async def read(self, key: str) -> Stored | None:
        """See ``Bucket``."""
        await self._weather("read", key, is_done=False)
        held = self.objects.get(key)
        await self._weather("read", key, is_done=True)
        return None if held is None else Stored(held, _etag(held))

    async def keys(self, folder: str) -> Sequence[str]:
        """See ``Bucket``."""
        await self._weather("keys", folder, is_done=False)
        found = sorted((key for key in self.objects if key.startswith(folder)), key=str.encode)
        await self._weather("keys", folder, is_done=True)
        return found


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'
