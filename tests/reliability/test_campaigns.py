"""The first seed of each campaign that is quick; `make reliability` tries all that failed and goes on from there."""

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
LONG = {
    "at-length",
    "crash-images",
    "damaged-folders",
    "lost-machines",
    "partition",
    "simulation",
    "starters",
    "tamper",
}
"""Whose first seed takes seconds: `make reliability` alone tries them."""


@pytest.mark.parametrize(
    "campaign",
    [campaign for campaign in ALL if not campaign.alone and campaign.name not in LONG],  # what measures is disturbed
    ids=lambda campaign: campaign.name,
)
def test_it_holds(campaign: Campaign, tmp_path: Path) -> None:
    assert campaign.try_seed(0, tmp_path).total() > 0


def test_campaigns_are_told_apart_and_can_be_handed_to_another_process() -> None:
    assert len({campaign.name for campaign in ALL}) == len(ALL)
    assert pickle.loads(pickle.dumps(ALL)) == ALL


def test_no_seed_is_kept_of_a_campaign_that_is_gone() -> None:
    assert kept_seeds().keys() <= {campaign.name for campaign in ALL}
