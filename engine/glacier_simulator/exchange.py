"""One HTTP exchange as the pretended service sees it: a request that arrived whole, and the reply it gets.

The state machine speaks these two values only, so that it can be driven by a socket, by a test, or in virtual time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Request(msgspec.Struct, frozen=True):
    """``path`` is as on the wire (percent-encoded, without the query); header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


class Response(msgspec.Struct):
    """``body`` is sent as it is, or piece by piece when it is an iterable of ``length_bytes`` bytes in all."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | Iterable[bytes] = b""
    length_bytes: int | None = None
