"""How fast and when, as the command line has it."""

from __future__ import annotations

import pytest

from glacier_purge.cli.options import PaceOptions
from glacier_purge.errors import UsageError
from glacier_purge.settings import load_settings


@pytest.mark.parametrize(("text", "share"), [("30%", 0.3), ("30", 0.3), ("0%", 0.0), ("90%", 0.9), ("12.5%", 0.125)])
def test_a_part_left_to_others_is_a_percentage(text: str, share: float) -> None:
    assert PaceOptions(leave=text).overrides()["leave_share"] == pytest.approx(share)


@pytest.mark.parametrize("text", ["91%", "-1%", "nan", "half", "", "%", "30%%"])
def test_what_cannot_be_left_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write 0% to 90%"):
        PaceOptions(leave=text).overrides()


def test_what_is_not_given_overrides_nothing() -> None:
    assert set(PaceOptions().overrides().values()) == {None}


def test_the_options_are_settings() -> None:
    options = PaceOptions(max_rate=50.0, leave="25%", window=("22:00-06:00", "12:00-13:00"))
    given = {name: value for name, value in options.overrides().items() if value is not None}
    pace = load_settings(arguments={"pace": given}).pace
    assert (pace.max_rate, pace.leave_share, pace.windows) == (50.0, 0.25, ("22:00-06:00", "12:00-13:00"))
