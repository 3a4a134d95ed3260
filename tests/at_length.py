"""Matrices: of their rows the suite tries a diagonal, `make reliability` all others (its campaign `at-length`).

``@pytest.mark.at_length(one_in=4)`` stands on a test of many rows that all go the same way: the suite tries each
fourth, and of a product of two tables a diagonal, so that each line of either has its turn where the other is long
enough.  ``at_length`` alone leaves a test, or a ``pytest.param``, to the campaign altogether.  Whoever names a row on
the command line gets it.

A property is tried with fewer examples in the suite: ``settings(max_examples=examples(300))``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import is_hypothesis_test, settings

if TYPE_CHECKING:
    import pytest

PROFILE = "at-length"
"""Hypothesis' profile of the campaign."""
SUITE_SHARE = 4

settings.register_profile(PROFILE, settings.get_profile("default"))


def examples(wanted: int) -> int:
    """With how many examples to try a property: so many at length, a quarter of them in the suite."""
    return wanted if settings.get_current_profile_name() == PROFILE else max(wanted // SUITE_SHARE, 10)


def part(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave in ``items`` what this run tries."""
    if (asked := config.getoption("--at-length")) == "too":
        return
    wanted = asked == "only"
    named = tuple(one for one in config.args if "[" in one)
    places = Places()
    left_out = {item for item in items if _is_at_length(item, places) is not wanted and item.nodeid not in named}
    if wanted:
        left_out = {item for item in left_out if not is_hypothesis_test(getattr(item, "obj", None))}
    config.hook.pytest_deselected(items=[*left_out])
    items[:] = [item for item in items if item not in left_out]


def _is_at_length(item: pytest.Item, places: Places) -> bool:
    shares = [mark.kwargs.get("one_in") for mark in item.iter_markers("at_length")]
    return any(one_in is None or places.of(item) % one_in for one_in in shares)


class Places:
    """How far rows stand from the beginnings of their tables, which are as long as they are met."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], dict[tuple[int, ...], int]] = {}

    def of(self, item: pytest.Item) -> int:
        """The place of a row in each table of its test, in all."""
        given: dict[str, object] = item.callspec.params  # type: ignore[attr-defined]  # only rows have a share
        test, total = item.nodeid.partition("[")[0], 0
        for mark in item.iter_markers("parametrize"):
            names = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
            line = tuple(id(given[name.strip()]) for name in names)
            lines = self._lines.setdefault((test, str(names)), {})
            total += lines.setdefault(line, len(lines))
        return total
