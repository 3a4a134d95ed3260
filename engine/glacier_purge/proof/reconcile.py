"""Holds a later inventory against what a run did: which archives are gone, still listed, never deleted, or new.

Two inventories of millions are compared by id, exactly and in flat memory.  The later one, nearly empty after a purge,
marks its ids in a fixed table of hashes; only archives of the plan that hit a mark are looked at closer, by sorting
both sides on disk and walking through them side by side.  An archive that hits none is not listed, which is as it
should be when the run deleted it, and is told when the plan let it be.  Ids that need somebody's attention are written
to one file a kind, one a line, so that they can go back through a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain, groupby
from pathlib import Path
from typing import IO

import msgspec

from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.duplicates import sorted_on_disk
from glacier_purge.long_work import counted
from glacier_purge.proof.outcomes import Outcomes
from glacier_purge.storage.disk import Files, FolderFiles
from glacier_purge.storage.documents import discard, new_file

VERIFICATION_FOLDER = "verification"
"""Where a run's later inventory lies, with what it shows."""
STILL_LISTED_FILE = "still-listed.ids"
NEVER_DELETED_FILE = "never-deleted.ids"
NEW_SINCE_FILE = "new-since.ids"
KEPT_GONE_FILE = "kept-gone.ids"
NAMED_MAX = 5
"""So many of the kept archives that are gone are named where the certificate counts them; the file has them all."""

_MARKS = 1 << 25
"""32 MiB, a byte a mark: of 10 million ids listed later, every fourth archive of the plan is looked at in vain."""


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many archives are where.

    ``gone`` were deleted by the run and are not listed; ``still_listed`` were deleted and are; ``never_deleted`` failed
    in the run and are listed; ``kept`` are listed because the plan let them be, and ``kept_gone`` are not listed
    although it did (``kept_gone_first`` names a few): somebody else deleted them, and it is no failure of the run;
    ``new_since`` are listed and not of the plan's inventory; ``unreadable`` records of the later inventory name
    nothing.
    """

    listed: int
    gone: int
    still_listed: int
    never_deleted: int
    kept: int
    kept_gone: int
    kept_gone_first: tuple[str, ...] = ()
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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEarlier:
    """What an earlier plan of the same vault let be: all of it, and what was told to be gone when that was verified."""

    kept: Callable[[], Iterable[str]]
    told_gone: Callable[[], Iterable[str]]


def reconcile(
    planned: Callable[[], Iterable[Batch]],
    later: Callable[[], Iterable[Batch]],
    outcomes: Outcomes,
    folder: Path,
    earlier: KeptEarlier | None = None,
) -> Reconciliation:
    """Compare the inventory ``planned`` with, and its ``outcomes``, with a ``later`` one of the same vault.

    ``folder`` takes the files of ids and nameless temporary ones.  Archives that an ``earlier`` plan let be and that
    were gone before the inventory ``planned`` with was made are gone though kept, too: no other comparison sees them.
    """
    marks, listed, unreadable = _mark(later())
    with _lists(folder) as lists:
        for archive_id in () if earlier is None else _vanished(earlier, planned(), folder):
            lists["kept_gone"].take(archive_id)
        suspects = _suspects(planned(), marks, outcomes, lists["kept_gone"])
        present = (f"{archive.archive_id}\n" for batch in later() for archive in batch.archives)
        matched = _matched(sorted_on_disk(present, folder), sorted_on_disk(suspects, folder))
        for archive_id, is_listed, ordinals in counted("comparing what both list", matched, lambda _: 1):
            kind = _kind(ordinals, outcomes) if is_listed else _kind_of_unlisted(ordinals, outcomes)
            if kind is not None:
                lists[kind].take(archive_id)
    counts = {kind: taken.count for kind, taken in lists.items()}
    return Reconciliation(
        listed=listed,
        gone=outcomes.deleted_count - counts["still_listed"],
        unreadable=unreadable,
        kept_gone_first=tuple(lists["kept_gone"].first),
        **counts,
    )


class _Taken:
    """The archives of one kind: counted, the first few kept, all of them written to a file where there is one."""

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self.count = 0
        self.first: list[str] = []

    def take(self, archive_id: str) -> None:
        self.count += 1
        if self.count <= NAMED_MAX:
            self.first.append(archive_id)
        if self._file is not None:
            self._file.write(archive_id + "\n")


@contextmanager
def _lists(folder: Path) -> Iterator[dict[str, _Taken]]:
    files = FolderFiles(folder)
    with (
        _list(files, STILL_LISTED_FILE) as still_listed,
        _list(files, NEVER_DELETED_FILE) as never_deleted,
        _list(files, NEW_SINCE_FILE) as new_since,
        _list(files, KEPT_GONE_FILE) as kept_gone,
    ):
        yield {
            "still_listed": _Taken(still_listed),
            "never_deleted": _Taken(never_deleted),
            "new_since": _Taken(new_since),
            "kept_gone": _Taken(kept_gone),
            "kept": _Taken(None),
        }


def _suspects(planned: Iterable[Batch], marks: bytearray, outcomes: Outcomes, kept_gone: _Taken) -> Iterator[str]:
    """The planned archives that may be listed, as lines to be sorted; those that can't be and should are taken."""
    for batch in planned:
        looks_for_kept = outcomes.any_kept(batch.first_ordinal, batch.records)
        for archive in batch.archives:
            if marks[hash(archive.archive_id) % _MARKS]:
                yield f"{archive.archive_id} {archive.ordinal:016x}\n"
            elif looks_for_kept and outcomes.kept(archive.ordinal):
                kept_gone.take(archive.archive_id)


def _vanished(earlier: KeptEarlier, planned: Iterable[Batch], folder: Path) -> Iterator[str]:
    known = chain(earlier.told_gone(), (archive.archive_id for batch in planned for archive in batch.archives))
    kept = (f"{archive_id} 0\n" for archive_id in earlier.kept())
    for archive_id, is_known, _ in _matched(
        sorted_on_disk((f"{archive_id}\n" for archive_id in known), folder), sorted_on_disk(kept, folder)
    ):
        if not is_known:
            yield archive_id


def _mark(batches: Iterable[Batch]) -> tuple[bytearray, int, int]:
    marks, listed, unreadable = bytearray(_MARKS), 0, 0
    for batch in batches:
        listed += batch.records
        unreadable += len(batch.defects)
        for archive in batch.archives:
            marks[hash(archive.archive_id) % _MARKS] = 1
    return marks, listed, unreadable


def _matched(present: Iterator[str], suspects: Iterator[str]) -> Iterator[tuple[str, bool, list[int]]]:
    """Give each id once, whether it is present, and the plan's ordinals of it. Both sides are sorted lines."""
    by_id = groupby(suspects, key=lambda line: line.partition(" ")[0])
    suspect, its_lines = next(by_id, (None, iter(())))
    for archive_id, _ in groupby(line[:-1] for line in present):
        while suspect is not None and suspect < archive_id:
            yield suspect, False, _ordinals(its_lines)
            suspect, its_lines = next(by_id, (None, iter(())))
        if suspect == archive_id:
            yield archive_id, True, _ordinals(its_lines)
            suspect, its_lines = next(by_id, (None, iter(())))
        else:
            yield archive_id, True, []
    while suspect is not None:
        yield suspect, False, _ordinals(its_lines)
        suspect, its_lines = next(by_id, (None, iter(())))


def _ordinals(lines: Iterable[str]) -> list[int]:
    return [int(line.partition(" ")[2], 16) for line in lines]


def _kind(ordinals: list[int], outcomes: Outcomes) -> str:
    if not ordinals:
        return "new_since"
    if any(map(outcomes.deleted, ordinals)):
        return "still_listed"
    return "never_deleted" if any(map(outcomes.failed, ordinals)) else "kept"


def _kind_of_unlisted(ordinals: list[int], outcomes: Outcomes) -> str | None:
    return "kept_gone" if any(map(outcomes.kept, ordinals)) else None


@contextmanager
def _list(files: Files, name: str) -> Iterator[IO[str]]:
    """A list anew, in the place of an earlier comparison's."""
    discard(files, name)
    with new_file(files, name) as file, TextIOWrapper(file, encoding="ascii") as text:
        yield text
