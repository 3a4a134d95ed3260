from __future__ import annotations

import json
import os
import pty
import sys
import termios
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.cli.output import OutputFormat, as_text, print_result
from glacier_purge.report.results.result import UNSET, Result, UnsetType

if TYPE_CHECKING:
    import pytest


class Told(Result, frozen=True, kw_only=True, tag="told"):
    why: str
    description: str | UnsetType = UNSET


class Nothing(Result, frozen=True, kw_only=True, tag="nothing"):
    pass


RESULT = {"vault": "photos\x1b[2J", "deleted": 1_234_567, "seconds": 12.345, "resumed": True, "region": None}


def test_json_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(Told(why="photos\x1b[2J", description="写真"), OutputFormat.JSON)
    printed = capsys.readouterr()
    assert printed.out.isascii()
    assert printed.out.count("\n") == 1
    assert json.loads(printed.out) == {
        "result": "told",
        "format": 1,
        "why": "photos\x1b[2J",
        "description": "写真",
    }
    assert printed.err == ""


def test_text_leaves_out_what_only_programs_want(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(Told(why="done"), OutputFormat.TEXT)
    assert capsys.readouterr().out == "why  done\n"


def test_text_is_aligned_and_safe() -> None:
    assert as_text(RESULT) == ("vault    photos\\x1b[2J\ndeleted  1,234,567\nseconds  12.3\nresumed  yes\nregion   -")


def test_a_list_is_named_one_by_one_and_none_is_a_dash() -> None:
    assert as_text({"by": ["anna", "bert\n"], "refused": []}) == "by       anna, bert\\n\nrefused  -"


def test_nothing_to_say_is_an_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(Nothing(), OutputFormat.TEXT)
    assert capsys.readouterr().out == "\n"


def test_on_a_terminal_a_result_is_broken_to_fit_and_json_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 40))
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours, "rb") as screen:
        monkeypatch.setattr(sys, "stdout", terminal)
        result = Told(why="somebody paused it and went away for the rest of the day")
        print_result(result, OutputFormat.TEXT)
        print_result(result, OutputFormat.JSON)
        shown = [screen.readline().decode().rstrip("\r\n") for _ in range(3)]
    assert shown == [
        "why  somebody paused it and went away",
        "     for the rest of the day",
        json.dumps(msgspec.to_builtins(result)),
    ]
