"""Rows as files that others open: CSV for spreadsheets, lines of JSON for programs, S3 Batch Operations' report.

Ids, codes and descriptions come from outside.  A cell that begins with ``= + - @``, a tab or a carriage return is a
formula to a spreadsheet even when quoted (CWE-1236), and archive ids may begin with ``-``; so every cell of CSV is
quoted, and every cell of foreign text has an apostrophe in front, and characters that are not to be seen are spelt out.
JSON is ASCII.  The report of S3 Batch Operations (S3 User Guide, "Completion reports") is for programs that read such:
no heading, ids as they are; its columns are bucket, key, version, status, error code, HTTP status and message.
"""

from __future__ import annotations

import csv
import json
from operator import add
from typing import TYPE_CHECKING, Literal, TypeAlias

import orjson

from glacier_purge.text import inert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO

    Row = Sequence[object]


ListFormat: TypeAlias = Literal["csv", "jsonl", "s3-batch"]
"""How a list is written."""

_FOREIGN = frozenset(
    {
        "archive_id",
        "code",
        "request_id",
        "uploaded",
        "tree_hash",
        "file",
        "description",
        "vault",
        "profile",
        "tags",
        "may_write",
        "uploads_denied_by",
        "findings",
        "held_by",
        "not_read",
    }
)
_CSV_LINE_ENDS = "\r\n"
_SEPARATOR, _MARK_ALONE, _EMPTY = '","', '"\'"', '""'
_TASKS = {"deleted": "succeeded", "failed": "failed"}


def write_list(rows: Iterable[Row], columns: Sequence[str], how: ListFormat, target: TextIO, *, vault: str) -> None:
    """Write rows, which have these columns, to ``target`` (opened with ``newline=""``); ``vault`` is S3's bucket."""
    _WRITERS[how](rows, columns, target, vault)


def _csv(rows: Iterable[Row], columns: Sequence[str], target: TextIO, _vault: str) -> None:
    before = ["'" if column in _FOREIGN else "" for column in columns]
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator=_CSV_LINE_ENDS)
    writer.writerow(columns)
    quotes = _SEPARATOR.count('"') * (len(columns) - 1)
    for row in rows:
        cells = [cell if type(cell) is str else "" if cell is None else str(cell) for cell in row]
        line = _SEPARATOR.join(map(add, before, cells))
        if not line.isprintable():
            writer.writerow([inert(cell) if mark else cell for mark, cell in zip(before, cells, strict=True)])
        elif line.count('"') == quotes:  # nearly always, and then in half the time
            target.write(f'"{line}"'.replace(_MARK_ALONE, _EMPTY) + _CSV_LINE_ENDS)
        else:
            marked = (mark + cell if cell else cell for mark, cell in zip(before, cells, strict=True))
            target.write('"' + _SEPARATOR.join(cell.replace('"', '""') for cell in marked) + '"' + _CSV_LINE_ENDS)


def _jsonl(rows: Iterable[Row], columns: Sequence[str], target: TextIO, _vault: str) -> None:
    for row in rows:
        said = dict(zip(columns, row, strict=True))
        line = orjson.dumps(said)
        target.write(line.decode("ascii") + "\n" if line.isascii() else json.dumps(said) + "\n")


def _s3_batch(rows: Iterable[Row], columns: Sequence[str], target: TextIO, vault: str) -> None:
    places = [columns.index(name) for name in ("archive_id", "outcome", "code", "http_status", "attempts", "committed")]
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        archive_id, outcome, code, status, attempts, committed = (row[place] for place in places)
        if (task := _TASKS.get(str(outcome))) is not None:
            message = f"{outcome} after {attempts} requests, on record since {committed}"
            writer.writerow((vault, archive_id, "", task, inert(str(code or "")), status, message))


_WRITERS: dict[ListFormat, Callable[[Iterable[Row], Sequence[str], TextIO, str], None]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "s3-batch": _s3_batch,
}
