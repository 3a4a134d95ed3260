"""A file that was approved, held open, giving out its approved bytes and no others for as long as a run takes.

A plan names its files by their hashes, and a run reads them for days.  So they are hashed twice: through and through
before anything is sent, which tells whether they are what was approved, and again block by block as they are read to
be worked by.  What the first reading keeps is the state of its SHA-256 at the end of each block, which costs it
nothing; the second one must come by the same states.  A byte that was changed in between is found before the block
that holds it is given to anybody, also when it is changed back later.

Memory: 16 bytes for each 56 KiB, so 1.1 MB for the inventory of ten million archives and 3 KB for their decisions.
Time: one SHA-256 over what is read, 0.16 us an archive.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glacier_purge.errors import FileChanged, FileUnreadable, NotOurs, first_sentence
from glacier_purge.host_faults import if_the_host_fails
from glacier_purge.long_work import Unit, long_work
from glacier_purge.storage.ownership import check_own_file, open_own

BLOCK_BYTES = 56 * 1024
"""What an inventory's reader takes at a time (``inventory.source.CHUNK_BYTES``), so that nothing is copied between."""
_KEPT_BYTES = 16
"""Of each block's state: to find other bytes with the same takes 2 to the 128 tries."""


class BoundFile:
    """The bytes that a digest stands for; made by ``bound``. Any number of readings may go on at the same time."""

    def __init__(
        self,
        path: Path,
        descriptor: int,
        *,
        begin: hashlib._Hash,
        states: bytes,
        size_bytes: int,
        touched_ns: int,
    ) -> None:
        self.size_bytes = size_bytes
        self._path = path
        self._descriptor = descriptor
        self._begin = begin
        self._states = states
        self._touched_ns = touched_ns

    def blocks(self) -> Iterator[bytes]:
        """Read it from its beginning to its end.

        Raises ``FileChanged`` before it gives a block that is another, and ``FileUnreadable`` where the system gives
        none.
        """
        digest = self._begin.copy()
        for number in range(len(self._states) // _KEPT_BYTES):
            try:
                block = os.pread(self._descriptor, BLOCK_BYTES, number * BLOCK_BYTES)
            except OSError as error:
                raise self._unreadable(number, error) from error
            digest.update(block)
            if digest.digest()[:_KEPT_BYTES] != self._states[number * _KEPT_BYTES : (number + 1) * _KEPT_BYTES]:
                raise self._changed(number, "this was changed since it was held against the plan")
            yield block

    def check(self) -> None:
        """Raise ``FileChanged`` when the file in this place is not what was approved any more, in whatever part of it,
        or not its user's alone any more, and ``FileUnreadable`` where the system does not say.

        It costs a look, and a reading only where somebody touched the file since.
        """
        last = max(0, len(self._states) // _KEPT_BYTES - 1)
        try:
            touched_ns = self._check_place(last).st_ctime_ns
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._changed(last, f"it is not there any more ({error.strerror})") from error
        except OSError as error:
            raise self._unreadable(last, error) from error
        if touched_ns != self._touched_ns:
            for _ in self.blocks():
                pass
            self._touched_ns = touched_ns

    def _check_place(self, number: int) -> os.stat_result:
        held = os.fstat(self._descriptor)
        if not os.path.samestat(held, os.stat(self._path, follow_symlinks=False)):  # noqa: PTH116 - beside fstat
            raise self._changed(number, "another file was put in its place since it was held against the plan")
        if held.st_size != self.size_bytes:
            raise self._changed(
                number,
                f"it has {held.st_size:,} bytes now, not the {self.size_bytes:,} that were held against the plan",
            )
        try:
            check_own_file(self._path, held, os.geteuid())
        except NotOurs as hand:
            raise self._changed(
                number, f"others have, or could have, a hand in it now: {first_sentence(hand)}"
            ) from hand
        return held

    def _unreadable(self, number: int, error: OSError) -> FileUnreadable:
        return FileUnreadable(
            f"{self._path}, block {number:,}: it can't be read any more ({error.strerror or error}). Only what was "
            "approved was sent, and nothing more is. Mend the disk or whatever stands between, then give the same "
            "command again."
        )

    def _changed(self, number: int, reason: str) -> FileChanged:
        first, end = number * BLOCK_BYTES, min((number + 1) * BLOCK_BYTES, self.size_bytes)
        return FileChanged(reason, file=str(self._path), block=number, first_byte=first, last_byte=max(first, end - 1))


@contextmanager
def bound(path: Path, digest: hashlib._Hash) -> Iterator[BoundFile]:
    """Read a file through, into ``digest``, and hold it open; whether the digest is right is the caller's to say.

    ``digest`` may have taken in other files before.  Raises ``NotOurs``, ``OSError``, and ``HostFailed`` where that
    says nothing of the file.
    """
    with if_the_host_fails(what := f"{path} can't be read"):
        descriptor = open_own(path)
    try:
        begin, states, size_bytes = digest.copy(), bytearray(), 0
        with if_the_host_fails(what):
            facts = os.fstat(descriptor)
        with if_the_host_fails(what), long_work(f"checking {path.name}", total=facts.st_size, unit=Unit.BYTES) as work:
            while block := os.pread(descriptor, BLOCK_BYTES, size_bytes):
                digest.update(block)
                states += digest.digest()[:_KEPT_BYTES]
                size_bytes += len(block)
                work.add(len(block))
                if len(block) < BLOCK_BYTES:
                    break
        yield BoundFile(
            path, descriptor, begin=begin, states=bytes(states), size_bytes=size_bytes, touched_ns=facts.st_ctime_ns
        )
    finally:
        os.close(descriptor)


class Pieces:
    """A bound file's bytes in pieces of any length, one after the other."""

    def __init__(self, file: BoundFile) -> None:
        self._blocks = file.blocks()
        self._held = b""
        self._at = 0

    def take(self, length: int) -> bytes:
        """Give the next ``length`` bytes; fewer at the end. Raises ``FileChanged``."""
        while len(self._held) - self._at < length and (block := next(self._blocks, None)) is not None:
            self._held, self._at = self._held[self._at :] + block, 0
        piece = self._held[self._at : self._at + length]
        self._at += len(piece)
        return piece
