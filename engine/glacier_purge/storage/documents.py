"""Reads the JSON that this package writes for itself: plans, progress, certificates, orders, and lines of them.

A file of ours can come back with anything in it: a disk's bad byte, half of an editor's save, somebody else's file of
the same name.  Each of these ways is an exception of its own below (malformed or of another shape is msgspec's, a bad
byte in a text is ``UnicodeDecodeError``, nesting without end is ``RecursionError``), and a reader that forgets one ends
as "a bug".  Here they are one error, which says what is wrong; whose fault it is and what to do, says the reader that
knows the file.

What we wrote has every key of its type and no other, so a key that is unknown or missing, however deep, is damage too:
read past, ``max_archive`` for ``max_archives`` would be a cap that is gone without a word, because msgspec lets unknown
keys of a dataclass pass and gives a default for missing ones.

Files that other people make - inventories, manifests, settings - have readers of their own, which name the place.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import msgspec

from glacier_purge.storage.ownership import read_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_T = TypeVar("_T")

NO_JSON = (ValueError, RecursionError)
"""What decoding JSON may raise; msgspec's own errors and those of Unicode are kinds of ``ValueError``."""


class DocumentUnreadable(ValueError):
    """The content is not the document it should be, or the file can't be read; the message says which."""


def decoded(content: bytes | memoryview | str, kind: type[_T]) -> _T:
    """Decode JSON as ``kind``. Raises ``DocumentUnreadable`` for everything else."""
    try:
        found = msgspec.json.decode(content, type=kind)
        wrong = next(_wrong_keys(msgspec.json.decode(content), msgspec.to_builtins(found, str_keys=True), "$"), None)
    except NO_JSON as error:
        raise DocumentUnreadable(str(error)) from error
    if wrong is not None:
        raise DocumentUnreadable(wrong)
    return found


def read_document(file: Path, kind: type[_T]) -> _T | None:
    """Read a whole file as ``kind``; None when there is no such file.

    Raises ``DocumentUnreadable`` for a file that holds something else, and for one that the system does not give;
    ``NotOurs`` for one in which others have a hand.
    """
    try:
        content = read_own(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DocumentUnreadable(error.strerror or str(error)) from error
    return decoded(content, kind)


def _wrong_keys(written: object, understood: object, place: str) -> Iterator[str]:
    """What the file has and its type does not, and the reverse; ``place`` is written as msgspec writes it."""
    if isinstance(written, dict) and isinstance(understood, dict):
        unknown, missing = written.keys() - understood.keys(), understood.keys() - written.keys()
        yield from (f"it has the key `{key}`, which nobody knows - at `{place}`" for key in sorted(unknown))
        yield from (f"its key `{key}` is missing - at `{place}`" for key in sorted(missing))
        below = ((written[key], understood[key], f"{place}.{key}") for key in written.keys() & understood.keys())
    elif isinstance(written, list) and isinstance(understood, list | tuple):
        pairs = enumerate(zip(written, understood, strict=True))
        below = ((one, other, f"{place}[{number}]") for number, (one, other) in pairs)
    else:
        return
    yield from chain.from_iterable(_wrong_keys(*pair) for pair in below)
