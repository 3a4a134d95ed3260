"""The inventory as it was received, kept in the run folder: what every ordinal of the run points into.

It is spooled once, unpacked but otherwise byte for byte, and read to its end while it is written, so a snapshot that
exists was a whole, believable inventory.  Its SHA-256 stands beside it and in the plan; a snapshot with other bytes
is another inventory and refused.  A spooling that fails leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedWriter
from pathlib import Path

from glacier_purge.archive import EXACT, IdRule
from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.host_faults import if_the_host_fails
from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.dates import Period
from glacier_purge.inventory.format import Format
from glacier_purge.inventory.format.reading import HashedReading, Reading
from glacier_purge.inventory.source import CHUNK_BYTES, Source
from glacier_purge.long_work import LongWork, Unit, long_work
from glacier_purge.storage.bound_file import BoundFile, bound
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import new_file, replace
from glacier_purge.storage.ownership import open_own


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    """A spooled inventory as a plan knows it. ``sha256`` is in hex, over the file's bytes."""

    path: Path
    format: Format
    sha256: str
    id_rule: IdRule

    def batches(self, what: str | None = None) -> Iterator[Batch]:
        """Read it again, a chunk at a time, while it is planned with; ``what`` is said to be done meanwhile.

        Raises ``InventoryDamaged`` as spooling did, and ``PlanRefused`` when it can't be opened or is of another
        format.
        """
        try:
            with if_the_host_fails(f"{self.path} can't be read"):
                file = os.fdopen(open_own(self.path), "rb")
        except OSError as error:
            raise PlanRefused(
                f"{self.path} can't be read: {error.strerror}. Put it back, or make a new plan."
            ) from error
        total = os.fstat(file.fileno()).st_size
        with file, long_work(what or f"reading {self.path.name}", total=total, unit=Unit.BYTES) as work:
            yield from self.parsed(_counted(iter(partial(file.read, CHUNK_BYTES), b""), work))

    def parsed(self, chunks: Iterable[bytes]) -> Iterator[Batch]:
        """Read its bytes, whoever gives them. Raises as ``batches`` does."""
        reading = Reading(name=self.path.name, id_rule=self.id_rule)
        for chunk in chunks:
            yield from reading.take(chunk)
            if reading.format != self.format:
                raise PlanRefused(
                    f"{self.path} is {reading.format}, but {self.format} was planned with. Make a new plan."
                )
        yield from reading.finish()

    @contextmanager
    def bound(self) -> Iterator[BoundFile]:
        """Hold it open, bound to the bytes that were spooled. Raises ``PlanRefused`` when it has others."""
        digest = hashlib.sha256()
        with ExitStack() as opened:
            try:
                file = opened.enter_context(bound(self.path, digest))
            except OSError as error:
                raise PlanRefused(
                    f"{self.path}, the inventory that was planned with, can't be read: {error.strerror}. "
                    "Put it back, or make a new plan."
                ) from error
            if (found := digest.hexdigest()) != self.sha256:
                raise PlanRefused(
                    f"{self.path} was changed after it was planned with: SHA-256 {found} instead of {self.sha256}. "
                    "Put the original back, or make a new plan."
                )
            yield file


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(SnapshotFile):
    """A spooled inventory that was read through; CSV names no vault and no date.

    ``newest`` is the latest date of upload in it as the inventory writes it, where it was read for that.
    """

    size_bytes: int
    records: int
    vault_arn: str | None
    inventory_date: str | None
    newest: str | None = None


def _counted(chunks: Iterable[bytes], work: LongWork) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        work.add(len(chunk))


def spool(
    source: Source, folder: Path, id_rule: IdRule = EXACT, look: Callable[[Batch], None] = lambda batch: None
) -> Snapshot:
    """Write ``inventory.json`` or ``inventory.csv`` and its ``.sha256`` into ``folder``, durably.

    Whoever wants to ``look`` at every record is shown it meanwhile.  Raises ``InventoryDamaged`` when the inventory
    can't be believed as a whole (single bad records are for the plan to judge), ``UsageError`` when the files are there
    already, and ``DiskFailed`` when they can't be written.
    """
    reading = HashedReading(name=source.name, id_rule=id_rule)
    period = Period()
    chunks = iter(source)
    first = next(chunks, b"")
    note_uploads(period, _shown(reading.take(first), look))
    path = folder / f"inventory.{reading.format}"
    with _new_file(path) as file:
        file.write(first)
        for chunk in chunks:
            note_uploads(period, _shown(reading.take(chunk), look))
            file.write(chunk)
        note_uploads(period, _shown(reading.finish(), look))
    replace(FolderFiles(folder), f"{path.name}.sha256", f"{reading.sha256}  {path.name}\n".encode())
    return read_through(path, reading, period)


def read_through(path: Path, reading: HashedReading, period: Period) -> Snapshot:
    """The snapshot at ``path``, of which ``reading`` has come to the end."""
    return Snapshot(
        path=path,
        format=reading.format,
        sha256=reading.sha256,
        id_rule=reading.id_rule,
        size_bytes=reading.size_bytes,
        records=reading.records,
        vault_arn=reading.vault_arn,
        inventory_date=reading.inventory_date,
        newest=period.newest,
    )


def note_uploads(period: Period, batches: Iterable[Batch]) -> None:
    """Take the dates of upload of all sound records in."""
    for batch in batches:
        period.add([archive.created for archive in batch.archives])


def _shown(batches: Iterable[Batch], look: Callable[[Batch], None]) -> Iterator[Batch]:
    for batch in batches:
        look(batch)
        yield batch


@contextmanager
def _new_file(path: Path) -> Iterator[BufferedWriter]:
    """Write a file that nobody else may read and that is on disk at the end; on any error it is gone again.

    Raises ``DiskFailed``, and ``UsageError`` when it is there already.
    """
    try:
        with new_file(FolderFiles(path.parent), path.name) as file:
            yield file
    except FileExistsError as error:
        raise UsageError(f"{path} is there already. Give a new run folder.") from error
