from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.errors import AuditDamaged, PlanRefused, UsageError
from glacier_purge.lifecycle.endings import check_round
from glacier_purge.lifecycle.phases import TRANSITIONS, Event, Phase
from glacier_purge.lifecycle.state import WAITING_FILE, _waiting
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.storage.folder import LIFECYCLE_FILE, TERMS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

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


DIGEST = "d" * 64
FACTS: dict[Event, dict[str, Any]] = {
    Event.FETCHED: {"sha256": "s" * 64},
    Event.PLANNED: {"digest": DIGEST, "vault": "arn", "endpoint": "url", "run_json": "r" * 64},
    Event.APPROVED: {"digest": DIGEST, "how": "typed", "by": "me@here"},
    Event.FROZEN: {"freeze_json": "f" * 64},
    Event.PROVEN: {"certificate": "c" * 64},
    Event.KEPT_REST: {"certificate": "c" * 64},
}
OLD = b'{"at":"2026-11-22T15:14:03Z","round":1,"phase":"preflight","event":"nothing stands against it","facts":{}}\n'


@pytest.fixture(autouse=True)
def terms(tmp_path: Path) -> None:
    (tmp_path / TERMS_FILE).write_bytes(b"{}\n")


def now() -> datetime:
    return datetime(2026, 11, 22, 15, 14, 3, tzinfo=UTC)


def at(phase: Phase, folder: Path) -> LifecycleFile:
    lifecycle = LifecycleFile(folder, now)
    for event in WAY_TO[phase]:
        lifecycle.advance(event, **FACTS.get(event, {}))
    assert lifecycle.phase is phase
    return lifecycle


@pytest.mark.parametrize(("phase", "event"), list(product(Phase, Event)))
def test_each_event_in_each_phase_leads_where_the_table_says_or_changes_nothing(
    phase: Phase, event: Event, tmp_path: Path
) -> None:
    lifecycle = at(phase, tmp_path)
    before = (tmp_path / LIFECYCLE_FILE).read_bytes() if lifecycle.steps else b""
    if (phase, event) in TRANSITIONS:
        lifecycle.advance(event, why="test", **FACTS.get(event, {}))
        assert lifecycle.phase is TRANSITIONS[phase, event]
        assert LifecycleFile(tmp_path, now).steps == lifecycle.steps
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
    assert LifecycleFile(tmp_path, now).round == 2
    assert lifecycle.fact(Event.SOMETHING_LEFT, "left") == 3
    assert lifecycle.fact(Event.DELETED, "left") is None


def test_a_step_that_a_crash_tore_was_not_made(tmp_path: Path) -> None:
    at(Phase.PURGE, tmp_path)
    file = tmp_path / LIFECYCLE_FILE
    whole = file.read_bytes()
    for cut in range(len(whole)):
        file.write_bytes(whole[:cut])
        steps = whole[:cut].count(b"\n")
        lifecycle = LifecycleFile(tmp_path, now)
        assert len(lifecycle.steps) == steps
        if steps < 5:
            lifecycle.advance(TO_THE_END[steps], **FACTS.get(TO_THE_END[steps], {}))
            assert len(LifecycleFile(tmp_path, now).steps) == steps + 1


def test_a_step_whose_sectors_a_crash_lost_was_not_made(tmp_path: Path) -> None:
    lifecycle = at(Phase.PURGE, tmp_path)
    file = tmp_path / LIFECYCLE_FILE
    begin = file.stat().st_size
    lifecycle.advance(Event.ACCOUNTED, told="x" * 1024)
    content = bytearray(file.read_bytes())
    sector = -(-begin // 512) * 512
    content[sector : sector + 512] = bytes(512)
    file.write_bytes(content)
    lifecycle = LifecycleFile(tmp_path, now)
    assert lifecycle.phase is Phase.PURGE
    lifecycle.advance(Event.ACCOUNTED)
    assert LifecycleFile(tmp_path, now).phase is Phase.VERIFY
    assert b"\0" not in file.read_bytes()


def spoilt(name: str, lines: list[bytes]) -> list[bytes]:
    """The lines of a whole file with one thing wrong in them."""
    forged = json.loads(lines[-1]) | {"prev": hashlib.sha256(lines[-1]).hexdigest()}
    match name:
        case "none":
            return [b'{"at":"x"}\n', *lines[1:]]
        case "empty line":
            return [lines[0], b"\n", *lines[1:]]
        case "dropped":
            return [*lines[:2], *lines[3:]]
        case "first dropped":
            return lines[1:]
        case "swapped":
            return [lines[0], lines[2], lines[1], *lines[3:]]
        case "doubled":
            return [*lines[:2], lines[1], *lines[2:]]
        case "reworded":
            return [lines[0].replace(b"15:14:03", b"15:14:04"), *lines[1:]]
        case "repeated with a right prev":
            return [*lines, json.dumps(forged).encode() + b"\n"]
    raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    [
        "none",
        "empty line",
        "dropped",
        "first dropped",
        "swapped",
        "doubled",
        "reworded",
        "repeated with a right prev",
    ],
)
def test_steps_that_do_not_follow_each_other_are_damage_and_the_line_is_named(name: str, tmp_path: Path) -> None:
    at(Phase.PURGE, tmp_path)
    file = tmp_path / LIFECYCLE_FILE
    file.write_bytes(b"".join(spoilt(name, file.read_bytes().splitlines(keepends=True))))
    before = file.read_bytes()
    with pytest.raises(AuditDamaged) as damaged:
        LifecycleFile(tmp_path, now)
    assert damaged.value.exit_code == 4
    assert damaged.value.file in {str(file), str(tmp_path / TERMS_FILE)}
    assert damaged.value.record is not None or damaged.value.file.endswith(TERMS_FILE)
    assert file.read_bytes() == before


@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: file.write_bytes(b"{ }\n")])
@pytest.mark.parametrize("steps", [Phase.INVENTORY, Phase.PURGE])
def test_terms_that_are_lost_or_edited_are_damage(spoil: Callable[[Path], None], steps: Phase, tmp_path: Path) -> None:
    at(steps, tmp_path)
    spoil(tmp_path / TERMS_FILE)
    with pytest.raises(AuditDamaged, match=r"terms\.json"):
        LifecycleFile(tmp_path, now)


@pytest.mark.parametrize("left", ["round-1", "freeze.json", "waiting.json"])
@pytest.mark.parametrize("content", [None, b"", b'{"prev'])
def test_steps_that_are_lost_are_not_begun_anew(left: str, content: bytes | None, tmp_path: Path) -> None:
    (tmp_path / left).mkdir()
    if content is not None:
        (tmp_path / LIFECYCLE_FILE).write_bytes(content)
    with pytest.raises(AuditDamaged, match=f"holds no step, and {left} is there"):
        LifecycleFile(tmp_path, now)


def test_an_approval_of_another_plan_is_no_step_even_with_a_right_prev(tmp_path: Path) -> None:
    lifecycle = at(Phase.APPROVAL, tmp_path)
    with pytest.raises(UsageError, match="it approves digest eeee"):
        lifecycle.advance(Event.APPROVED, digest="e" * 64, how="typed", by="me@here")
    file = tmp_path / LIFECYCLE_FILE
    last = file.read_bytes().splitlines(keepends=True)[-1]
    forged = {
        "prev": hashlib.sha256(last).hexdigest(),
        "at": "2026-11-22T15:14:03Z",
        "round": 1,
        "phase": "approval",
        "event": "approved",
        "facts": {"digest": "e" * 64, "how": "typed", "by": "nobody"},
    }
    with file.open("ab") as lines:
        lines.write(json.dumps(forged).encode() + b"\n")
    with pytest.raises(AuditDamaged, match="record 3: it approves digest eeee"):
        LifecycleFile(tmp_path, now)


def test_what_an_earlier_version_wrote_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / LIFECYCLE_FILE).write_bytes(OLD)
    with pytest.raises(UsageError, match="Finish with the version that began it") as refused:
        LifecycleFile(tmp_path, now)
    assert (refused.value.exit_code, (tmp_path / LIFECYCLE_FILE).read_bytes()) == (2, OLD)


@pytest.mark.parametrize("event", sorted(FACTS))
def test_a_step_says_what_it_settled(event: Event, tmp_path: Path) -> None:
    phase = next(phase for phase, known in TRANSITIONS if known is event)
    lifecycle = at(phase, tmp_path)
    name = next(iter(FACTS[event]))
    with pytest.raises(UsageError, match="does not say its"):
        lifecycle.advance(event, **{fact: said for fact, said in FACTS[event].items() if fact != name})
    assert lifecycle.phase is phase


@pytest.mark.parametrize(
    ("here", "named"), [(".", "round-1"), (".", "round-1/audit/.."), ("round-1", "."), ("round-1/audit", "..")]
)
def test_a_round_of_an_abandoned_lifecycle_is_known_however_it_is_named(
    here: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(Phase.PURGE, tmp_path).advance(Event.ABANDONED, by="me@here")
    (tmp_path / "round-1/audit").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    with pytest.raises(PlanRefused, match=r"was abandoned at .* by me@here: nothing more is sent for it, ever"):
        check_round(Path(named))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in {Phase.PREFLIGHT, Phase.DONE}])
def test_a_round_is_not_sent_by_hand_before_its_lifecycle_sends_it(phase: Phase, tmp_path: Path) -> None:
    at(phase, tmp_path)
    (tmp_path / "round-1").mkdir()
    if phase in {Phase.INVENTORY, Phase.PLAN, Phase.APPROVAL, Phase.FREEZE}:
        with pytest.raises(PlanRefused, match=rf"stands before its purge \({phase.value}\)"):
            check_round(tmp_path / "round-1")
    else:
        check_round(tmp_path / "round-1")


@pytest.mark.parametrize("left", [b"", bytes(200)])
def test_a_note_that_a_power_cut_took_is_no_note(left: bytes, tmp_path: Path) -> None:
    (tmp_path / WAITING_FILE).touch(mode=0o600)
    (tmp_path / WAITING_FILE).write_bytes(left)
    assert _waiting(tmp_path, Phase.INVENTORY, 1) is None
