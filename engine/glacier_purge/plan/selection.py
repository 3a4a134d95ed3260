"""Which archives go: one decision byte for each inventory record, so 100 million decisions are 100 MB on disk.

A filter is one more reason to stay and can never bring an archive back: an archive goes when every filter lets it go,
and stays for the first that does not, in the order in which they stand.  What cannot be judged stays (a date that is no
date).  Decisions are made once, when planning, and written down; applying a plan reads them and decides nothing again.
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
from glacier_purge.inventory.description import readable
from glacier_purge.plan.reasons import (
    DELETE,
    DESCRIPTION_DIFFERS,
    DUPLICATE,
    IN_RETRIEVAL,
    INVALID,
    NO_DATE,
    NOT_NEWER,
    NOT_OLDER,
    OVER_LIMIT,
    TOO_LARGE,
    TOO_SMALL,
)


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

    The name of a file that is wrapped up in a description (``inventory.description``) may match as well as the text.

    Raises ``UsageError`` for a regular expression that is none, by what the pattern is ``called`` where it was written.
    """
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        try:
            matches = re.compile(pattern[1:-1]).search
        except (re.error, OverflowError, RecursionError) as error:  # it counts too far, or is nested too deeply
            raise UsageError(f"{called} {pattern} is not a regular expression: {error}.") from error
    else:
        matches = re.compile(fnmatch.translate(pattern)).match

    def judge(archive: Archive) -> int:
        text = archive.description
        return DELETE if matches(text) or matches(readable(text)) else DESCRIPTION_DIFFERS

    return Filter(judge, {DESCRIPTION_DIFFERS: pattern})


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
