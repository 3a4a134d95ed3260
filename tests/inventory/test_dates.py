from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.inventory.dates import Period, creation_time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2017-08-18T08:16:34Z", datetime(2017, 8, 18, 8, 16, 34, tzinfo=UTC)),
        ("2012-05-15T17:19:46.700Z", datetime(2012, 5, 15, 17, 19, 46, 700_000, tzinfo=UTC)),
        ("2017-02-31T08:16:34Z", None),
        ("2017-08-18T24:16:34Z", None),
        ("2017-08-18T08:16:34", None),
        ("2017-08-18T08:16:34+01:00", None),
        ("2017-08-18 08:16:34Z", None),
        ("2017-08-18", None),
        ("٢017-08-18T08:16:34Z", None),
        ("", None),
    ],
)
def test_dates_are_read_with_and_without_milliseconds(text: str, time: datetime | None) -> None:
    assert creation_time(text) == time


def written(time: datetime, kind: str) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S") + {"whole": "Z", "milliseconds": f".{time.microsecond // 1000:03}Z"}[kind]


dates = st.builds(
    written,
    st.integers(0, 5_000).map(lambda ms: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)),
    st.sampled_from(["whole", "milliseconds"]),
)


@given(st.lists(st.lists(st.one_of(dates, st.sampled_from(["", "never", "9999", "0000-00-00T00:00:00Z"])))))
def test_a_period_is_the_earliest_and_the_latest(batches: list[list[str]]) -> None:
    period = Period()
    for batch in batches:
        period.add(batch)
    times = [time for batch in batches for text in batch if (time := creation_time(text)) is not None]
    found = [text and creation_time(text) for text in (period.oldest, period.newest)]
    assert found == ([min(times), max(times)] if times else [None, None])


def test_half_a_second_after_sorts_after() -> None:
    """As text it sorts before, because "." does before "Z"."""
    period = Period()
    period.add(["2026-01-01T00:00:00Z"])
    period.add(["2026-01-01T00:00:00.500Z"])
    assert period.newest == "2026-01-01T00:00:00.500Z"
