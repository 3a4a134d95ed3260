"""Where a list goes: to stdout, or into a new file."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, TypeAlias

from cyclopts import Parameter

from glacier_purge.cli.output import OutputFormat, columns_of, print_page, print_result, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from glacier_purge.report.results.result import Result


class TableFormat(StrEnum):
    """How a table of vaults is written."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


TableOutput = Annotated[
    TableFormat,
    Parameter(name=("--output", "--format"), help="Format of the result on stdout: text, csv or json."),
]

ListForm: TypeAlias = Literal["csv", "jsonl", "s3-batch"]
"""How a list is written. (``report.list_file`` has it too; verbs that write none do not load that.)"""


class Tabular(Protocol):
    """What can be shown as a page, as rows and as an answer for programs, and may not be all there is."""

    @property
    def not_read(self) -> int:
        """How many questions about it have no answer; each is named in what is shown."""

    @property
    def exit_code(self) -> int:
        """The worst of those."""

    def as_text(self, columns: int | None) -> str:
        """A page of so many columns; None: as wide as it needs."""

    def rows(self) -> Iterable[Sequence[object]]:
        """The rows of a list."""

    def as_result(self) -> Result:
        """The answer for programs."""


def print_table(table: Tabular, columns: Sequence[str], output: TableFormat) -> int:
    """Write a table to stdout, and give its exit code; ``columns`` are those of its rows."""
    match output:
        case TableFormat.JSON:
            print_result(table.as_result(), OutputFormat.JSON)
        case TableFormat.CSV:
            print_list(table.rows(), columns, "csv", None, vault="")
        case TableFormat.TEXT:
            print_page(table.as_text(columns_of(sys.stdout)))
    if table.not_read:
        tell(f"{table.not_read:,} questions were not answered, so this is not all there is; each is named as not read.")
    return table.exit_code


def print_list(
    rows: Iterable[Sequence[object]], columns: Sequence[str], form: ListForm, to: Path | None, *, vault: str
) -> None:
    """Write rows to stdout or into a new file. Raises ``UsageError`` for a file that is there."""
    from glacier_purge.long_work import watched_by
    from glacier_purge.report.list_file import write_list
    from glacier_purge.storage.new_file import new_text_file

    if to is None:
        with watched_by(None) if sys.stdout.isatty() else nullcontext():  # there the rows are what is seen
            write_list(rows, columns, form, sys.stdout, vault=vault)
            sys.stdout.flush()
        return
    with new_text_file(to) as file:
        write_list(rows, columns, form, file, vault=vault)
