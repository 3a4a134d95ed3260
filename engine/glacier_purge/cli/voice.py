"""What is said on stderr: which of it is heard, and whether people or a log collector listen.

``--quiet``, ``--log-level`` and ``--log-format`` are looked for before the command line is parsed, because what is
wrong with it has to be said like all else.  As JSON, each line is one object with time, level and event, whoever wrote
it: a stream in front of stderr wraps what is none yet (warnings of Python, a traceback of a thread).  A plan that is to
be approved, and the question itself, are heard at every level.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LEVELS = ("debug", "info", "warning", "error")


class Voice(NamedTuple):
    """How a command speaks."""

    is_json: bool = False
    level: str = "info"


_VOICES = [Voice()]
"""The last is the one of the command that is under way."""


def level_wanted(log_level: str | None, *, quiet: bool, debug: bool) -> str:
    """The least that is heard; whichever says most wins."""
    return "debug" if debug else log_level or ("warning" if quiet else "info")


def voice_wanted(arguments: Sequence[str]) -> Voice:
    """How the command line wants to be spoken to, also one that is wrong."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    words = [part for word in options for part in (word.split("=", 1) if word.startswith("--log-") else [word])]
    values = dict(pairwise(words))
    level = values.get("--log-level")
    return Voice(
        is_json=values.get("--log-format") == "json",
        level=level_wanted(level if level in _LEVELS else None, quiet="--quiet" in options, debug="--debug" in options),
    )


@contextmanager
def speaking(voice: Voice) -> Iterator[None]:
    """Speak so for as long as this is entered."""
    before = sys.stderr
    _VOICES.append(voice)
    if voice.is_json:
        sys.stderr = cast("TextIO", _JsonLines(before, "warning"))
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
        _VOICES.pop()


def is_heard(level: str) -> bool:
    """Whether what is said at this level is wanted."""
    return _LEVELS.index(level) >= _LEVELS.index(_VOICES[-1].level)


def is_json() -> bool:
    """Whether each line is an object."""
    return _VOICES[-1].is_json


def put(text: str) -> None:
    """Say text that is safe and needs no line end, whatever the level: a plan, or a question."""
    sys.stderr.write(_as_line("info", text.strip()) if is_json() else text)
    sys.stderr.flush()


def say(level: str, message: str, as_text: str) -> None:
    """Say one message, where it is heard; ``as_text`` is what people read."""
    if is_heard(level):
        sys.stderr.write(_as_line(level, message) if is_json() else f"{as_text}\n")
        sys.stderr.flush()


def lines(level: str) -> TextIO:
    """Somewhere to write lines at a level: stderr itself where people hear them."""
    if not is_heard(level):
        return cast("TextIO", _Unheard())
    return cast("TextIO", _JsonLines(sys.stderr, level)) if is_json() else sys.stderr


def _as_line(level: str, event: str) -> str:
    import json

    from glacier_purge.clock import utc_now

    told = {"event": event, "level": level, "timestamp": utc_now().isoformat().replace("+00:00", "Z")}
    return json.dumps(told) + "\n"


class _JsonLines:
    """A text stream in front of another that makes an object of each line that is none."""

    def __init__(self, stream: TextIO, level: str) -> None:
        import threading

        self._stream = stream
        self._level = level
        self._begun = ""
        self._turn = threading.RLock()  # progress is drawn by a thread of its own

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Nothing is drawn here, and nobody is asked."""
        return False

    def write(self, text: str) -> int:
        """Write the lines that are whole; the rest waits for its end, which is where an object begins."""
        with self._turn:
            if text.startswith("{"):
                self.flush()
            *whole, self._begun = (self._begun + text).split("\n")
            for line in filter(str.strip, whole):
                self._stream.write(f"{line}\n" if _is_object(line) else _as_line(self._level, line))
        return len(text)

    def flush(self) -> None:
        """Write what has come."""
        with self._turn:
            if self._begun:
                self.write("\n")
            self._stream.flush()


def _is_object(line: str) -> bool:
    import json

    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


class _Unheard:
    """A text stream of which nothing is kept."""

    def isatty(self) -> bool:
        """Nothing is drawn here."""
        return False

    def write(self, text: str) -> int:
        """Pass it over."""
        return len(text)

    def flush(self) -> None:
        """There is nothing."""
