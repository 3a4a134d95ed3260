"""Which inventory job is taken, whatever else stands in the list and in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from glacier_purge.glacier.control import InventoryScope, Job, JobAction, JobState
from glacier_purge.inventory.fetching.job_choice import Wanted, choose_job, next_look, why_unusable

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHOLE = InventoryScope(format="JSON")


def job(name: str, hours_ago: float = 6.0, **changes: object) -> Job:
    """A job that was begun ``hours_ago`` and done four hours later."""
    created = NOW - timedelta(hours=hours_ago)
    good = Job(
        job_id=name,
        action=JobAction.INVENTORY,
        state=JobState.SUCCEEDED,
        created=created,
        completed=created + timedelta(hours=4),
        inventory=WHOLE,
        size_bytes=1000,
    )
    return replace(good, **changes)  # type: ignore[arg-type]  # tests vary one member


def waiting(name: str, hours_ago: float) -> Job:
    return job(name, hours_ago, state=JobState.IN_PROGRESS, completed=None, size_bytes=None)


UNFIT = [
    (job("an archive's", 1, action=JobAction.ARCHIVE, inventory=None), "retrieves an archive"),
    (job("csv", 1, inventory=InventoryScope(format="CSV")), "in CSV"),
    (job("from a date", 1, inventory=replace(WHOLE, start_date="2026-01-01T00:00:00Z")), "only a part"),
    (job("to a date", 1, inventory=replace(WHOLE, end_date="2026-01-01T00:00:00Z")), "only a part"),
    (job("limited", 1, inventory=replace(WHOLE, limit="1000")), "only a part"),
    (job("a later page", 1, inventory=replace(WHOLE, marker="m")), "only a part"),
    (job("failed", 1, state=JobState.FAILED, status_message="The vault was busy"), "The vault was busy"),
    (job("expired", 4 + 24), "expires 24 hours after"),
    (job("about to expire", 4 + 23.6), "expires 24 hours after"),
    (job("of no known length", 1, size_bytes=None), "how long"),
]


@pytest.mark.parametrize(("unfit", "reason"), UNFIT, ids=[unfit.job_id for unfit, _ in UNFIT])
def test_a_job_that_will_not_do_says_why(unfit: Job, reason: str) -> None:
    assert reason in (why_unusable(unfit, NOW) or "it will do")
    assert choose_job([unfit], Wanted(), NOW) is None


@pytest.mark.parametrize("seed", range(20))
def test_the_newest_that_will_do_is_taken_in_whatever_order_they_are_listed(seed: int) -> None:
    jobs = [*(unfit for unfit, _ in UNFIT), job("old", 20), job("newest", 5), job("older", 9), waiting("waiting", 0.1)]
    Random(seed).shuffle(jobs)
    chosen = choose_job(jobs, Wanted(), NOW)
    assert chosen is not None
    assert chosen.job_id == "newest"


def test_one_under_way_is_waited_for_where_none_is_done() -> None:
    chosen = choose_job([waiting("older", 3), waiting("newer", 1), UNFIT[0][0]], Wanted(), NOW)
    assert chosen is not None
    assert chosen.job_id == "newer"


@pytest.mark.parametrize(("hours", "name"), [(10.0, "done"), (2.0, "waiting"), (0.5, None)])
def test_a_job_older_than_wanted_is_not_taken(hours: float, name: str | None) -> None:
    wanted = Wanted(created_from=NOW - timedelta(hours=hours))
    chosen = choose_job([job("done", 6), waiting("waiting", 1)], wanted, NOW)
    assert (chosen and chosen.job_id) == name


HOUR = 3600


@pytest.mark.parametrize(
    ("age_seconds", "wait_seconds"),
    [(0, 5), (-60, 5), (8, 24), (1800, 5400), (2 * HOUR, HOUR), (3 * HOUR - 1, 5), (4 * HOUR, HOUR / 2), (1e5, HOUR)],
)
def test_an_unfinished_job_is_looked_at_seldom_until_it_may_be_done(age_seconds: float, wait_seconds: float) -> None:
    young = waiting("young", age_seconds / 3600)
    assert next_look(young, NOW) == NOW + timedelta(seconds=wait_seconds)


@pytest.mark.parametrize("takes_hours", [3.0, 3.8, 4.0, 5.0, 7.0])
def test_a_job_costs_a_dozen_looks_and_is_found_done_within_an_eighth_of_its_time(takes_hours: float) -> None:
    young, now, looks, done = waiting("young", 0), NOW, 0, NOW + timedelta(hours=takes_hours)
    while now < done:
        now, looks = next_look(young, now), looks + 1
    assert looks <= 15
    assert now - done <= (done - NOW) / 8
