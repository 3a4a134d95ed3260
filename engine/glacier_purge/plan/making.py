"""Makes a plan from a spooled snapshot: decides every record, writes the decisions down, counts and samples.

Two readings of the snapshot, both in flat memory: the first finds ids that stand twice, the second decides.  What is
in doubt is not planned around: an inventory with invalid or repeated records is refused, naming the first of them,
unless the caller asks for defects to be set aside.  The decisions are durable before ``plan.json`` names their hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING

from glacier_purge.errors import InventoryDamaged, UsageError
from glacier_purge.inventory.duplicates import DuplicateFinder
from glacier_purge.inventory.snapshot import batches
from glacier_purge.plan.counting import Counting
from glacier_purge.plan.decisions import decisions_sha256, writing
from glacier_purge.plan.document import FORMAT, Plan, SnapshotFacts
from glacier_purge.plan.selection import decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from glacier_purge.archive import Vault
    from glacier_purge.inventory.batch import Batch
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.plan.document import Finding
    from glacier_purge.plan.selection import Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the plan is for: the vault, where requests will go, and which version of the tool plans.

    ``inventory_name`` is what messages call the inventory: the file it was read from; ``any_id_length`` tells that
    ids of other lengths than 138 characters were let in when it was read.
    """

    vault: Vault
    endpoint_url: str
    tool_version: str
    inventory_name: str
    any_id_length: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which archives go, for one pass over the inventory; ``findings`` is asked when the pass is over."""

    filters: Sequence[Filter] = ()
    findings: Callable[[], list[Finding]] = list


EVERYTHING = Selection()


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


def make_plan(
    snapshot: Snapshot, target: Target, selection: Selection = EVERYTHING, *, set_aside_defects: bool
) -> Plan:
    """Decide every record of ``snapshot`` and write the decisions beside it; the caller writes ``plan.json``.

    Raises ``InventoryDamaged`` for the first invalid or repeated record unless ``set_aside_defects``, and for another
    vault's inventory; ``UsageError`` when nothing at all is to be deleted.
    """
    check_vault(snapshot, target)
    making = _Making(snapshot, target, selection, set_aside_defects=set_aside_defects)
    making.decide()
    counting = making.counting
    if not counting.counts.selected:
        raise UsageError(f"{target.vault.arn}: {_why_nothing(counting)}")
    return Plan(
        format=FORMAT,
        tool_version=target.tool_version,
        account_id=target.vault.account_id,
        region=target.vault.region,
        vault_name=target.vault.name,
        endpoint_url=target.endpoint_url,
        snapshot=SnapshotFacts(
            file=snapshot.path.name,
            format=snapshot.format,
            sha256=snapshot.sha256,
            size_bytes=snapshot.size_bytes,
            inventory_date=snapshot.inventory_date,
            any_id_length=target.any_id_length,
        ),
        decisions_sha256=decisions_sha256(snapshot.path.parent),
        reasons=counting.reasons,
        findings=selection.findings(),
        counts=counting.counts,
        selected_bytes=counting.census.bytes,
        oldest=counting.period.oldest,
        newest=counting.period.newest,
        uploads=counting.census.months(),
        last_days=counting.census.last_days(),
        sizes=counting.census.sizes(),
        samples=counting.samples,
    )


def _why_nothing(counting: Counting) -> str:
    stays = [f"{reason.records:,} {reason.code}" for reason in counting.reasons if reason.records]
    if counting.counts.skipped:
        return f"no archive is left to delete ({', '.join(stays)}). Nothing was planned."
    return (
        f"the inventory lists no archive to delete ({counting.counts.inventory:,} records). "
        "An empty vault needs no purge; DeleteVault works once a newer inventory says it is empty."
    )


class _Making:
    """One planning: what it has counted and seen so far."""

    def __init__(self, snapshot: Snapshot, target: Target, selection: Selection, *, set_aside_defects: bool) -> None:
        self._snapshot = snapshot
        self._name = target.inventory_name
        self._any_id_length = target.any_id_length
        self._set_aside_defects = set_aside_defects
        self._selection = selection
        self.counting = Counting(selection.filters)

    def decide(self) -> None:
        """Read the snapshot, decide every record and write the decisions down."""
        folder = self._snapshot.path.parent
        with DuplicateFinder(folder) as finder, writing(folder) as writer:
            for batch in self._read():
                self._refuse_defects(batch)
                finder.add(batch.archives)
            pairs = finder.duplicates(self._read)
            waiting = next(pairs, None)
            if waiting is not None:
                self._refuse_duplicate(waiting)
            for batch in self._read():
                duplicates = {}
                while waiting is not None and waiting[0] < batch.first_ordinal + batch.records:
                    duplicates[waiting[0]] = waiting[1]
                    waiting = next(pairs, None)
                decisions = decide(batch, duplicates, self._selection.filters)
                writer.write(bytes(decisions), duplicates)
                self.counting.take(batch, decisions)

    def _read(self) -> Iterator[Batch]:
        return batches(self._snapshot.path, self._snapshot.format, any_id_length=self._any_id_length)

    def _refuse_defects(self, batch: Batch) -> None:
        if batch.defects and not self._set_aside_defects:
            defect = batch.defects[0]
            raise InventoryDamaged(
                f"{defect.reason}: {defect.text}. To plan without such records, add --set-aside-defects.",
                offset_bytes=defect.offset_bytes,
                file=self._name,
            )

    def _refuse_duplicate(self, pair: tuple[int, int]) -> None:
        if not self._set_aside_defects:
            ordinal, first = pair
            archive_id = self._archive_id(ordinal)
            raise InventoryDamaged(
                f"record {ordinal:,} repeats the archive id of record {first:,}: {archive_id}. An inventory lists an "
                "archive once. To plan without such records, add --set-aside-defects.",
                offset_bytes=self._offset_of_second(archive_id),
                file=self._name,
            )

    def _archive_id(self, ordinal: int) -> str:
        for batch in self._read():
            if ordinal < batch.first_ordinal + batch.records:
                return next(archive.archive_id for archive in batch.archives if archive.ordinal == ordinal)
        raise AssertionError(f"record {ordinal} is not in the snapshot any more")

    def _offset_of_second(self, archive_id: str) -> int:
        """Where an id stands for the second time in the snapshot's bytes."""
        needle = archive_id.encode("ascii")
        return _find(self._snapshot.path, needle, behind=_find(self._snapshot.path, needle))


def _find(path: Path, needle: bytes, *, behind: int = -1) -> int:
    """Offset of the first ``needle`` in a file after the byte ``behind``; -1 when there is none."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(needle, behind + 1)
