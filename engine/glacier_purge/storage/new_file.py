"""A file that people asked for and that is made new: it grows by lines, and nothing of ours reads it back.

It lies wherever they want it, so none of the rules for files of a run hold here, but for one: what is there already is
not written to.
"""

from __future__ import annotations

import os
from pathlib import Path

from glacier_purge.errors import DiskFailed, UsageError

_SAFELY = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def begin_file(path: Path, first_line: bytes) -> None:
    """Make the file (0600) with its first line; one that has the very same is gone on with.

    Raises ``UsageError`` for anything else of that name, and where there can't be a file.
    """
    try:
        os.close(os.open(path, _SAFELY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        if _begins_with(path, first_line + b"\n"):
            return
        raise UsageError(f"{path} exists already and is not written to. Give another file.") from error
    except OSError as error:
        raise UsageError(f"{path} can't be made: {error.strerror}. Give another file.") from error
    add_line(path, first_line)


def add_line(path: Path, line: bytes) -> None:
    """Write one more line, given without its end. Raises ``DiskFailed``."""
    try:
        descriptor = os.open(path, _SAFELY)
        try:
            os.write(descriptor, line + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DiskFailed(f"{path} can't be written: {error.strerror}.") from error


def _begins_with(path: Path, text: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(text)) == text
