"""Reads and writes the JSON that this package has for itself: plans, progress, certificates, orders, lines of them.

A file of ours can come back with anything in it: a disk's bad byte, half of an editor's save, somebody else's file of
the same name.  Each of these ways is an exception of its own below (malformed or of another shape is msgspec's, a bad
byte in a text is ``UnicodeDecodeError``, nesting without end is ``RecursionError``), and a reader that forgets one ends
as "a bug".  Here they are one error, which says what is wrong; whose fault it is and what to do, says the reader that
knows the file.

What we wrote has every key of its type once and no other, so a key that is unknown, missing or there twice, however
deep, is damage too: read past, ``max_archive`` for ``max_archives`` would be a cap that is gone without a word, because
msgspec lets unknown keys of a dataclass pass and gives a default for missing ones; and of a key that stands there twice
one reader goes by the last, another by the first, and people by the one they see.

A file is written whole under another name, made durable, and put in its place in one step, so that no reader and no
crash sees half of one.  (Those that grow by lines are ``lines``.)

Files that other people make - inventories, manifests, settings - have readers of their own, which name the place.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from io import BufferedWriter, RawIOBase
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from glacier_purge.storage.disk import writing
from glacier_purge.storage.ownership import read_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import ReadableBuffer

    from glacier_purge.storage.disk import Files

_T = TypeVar("_T")

_BUFFER_BYTES = 1 << 16
NO_JSON = (ValueError, RecursionError)
"""What decoding JSON may raise; msgspec's own errors and those of Unicode are kinds of ``ValueError``."""


class DocumentUnreadable(ValueError):
    """The content is not the document it should be, or the file can't be read; the message says which."""


def decoded(content: bytes | memoryview | str, kind: type[_T]) -> _T:
    """Decode JSON as ``kind``. Raises ``DocumentUnreadable`` for everything else."""
    try:
        found = msgspec.json.decode(content, type=kind)
        written = json.loads(content if isinstance(content, str) else bytes(content), object_pairs_hook=_each_once)
        understood = msgspec.to_builtins(found, str_keys=True)
        wrong = None if written == understood else next(_wrong_keys(written, understood, "$"), None)
    except NO_JSON as error:
        raise DocumentUnreadable(str(error)) from error
    if wrong is not None:
        raise DocumentUnreadable(wrong)
    return found


def read_document(file: Path, kind: type[_T]) -> _T | None:
    """Read a whole file as ``kind``; None when there is no such file.

    Raises ``DocumentUnreadable`` for a file that holds something else, and for one that the system does not give;
    ``NotOurs`` for one in which others have a hand; ``HostFailed`` where that says nothing of the file.
    """
    try:
        content = read_own(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DocumentUnreadable(error.strerror or str(error)) from error
    return decoded(content, kind)


def encoded(document: object) -> bytes:
    """A document as it stands in its file: JSON, indented for people, with an end of line."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def write_document(files: Files, name: str, document: object) -> None:
    """Put a document in place, durably, whatever was there. Raises ``DiskFailed``."""
    replace(files, name, encoded(document))


def replace(files: Files, name: str, content: bytes) -> None:
    """Put a file in place in one step: no reader and no crash ever sees half of it. Raises ``DiskFailed``."""
    with writing(files, name):
        temporary = _put_beside(files, name, content)
        files.sync(temporary)
        files.rename(temporary, name)
        files.sync_folder(".")


def leave_note(files: Files, name: str, content: bytes) -> None:
    """Put a file in place in one step, as ``replace`` does for readers; a power cut may take it.

    For what nothing goes by: it costs no wait for the disk. Raises ``DiskFailed``.
    """
    with writing(files, name):
        files.rename(_put_beside(files, name, content), name)


def _put_beside(files: Files, name: str, content: bytes) -> str:
    temporary = f".{name}.new"
    discard(files, temporary)  # a crash's, or a second name of something else: not to be written into
    files.create(temporary)
    files.append(temporary, content)
    return temporary


def discard(files: Files, *names: str) -> None:
    """Take files away, those that are there; durable with the next one that is put in place. Raises ``DiskFailed``."""
    for name in names:
        with writing(files, name):
            if files.size(name) is not None:
                files.remove(name)


@contextmanager
def new_file(files: Files, name: str) -> Iterator[BufferedWriter]:
    """Write a file that must not be there yet, piece by piece; durable at the end, and gone again after any error.

    Raises ``FileExistsError``, and ``DiskFailed`` when the disk does not take it.
    """
    begun = begun_file(files, name)
    try:
        with begun as file:
            yield file
        with writing(files, name):
            files.sync(name)
            files.sync_folder(".")
    except BaseException:
        with suppress(OSError):
            files.remove(name)
        raise


def begun_file(files: Files, name: str) -> BufferedWriter:
    """Make a file that must not be there yet, and give it to write to. Closed, it is whole and not yet durable."""
    with writing(files, name):
        files.create(name)
    return BufferedWriter(_Appending(files, name), _BUFFER_BYTES)


class _Appending(RawIOBase):
    """One of the files, to write to."""

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._name = name

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        content = bytes(data)
        with writing(self._files, self._name):
            self._files.append(self._name, content)
        return len(content)


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        raise ValueError(
            f"the key `{next(name for name in names if names.count(name) > 1)}` stands twice in one object"
        )
    return found


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
