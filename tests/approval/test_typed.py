from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glacier_purge.approval.typed import approve_by_digest, approve_by_words
from glacier_purge.errors import PlanRefused
from tests.plan.archives import TARGET, archive, plan_of, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    kept = snapshot(tmp_path / "run", [archive(number) for number in range(1_200)])
    return plan_of(kept, TARGET)


@pytest.mark.parametrize("typed", ["photos 1200", "photos 1200\n", "  photos   1,200 \n"])
def test_vault_and_count_are_a_yes(plan: Plan, typed: str) -> None:
    approval = approve_by_words(plan, typed, "me@host")
    assert (approval.digest, approval.how, approval.by) == (plan.digest, "typed", "me@host")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "\n",
        "y",
        "yes",
        "photos",
        "1200",
        "photos 1201",
        "1200 photos",
        "Photos 1200",
        "photos 1200 now",
        "photos 12 00",
    ],
)
def test_anything_else_is_a_no(plan: Plan, typed: str) -> None:
    with pytest.raises(PlanRefused, match="Nothing was sent"):
        approve_by_words(plan, typed, "me@host")


def test_the_whole_digest_is_a_yes_however_it_is_written(plan: Plan) -> None:
    approval = approve_by_digest(plan, f" {plan.digest.upper()}\n", "me@host")
    assert (approval.digest, approval.how) == (plan.digest, "digest")


@pytest.mark.parametrize("wrong", ["", "0" * 64])
def test_another_digest_is_a_no(plan: Plan, wrong: str) -> None:
    for digest in (wrong, plan.digest[:63], plan.digest + "0"):
        with pytest.raises(PlanRefused, match="nothing was sent"):
            approve_by_digest(plan, digest, "me@host")
