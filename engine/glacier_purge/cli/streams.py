"""What a command may say to, made so that nobody can end a run by not listening.

A purge goes on for days; the terminal it was started from is closed, the pipe its messages go through ends, or it was
started with descriptors closed.  stderr therefore loses what it can't write, and descriptors 0 to 2 are always
something: otherwise the next file opened, the audit log perhaps, would be what a library's warnings are written to.
Results on stdout are another matter: what they can't be written to is an error of its own, which ``output`` passes over
where a run has more to tell than its result.  A character that a terminal can't show is shown as its number.
"""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, cast

from glacier_purge.errors import GlacierPurgeError, HostFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OutputClosed(GlacierPurgeError):
    """Whatever read the result went away, as ``head`` does when it has seen enough."""

    exit_code = 141


@contextmanager
def dependable_streams() -> Iterator[None]:
    """Let nothing that is written to stderr fail for as long as this is entered; who has no stdin, has an empty one.

    Writing to stdout raises ``OutputClosed``, and ``HostFailed`` where there is no room, say.
    """
    _fill_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    nowhere = open(os.devnull, "r+", encoding="utf-8")  # noqa: PTH123, SIM115 - a device, closed below
    sys.stdin = sys.stdin or nowhere
    sys.stdout = cast("TextIO", _Watched(sys.stdout or nowhere, _not_printed))
    sys.stderr = cast("TextIO", _Watched(sys.stderr or nowhere, _lost))
    try:
        with _any_character(before[1]), _any_character(before[2]):
            yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        nowhere.close()


@contextmanager
def _any_character(stream: TextIO | None) -> Iterator[None]:
    """Have characters that ``stream`` can't encode written as their numbers, where that can be set."""
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    errors = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(errors=errors)


_HELD_LINES_MAX = 1_000
"""Of what is said while somebody thinks about a plan, perhaps for days, the last so many lines are kept."""


@contextmanager
def held_back() -> Iterator[None]:
    """Have nothing written to stderr while somebody is asked there; what was said meanwhile comes after the answer."""
    stream = sys.stderr
    held = _Held(stream)
    sys.stderr = cast("TextIO", held)
    try:
        yield
    finally:
        sys.stderr = stream
        stream.write("".join(held.said))
        stream.flush()


class _Held:
    """A text stream that keeps what is written to it; all else is as at the one in whose place it stands."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.said: deque[str] = deque(maxlen=_HELD_LINES_MAX)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Keep it."""
        self.said.append(text)
        return len(text)

    def flush(self) -> None:
        """Keep it still."""


async def typed_line() -> str:
    """The next line that is typed on the terminal; signals are heard until then."""
    import anyio

    await anyio.wait_readable(sys.stdin)
    return sys.stdin.readline()


class _Watched:
    """A text stream whose reader may go away, or whose disk may fill; ``failed`` is told so, once."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._failed = failed

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, if anybody is there."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Flush, if anybody is there."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Let everything from now on go nowhere, also what Python flushes at its end."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        self._failed(error)


def _lost(_: OSError) -> None:
    """What can't be told is lost."""


def _not_printed(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        raise OutputClosed("whatever read the output went away") from error
    raise HostFailed(f"the result could not be printed: {error.strerror}") from error


def _fill_closed_descriptors() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
