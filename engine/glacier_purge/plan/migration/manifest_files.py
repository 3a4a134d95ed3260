"""Files that say what was migrated: which kind one is shows its content, never its name; plain, gzip or zstd.

``{`` begins a DynamoDB export, a header with ``archive_id`` or ``aid`` a table in CSV.  What is left is a listing of
S3: an inventory or a table in CSV, or what ``aws s3 ls --recursive`` prints.  A listing knows keys and sizes and no
archive ids, so it proves nothing by itself; joined through a table's keys it proves that a copy was there.

A row that cannot be read refuses the whole file, with its line: a torn manifest is no proof.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

import msgspec

from glacier_purge.archive import IdRule
from glacier_purge.errors import UsageError
from glacier_purge.inventory.source import Source
from glacier_purge.plan.id_lists import lines
from glacier_purge.plan.migration.manifest import CLAIM_COLUMNS, claim, from_export_line, number
from glacier_purge.plan.rows import Rows

_LS_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +(\d+) (.+)", re.ASCII)
_LISTING_COLUMNS = ("bucket", "key", "size", "islatest", "isdeletemarker")
_COLUMNS = frozenset({*CLAIM_COLUMNS, *_LISTING_COLUMNS})
_TRUTHS = {"true", "false"}
_KEY_BYTES_MAX = 1024
"""Of a key in UTF-8: Amazon S3 User Guide, "Naming Amazon S3 objects"."""
_encode = msgspec.msgpack.Encoder().encode


class ListedObject(msgspec.Struct, frozen=True, array_like=True):
    """An object a listing names: its bucket where it says so, and its size."""

    bucket: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where rows go: claims by archive id, objects by key (see ``key_name``)."""

    claims: Rows
    objects: Rows
    id_rule: IdRule

    def add_claim(self, fields: Mapping[str, str]) -> None:
        """Take in a row of a table. Raises ``ValueError`` for an archive id that is none."""
        found = claim(fields)
        if found is None:
            return
        archive_id, claimed = found
        if not self.id_rule.holds(archive_id):
            raise ValueError(f"{archive_id[:60]!r} is no archive id")
        self.claims.add(archive_id, _encode(claimed))

    def add_export_line(self, line: bytes) -> None:
        """Take in a line of a DynamoDB export. Raises ``ValueError`` for anything else."""
        if line.strip():
            self.add_claim(from_export_line(line))

    def add_ls_line(self, line: bytes) -> None:
        """Take in a line of ``aws s3 ls --recursive``. Raises ``ValueError`` for anything else."""
        text = line.decode("utf-8", "surrogateescape").rstrip("\r")
        match = _LS_LINE.fullmatch(text)
        if match is not None:
            self.add_object(None, match[2], _size_bytes(match[1]))
        elif text:
            raise ValueError("it is not a line of aws s3 ls --recursive")

    def add_object(self, bucket: str | None, key: str, size_bytes: int) -> None:
        """Take in an object of a listing. Raises ``ValueError`` for a key that none can have."""
        if len(key.encode("utf-8", "surrogatepass")) > _KEY_BYTES_MAX:
            raise ValueError(f"{key[:60]!r} goes on beyond the {_KEY_BYTES_MAX:,} bytes that a key has at most")
        self.objects.add(key_name(key), _encode(ListedObject(bucket, size_bytes)))


def key_name(key: str) -> str:
    """An S3 key as ASCII, one name for each key."""
    return quote(key, safe="", errors="surrogatepass")


def read_file(file: str, tables: Tables) -> None:
    """Read one file into ``tables``. Raises ``UsageError`` when it cannot be read or is of no kind known here."""
    with Source(file) as source:
        content = lines(source)
        first = next(content, b"")
        rows = _Rows(source.name, _again(first, content))
        if first.lstrip().startswith(b"{"):
            rows.each(tables.add_export_line)
            return
        text = first.decode("utf-8", "replace")
        if _LS_LINE.fullmatch(text.rstrip("\r")):
            rows.each(tables.add_ls_line)
            return
        header = rows.header(text)
        if "archive_id" in header or "aid" in header:
            _read_table(rows, tables)
        else:
            _read_listing(rows, header, tables)


def _read_table(rows: _Rows, tables: Tables) -> None:
    header: list[str] = []

    def take(row: list[str]) -> None:
        if not header:
            header.extend(name.strip() for name in row)
        elif len(row) != len(header):
            raise ValueError(f"it has {len(row)} columns, the header {len(header)}")
        else:
            tables.add_claim({name: value for name, value in zip(header, row, strict=True) if value})

    rows.each_row(take)


def _read_listing(rows: _Rows, first: list[str], tables: Tables) -> None:
    """Read CSV with the columns of S3 Inventory, named by a header or known by what stands in them."""
    names = [name.lower() for name in first]
    has_header = "key" in names and "size" in names
    if not has_header:
        names = _inventory_columns(first, rows.name)
    known = {name: names.index(name) for name in _LISTING_COLUMNS if name in names}

    def take(row: list[str]) -> None:
        facts = {name: row[column] for name, column in known.items()}
        if has_header and facts["key"].lower() == "key":
            return
        if facts.get("islatest", "true") == "true" and facts.get("isdeletemarker", "false") == "false":
            # S3 Inventory encodes keys like a form; a header of one's own promises nothing of the kind.
            key = facts["key"] if has_header else unquote_plus(facts["key"])
            tables.add_object(facts.get("bucket"), key, _size_bytes(facts["size"]))

    rows.each_row(take)


def _inventory_columns(first: list[str], name: str) -> list[str]:
    """S3 Inventory's columns, which its CSV does not name: bucket, key, then size, or versions and then size."""
    if len(first) >= 3 and number(first[2]) is not None:
        return ["bucket", "key", "size"]
    if len(first) >= 6 and {first[3], first[4]} <= _TRUTHS:
        return ["bucket", "key", "versionid", "islatest", "isdeletemarker", "size"]
    raise UsageError(
        f"{name} is not known as a manifest: give a DynamoDB export (JSON or CSV) of the migration's table, a CSV with "
        "archive_id,size,sha256_tree_hash, or beside one of these an S3 listing with bucket, key and size."
    )


def _size_bytes(text: str) -> int:
    found = number(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is no size in bytes")
    return found


class _Rows:
    """The lines of one file; what is wrong with one is told with its number."""

    def __init__(self, name: str, content: Iterator[bytes]) -> None:
        self.name = name
        self._content = content
        self._number = 0

    def header(self, line: str) -> list[str]:
        """The names, or whatever stands there, in the first line of CSV, each column once."""
        try:
            names = [name.strip() for name in next(csv.reader([line]), [])]
        except csv.Error as error:
            raise UsageError(f"{self.name}, line 1 cannot be read: {error}. Nothing was planned.") from error
        twice = [name for name in _COLUMNS if names.count(name) > 1]
        if twice:
            raise UsageError(
                f"{self.name}, line 1 names the column {twice[0]} twice, and which of them counts depends on who reads "
                "it. Nothing was planned."
            )
        return names

    def each(self, take: Callable[[bytes], None]) -> None:
        """Hand every line to ``take``."""
        for line in self._counted():
            try:
                take(line)
            except (ValueError, RecursionError) as error:
                raise self._wrong(error) from error

    def each_row(self, take: Callable[[list[str]], None]) -> None:
        """Hand every row of CSV to ``take``; a row may go over several lines."""
        text = (line.decode("utf-8", "surrogateescape") + "\n" for line in self._counted())
        reader = csv.reader(text, strict=True)
        try:
            for row in reader:
                if row:
                    take(row)
        except (ValueError, IndexError, csv.Error) as error:
            raise self._wrong(error) from error

    def _counted(self) -> Iterator[bytes]:
        for line in self._content:
            self._number += 1
            yield line

    def _wrong(self, error: Exception) -> UsageError:
        return UsageError(f"{self.name}, line {self._number:,} cannot be read: {error}. Nothing was planned.")


def _again(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
