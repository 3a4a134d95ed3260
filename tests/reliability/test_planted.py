"""Planted bugs are bugs of the engine as it is, and the search for one ends where it was found."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.reliability.campaign import Campaign
from tests.reliability.planted import BUGS, ENGINE, Bug, planted
from tests.reliability.schedule import UntilFound
from tests.reliability.workers import Tried

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_what_a_bug_stands_for_is_there_and_it_is_python(bug: Bug) -> None:
    as_it_is = (ENGINE / "glacier_purge" / bug.file).read_text("utf-8")
    assert ast.dump(ast.parse(planted(bug))) != ast.dump(ast.parse(as_it_is))


def test_what_is_not_there_is_not_planted() -> None:
    with pytest.raises(ValueError, match="has not just one"):
        planted(Bug(name="none", breaks="I1", file="run/feed.py", was="no such line", instead=""))


def nothing(_: int, __: Path) -> Counter[str]:
    return Counter()


@pytest.mark.parametrize(("fails_at", "begun"), [(0, 1), (2, 3), (None, 5)])
def test_seeds_are_tried_until_one_does_not_hold(fails_at: int | None, begun: int) -> None:
    campaign = Campaign("simulation", "It holds.", ("T2",), ("I1",), "vaults", 1, nothing)
    schedule, tried = UntilFound(campaign, 5), 0
    while (seeds := schedule.choose(0.0)) is not None:
        seed = seeds.begin(0.0)
        seeds.end(Tried(campaign, seed, (Counter(vaults=1), "no" if seed == fails_at else ""), 1.0))
        tried += 1
    assert tried == begun
