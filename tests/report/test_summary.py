"""The numbers of a run are the ledger's, and add up."""

from __future__ import annotations

import msgspec
import pytest

from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.record import Note, Outcome
from glacier_purge.report.summary import progress, summarise

TS = "2026-11-22T12:00:00.000Z"


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


@pytest.mark.parametrize(("rate", "left"), [(None, None), (0.0, None), (2.0, 2.0)])
def test_what_is_left_takes_as_long_as_the_rate_says(rate: float | None, left: float | None) -> None:
    moment = progress(ledger(), {"accepted_per_second": rate, "why": "x"}, selected=7)
    assert (moment.deleted, moment.failed, moment.why) == (2, 1, "x")
    assert moment.remaining_seconds == left


def test_a_finished_run_waits_for_nothing() -> None:
    kept = ledger()
    kept.apply([Note("finished", {})], ts=TS, epoch=2)
    assert progress(kept, {"why": "limited by something"}, selected=7).why.startswith("done")
