"""What an inventory holds and what is wrong with it, in one look that sends nothing and keeps nothing.

The records are read once, and once more only if ids seem to stand twice; memory stays flat.  Standard input can't be
read twice, so it is spooled into a temporary folder first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from glacier_purge.archive import EXACT, IdRule
from glacier_purge.inventory.batch import Batch, Defect, Duplicate
from glacier_purge.inventory.dates import Period
from glacier_purge.inventory.duplicates import DuplicateFinder
from glacier_purge.inventory.format.reading import HashedReading
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source

SAMPLES_MAX = 20


class Inspection(msgspec.Struct, kw_only=True):
    """What was found.

    ``archive_bytes`` is the sum of the sizes of all sound records; ``oldest`` and ``newest`` are creation dates as
    written; ``size_bytes`` and ``sha256`` are of the inventory itself, unpacked.  Lists hold the first
    ``SAMPLES_MAX`` of what is counted beside them; ``seconds`` is what it took.
    """

    format: str
    mode: str
    vault_arn: str | None
    inventory_date: str | None
    records: int
    archives: int
    archive_bytes: int
    oldest: str | None
    newest: str | None
    invalid: int
    defects: list[Defect]
    duplicates: int
    first_duplicates: list[Duplicate]
    size_bytes: int
    sha256: str
    seconds: float

    @property
    def is_sound(self) -> bool:
        """Whether every record could be planned with."""
        return not self.invalid and not self.duplicates


def inspect(file: str, id_rule: IdRule = EXACT) -> Inspection:
    """Look into an inventory: a path, compressed or not, or ``-`` for standard input.

    Raises ``InventoryDamaged`` when it can't be believed as a whole, ``UsageError`` when it can't be read.
    """
    with TemporaryDirectory(prefix="glacier-purge-") as folder:
        if file != "-":
            return _Inspecting(file, file, Path(folder), id_rule=id_rule).run()
        with Source(file) as source:
            snapshot = spool(source, Path(folder), id_rule)
        return _Inspecting(str(snapshot.path), source.name, Path(folder), id_rule=id_rule).run()


class _Inspecting:
    """One inspection under way."""

    def __init__(self, file: str, name: str, folder: Path, *, id_rule: IdRule) -> None:
        self._file = file
        self._name = name
        self._folder = folder
        self._id_rule = id_rule
        self._reading: HashedReading | None = None
        self._archives = 0
        self._archive_bytes = 0
        self._period = Period()
        self._invalid = 0
        self._defects: list[Defect] = []

    def run(self) -> Inspection:
        begun = time.monotonic()
        with DuplicateFinder(self._folder) as finder:
            for batch in self._read():
                finder.add(batch.archives)
                self._count(batch)
            duplicates, first_duplicates = 0, []
            for ordinal, first_ordinal in finder.duplicates(self._read):
                duplicates += 1
                if duplicates <= SAMPLES_MAX:
                    first_duplicates.append(Duplicate(ordinal, first_ordinal))
        reading = self._reading
        assert reading is not None, "an empty inventory has raised"
        return Inspection(
            format=reading.format,
            mode=reading.mode,
            vault_arn=reading.vault_arn,
            inventory_date=reading.inventory_date,
            records=reading.records,
            archives=self._archives,
            archive_bytes=self._archive_bytes,
            oldest=self._period.oldest,
            newest=self._period.newest,
            invalid=self._invalid,
            defects=self._defects,
            duplicates=duplicates,
            first_duplicates=first_duplicates,
            size_bytes=reading.size_bytes,
            sha256=reading.sha256,
            seconds=time.monotonic() - begun,
        )

    def _read(self) -> Iterator[Batch]:
        self._reading = reading = HashedReading(name=self._name, id_rule=self._id_rule)
        with Source(self._file) as source:
            for chunk in source:
                yield from reading.take(chunk)
            yield from reading.finish()

    def _count(self, batch: Batch) -> None:
        self._archives += len(batch.archives)
        self._archive_bytes += sum([archive.size_bytes for archive in batch.archives])
        self._period.add([archive.created for archive in batch.archives])
        self._invalid += len(batch.defects)
        self._defects += batch.defects[: SAMPLES_MAX - len(self._defects)]
