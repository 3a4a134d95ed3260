from __future__ import annotations

import pytest

from glacier_purge.text import duration, rate, share, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (75, "1 min 15 s"),
        (3_600, "1 h"),
        (3_661, "1 h 1 min"),
        (86_400, "1 d"),
        (90_061, "1 d 1 h"),
        (400 * 86_400, "400 d"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**2, "1.0 MiB"),
        (40 * 1024**4, "40.0 TiB"),
        (1024**5, "1.0 PiB"),
        (5000 * 1024**5, "5,000.0 PiB"),
    ],
)
def test_a_size_is_told_in_the_unit_that_fits(size_bytes: int, words: str) -> None:
    assert size(size_bytes) == words


@pytest.mark.parametrize(
    ("per_second", "words"), [(None, "-"), (0.0, "0.0/s"), (97.32, "97.3/s"), (1234.5, "1,234.5/s")]
)
def test_a_rate_is_told_to_a_tenth(per_second: float | None, words: str) -> None:
    assert rate(per_second) == words


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [(0, 3, "0.0%"), (1, 3, "33.3%"), (9_999_999, 10_000_000, "99.9%"), (3, 3, "100.0%"), (0, 0, "100.0%")],
)
def test_only_all_of_it_is_a_hundred_percent(part: int, whole: int, words: str) -> None:
    assert share(part, whole) == words
