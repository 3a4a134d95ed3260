"""One pass over an inventory: which format it is, its batches, and meanwhile its bytes counted or also hashed."""

from __future__ import annotations

import hashlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager

from glacier_purge.archive import IdRule
from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.format import Format
from glacier_purge.inventory.format.csv_reader import CsvReader
from glacier_purge.inventory.format.json_reader import JsonReader

_READERS: dict[Format, type[JsonReader | CsvReader]] = {"json": JsonReader, "csv": CsvReader}
_AS_SPACE = b" " * len(BOM_UTF8)
"""Read in the place of a byte order mark, so that every byte keeps its offset."""


class Reading:
    """Give it an inventory's chunks in order, then ``finish`` it.

    ``name`` is what ``InventoryDamaged`` calls the inventory, whichever method raises it.
    """

    def __init__(self, *, name: str, id_rule: IdRule) -> None:
        self._name = name
        self.id_rule = id_rule
        self._format: Format | None = None
        self._reader: JsonReader | CsvReader | None = None
        self.size_bytes = 0
        self.records = 0

    @property
    def format(self) -> Format:
        """JSON or CSV; known once the first chunk was taken."""
        assert self._format is not None, "nothing was taken yet"
        return self._format

    @property
    def vault_arn(self) -> str | None:
        """The vault that the inventory says it is of, once finished; CSV does not say."""
        return None if self._reader is None else self._reader.vault_arn

    @property
    def inventory_date(self) -> str | None:
        """The date that the inventory says it is of, once finished; CSV does not say."""
        return None if self._reader is None else self._reader.inventory_date

    @property
    def mode(self) -> str:
        """How it is read: "fast", "ijson (...)" or "csv"; "undecided" before its first few bytes."""
        return "undecided" if self._reader is None else self._reader.mode

    def take(self, chunk: bytes) -> list[Batch]:
        """Read the next chunk."""
        self.size_bytes += len(chunk)
        with named(self._name):
            if self._reader is None and chunk.startswith(BOM_UTF8):
                chunk = _AS_SPACE + chunk.removeprefix(BOM_UTF8)
            return self._counted(self._reader_for(chunk).feed(chunk))

    def finish(self) -> list[Batch]:
        """Read the end."""
        with named(self._name):
            return self._counted(self._reader_for(b"").finish())

    def _reader_for(self, chunk: bytes) -> JsonReader | CsvReader:
        if self._reader is None:
            self._format = format_of(chunk)
            self._reader = _READERS[self._format](id_rule=self.id_rule)
        return self._reader

    def _counted(self, batches: list[Batch]) -> list[Batch]:
        self.records += sum(batch.records for batch in batches)
        return batches


class HashedReading(Reading):
    """A reading that hashes the bytes as well, which costs half as much again."""

    def __init__(self, *, name: str, id_rule: IdRule) -> None:
        super().__init__(name=name, id_rule=id_rule)
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes taken so far, in hex."""
        return self._digest.hexdigest()

    def take(self, chunk: bytes) -> list[Batch]:
        """Read the next chunk."""
        self._digest.update(chunk)
        return super().take(chunk)


def format_of(beginning: bytes) -> Format:
    """Tell JSON from CSV by how it begins; raise ``InventoryDamaged`` for anything else."""
    text = beginning.lstrip(b' \t\r\n"')
    if text.startswith((b"{", b"[")):
        return "json"
    if text.startswith(b"ArchiveId"):
        return "csv"
    reason = "it begins neither like a JSON nor like a CSV inventory" if text else "it is empty"
    raise InventoryDamaged(f"{reason}. Give a vault inventory as GetJobOutput delivers it.", offset_bytes=0)


@contextmanager
def named(file: str) -> Iterator[None]:
    """Put the name of the file on damage found by a reader, which only sees bytes."""
    try:
        yield
    except InventoryDamaged as damage:
        raise InventoryDamaged(damage.reason, offset_bytes=damage.offset_bytes, file=file) from damage
