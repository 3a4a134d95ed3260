"""Which archives go: one decision byte for each inventory record, so 100 million decisions are 100 MB on disk.

``DELETE`` is the only decision that lets an archive be sent; every other one is the reason why it stays.  A filter is
one more reason to stay and can never bring an archive back: an archive goes when every filter lets it go, and stays for
the first that does not, in the order in which they stand.  What cannot be judged stays (a date that is no date).
Decisions are made once, when planning, and written down; applying a plan reads them and decides nothing again.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from glacier_purge.archive import Archive
from glacier_purge.errors import UsageError
from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.dates import creation_time

DELETE = 0
INVALID = 1
DUPLICATE = 2
DENIED = 3
EXCLUDED = 4
NOT_LISTED = 5
IN_RETRIEVAL = 6
NOT_OLDER = 7
NOT_NEWER = 8
NO_DATE = 9
DESCRIPTION_DIFFERS = 10
TOO_SMALL = 11
TOO_LARGE = 12
NOT_IN_MANIFEST = 13
NOT_COPIED = 14
SIZE_DIFFERS = 15
TREE_HASH_DIFFERS = 16
COPY_MISSING = 17
COPY_DIFFERS = 18
COPY_NOT_SEEN = 19
OVER_LIMIT = 20
KEPT_BEFORE = 21

REASONS: dict[int, str] = {
    DELETE: "delete",
    INVALID: "invalid",
    DUPLICATE: "duplicate",
    DENIED: "on_deny_list",
    EXCLUDED: "excluded",
    NOT_LISTED: "not_listed",
    IN_RETRIEVAL: "in_retrieval",
    NOT_OLDER: "not_older_than",
    NOT_NEWER: "not_newer_than",
    NO_DATE: "upload_date_unreadable",
    DESCRIPTION_DIFFERS: "description_not_like",
    TOO_SMALL: "smaller_than",
    TOO_LARGE: "larger_than",
    NOT_IN_MANIFEST: "not_in_manifest",
    NOT_COPIED: "not_copied",
    SIZE_DIFFERS: "manifest_size_differs",
    TREE_HASH_DIFFERS: "manifest_tree_hash_differs",
    COPY_MISSING: "copy_missing",
    COPY_DIFFERS: "copy_size_differs",
    COPY_NOT_SEEN: "copy_not_looked_at",
    OVER_LIMIT: "over_limit",
    KEPT_BEFORE: "kept_by_an_earlier_round",
}
"""What each decision byte means, as written into the plan and into the outcome of an archive that stays."""

ALWAYS = (DELETE, INVALID, DUPLICATE)
"""Decisions that any plan may make; the others come from filters."""

UNCHOSEN = frozenset({IN_RETRIEVAL})
"""Decisions that nobody chose. Where none was made the plan does not say that it could have been: a plan made where the
service was not asked, and one made where it had nothing to tell, are the same plan."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One reason to stay. ``judge`` gives ``DELETE`` or one of ``reasons``, which maps decisions to their parameter."""

    judge: Callable[[Archive], int]
    reasons: Mapping[int, str | None]


def decisions_of(batch: Batch, duplicates: dict[int, int], filters: Sequence[Filter] = ()) -> bytearray:
    """Decide for every record of ``batch``; ``duplicates`` maps the ordinals that repeat an id to its first ordinal."""
    decisions = bytearray(batch.records)
    first = batch.first_ordinal
    for defect in batch.defects:
        decisions[defect.ordinal - first] = INVALID
    for ordinal in duplicates:
        decisions[ordinal - first] = DUPLICATE
    if filters:
        judges = [one.judge for one in filters]
        for archive in batch.archives:
            if not decisions[archive.ordinal - first]:
                decisions[archive.ordinal - first] = _judged(archive, judges)
    return decisions


def _judged(archive: Archive, judges: list[Callable[[Archive], int]]) -> int:
    for judge in judges:
        if decision := judge(archive):
            return decision
    return DELETE


def older_than(cut_off: datetime) -> Filter:
    """Let go what was uploaded before ``cut_off``."""

    def judge(archive: Archive) -> int:
        created = creation_time(archive.created)
        if created is None:
            return NO_DATE
        return DELETE if created < cut_off else NOT_OLDER

    return Filter(judge, {NOT_OLDER: instant(cut_off), NO_DATE: None})


def newer_than(cut_off: datetime) -> Filter:
    """Let go what was uploaded after ``cut_off``."""

    def judge(archive: Archive) -> int:
        created = creation_time(archive.created)
        if created is None:
            return NO_DATE
        return DELETE if created > cut_off else NOT_NEWER

    return Filter(judge, {NOT_NEWER: instant(cut_off), NO_DATE: None})


def described_like(pattern: str, called: str = "--description") -> Filter:
    """Let go what is described like ``pattern``: a glob for all of it, or ``/regex/`` for any part; case counts.

    Raises ``UsageError`` for a regular expression that is none, by what the pattern is ``called`` where it was written.
    """
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        try:
            matches = re.compile(pattern[1:-1]).search
        except re.error as error:
            raise UsageError(f"{called} {pattern} is not a regular expression: {error}.") from error
    else:
        matches = re.compile(fnmatch.translate(pattern)).match
    return Filter(
        lambda archive: DELETE if matches(archive.description) else DESCRIPTION_DIFFERS,
        {DESCRIPTION_DIFFERS: pattern},
    )


def at_least(size_bytes: int) -> Filter:
    """Let go archives of ``size_bytes`` and more."""
    return Filter(
        lambda archive: DELETE if archive.size_bytes >= size_bytes else TOO_SMALL, {TOO_SMALL: str(size_bytes)}
    )


def at_most(size_bytes: int) -> Filter:
    """Let go archives of ``size_bytes`` and less."""
    return Filter(
        lambda archive: DELETE if archive.size_bytes <= size_bytes else TOO_LARGE, {TOO_LARGE: str(size_bytes)}
    )


def not_held(archive_ids: frozenset[str]) -> Filter:
    """Hold back the archives that somebody is retrieving."""
    return Filter(lambda archive: IN_RETRIEVAL if archive.archive_id in archive_ids else DELETE, {IN_RETRIEVAL: None})


def first_of(archives: int) -> Filter:
    """Let go the first ``archives`` that come here. Stands last, so that it counts only what all others let go.

    It counts, so it is good for one pass over the inventory.
    """
    left = archives

    def judge(archive: Archive) -> int:
        nonlocal left
        if not left:
            return OVER_LIMIT
        left -= 1
        return DELETE

    return Filter(judge, {OVER_LIMIT: str(archives)})


def instant(time: datetime) -> str:
    """A moment in UTC as the plan writes it, to the second; it can be given to ``--older-than`` again."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
