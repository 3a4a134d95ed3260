"""Ids that look like the service's and can be computed: archive ids from a number and back, without a table.

A real archive id is 138 characters of ``[A-Za-z0-9_-]``, opaque, and may begin with ``-``.  These are 103 bytes
in base64url: eight bytes that hide (shelf, index) behind a reversible scramble, and 95 that are a hash of those
eight under the seed.  So ten million ids cost no memory, any bit changed makes an id unknown, and no two ids
share text that a compressor could use.  Nothing here is secret and nothing is cryptography: it keeps ids apart,
not enemies.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from hashlib import blake2b

_MASK = 2**64 - 1
_ODD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: odd, so multiplying by it modulo 2^64 can be undone
_ODD_INVERSE = pow(_ODD, -1, 2**64)
_INDEX_BITS = 40
_INDEX_MASK = 2**_INDEX_BITS - 1
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
# Turns the first 31 hash bytes into 31 others that look unrelated, for a tenth of the price of a second hash.
_SUBSTITUTE = bytes((value * 167 + 89) % 256 for value in range(256))

JOB_ID_LENGTH = 92
"""Job and upload ids are 92 characters in all real examples; lock ids are of no documented length."""


class Identifiers:
    """Makes ids from a seed: the same seed makes the same ids in the same order."""

    __slots__ = ("_hash", "_prefix", "_scramble", "_spent")

    def __init__(self, seed: int, spent: int = 0) -> None:
        self._hash = blake2b(b"glacier simulator %d" % seed)
        self._scramble = int.from_bytes(self._hash.digest()[:8], "big")
        self._prefix = self._text(self._hash.digest()[:27])
        self._spent = spent

    @property
    def spent(self) -> int:
        """How many ids of the numbered kinds were given out: with the seed, all there is to keep."""
        return self._spent

    def archive_id(self, shelf: int, index: int) -> str:
        """The id of the archive at ``index`` on shelf number ``shelf``."""
        value = ((shelf << _INDEX_BITS | index) * _ODD & _MASK) ^ self._scramble
        value ^= value >> 32
        return self._archive_id(value.to_bytes(8, "big"))

    def locate(self, archive_id: str) -> tuple[int, int] | None:
        """Shelf and index of an archive id that could have been made here; None for any other text."""
        try:
            core = a2b_base64(archive_id[:12].encode().translate(_FROM_URL))[:8]
        except ValueError:
            return None
        if len(core) != 8 or self._archive_id(core) != archive_id:
            return None
        value = int.from_bytes(core, "big")
        value ^= value >> 32
        value = (value ^ self._scramble) * _ODD_INVERSE & _MASK
        return value >> _INDEX_BITS, value & _INDEX_MASK

    def tree_hash(self, shelf: int, index: int) -> str:
        """64 hexadecimal digits to stand for the tree hash of bytes that do not exist."""
        hashed = self._hash.copy()
        hashed.update(b"tree %d %d" % (shelf, index))
        return hashed.hexdigest()[:64]

    def next_request_id(self) -> str:
        """An ``x-amzn-RequestId``, never the same twice."""
        self._spent += 1
        return f"{self._prefix}{self._spent:012d}"

    def next_id(self) -> str:
        """A job, upload or lock id."""
        self._spent += 1
        hashed = self._hash.copy()
        hashed.update(b"id %d" % self._spent)
        digest = hashed.digest()
        return self._text((digest + digest.translate(_SUBSTITUTE))[:69])

    def chance(self, *what: object) -> float:
        """A number from 0 up to 1 that depends on the seed and on ``what`` alone."""
        hashed = self._hash.copy()
        hashed.update(repr(what).encode())
        return int.from_bytes(hashed.digest()[:7], "big") / 2**56

    def _archive_id(self, core: bytes) -> str:
        hashed = self._hash.copy()
        hashed.update(core)
        digest = hashed.digest()
        return self._text(core + digest + digest.translate(_SUBSTITUTE)[:31])

    @staticmethod
    def _text(raw: bytes) -> str:
        return b2a_base64(raw, newline=False).translate(_TO_URL, b"=").decode()
