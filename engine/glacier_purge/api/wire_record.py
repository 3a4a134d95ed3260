"""The file that ``--record-wire`` makes: begun once for a process, and given up when the disk does not take it."""

from __future__ import annotations

import logging
from importlib.metadata import version
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from glacier_purge.clock import utc_now
from glacier_purge.errors import DiskFailed
from glacier_purge.glacier.recording import FORMAT, Recording
from glacier_purge.storage.new_file import add_line, begin_file

if TYPE_CHECKING:
    from pathlib import Path

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))
_PROCESS = token_hex(8)
"""Stands in the first line, so that a command may open its record twice and none goes on with another's."""


def begun(path: Path) -> Recording:
    """Begin a record, or go on with the one of this process. Raises ``UsageError`` for any other file."""
    head = {"result": "wire", "format": FORMAT, "tool": version("glacier-purge"), "process": _PROCESS}
    begin_file(path, msgspec.json.encode(head))
    return Recording(_Record(path).write, utc_now)


class _Record:
    """A record that was begun. It never stands in a purge's way: when the disk is full, it ends and that is said."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._has_ended = False

    def write(self, line: bytes) -> None:
        """Keep one more line, if the disk takes it."""
        if not self._has_ended:
            try:
                add_line(self._path, line)
            except DiskFailed as failed:
                self._has_ended = True
                _log.warning("wire.record_ended", because=str(failed))
