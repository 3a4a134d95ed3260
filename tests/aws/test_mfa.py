"""A code is asked for where this process has a terminal and a person is at it, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from glacier_purge.aws.mfa import NotAnsweredError, asked_at_terminal

if TYPE_CHECKING:
    from pathlib import Path

_CHILD = """
import fcntl, os, sys, termios
from glacier_purge.aws.mfa import NotAnsweredError, asked_at_terminal

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv[2] == "background" and os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
if sys.argv[2] == "background":
    os.setpgid(0, 0)
try:
    print(asked_at_terminal("Code: ", seconds=float(sys.argv[1])))
except NotAnsweredError as why:
    print(why)
"""


def asked(typed: str, *, seconds: float = 30.0, place: str = "foreground") -> tuple[str, str]:
    """Ask in a process that has a terminal; give what the terminal showed and what was answered."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(seconds), place],
            stdin=theirs,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, typed.encode())
        answer, _ = process.communicate(timeout=30)
        shown = os.read(ours, 4096).decode() if answer else ""
    finally:
        os.close(ours)
    return shown, answer.strip()


def test_a_code_is_read_from_the_terminal_and_not_from_standard_output() -> None:
    shown, answer = asked("123456\n")
    assert "Code: " in shown
    assert answer == "123456"


@pytest.mark.parametrize(
    ("typed", "seconds", "place", "why"),
    [
        ("", 0.3, "foreground", "nobody typed one within 0 s"),
        ("\n", 30.0, "foreground", "an empty line was typed"),
        ("123456\n", 30.0, "background", "this process is in the background of its terminal and cannot ask there"),
    ],
)
def test_where_nobody_answers_it_is_said(typed: str, seconds: float, place: str, why: str) -> None:
    assert asked(typed, seconds=seconds, place=place)[1] == why


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(NotAnsweredError, match="there is no terminal to ask at"):
        asked_at_terminal("Code: ", seconds=30.0, terminal=str(tmp_path / "tty"))


def test_another_ones_terminal_is_not_asked_at() -> None:
    ours, theirs = pty.openpty()
    try:
        with pytest.raises(NotAnsweredError, match="no terminal of its own"):
            asked_at_terminal("Code: ", seconds=30.0, terminal=os.ttyname(theirs))
    finally:
        os.close(ours)
        os.close(theirs)
