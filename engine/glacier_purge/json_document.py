"""Reads the JSON that this package writes for itself: plans, progress, certificates, orders, and lines of them.

A file of ours can come back with anything in it: a disk's bad byte, half of an editor's save, somebody else's file of
the same name.  Each of these ways is an exception of its own below (malformed or of another shape is msgspec's, a bad
byte in a text is ``UnicodeDecodeError``, nesting without end is ``RecursionError``), and a reader that forgets one ends
as "a bug".  Here they are one error, which says what is wrong; whose fault it is and what to do, says the reader that
knows the file.

Files that other people make - inventories, manifests, settings - have readers of their own, which name the place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

_T = TypeVar("_T")

NO_JSON = (ValueError, RecursionError)
"""What decoding JSON may raise; msgspec's own errors and those of Unicode are kinds of ``ValueError``."""


class DocumentUnreadable(ValueError):
    """The content is not the document it should be, or the file can't be read; the message says which."""


def decoded(content: bytes | memoryview | str, kind: type[_T]) -> _T:
    """Decode JSON as ``kind``. Raises ``DocumentUnreadable`` for everything else."""
    try:
        return msgspec.json.decode(content, type=kind)
    except NO_JSON as error:
        raise DocumentUnreadable(str(error)) from error


def read_document(file: Path, kind: type[_T]) -> _T | None:
    """Read a whole file as ``kind``; None when there is no such file.

    Raises ``DocumentUnreadable`` for a file that holds something else, and for one that the system does not give.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DocumentUnreadable(error.strerror or str(error)) from error
    return decoded(content, kind)
