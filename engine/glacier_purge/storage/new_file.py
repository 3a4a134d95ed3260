"""Files that people asked for, wherever they want them: those that grow by lines, those that are put in place whole.

None of the rules for files of a run hold there.  To what is there already no line is added; what is put in place of a
file comes whole or not at all.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import zstandard

from glacier_purge.errors import DiskFailed, UsageError
from glacier_purge.storage.file_system import is_lacking, sync_folder

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


def put_in_place(path: Path, content: bytes) -> None:
    """Put a file (0644, less what the umask takes) in place in one step, durably as far as its disk can: no reader and
    no crash sees half of it. Raises ``OSError``.
    """
    path = path.resolve()  # the file that a link names, and not the link
    temporary = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):  # of a crash, or somebody's link
        temporary.unlink()
    try:
        with os.fdopen(os.open(temporary, _SAFELY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    try:
        sync_folder(path.parent)
    except OSError as error:
        if not is_lacking(error):  # a share: the file's own fsync is all it has
            raise


@contextmanager
def new_text_file(path: Path) -> Iterator[TextIO]:
    """Make a file for text (UTF-8, lines as they are written), packed as its name says: ``.gz``, ``.zst``.

    It is gone again after any error.  Raises ``UsageError`` where something of that name is and where no file can be
    made, ``DiskFailed`` when the disk does not take what is written.
    """
    try:
        file = path.open("xb")
    except FileExistsError as error:
        raise UsageError(f"{path} exists already and is not written to. Give another file.") from error
    except OSError as error:
        raise UsageError(f"{path} can't be made: {error.strerror}. Give another file.") from error
    try:
        with file, _packing(path, file) as packed, TextIOWrapper(packed, encoding="utf-8", newline="") as text:
            yield text
    except OSError as error:
        path.unlink(missing_ok=True)
        raise DiskFailed(f"{path} can't be written: {error.strerror}. It was taken away again.") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _packing(path: Path, file: BinaryIO) -> BinaryIO:
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0))
    if path.suffix == ".zst":
        return cast("BinaryIO", zstandard.open(file, "wb"))
    return file


def _begins_with(path: Path, text: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(text)) == text
