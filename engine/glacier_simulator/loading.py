"""A user's own inventory as a pretended vault, so that a purge can be rehearsed with the very ids it will delete.

Reads the JSON that the service gives out, one record at a time.  What a purge would refuse is refused here as well,
since a rehearsal must not go better than the real thing.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from glacier_purge.archive import ANY_LENGTH, Vault
from glacier_purge.errors import UsageError
from glacier_simulator.archives import Record


def read_vault(path: Path) -> Vault:
    """Whose inventory ``path`` is, by the ARN in its head. Raises ``UsageError`` when that cannot be read."""
    with _opened(path) as file:
        try:
            arn = next(ijson.items(file, "VaultARN"), None)
        except ijson.JSONError as error:
            raise _is_no_inventory(path, error) from error
    if not isinstance(arn, str):
        raise UsageError(f"{path}: no VaultARN in it. Give an inventory in JSON as the service returns it.")
    return Vault.from_arn(arn)


def read_records(path: Path) -> Iterator[Record]:
    """The archives of an inventory, in its order. Raises ``UsageError`` for a record that is not one."""
    with _opened(path) as file:
        try:
            for ordinal, found in enumerate(ijson.items(file, "ArchiveList.item")):
                yield _record(found, path, ordinal)
        except ijson.JSONError as error:
            raise _is_no_inventory(path, error) from error


def _record(found: dict[str, Any], path: Path, ordinal: int) -> Record:
    try:
        archive_id, size = found["ArchiveId"], found["Size"]
        record = Record(archive_id, found["ArchiveDescription"], found["CreationDate"], size, found["SHA256TreeHash"])
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}, record {ordinal:,}: {error} is missing") from error
    if not isinstance(archive_id, str) or not ANY_LENGTH.holds(archive_id):
        raise UsageError(f"{path}, record {ordinal:,}: {archive_id!r} is not an archive id")
    if not isinstance(size, int) or size < 0:
        raise UsageError(f"{path}, record {ordinal:,}: {size!r} is not a size in bytes")
    return record


def _opened(path: Path) -> BinaryIO:
    """Open it behind a byte order mark, if it has one, as a purge reads it."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if not file.peek(len(BOM_UTF8)).startswith(BOM_UTF8):
        return file
    file.seek(len(BOM_UTF8))
    return file


def _is_no_inventory(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path}: not the JSON of a vault inventory: {str(error).strip().partition(chr(10))[0]}")
