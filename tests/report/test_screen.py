"""What is drawn is as wide as the terminal it is drawn on, whatever the environment says, also when that changes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from glacier_purge.report.fleet import Row
from glacier_purge.report.live import LiveDisplay, LiveFleet, fit
from glacier_purge.report.summary import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator


_DRAWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """A pseudo-terminal; ``widest`` is the longest line drawn since it was last asked."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8")

    def resize(self, columns: int, lines: int = 40) -> None:
        fcntl.ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def widest(self) -> int:
        self.stream.flush()
        drawn = b""
        while select.select([self._master], [], [], 0.2)[0]:
            drawn += os.read(self._master, 1 << 16)
        return max(len(_DRAWN.sub("", line)) for line in drawn.decode().splitlines())

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.setenv("TERM", "vt100")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen()
    try:
        yield screen
    finally:
        screen.close()


def test_a_fleets_table_is_as_wide_as_its_terminal(screen: Screen) -> None:
    rows = [Row(vault="photos", where="123456789012 us-east-1", phase="verify", standing="word " * 50)]
    screen.resize(160)
    table = LiveFleet(screen.stream)
    table.show(rows)  # not begun: nothing is drawn
    with table:
        table.show(rows)
        assert screen.widest() == 160
        screen.resize(120)
        table.show(rows)
        assert screen.widest() == 120


def test_progress_is_as_wide_as_its_terminal(screen: Screen) -> None:
    moment = Progress(
        selected=10,
        deleted=5,
        failed=0,
        rate_per_second=1.0,
        limit_per_second=None,
        in_flight=1,
        waiting=0,
        throttled=0,
        why="",
    )
    screen.resize(160)
    with LiveDisplay(screen.stream, now=lambda: datetime(2026, 11, 23, tzinfo=UTC)) as display:
        display.show(moment)
        assert screen.widest() == 160


def test_what_is_no_terminal_or_has_no_size_is_left_to_rich(screen: Screen) -> None:
    for stream in (StringIO(), screen.stream):
        console = Console(file=stream, width=33)
        screen.resize(0, 0)
        fit(console, stream)
        assert console.width == 33
