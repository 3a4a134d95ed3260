"""SHA-256 tree hashes: over leaves of 1 MiB, pairs hashed together level by level, an odd one carried up as it is.

Source: Developer Guide, "Computing checksums".
"""

from __future__ import annotations

import hashlib

MEBIBYTE = 2**20


def tree_hash(body: bytes) -> str:
    """The tree hash of bytes, in hexadecimal."""
    leaves = [hashlib.sha256(body[start : start + MEBIBYTE]).digest() for start in range(0, len(body), MEBIBYTE)]
    return combine(leaves or [hashlib.sha256(b"").digest()]).hex()


def combine(hashes: list[bytes]) -> bytes:
    """The root over hashes of neighbouring parts, each part a power of two of mebibytes (the last may be less)."""
    while len(hashes) > 1:
        pairs = [hashes[start : start + 2] for start in range(0, len(hashes), 2)]
        hashes = [hashlib.sha256(b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return hashes[0]


def range_hash(body: bytes, first: int, last: int) -> str | None:
    """The tree hash of a range that is a node of the tree; None for others ("Computing checksums").

    At the end of the body a node may cover more than there is.
    """
    leaves = -(-(last - first) // MEBIBYTE)
    node_bytes = MEBIBYTE << (leaves - 1).bit_length()
    if first % node_bytes or not (last - first == node_bytes or last == len(body)):
        return None
    return tree_hash(body[first:last])
