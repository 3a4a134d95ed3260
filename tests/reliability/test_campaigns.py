"""Each campaign's first seed, and every seed that ever failed; `make reliability` goes on from there."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from tests.reliability.campaign import every_campaign
from tests.reliability.record import kept_seeds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reliability.campaign import Campaign

ALL = every_campaign()
KEPT = kept_seeds()


@pytest.mark.parametrize(
    ("campaign", "seed"),
    [
        pytest.param(campaign, seed, id=f"{campaign.name}-{seed}")
        for campaign in ALL
        if not campaign.alone  # what measures would be disturbed, and would disturb
        for seed in dict.fromkeys([*KEPT.get(campaign.name, []), 0])
    ],
)
def test_it_holds(campaign: Campaign, seed: int, tmp_path: Path) -> None:
    assert campaign.try_seed(seed, tmp_path).total() > 0


def test_campaigns_are_told_apart_and_can_be_handed_to_another_process() -> None:
    assert len({campaign.name for campaign in ALL}) == len(ALL)
    assert pickle.loads(pickle.dumps(ALL)) == ALL


def test_no_seed_is_kept_of_a_campaign_that_is_gone() -> None:
    assert KEPT.keys() <= {campaign.name for campaign in ALL}
