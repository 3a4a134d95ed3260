"""The numbers of a run are the ledger's, and add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.record import Note, Outcome
from glacier_purge.report.summary import progress, summarise
from tests.plan.archives import archive, plan_of, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan

TS = "2026-11-22T12:00:00.000Z"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_of(snapshot(tmp_path / "run", [archive(number, size_bytes=10) for number in range(7)]))


def outcome(ordinal: int, kind: str, **facts: object) -> Outcome:
    return Outcome(ordinal=ordinal, archive_id="A" * 138, size=10, outcome=kind, **facts)  # type: ignore[arg-type]  # facts of one record


def ledger() -> Ledger:
    """Six records of ten: two processes, of which the first died."""
    kept = Ledger(10)
    kept.apply([Note("released", {"first": 0, "last": 3}), outcome(0, "deleted", attempts=1)], ts=TS, epoch=1)
    kept.apply(
        [
            outcome(1, "deleted", attempts=2, redelete=True),
            outcome(2, "failed", attempts=3, code="Odd"),
            outcome(7, "skipped"),
            outcome(8, "duplicate"),
            outcome(9, "invalid"),
            Note("telemetry", {"attempts": 8, "throttled": 2, "active_seconds": 4.0}),
        ],
        ts=TS,
        epoch=2,
    )
    return kept


def test_a_report_has_the_ledgers_numbers() -> None:
    report = summarise(ledger(), inventory=10, selected=7, run_dir="run")
    assert msgspec.to_builtins(report.as_result()) == {
        "result": "purge",
        "format": 1,
        "inventory": 10,
        "selected": 7,
        "deleted": 2,
        "failed": 1,
        "skipped": 1,
        "invalid": 1,
        "duplicates": 1,
        "throttled": 2,
        "attempts": 9,
        "redeleted": 1,
        "seconds": 4.0,
        "deletes_per_second": 0.5,
        "run_dir": "run",
    }
    assert (report.accounted, report.complete) == (6, False)


def test_a_report_is_complete_when_every_record_has_its_outcome() -> None:
    kept = ledger()
    kept.apply([outcome(ordinal, "skipped") for ordinal in (3, 4, 5, 6)], ts=TS, epoch=2)
    assert summarise(kept, inventory=10, selected=7, run_dir="run").complete


def test_a_run_that_did_not_begin_has_no_rate() -> None:
    report = summarise(Ledger(0), inventory=10, selected=7, run_dir="run")
    assert (report.deleted, report.seconds, report.deletes_per_second, report.complete) == (0, 0.0, 0.0, False)


def test_what_was_deleted_since_a_process_said_how_long_it_works_took_time_as_well() -> None:
    """Seen: 698.6 deletes a second at a cap of 60, as the seconds were told ten seconds before the count."""
    kept = Ledger(1_000)
    kept.apply([Note("telemetry", {"active_seconds": 1.0})], ts="2026-11-22T12:00:00.000Z", epoch=1)
    kept.apply([outcome(n, "deleted", attempts=1) for n in range(600)], ts="2026-11-22T12:00:09.000Z", epoch=1)
    assert summarise(kept, inventory=1_000, selected=1_000, run_dir="run").deletes_per_second == 60.0
    kept.apply([Note("telemetry", {"active_seconds": 2.0})], ts="2026-11-22T13:00:00.000Z", epoch=2)
    assert kept.active_seconds == 12.0, "a killed process's last seconds count as well"


@pytest.mark.parametrize(
    ("facts", "left"),
    [
        ({}, None),
        ({"accepted_per_second": 0.0}, None),
        ({"accepted_per_second": 2.0}, 2.0),
        ({"accepted_per_second": 2.0, "steady": True}, 2.0),
        ({"accepted_per_second": 2.0, "steady": False}, None),
        ({"accepted_per_second": 2.0, "paused_by": ["operator"]}, None),
    ],
)
def test_what_is_left_takes_as_long_as_the_rate_says(facts: dict[str, object], left: float | None, plan: Plan) -> None:
    moment = progress(ledger(), facts | {"why": "x"}, plan)
    assert (moment.deleted, moment.failed, moment.why) == (2, 1, "x")
    assert (moment.deleted_bytes, moment.selected_bytes, moment.elapsed_seconds) == (20, 70, 4.0)
    assert moment.remaining_seconds == left


def test_in_a_pause_nothing_moves(plan: Plan) -> None:
    moment = progress(ledger(), {"accepted_per_second": 32.0, "paused_by": ["operator"], "why": "x"}, plan)
    assert moment.rate_per_second is None


def test_a_finished_run_waits_for_nothing(plan: Plan) -> None:
    kept = ledger()
    kept.apply([Note("finished", {})], ts=TS, epoch=2)
    assert progress(kept, {"why": "limited by something"}, plan).why.startswith("done")
