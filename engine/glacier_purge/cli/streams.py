"""What a command may say to, made so that nobody can end a run by not listening.

A purge goes on for days; the terminal it was started from is closed, the pipe its messages go through ends, or it was
started with descriptors closed.  stderr therefore loses what it can't write, and descriptors 0 to 2 are always
something: otherwise the next file opened, the audit log perhaps, would be what a library's warnings are written to.
Results on stdout are another matter (``output``).
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def dependable_streams() -> Iterator[None]:
    """Let nothing that is written to stderr fail for as long as this is entered; who has no stdin, has an empty one."""
    _fill_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    nowhere = open(os.devnull, "r+", encoding="utf-8")  # noqa: PTH123, SIM115 - a device, closed below
    sys.stdin = sys.stdin or nowhere
    sys.stdout = sys.stdout or nowhere
    sys.stderr = cast("TextIO", _Unbreakable(sys.stderr or nowhere))
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        nowhere.close()


class _Unbreakable:
    """A text stream whose reader may go away: what can't be written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, if anybody is there."""
        try:
            return self._stream.write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Flush, if anybody is there."""
        try:
            self._stream.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """Let everything from now on go nowhere, also what Python flushes at its end."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def _fill_closed_descriptors() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
