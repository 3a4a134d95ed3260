"""Which inventory job is taken, whatever else stands in the list and in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from glacier_purge.archive import ANY_LENGTH
from glacier_purge.glacier.control import InventoryScope, Job, JobAction, JobState
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.inventory.fetching.job_choice import (
    Known,
    WantedJob,
    choose_job,
    is_own,
    mark,
    next_look,
    passed_over_jobs,
    why_not_whole,
    why_passed_over,
    why_unusable,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHOLE = InventoryScope(format="JSON")
LAST = NOW - timedelta(days=2)
VAULT = VaultDescription(arn="arn", last_inventory=LAST, archives=100, size_bytes=1)
KNOWN = Known(now=NOW, described=VAULT)
ANY = WantedJob()


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
        description=mark(created),
        size_bytes=50_000,
    )
    return replace(good, **changes)  # type: ignore[arg-type]  # tests vary one member


def waiting(name: str, hours_ago: float, **changes: object) -> Job:
    return job(name, hours_ago, state=JobState.IN_PROGRESS, completed=None, size_bytes=None, **changes)


def theirs(name: str, hours_ago: float = 6.0, **changes: object) -> Job:
    return job(name, hours_ago, description=None, **changes)


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
    assert choose_job([unfit], ANY, KNOWN) is None


@pytest.mark.parametrize("seed", range(20))
def test_the_newest_that_will_do_is_taken_in_whatever_order_they_are_listed(seed: int) -> None:
    jobs = [*(unfit for unfit, _ in UNFIT), job("old", 20), job("newest", 5), job("older", 9), waiting("waiting", 0.1)]
    Random(seed).shuffle(jobs)
    chosen = choose_job(jobs, ANY, KNOWN)
    assert chosen is not None
    assert chosen.job_id == "newest"


def test_one_under_way_is_waited_for_where_none_is_done() -> None:
    chosen = choose_job([waiting("older", 3), waiting("newer", 1), UNFIT[0][0]], ANY, KNOWN)
    assert chosen is not None
    assert chosen.job_id == "newer"


@pytest.mark.parametrize(("hours", "name"), [(10.0, "done"), (2.0, "waiting"), (0.5, None)])
def test_a_job_older_than_wanted_is_not_taken(hours: float, name: str | None) -> None:
    wanted = WantedJob(created_from=NOW - timedelta(hours=hours))
    chosen = choose_job([job("done", 6), waiting("waiting", 1)], wanted, KNOWN)
    assert (chosen and chosen.job_id) == name


MARKED = mark(NOW)


@pytest.mark.parametrize(
    ("description", "created", "own"),
    [
        (MARKED, NOW, True),
        (MARKED, NOW + timedelta(minutes=59), True),
        (MARKED, NOW - timedelta(minutes=59), True),
        (MARKED, NOW + timedelta(hours=3), False),
        (MARKED, NOW - timedelta(hours=3), False),
        ("glacier-purge", NOW, False),
        ("glacier-purge ", NOW, False),
        ("glacier-purge 2026-02-31T00:00:00Z", NOW, False),
        (f"{MARKED} again", NOW, False),
        (f"copy of {MARKED}", NOW, False),
        (MARKED.upper(), NOW, False),
        ("", NOW, False),
        (None, NOW, False),
    ],
)
def test_a_mark_is_ours_on_the_job_it_was_made_for(description: str | None, created: datetime, own: bool) -> None:
    one = job("one", description=description, created=created)
    assert is_own(one, ()) is own
    assert is_own(one, ("one",))


IN_DOUBT = [
    (theirs("done"), VAULT, None),
    (waiting("under way", 1, description=None), VAULT, "while it is not done"),
    (theirs("older", 60, completed=NOW - timedelta(hours=56)), VAULT, "expires 24 hours after"),
    (theirs("before the last"), replace(VAULT, last_inventory=NOW - timedelta(hours=1)), "has a newer inventory"),
    (theirs("of a vault without one"), replace(VAULT, last_inventory=None, archives=0), "has no count"),
    (theirs("uncounted"), replace(VAULT, archives=None), "has no count"),
    (theirs("short", size_bytes=23_899), VAULT, "23,899 bytes can't list the 100 archives"),
    (theirs("just long enough", size_bytes=23_900), VAULT, None),
    (theirs("of an empty vault", size_bytes=120), replace(VAULT, archives=0), None),
    (theirs("in CSV", inventory=InventoryScope(format="CSV")), VAULT, "in CSV"),
]


@pytest.mark.parametrize(("one", "described", "reason"), IN_DOUBT, ids=[one.job_id for one, _, _ in IN_DOUBT])
def test_a_strangers_is_downloaded_only_where_it_may_be_whole(
    one: Job, described: VaultDescription, reason: str | None
) -> None:
    found = why_passed_over(one, replace(KNOWN, described=described))
    assert (found is None) if reason is None else (found is not None and reason in found)


def test_ids_of_an_emulator_may_be_short() -> None:
    short = theirs("short", size_bytes=11_000)
    assert why_passed_over(short, KNOWN) is not None
    assert why_passed_over(short, replace(KNOWN, id_rule=ANY_LENGTH)) is None


def test_what_was_found_not_to_do_is_not_looked_at_again() -> None:
    known = replace(KNOWN, passed_over={"one": "it lists 5 archives"})
    assert why_passed_over(job("one"), known) == "it lists 5 archives"


RECENT = replace(KNOWN, described=replace(VAULT, last_inventory=NOW - timedelta(hours=5)))
AS_OF = LAST.replace(microsecond=0)


@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize(
    ("records", "taken", "described", "ours_do"),
    [
        (100, AS_OF, VAULT, None),
        (100, AS_OF, replace(VAULT, last_inventory=LAST + timedelta(milliseconds=198)), None),
        (99, AS_OF, VAULT, False),
        (101, AS_OF, VAULT, False),
        (0, AS_OF, VAULT, False),
        (100, AS_OF - timedelta(days=1), VAULT, True),
        (100, AS_OF + timedelta(days=1), VAULT, True),
        (100, AS_OF, replace(VAULT, last_inventory=None), True),
        (100, AS_OF, replace(VAULT, archives=None), True),
        (100, None, VAULT, True),
    ],
)
def test_a_count_speaks_of_the_inventory_it_was_made_with(
    records: int,
    taken: datetime | None,
    described: VaultDescription,
    ours_do: bool | None,
    *,
    is_ours: bool,
) -> None:
    """``ours_do`` None: it is whole, whoever's it is; else only ours may be believed."""
    found = why_not_whole(records, taken, described, is_ours=is_ours)
    assert (found is None) is (ours_do is None or (ours_do and is_ours))


@pytest.mark.parametrize(
    ("jobs", "wanted", "known", "name"),
    [
        ([theirs("a", 5), theirs("longer", 6, size_bytes=60_000)], ANY, KNOWN, "longer"),
        ([theirs("longer", 5, size_bytes=60_000), job("ours", 9)], ANY, KNOWN, "ours"),
        ([theirs("of the last", 5), job("ours, older", 12)], ANY, RECENT, "of the last"),
        ([theirs("of the last", 5), waiting("ours", 1)], ANY, KNOWN, "of the last"),
        ([waiting("theirs", 2, description=None), waiting("ours", 1)], ANY, KNOWN, "ours"),
        ([theirs("tried", 5), theirs("other", 6)], ANY, replace(KNOWN, passed_over={"tried": "it lists 5"}), None),
        ([job("tried", 5), theirs("other", 6)], ANY, replace(KNOWN, passed_over={"tried": "it lists 5"}), "other"),
        ([job("ours", 5)], WantedJob(is_new=True), KNOWN, None),
        ([job("asked", 5)], WantedJob(is_new=True), replace(KNOWN, asked=("asked",)), "asked"),
    ],
)
def test_ours_goes_before_a_strangers_and_the_longest_of_those_is_tried_alone(
    jobs: list[Job], wanted: WantedJob, known: Known, name: str | None
) -> None:
    chosen = choose_job(jobs, wanted, known)
    assert (chosen and chosen.job_id) == name
    named = {one.job_id for one, _ in passed_over_jobs(jobs, wanted, known)}
    assert chosen is None or chosen.job_id not in named


def test_a_job_whose_download_was_begun_goes_first() -> None:
    chosen = choose_job([job("ours"), theirs("begun")], ANY, KNOWN, begun="begun")
    assert chosen is not None
    assert chosen.job_id == "begun"


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
