"""Long work is drawn while it is done, by whatever verb, and nothing is drawn into what comes after it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from glacier_purge.cli import working
from glacier_purge.cli.working import works_on_stderr, works_shown
from glacier_purge.long_work import long_work, undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.report.works import WorkView


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "_EVERY_SECONDS", 0.01)


def until(shown: list[int], least: int) -> None:
    """Keep this thread busy, as reading a log does, until so much was drawn."""
    given_up = time.monotonic() + 5
    while len(shown) < least:
        assert time.monotonic() < given_up, "nothing is drawn"


def test_it_is_drawn_again_and_again_although_the_work_leaves_nobody_a_turn() -> None:
    shown: list[int] = []

    def show(works: Sequence[WorkView]) -> None:
        shown.append(len(works))

    with works_shown(show):
        with long_work("outer"):
            until(shown, 3)
            with long_work("inner"):
                shown.clear()
                until(shown, 2)
                assert shown[-1] == 2
            with undisturbed():
                assert shown[-1] == 0, "the terminal is free before anybody is asked"
                seen = len(shown)
                time.sleep(0.05)
                assert len(shown) == seen
            until(shown, seen + 1)
        assert shown[-1] == 0, "the terminal is free before anything else is printed"
        seen = len(shown)
        time.sleep(0.05)
        assert len(shown) == seen


def test_what_an_error_left_behind_is_taken_away_at_the_end() -> None:
    shown: list[int] = []
    with works_shown(lambda works: shown.append(len(works))):
        left = long_work("reading")
        left.__enter__()
        until(shown, 1)
    assert shown[-1] == 0


def test_verbs_show_it_on_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glacier_purge.report.works._SEEN_AFTER_SECONDS", 0.02)
    with works_on_stderr(), long_work("reading inventory.json", total=10) as work:
        work.add(5)
        time.sleep(0.2)
    told, ended = capsys.readouterr().err.splitlines()
    assert told.partition(" ")[2].startswith("reading inventory.json: 5 records of 10 records (50.0%), 0 s so far")
    assert ended.partition(" ")[2].startswith("reading inventory.json took ")
