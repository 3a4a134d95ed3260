from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_simulator import dates


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1329757305.198, "2012-02-20T17:01:45.198Z"),
        (951827696.9996, "2000-02-29T12:34:57.000Z"),
    ],
)
def test_describe_writes_milliseconds(epoch: float, text: str) -> None:
    assert dates.with_milliseconds(epoch) == text


@given(st.floats(0, 4e9))
def test_inventories_write_whole_seconds(epoch: float) -> None:
    assert dates.in_seconds(epoch) == datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert dates.read(dates.in_seconds(epoch)) == int(epoch)
    assert dates.read(dates.basic(epoch)) == int(epoch)


@pytest.mark.parametrize(
    "text", ["2017-08-18T08:16:34Z", "2017-08-18T08:16:34.000Z", "20170818T081634Z", "2017-08-18T08:16:34",
             "2017-08-18T10:16:34+02:00"]
)  # fmt: skip
def test_both_forms_are_read(text: str) -> None:
    assert dates.read(text) == 1503044194


@pytest.mark.parametrize("text", ["", "yesterday", "2017-13-01T00:00:00Z", "NaN", "1503044194.5x"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert dates.read(text) is None
