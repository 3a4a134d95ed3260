"""``inventory inspect``: what an inventory holds and what is wrong with it, without an account and without a vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.archive import id_rule_for
from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import Hyphened, LogOptions, Logs, Output
from glacier_purge.cli.output import OutputFormat, as_text, print_page, print_result
from glacier_purge.errors import UsageError
from glacier_purge.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.inventory.inspection import Inspection


def inspect(
    file: Hyphened, *, any_id_length: bool = False, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT
) -> int:
    """Count, date and check the records of an inventory. Sends nothing.

    Parameters
    ----------
    file
        Vault inventory, JSON or CSV, plain, gzip or zstd; - reads stdin.
    any_id_length
        Accept archive ids of other lengths than 138 characters, as other emulators make.

    Examples
    --------
    glacier-purge inventory inspect inventory.json
    zcat inventory.json.gz | glacier-purge inventory inspect -
    """
    import msgspec

    from glacier_purge.inventory.inspection import inspect as look_into
    from glacier_purge.report.results.planning import Inspected
    from glacier_purge.report.results.result import as_members

    if file.startswith("-") and file != "-":  # only "-" is meant to pass; the parser can't tell it from these
        raise UsageError(f"unknown option {file}. A file of that name is written ./{file}.")
    found = look_into(file, id_rule_for(any_length=any_id_length))
    members = msgspec.structs.asdict(found)
    result = Inspected(file=file, inventory_format=members.pop("format"), **members)
    if output is OutputFormat.JSON:
        print_result(result, output)
    else:
        counts = {name: value for name, value in as_members(result).items() if not isinstance(value, list)}
        print_page("\n".join([as_text(counts), *_lines(found)]))
    return ExitCode.DONE if found.is_sound else ExitCode.USAGE


def _lines(found: Inspection) -> Iterator[str]:
    """One line for each sample of what is wrong."""
    for defect in found.defects:
        yield safe(f"record {defect.ordinal:,}, byte {defect.offset_bytes:,}: {defect.reason}: {defect.text}")
    if found.invalid > len(found.defects):
        yield f"... and {found.invalid - len(found.defects):,} more invalid records"
    for duplicate in found.first_duplicates:
        yield f"record {duplicate.ordinal:,} repeats the archive id of record {duplicate.first_ordinal:,}"
    if found.duplicates > len(found.first_duplicates):
        yield f"... and {found.duplicates - len(found.first_duplicates):,} more repeated ids"
