from __future__ import annotations

from datetime import UTC, datetime

import pytest

from glacier_purge.errors import UsageError
from glacier_purge.plan.choices import Choices, check_standard_input, cut_off, filters, size_bytes, span_seconds
from glacier_purge.plan.selection import instant

NOW = datetime(2026, 11, 23, 1, 2, 3, 456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90d", "2026-08-25T01:02:03Z"),
        ("12h", "2026-11-22T13:02:03Z"),
        ("2w", "2026-11-09T01:02:03Z"),
        ("30m", "2026-11-23T00:32:03Z"),
        ("2024-01-31", "2024-01-31T00:00:00Z"),
        ("2024-01-31T12:00:00Z", "2024-01-31T12:00:00Z"),
        ("2024-01-31T12:00:00+02:00", "2024-01-31T10:00:00Z"),
        ("2024-01-31T12:00", "2024-01-31T12:00:00Z"),
    ],
)
def test_an_age_or_date_becomes_a_moment_that_means_itself(text: str, moment: str) -> None:
    time = cut_off(text, NOW, "--older-than")
    assert instant(time) == moment
    assert cut_off(moment, NOW, "--older-than") == time


@pytest.mark.parametrize("text", ["", "90", "90 days", "-3d", "2024-02-31", "tomorrow", "999999w", "٣d"])
def test_text_that_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--older-than"):
        cut_off(text, NOW, "--older-than")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("1048576", 1 << 20), ("10MiB", 10 << 20), ("10MB", 10_000_000), ("2 GiB", 2 << 30), ("5k", 5_000)],
)
def test_a_size_is_bytes_or_has_a_unit(text: str, expected: int) -> None:
    assert size_bytes(text, "--min-size") == expected


@pytest.mark.parametrize("text", ["", "-1", "1.5GB", "ten", "10 XB", "10mib"])
def test_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--min-size"):
        size_bytes(text, "--min-size")


def test_a_span_of_time_has_a_unit() -> None:
    assert span_seconds("8h", "--max-duration") == 28_800
    with pytest.raises(UsageError, match="--max-duration '8'"):
        span_seconds("8", "--max-duration")


def test_what_was_not_asked_for_chooses_nothing() -> None:
    assert filters(Choices(), NOW) == []
    everything = Choices(older_than="1d", newer_than="9d", description="*", min_size="1", max_size="2")
    assert len(filters(everything, NOW)) == 5


def test_choosing_no_archive_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="--limit 0"):
        Choices(limit=0)


def test_standard_input_is_read_for_one_thing_only() -> None:
    check_standard_input("-", Choices(ids="file"))
    with pytest.raises(UsageError, match="--inventory and --ids"):
        check_standard_input("-", Choices(ids="-"))
