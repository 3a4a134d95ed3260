"""Lists of archive ids in files: one id a line, plain, gzip or zstd, of any length.

Every line must be an id: a list that protects archives and holds a misspelt line is worth less than none, so it is
refused with the number of the line.  Empty lines and lines that begin with ``#`` are skipped.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from glacier_purge.archive import Archive, IdRule
from glacier_purge.errors import UsageError
from glacier_purge.inventory.source import Source
from glacier_purge.plan.reasons import DELETE, DENIED, EXCLUDED, KEPT_BEFORE, NOT_LISTED
from glacier_purge.plan.rows import Rows
from glacier_purge.plan.selection import Filter

SAMPLES_MAX = 5
_LINE_BYTES_MAX = 1 << 16


class IdList:
    """A list of ids that remembers which of them it was asked about; a byte of memory for each."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._asked = bytearray(len(rows))

    def holds(self, archive_id: str) -> bool:
        """Tell whether the id is on the list; exact, whatever hashes say."""
        positions = self._rows.positions(archive_id)
        for position in positions:
            self._asked[position] = 1
        return bool(positions)

    @property
    def unasked(self) -> int:
        """How many lines name an id nobody asked about."""
        return self._asked.count(0)

    def unasked_samples(self) -> list[str]:
        """A few of them."""
        found: list[str] = []
        at = self._asked.find(0)
        while at >= 0 and len(found) < SAMPLES_MAX:
            found.append(self._rows.archive_id(at))
            at = self._asked.find(0, at + 1)
        return sorted(found)


class IdLists:
    """The lists a plan goes by: what alone may go (``--ids``), what may not (``--exclude-ids``), what never may."""

    def __init__(self, *, listed: IdList | None, excluded: IdList | None, denied: IdList | None) -> None:
        self.listed = listed
        self.excluded = excluded
        self._denied = denied

    def filter(self) -> Filter:
        """One filter over all of them. Every list is asked about every archive, so that it knows what it named."""
        reasons: dict[int, str | None] = {}
        if self._denied is not None:
            reasons[DENIED] = None
        if self.excluded is not None:
            reasons[EXCLUDED] = None
        if self.listed is not None:
            reasons[NOT_LISTED] = None
        return Filter(self._judge, reasons)

    def _judge(self, archive: Archive) -> int:
        archive_id = archive.archive_id
        listed = self.listed is None or self.listed.holds(archive_id)
        excluded = self.excluded is not None and self.excluded.holds(archive_id)
        if self._denied is not None and self._denied.holds(archive_id):
            return DENIED
        if excluded:
            return EXCLUDED
        return DELETE if listed else NOT_LISTED


def read_ids(files: Iterable[str], folder: Path, opened: ExitStack, id_rule: IdRule) -> IdList | None:
    """Read lists of ids (paths, or ``-`` for standard input) by way of nameless files in ``folder``.

    None when there is no list.  They are closed with ``opened``.  Raises ``UsageError`` for a file that cannot be read
    and for a line that is no archive id.
    """
    rows: Rows | None = None
    for file in files:
        rows = rows if rows is not None else opened.enter_context(Rows(folder))
        with Source(file) as source:
            for number, line in enumerate(lines(source), 1):
                text = line.strip().decode("ascii", "replace")
                if not text or text.startswith("#"):
                    continue
                if not id_rule.holds(text):
                    raise UsageError(
                        f"{source.name}, line {number:,}: {text[:60]!r} is no archive id. Give one id a line; nothing "
                        "was planned."
                    )
                rows.add(text)
    if rows is None:
        return None
    rows.seal()
    return IdList(rows)


def kept_before(ids: Iterable[str], folder: Path, opened: ExitStack) -> Filter:
    """Keep the archives that an earlier round kept, by way of a nameless file in ``folder`` that ``opened`` closes."""
    rows = opened.enter_context(Rows(folder))
    for archive_id in ids:
        rows.add(archive_id)
    rows.seal()
    return Filter(
        lambda archive: KEPT_BEFORE if rows.positions(archive.archive_id) else DELETE,
        {KEPT_BEFORE: None},
    )


def lines(source: Source) -> Iterator[bytes]:
    """Give the lines of a file without their ends, and without a mark before the first.

    Raises ``UsageError`` for one that is longer than any can be.
    """
    rest = b""
    chunks = iter(source)
    first = next(chunks, b"").removeprefix(BOM_UTF8)
    for chunk in chain([first], chunks):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > _LINE_BYTES_MAX:
            raise UsageError(f"{source.name} is not a list: a line of it is longer than {_LINE_BYTES_MAX:,} bytes.")
    if rest:
        yield rest
