"""The hash chain over audit lines: each line carries the SHA-256 of the exact bytes of the line before it.

``prev`` of line *i+1* is the hex SHA-256 of line *i* with its newline, and line *i* contains its own ``prev``, so
one hash stands for everything before it.  ``prev`` of the very first line is the plan's digest, which binds a log
to the one plan it may belong to.  Whole bytes are hashed, never fields: a changed separator breaks the chain too.
A chain proves order and completeness up to its last hash; it proves nothing against someone who recomputes all of
it, which is why that last hash is worth keeping elsewhere (``glacier-purge audit verify --anchor``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Tell whether ``text`` is a SHA-256 in lower-case hex, as chain hashes and plan digests are written."""
    return _DIGEST.fullmatch(text) is not None


def link(bodies: Iterable[bytes], prev: str) -> tuple[list[bytes], str]:
    """Close each unfinished line with the hash of the one before; return the lines and the last line's hash.

    A body is a JSON object without its last field and brace; ``prev`` is the hash of the line before the first.
    """
    sha256 = hashlib.sha256
    lines: list[bytes] = []
    append = lines.append
    hash_before = prev.encode()
    for body in bodies:
        line = b"".join((body, b',"prev":"', hash_before, b'"}\n'))
        append(line)
        hash_before = sha256(line).hexdigest().encode()
    return lines, hash_before.decode()


def digest(line: bytes) -> str:
    """The hash the line after ``line`` (given with its newline) has to carry."""
    return hashlib.sha256(line).hexdigest()
