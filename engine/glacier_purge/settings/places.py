"""The files that settings lie in: a company's, a user's, and one that is named; and in which line each of them stands.

The first two are read without being named, and all three decide what may be deleted and which programs are started.  So
each has to be root's or the user's own, and nobody else's to write: like ssh, and for its reason.  A file that is there
and can't be read is refused; only one that is not there says nothing.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier_purge.errors import ConfigurationFailed, NotOurs
from glacier_purge.storage.given_file import GivenFileWrong, as_text, open_given, parsed_toml, read_whole
from glacier_purge.storage.ownership import check_writable_by_us_alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPANY_FILE = Path("/etc/glacier-purge.toml")
"""Read by everybody on this host. No variable moves it: what it denies would be a matter of the environment."""
_NAME = "glacier-purge.toml"
_LINES_MAX = 2_000
"""Of a longer file no lines are told; finding them takes the square of their number."""


def user_file() -> Path | None:
    """Where a user's own settings lie, by the XDG Base Directory Specification; None for who has no home."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if named.is_absolute():
        return named / _NAME
    try:
        return Path.home() / ".config" / _NAME
    except RuntimeError:
        return None


def is_there(file: Path) -> bool:
    """Tell whether there is a file, also one that can't be read. Raises ``ConfigurationFailed`` where none can say."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigurationFailed(
            f"nobody can say whether there is a settings file {file}: {error.strerror}. Nothing was sent."
        ) from error
    return True


def read_settings_file(file: Path) -> tuple[dict[str, Any], str]:
    """The document in a settings file, and its text. Raises ``ConfigurationFailed``, also for a file in which others
    have a hand."""
    try:
        with open_given(file) as opened:
            check_writable_by_us_alone(file, os.fstat(opened.fileno()))
            text = as_text(read_whole(opened))
        return parsed_toml(text), text
    except GivenFileWrong as error:
        raise ConfigurationFailed(f"settings file {file}: {error}.") from error
    except NotOurs as error:
        raise ConfigurationFailed(f"settings file {error}") from error


def line_of(path: tuple[str, ...], text: str) -> int | None:
    """The line (from 1) in which a setting begins; None where that can't be told.

    The parser itself says it, though it tells no lines: a setting begins behind the longest beginning of the text that
    is a document without it.
    """
    lines = text.splitlines(keepends=True)
    if len(lines) > _LINES_MAX:
        return None
    begins = 1
    for number in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("".join(lines[:number]))
        except tomllib.TOMLDecodeError:  # in the middle of a list, or of a text
            continue
        if path in set(_settings_in(document)):
            return begins
        begins = number + 1
    return None


def _settings_in(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for section, values in document.items():
        yield (section,)
        if isinstance(values, dict):
            yield from ((section, name) for name in values)
