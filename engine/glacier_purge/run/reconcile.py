"""Holds a later inventory against what a run did: which archives are gone, still listed, never deleted, or new.

Two inventories of millions are compared by id, exactly and in flat memory.  The later one, nearly empty after a purge,
marks its ids in a fixed table of hashes; only archives of the plan that hit a mark are looked at closer, by sorting
both sides on disk and walking through them side by side.  Ids that need somebody's attention are written to one file
a kind, one a line, so that they can go back through a plan.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from itertools import groupby
from typing import IO, TYPE_CHECKING

import msgspec

from glacier_purge.inventory.duplicates import sorted_on_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from glacier_purge.inventory.batch import Batch
    from glacier_purge.run.outcomes import Outcomes

STILL_LISTED_FILE = "still-listed.ids"
NEVER_DELETED_FILE = "never-deleted.ids"
NEW_SINCE_FILE = "new-since.ids"

_MARKS = 1 << 25
"""32 MiB, a byte a mark: of 10 million ids listed later, every fourth archive of the plan is looked at in vain."""


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many archives are where.

    ``gone`` were deleted by the run and are not listed; ``still_listed`` were deleted and are; ``never_deleted`` failed
    in the run and are listed; ``kept`` are listed because the plan let them be; ``new_since`` are listed and not of the
    plan's inventory; ``unreadable`` records of the later inventory name nothing.
    """

    listed: int
    gone: int
    still_listed: int
    never_deleted: int
    kept: int
    new_since: int
    unreadable: int

    @property
    def is_proven(self) -> bool:
        """Tell whether all that the run was to delete is gone."""
        return not (self.still_listed or self.never_deleted or self.unreadable)

    @property
    def vault_is_empty(self) -> bool:
        """Tell whether the later inventory lists nothing at all."""
        return self.listed == 0


def reconcile(
    planned: Callable[[], Iterable[Batch]], later: Callable[[], Iterable[Batch]], outcomes: Outcomes, folder: Path
) -> Reconciliation:
    """Compare the inventory ``planned`` with, and its ``outcomes``, with a ``later`` one of the same vault.

    ``folder`` takes the files of ids and nameless temporary ones.
    """
    marks, listed, unreadable = _mark(later())
    suspects = (
        f"{archive.archive_id} {archive.ordinal:016x}\n"
        for batch in planned()
        for archive in batch.archives
        if marks[hash(archive.archive_id) % _MARKS]
    )
    present = (f"{archive.archive_id}\n" for batch in later() for archive in batch.archives)
    kinds = {"still_listed": 0, "never_deleted": 0, "kept": 0, "new_since": 0}
    with ExitStack() as files:
        lists = {
            "still_listed": files.enter_context(_new_file(folder / STILL_LISTED_FILE)),
            "never_deleted": files.enter_context(_new_file(folder / NEVER_DELETED_FILE)),
            "new_since": files.enter_context(_new_file(folder / NEW_SINCE_FILE)),
        }
        for archive_id, ordinals in _matched(sorted_on_disk(present, folder), sorted_on_disk(suspects, folder)):
            kind = _kind(ordinals, outcomes)
            kinds[kind] += 1
            if kind in lists:
                lists[kind].write(archive_id + "\n")
    return Reconciliation(
        listed=listed, gone=outcomes.deleted_count - kinds["still_listed"], unreadable=unreadable, **kinds
    )


def _mark(batches: Iterable[Batch]) -> tuple[bytearray, int, int]:
    marks, listed, unreadable = bytearray(_MARKS), 0, 0
    for batch in batches:
        listed += batch.records
        unreadable += len(batch.defects)
        for archive in batch.archives:
            marks[hash(archive.archive_id) % _MARKS] = 1
    return marks, listed, unreadable


def _matched(present: Iterator[str], suspects: Iterator[str]) -> Iterator[tuple[str, list[int]]]:
    """Give each present id once, with the plan's ordinals of it. Both sides are sorted lines."""
    by_id = groupby(suspects, key=lambda line: line.partition(" ")[0])
    suspect, its_lines = next(by_id, (None, iter(())))
    for archive_id, _ in groupby(line[:-1] for line in present):
        while suspect is not None and suspect < archive_id:
            suspect, its_lines = next(by_id, (None, iter(())))
        if suspect == archive_id:
            yield archive_id, [int(line.partition(" ")[2], 16) for line in its_lines]
            suspect, its_lines = next(by_id, (None, iter(())))
        else:
            yield archive_id, []


def _kind(ordinals: list[int], outcomes: Outcomes) -> str:
    if not ordinals:
        return "new_since"
    if any(map(outcomes.deleted, ordinals)):
        return "still_listed"
    return "never_deleted" if any(map(outcomes.failed, ordinals)) else "kept"


def _new_file(path: Path) -> IO[str]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    return os.fdopen(handle, "w", encoding="ascii")
