"""What time it is for the service, by what it was heard to say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from glacier_purge.errors import Pending
from glacier_purge.glacier.service_clock import OnServiceTime, ServiceClock, skew_in_words, skew_of
from glacier_purge.glacier.waiting import NoWait, Waiting

NOW = datetime(2026, 11, 30, 12, 0, 0, 900_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


def header(ahead: timedelta) -> str:
    """``Date`` of a service that is so far ahead of ``NOW``."""
    return format_datetime((NOW + ahead).replace(microsecond=0), usegmt=True)


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        (header(timedelta(0)), timedelta(seconds=-0.9)),
        (header(HOUR), HOUR - timedelta(seconds=0.9)),
        ("Mon, 30 Nov 2026 14:00:00 +0100", timedelta(hours=1) - timedelta(seconds=0.9)),
        (None, None),
        ("", None),
        ("soon", None),
        ("Mon, 31 Feb 2026 12:00:00 GMT", None),
        ("Mon, 30 Nov 99999999999 12:00:00 GMT", None),
    ],
)
def test_the_date_of_a_reply_says_how_far_a_clock_is_off(date: str | None, skew: timedelta | None) -> None:
    assert skew_of(date, NOW) == skew


@pytest.mark.parametrize(
    ("heard", "skew_seconds"),
    [
        ([], 0),
        ([timedelta(seconds=29)], 0),  # a reply takes its time, and says no parts of a second
        ([timedelta(seconds=-29)], 0),
        ([timedelta(minutes=4)], 240),
        ([-3 * HOUR], -3 * 3600),
        ([3 * HOUR, timedelta(seconds=2)], 0),  # the clock was set meanwhile
    ],
)
def test_a_clock_goes_by_the_last_reply(heard: list[timedelta], skew_seconds: float) -> None:
    clock = ServiceClock(lambda: NOW)
    for ahead in heard:
        clock.heard(header(ahead))
    clock.heard(None)
    clock.heard("no date")
    assert abs(clock.skew.total_seconds() - skew_seconds) < 1


async def test_ages_go_by_the_services_clock_and_waits_by_this_hosts() -> None:
    said: list[str] = []
    clock = ServiceClock(lambda: NOW)
    time = OnServiceTime(NoWait(clock=lambda: NOW), clock, said.append)
    assert time.now() == NOW
    assert said == []
    clock.heard(header(2 * HOUR))
    assert abs(time.now() - (NOW + 2 * HOUR)) < timedelta(seconds=1)
    with pytest.raises(Pending) as pending:
        await time.wait(Waiting(what="a job", until=time.now() + HOUR))
    assert pending.value.until == NOW + HOUR, "whoever comes again has this host's clock"
    time.now()
    (line,) = said
    assert line.startswith("this host's clock is 1 h 59 min behind the service's; ages of jobs")


def test_which_way_a_clock_is_off_is_said() -> None:
    assert "behind" in skew_in_words(timedelta(minutes=4))
    assert "ahead of" in skew_in_words(timedelta(minutes=-4))
