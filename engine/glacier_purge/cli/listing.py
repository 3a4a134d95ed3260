"""Where a list goes: to stdout, or into a new file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ListForm: TypeAlias = Literal["csv", "jsonl", "s3-batch"]
"""How a list is written. (``report.list_file`` has it too; verbs that write none do not load that.)"""


def print_list(
    rows: Iterable[Sequence[object]], columns: Sequence[str], form: ListForm, to: Path | None, *, vault: str
) -> None:
    """Write rows to stdout or into a new file. Raises ``UsageError`` for a file that is there."""
    from glacier_purge.report.list_file import write_list
    from glacier_purge.storage.new_file import new_text_file

    if to is None:
        write_list(rows, columns, form, sys.stdout, vault=vault)
        sys.stdout.flush()
        return
    with new_text_file(to) as file:
        write_list(rows, columns, form, file, vault=vault)
