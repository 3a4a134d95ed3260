"""Asks a person for a one-time code, where there is a terminal with a person at it, and no longer than for a while.

A process that reads a terminal from its background is stopped by the system as a whole, and one that waits for a line
waits for ever.  So it is looked first whether this process has the terminal, and a line is read when one is there.  The
code is shown as it is typed: it is worth nothing a moment later, and there is nothing to be put back when the process
is ended meanwhile.
"""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TERMINAL = "/dev/tty"
_LOOK_SECONDS = 0.25
_LINE_BYTES_MAX = 1024


class NotAnsweredError(Exception):
    """Nobody gave a code; the message says why, as the end of a sentence."""


def asked_at_terminal(
    prompt: str, *, seconds: float, given_up: Callable[[], bool] = lambda: False, terminal: str = TERMINAL
) -> str:
    """Ask at the process's terminal and return the line. Blocks, so it is called in a thread of its own.

    Raises ``NotAnsweredError`` where there is no terminal, nobody types anything in time, or ``given_up`` says so.
    """
    try:
        opened = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    except OSError as fault:
        raise NotAnsweredError("there is no terminal to ask at") from fault
    try:
        _check_foreground(opened)
        os.write(opened, f"\n{prompt}".encode())
        until = time.monotonic() + seconds
        while not select.select([opened], [], [], _LOOK_SECONDS)[0]:
            if time.monotonic() >= until or given_up():
                raise NotAnsweredError(f"nobody typed one within {seconds:,.0f} s")
        _check_foreground(opened)
        line = os.read(opened, _LINE_BYTES_MAX).decode(errors="replace").strip()
    finally:
        os.close(opened)
    if not line:
        raise NotAnsweredError("an empty line was typed")
    return line


def can_ask(terminal: str = TERMINAL) -> bool:
    """Tell whether this process has a terminal and is in its foreground."""
    try:
        opened = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        _check_foreground(opened)
    except NotAnsweredError:
        return False
    finally:
        os.close(opened)
    return True


def _check_foreground(terminal: int) -> None:
    try:
        has_it = os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError as fault:
        raise NotAnsweredError("this process has no terminal of its own to ask at") from fault
    if not has_it:
        raise NotAnsweredError("this process is in the background of its terminal and cannot ask there")
