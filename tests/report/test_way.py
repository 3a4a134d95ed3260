"""A lifecycle's way: what is done with what came of it, what is done now, what comes next and when."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.steps import Step
from glacier_purge.report.displays import display
from glacier_purge.report.way import way

if TYPE_CHECKING:
    import pytest

AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def step(phase: Phase, event: Event, number: int = 1, **facts: object) -> Step:
    return Step(prev="x", at="2026-11-23T01:02:03Z", round=number, phase=phase, event=event, facts=facts)


STEPS = [
    step(Phase.PREFLIGHT, Event.CLEAR, findings=18),
    step(Phase.INVENTORY, Event.FETCHED, job="j", records=3_000_000, sha256="f" * 64),
    step(Phase.INVENTORY, Event.ALLOWED),
    step(Phase.PLAN, Event.PLANNED, digest="d" * 64, archives=2_400_000, run_dir="somewhere"),
]


def test_each_phase_says_what_came_of_it_or_when_it_comes() -> None:
    seen = way("photos", STEPS, Phase.APPROVAL, 1, now_told="waiting for somebody", until=AT)
    assert seen.title == "photos"
    assert [line.cells for line in seen.phases] == [
        ("done", "preflight", "nothing stands against it (findings 18)", "2026-11-23 01:02:03"),
        ("done", "inventory", "inventory fetched (records 3,000,000)", "2026-11-23 01:02:03"),
        ("done", "plan", "planned (archives 2,400,000)", "2026-11-23 01:02:03"),
        ("now", "approval", "waiting for somebody", "next look 2026-11-23 01:02:03"),
        ("next", "freeze", "", ""),
        ("next", "purge", "", "hours to days"),
        ("next", "verify", "", "a day or two later"),
        ("next", "delete vault", "", ""),
        ("next", "thaw", "", ""),
    ]


def test_another_round_begins_with_its_inventory_and_the_preflight_stays_done() -> None:
    left = step(Phase.VERIFY, Event.SOMETHING_LEFT)
    seen = way("photos", [*STEPS, left], Phase.INVENTORY, 2)
    assert seen.title == "photos, round 2"
    assert [line.standing.value for line in seen.phases] == ["done", "now"] + ["next"] * 7


def test_at_its_end_only_what_was_done_is_there() -> None:
    seen = way("photos", [*STEPS[:2], step(Phase.PLAN, Event.NOTHING_LISTED)], Phase.DONE, 1)
    assert [line.phase for line in seen.phases] == ["preflight", "inventory", "plan"]
    assert {line.standing.value for line in seen.phases} == {"done"}


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_screen_for_all_of_it_and_makes_room_for_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "vt100")
    stream = Terminal()
    with display(stream, plain_every_seconds=10.0, now=lambda: AT) as screen:
        assert screen.is_drawn
        screen.show_way(way("photos", STEPS, Phase.APPROVAL, 1))
        with screen.aside():
            screen.show_way(way("photos", STEPS, Phase.APPROVAL, 1, now_told="overdrawn"))
            stream.write("a question\n")
        screen.show_way(way("photos \x1b[2J", STEPS, Phase.FREEZE, 1, now_told="\x1b[2J"))
    before, _, after = stream.getvalue().partition("a question\n")
    assert "2,400,000" in before
    assert "overdrawn" not in before
    assert "\x1b[1A" not in after.partition("photos")[0], "the next picture begins below the question"
    assert "\x1b[2J" not in stream.getvalue()


def test_elsewhere_steps_are_told_one_by_one() -> None:
    stream = StringIO()
    with display(stream, plain_every_seconds=10.0, now=lambda: AT) as screen, screen.aside():
        assert not screen.is_drawn
        screen.show_way(way("photos", STEPS, Phase.APPROVAL, 1))
    assert not stream.getvalue()
