"""The first reading of a snapshot: is it this vault's, is every record sound, and does no id stand twice.

What is in doubt is not planned around: an inventory with invalid or repeated records is refused, naming the first of
them, unless the caller asks for defects to be set aside.  Only then is anybody asked anything about the archives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import TracebackType

from glacier_purge.archive import EXACT, IdRule, Vault
from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.batch import Batch, Defect
from glacier_purge.inventory.duplicates import DuplicateFinder
from glacier_purge.inventory.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the plan is for: the vault, where requests will go, and which version of the tool plans.

    ``inventory_name`` is what messages call the inventory: the file it was read from; ``id_rule`` tells
    which ids pass when it is read.
    """

    vault: Vault
    endpoint_url: str
    tool_version: str
    inventory_name: str
    id_rule: IdRule = EXACT


class FirstReading:
    """Looks at every record once, then judges: ``with FirstReading(...) as first: first.read(snapshot, target)``.

    Who reads the inventory anyway, to spool it, has each batch looked at meanwhile and calls ``judge`` at the end: that
    saves planning one reading of three. ``folder`` is where the snapshot lies, and nameless files meanwhile.
    """

    snapshot: Snapshot
    """What was read, once ``judge`` let it pass."""
    target: Target
    """What it was read for."""

    def __init__(self, folder: Path, *, set_aside_defects: bool) -> None:
        self._set_aside_defects = set_aside_defects
        self._finder = DuplicateFinder(folder)
        self._defect: Defect | None = None
        self._pairs: Iterator[tuple[int, int]] = iter(())

    def __enter__(self) -> FirstReading:
        self._finder.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finder.__exit__(kind, error, trace)

    def look(self, batch: Batch) -> None:
        """Look at the next records of the inventory."""
        if batch.defects and self._defect is None:
            self._defect = batch.defects[0]
        self._finder.add(batch.archives)

    def read(self, snapshot: Snapshot, target: Target) -> None:
        """Look at every record of a snapshot, and judge. Raises as ``judge`` does."""
        for batch in snapshot.batches():
            self.look(batch)
        self.judge(snapshot, target)

    def judge(self, snapshot: Snapshot, target: Target) -> None:
        """Raise ``InventoryDamaged`` for another vault's inventory, and for what must not be planned around.

        Every record of ``snapshot`` was looked at.
        """
        self.snapshot, self.target = snapshot, target
        check_vault(snapshot, target)
        self._refuse_defect()
        pairs = self._finder.duplicates(self._read)
        first = next(pairs, None)
        if first is not None:
            self._refuse_duplicate(first)
            self._pairs = chain([first], pairs)

    def again(self) -> Iterator[tuple[Batch, dict[int, int]]]:
        """Read the snapshot once more, with the ordinals that repeat an id and the first ordinal of that id."""
        waiting = next(self._pairs, None)
        for batch in self.snapshot.batches("deciding what goes"):
            duplicates = {}
            while waiting is not None and waiting[0] < batch.first_ordinal + batch.records:
                duplicates[waiting[0]] = waiting[1]
                waiting = next(self._pairs, None)
            yield batch, duplicates

    def _read(self) -> Iterator[Batch]:
        return self.snapshot.batches()

    def _refuse_defect(self) -> None:
        if self._defect is not None and not self._set_aside_defects:
            raise InventoryDamaged(
                f"{self._defect.reason}: {self._defect.text}. To plan without such records, add --set-aside-defects.",
                offset_bytes=self._defect.offset_bytes,
                file=self.target.inventory_name,
            )

    def _refuse_duplicate(self, pair: tuple[int, int]) -> None:
        if not self._set_aside_defects:
            ordinal, first = pair
            archive_id = self._archive_id(ordinal)
            raise InventoryDamaged(
                f"record {ordinal:,} repeats the archive id of record {first:,}: {archive_id}. An inventory lists an "
                "archive once. To plan without such records, add --set-aside-defects.",
                offset_bytes=self._offset_of_second(archive_id),
                file=self.target.inventory_name,
            )

    def _archive_id(self, ordinal: int) -> str:
        for batch in self._read():
            if ordinal < batch.first_ordinal + batch.records:
                return next(archive.archive_id for archive in batch.archives if archive.ordinal == ordinal)
        raise AssertionError(f"record {ordinal} is not in the snapshot any more")

    def _offset_of_second(self, archive_id: str) -> int:
        """Where an id stands for the second time in the snapshot's bytes."""
        needle = archive_id.encode("ascii")
        return _find(self.snapshot.path, needle, behind=_find(self.snapshot.path, needle))


def check_vault(snapshot: Snapshot, target: Target) -> None:
    """Raise ``InventoryDamaged`` when the inventory says that it is another vault's. CSV inventories do not say."""
    listed = snapshot.vault_arn
    if listed is not None and listed != target.vault.arn:
        raise InventoryDamaged(
            f"it is the inventory of {listed}, the plan would be for {target.vault.arn}. Give the right vault, region "
            "and account, or the right inventory. Nothing was sent.",
            offset_bytes=max(0, _find(snapshot.path, listed.encode())),
            file=target.inventory_name,
        )


def _find(path: Path, needle: bytes, *, behind: int = -1) -> int:
    """Offset of the first ``needle`` in a file after the byte ``behind``; -1 when there is none."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(needle, behind + 1)
