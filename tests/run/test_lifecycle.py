from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import AuditDamaged, UsageError
from glacier_purge.run.lifecycle import LIFECYCLE_FILE, TRANSITIONS, Event, Lifecycle, Phase

if TYPE_CHECKING:
    from pathlib import Path

TO_THE_END = [
    Event.CLEAR,
    Event.FETCHED,
    Event.PLANNED,
    Event.APPROVED,
    Event.NOT_FROZEN,
    Event.ACCOUNTED,
    Event.PROVEN,
    Event.DELETED,
]

WAY_TO: dict[Phase, list[Event]] = {
    Phase.PREFLIGHT: [],
    Phase.INVENTORY: TO_THE_END[:1],
    Phase.PLAN: TO_THE_END[:2],
    Phase.APPROVAL: TO_THE_END[:3],
    Phase.FREEZE: TO_THE_END[:4],
    Phase.PURGE: TO_THE_END[:5],
    Phase.VERIFY: TO_THE_END[:6],
    Phase.DELETE_VAULT: TO_THE_END[:7],
    Phase.DONE: TO_THE_END,
    Phase.THAW: [*TO_THE_END[:7], Event.KEPT],
}


def now() -> datetime:
    return datetime(2026, 11, 22, 15, 14, 3, tzinfo=UTC)


def at(phase: Phase, folder: Path) -> Lifecycle:
    lifecycle = Lifecycle(folder, now)
    for event in WAY_TO[phase]:
        lifecycle.advance(event)
    assert lifecycle.phase is phase
    return lifecycle


@pytest.mark.parametrize(("phase", "event"), list(product(Phase, Event)))
def test_each_event_in_each_phase_leads_where_the_table_says_or_changes_nothing(
    phase: Phase, event: Event, tmp_path: Path
) -> None:
    lifecycle = at(phase, tmp_path)
    before = (tmp_path / LIFECYCLE_FILE).read_bytes() if lifecycle.steps else b""
    if (phase, event) in TRANSITIONS:
        lifecycle.advance(event, why="test")
        assert lifecycle.phase is TRANSITIONS[phase, event]
        assert Lifecycle(tmp_path, now).steps == lifecycle.steps
    else:
        with pytest.raises(UsageError, match="can't happen"):
            lifecycle.advance(event)
        assert lifecycle.phase is phase
        assert ((tmp_path / LIFECYCLE_FILE).read_bytes() if before else b"") == before


def test_every_phase_but_the_last_leads_somewhere_and_every_phase_is_reached() -> None:
    assert {phase for phase, _ in TRANSITIONS} == set(Phase) - {Phase.DONE}
    assert set(TRANSITIONS.values()) == set(Phase) - {Phase.PREFLIGHT}


def test_what_is_left_begins_another_round(tmp_path: Path) -> None:
    lifecycle = at(Phase.VERIFY, tmp_path)
    lifecycle.advance(Event.SOMETHING_LEFT, left=3)
    assert (lifecycle.round, lifecycle.phase) == (2, Phase.INVENTORY)
    assert Lifecycle(tmp_path, now).round == 2
    assert lifecycle.fact(Event.SOMETHING_LEFT, "left") == 3
    assert lifecycle.fact(Event.DELETED, "left") is None


def test_a_step_that_a_crash_tore_was_not_made(tmp_path: Path) -> None:
    at(Phase.PURGE, tmp_path)
    file = tmp_path / LIFECYCLE_FILE
    whole = file.read_bytes()
    for cut in range(len(whole)):
        file.write_bytes(whole[:cut])
        steps = whole[:cut].count(b"\n")
        lifecycle = Lifecycle(tmp_path, now)
        assert len(lifecycle.steps) == steps
        if steps < 5:
            lifecycle.advance(TO_THE_END[steps])
            assert len(Lifecycle(tmp_path, now).steps) == steps + 1


def test_a_line_that_is_none_is_damage(tmp_path: Path) -> None:
    (tmp_path / LIFECYCLE_FILE).write_bytes(b'{"at":"x"}\n')
    with pytest.raises(AuditDamaged):
        Lifecycle(tmp_path, now)
