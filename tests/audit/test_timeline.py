from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.record import Record, make_note
from glacier_purge.audit.timeline import BEATS_MAX, FAILED_MAX, NOBODY, SAYINGS_MAX, UNTOLD, Timeline
from tests.audit.logs import outcome

PLACES = 100_000


def at(second: int) -> str:
    return f"2026-11-{1 + second // 86_400:02}T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"


def beat(cause: str | None = "at_limit", event: str = "telemetry", **facts: Any) -> Record:
    told = {"active_seconds": 0.0, "throttled": 0, "server_faults": 0, "limit_per_second": 100.0, "p99_ms": 50.0}
    return make_note(event, told | facts | ({} if cause is None else {"cause": cause}))


def timeline_of(*commits: tuple[int, int, list[Record]]) -> Timeline:
    ledger = Ledger(PLACES)
    for second, epoch, records in commits:
        ledger.apply(records, ts=at(second), epoch=epoch)
    assert ledger.timeline is not None
    return ledger.timeline


def test_a_point_counts_the_outcomes_before_it_in_its_own_commit_and_none_behind() -> None:
    timeline = timeline_of((0, 1, [outcome(0), outcome(1), beat(), outcome(2)]), (5, 1, [beat()]))
    assert [each.deleted for each in timeline.beats] == [2, 3]


def test_totals_go_on_over_processes_and_the_gap_between_them_is_nobody_s() -> None:
    timeline = timeline_of(
        (0, 1, [beat(throttled=0, active_seconds=0.0)]),
        (10, 1, [outcome(0), beat("throttled", throttled=7, active_seconds=10.0)]),
        (12, 1, [outcome(1)]),  # killed after this
        (100, 2, [beat("first_delete", throttled=0, active_seconds=0.5)]),
        (110, 2, [outcome(2), beat(throttled=2, active_seconds=10.5)]),
    )
    assert [(each.epoch, each.deleted, each.throttled, each.active_seconds) for each in timeline.beats] == [
        (1, 0, 0, 0.0),
        (1, 1, 7, 10.0),
        (2, 2, 7, 12.5),  # until its last deletion the killed one worked
        (2, 3, 9, 22.5),
    ]
    assert {cause: (held.seconds, held.deleted, held.throttled) for cause, held in timeline.held.items()} == {
        "at_limit": (10.0, 1, 7),
        NOBODY: (90.0, 1, 0),
        "first_delete": (10.0, 1, 2),
    }
    assert timeline.held[NOBODY].since == at(10)


def test_a_log_that_names_no_cause_is_not_guessed_at() -> None:
    timeline = timeline_of((0, 1, [beat(None)]), (5, 1, [beat(None)]))
    assert list(timeline.held) == [UNTOLD]


def test_many_points_are_thinned_and_what_they_add_up_to_is_not() -> None:
    commits = []
    for second in range(3 * BEATS_MAX):
        epoch = 1 + second // 1_000
        facts: dict[str, Any] = {"active_seconds": float(second % 1_000), "p99_ms": 900.0 if second == 1_501 else 50.0}
        commits.append((second, epoch, [outcome(second), beat("window" if second % 3 else "at_limit", **facts)]))
    timeline = timeline_of(*commits)
    assert BEATS_MAX // 2 <= len(timeline.beats) <= BEATS_MAX
    assert sum(held.seconds for held in timeline.held.values()) == 3 * BEATS_MAX - 1
    assert sum(held.deleted for held in timeline.held.values()) == 3 * BEATS_MAX - 1
    assert max(each.p99_ms or 0 for each in timeline.beats) == 900.0
    ends = {each.ts for each in timeline.beats}
    assert {at(0), at(999), at(1_000), at(1_999), at(2_000), at(3 * BEATS_MAX - 1)} <= ends
    counts = [each.deleted for each in timeline.beats]
    assert counts == sorted(counts)


def test_processes_that_each_said_two_things_keep_within_bounds_as_far_as_their_ends_allow() -> None:
    timeline = timeline_of(*((second, second + 1, [beat(), beat()]) for second in range(BEATS_MAX)))
    assert len(timeline.beats) <= BEATS_MAX


def test_the_first_failures_and_the_last_saying_are_kept() -> None:
    failures = [outcome(ordinal, "failed", code="AccessDenied", http_status=403) for ordinal in range(FAILED_MAX + 5)]
    orders = [make_note("ordered", {"order": "rate", "by": "x" * 10_000, "n": n}) for n in range(SAYINGS_MAX + 5)]
    timeline = timeline_of((0, 1, [*failures, *orders, make_note("stopped", {"reason": "the end"})]))
    assert [each.ordinal for each in timeline.failed] == list(range(FAILED_MAX))
    assert len(timeline.sayings) == SAYINGS_MAX
    assert timeline.sayings_dropped == 6
    assert timeline.sayings[-1].facts == {"reason": "the end"}
    assert len(str(timeline.sayings[0].facts["by"])) == 400


@pytest.mark.parametrize(("first", "second"), [("2026-13-45T99:99:99.000Z", at(0)), (at(60), at(0))])
def test_a_clock_that_goes_back_or_is_none_takes_no_time(first: str, second: str) -> None:
    ledger = Ledger(1)
    for ts in (first, second):
        ledger.apply([beat()], ts=ts, epoch=1)
    assert ledger.timeline is not None
    assert ledger.timeline.held["at_limit"].seconds == 0.0


def test_a_stamp_that_is_no_moment_ends_nobody_who_reads_how_long_a_run_worked() -> None:
    ledger = Ledger(1)
    ledger.apply([beat(active_seconds=5.0)], ts="2026-13-45T99:99:99.000Z", epoch=1)
    ledger.apply([outcome(0)], ts=at(0), epoch=1)
    assert ledger.active_seconds == 5.0


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40), st.integers(0, 40))
@settings(deadline=None, max_examples=50)
def test_it_is_the_same_however_the_records_come_and_wherever_a_checkpoint_was_taken(
    steps: list[tuple[int, bool]], where: int
) -> None:
    records: list[Record] = []
    for number, (kind, failed) in enumerate(steps):
        records.append(outcome(number, "failed" if failed else "deleted"))
        records += [beat("window" if kind else "at_limit", throttled=number)] * kind
    whole, pieces = Ledger(PLACES), Ledger(PLACES)
    whole.apply(records, ts=at(0), epoch=1)
    for record in records[:where]:
        pieces.apply([record], ts=at(0), epoch=1)
    resumed = Ledger(PLACES, pieces.state(), pieces.bitmap())
    resumed.apply(records[where:], ts=at(0), epoch=1)
    assert resumed.timeline == whole.timeline
