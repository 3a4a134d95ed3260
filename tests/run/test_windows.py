"""Windows of hours: over midnight, over summer time, and several at once."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.run.windows import Window, open_until, opens_at

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONES = ("Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def windows(*texts: str) -> list[Window]:
    return [Window.parse(text) for text in texts]


@pytest.mark.parametrize(
    ("now", "closes", "opens"),
    [
        ("2026-11-22T21:59:59+01:00", None, "2026-11-22T22:00+01:00"),
        ("2026-11-22T22:00:00+01:00", "2026-11-23T06:00+01:00", None),
        ("2026-11-22T23:59:59+01:00", "2026-11-23T06:00+01:00", None),
        ("2026-11-23T00:00:00+01:00", "2026-11-23T06:00+01:00", None),
        ("2026-11-23T05:59:59+01:00", "2026-11-23T06:00+01:00", None),
        ("2026-11-23T06:00:00+01:00", None, "2026-11-23T22:00+01:00"),
        ("2026-11-23T20:59:59+00:00", None, "2026-11-23T22:00+01:00"),
        ("2026-07-01T04:30:00+02:00", "2026-07-01T06:00+02:00", None),
    ],
)
def test_a_window_over_midnight(now: str, closes: str | None, opens: str | None) -> None:
    night = windows("22:00-06:00 Europe/Berlin")
    assert open_until(at(now), night) == (at(closes) if closes else None)
    assert opens_at(at(now), night) == (at(opens) if opens else at(now))


@pytest.mark.parametrize(
    ("window", "now", "closes", "opens"),
    [
        # 2026-03-29 in Berlin: 02:00 is 03:00 at once, 01:00 UTC
        ("22:00-06:00", "2026-03-29T00:00+00:00", "2026-03-29T04:00+00:00", None),
        ("22:00-02:30", "2026-03-29T00:00+00:00", "2026-03-29T00:30+00:00", None),  # would show 02:30 at no time
        ("02:30-06:00", "2026-03-29T01:15+00:00", None, "2026-03-29T01:30+00:00"),
        ("02:10-02:40", "2026-03-29T00:00+00:00", None, "2026-03-30T00:10+00:00"),  # that night it does not open
        ("00:00-24:00", "2026-03-29T00:59+00:00", "2026-04-01T22:00+00:00", None),
        # 2026-10-25 in Berlin: 03:00 is 02:00 again, 01:00 UTC
        ("22:00-06:00", "2026-10-25T00:00+00:00", "2026-10-25T05:00+00:00", None),
        ("22:00-02:30", "2026-10-25T00:00+00:00", "2026-10-25T00:30+00:00", None),  # the first 02:30
        ("22:00-02:30", "2026-10-25T01:15+00:00", None, "2026-10-25T21:00+00:00"),
        ("02:30-06:00", "2026-10-25T00:45+00:00", None, "2026-10-25T01:30+00:00"),  # the second 02:30
        ("02:10-02:40", "2026-10-25T00:15+00:00", None, "2026-10-26T01:10+00:00"),
    ],
)
def test_a_window_over_summer_time_is_the_shorter_one(
    window: str, now: str, closes: str | None, opens: str | None
) -> None:
    given_windows = windows(f"{window} Europe/Berlin")
    assert open_until(at(now), given_windows) == (at(closes) if closes else None)
    assert opens_at(at(now), given_windows) == (at(opens) if opens else at(now))


def test_windows_that_touch_or_overlap_are_one() -> None:
    now = at("2026-11-22T22:30+00:00")
    assert open_until(now, windows("22:00-00:00 UTC", "00:00-03:00 UTC", "02:00-04:00 UTC")) == at("2026-11-23T04:00Z")


def test_of_several_windows_the_next_one_opens() -> None:
    several = windows("12:00-13:00 UTC", "20:00-06:00 America/New_York")
    assert opens_at(at("2026-11-22T13:00Z"), several) == at("2026-11-23T01:00Z")
    assert opens_at(at("2026-11-22T11:00Z"), several) == at("2026-11-22T12:00Z")


@pytest.fixture
def host_in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("host_in_new_york")
def test_a_window_without_a_zone_goes_by_the_hosts_clock() -> None:
    assert opens_at(at("2026-11-22T12:00Z"), windows("22:00-06:00")) == at("2026-11-22T22:00-05:00")
    assert open_until(at("2026-07-01T04:00Z"), windows("22:00-06:00")) == at("2026-07-01T06:00-04:00")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("22-6", "is not a window of hours"),
        ("22:00", "is not a window of hours"),
        ("22:00-06:00Europe/Berlin", "is not a window of hours"),
        ("", "is not a window of hours"),
        ("25:00-06:00", "there is no 25:00 in a day"),
        ("22:00-24:30", "there is no 24:30 in a day"),
        ("22:00-06:61", "there is no 06:61 in a day"),
        ("22:00-22:00", "ends when it begins"),
        ("24:00-00:00", "ends when it begins"),
        ("22:00-06:00 Europe/Berln", "no time zone 'Europe/Berln'"),
        ("22:00-06:00 ../../etc/passwd", "no time zone"),
        ("22:00-06:00 Europe", "no time zone"),
    ],
)
def test_what_is_no_window_is_refused_with_a_reason(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Window.parse(text)


clocks = st.integers(0, 24 * 60 - 1).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
window_texts = st.builds(
    lambda edges, zone: f"{edges[0]}-{edges[1]} {zone}",
    st.tuples(clocks, clocks).filter(lambda edges: edges[0] != edges[1]),
    st.sampled_from(ZONES),
)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001 - made aware


@given(texts=st.lists(window_texts, min_size=1, max_size=3), now=moments)
@settings(deadline=None, derandomize=True)
def test_it_is_open_exactly_when_it_opens_now_and_never_while_the_clock_shows_another_hour(
    texts: list[str], now: datetime
) -> None:
    given_windows = windows(*texts)
    closes, opens = open_until(now, given_windows), opens_at(now, given_windows)
    assert (closes is None) == (opens > now)
    if closes is None:
        assert open_until(opens, given_windows) is not None
        assert open_until(opens - timedelta(microseconds=1), given_windows) is None
        assert opens - now < timedelta(days=2)
    else:
        assert closes > now
        assert open_until(closes, given_windows) is None or closes - now > timedelta(days=2)
        assert any(_shows(window, now) for window in given_windows)


def _shows(window: Window, now: datetime) -> bool:
    clock = now.astimezone(window.zone).time()
    if window.begins < window.ends:
        return window.begins <= clock < window.ends
    return clock >= window.begins or clock < window.ends
