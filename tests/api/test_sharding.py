"""A fleet in parts, whose vaults are of accounts that a role is taken in: what a worker's step is given."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.api.sharding import laid, parted
from glacier_purge.errors import CredentialsFailed
from glacier_purge.settings import Settings
from glacier_simulator import SimulatedGlacier
from tests.aws.company import EXTERNAL_ID, FILMS, HUB, OPERATOR, PHOTOS, pretended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from glacier_purge.api.fleet import SettingsFor

FLEET = f"""
role = "purge"
external_id = "{EXTERNAL_ID}"
session_tags = ["ticket=OPS-7"]

[[vaults]]
name = "photos"
account = ["{PHOTOS}", "{FILMS}"]
"""


@pytest.fixture
async def glacier(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimulatedGlacier]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OPERATOR.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OPERATOR.secret_access_key)
    async with SimulatedGlacier(accounts=pretended()) as glacier:
        yield glacier


def at(glacier: SimulatedGlacier) -> SettingsFor:
    @cache
    def settings_for(_profile: str | None, region: str | None, account_id: str | None) -> Settings:
        aws = {"endpoint_url": glacier.endpoint_url, "region": region or "us-east-1", "account_id": account_id}
        return Settings.model_validate({"aws": aws})

    return settings_for


async def test_each_part_is_told_the_role_that_its_vaults_are_worked_on_as(
    glacier: SimulatedGlacier, tmp_path: Path
) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    async with Clients() as clients:
        parts, whole = await parted(file, at(glacier), clients)
    assert [(one.account_id, one.region) for one in parts] == [(PHOTOS, "us-east-1"), (FILMS, "us-east-1")]
    assert len(whole.vaults) == 2
    assert glacier.ledger["operations"]["AssumeRole"] == 2
    for part in parts:
        _, folder = laid(part, tmp_path)
        settled = json.loads((folder / "fleet.json").read_bytes())["fleet"]["vaults"]
        assert [(one["vault_arn"].split(":")[4], one["assumed"]) for one in settled] == [
            (
                part.account_id,
                {"role": "purge", "external_id": EXTERNAL_ID, "session_tags": ["ticket=OPS-7"]},
            )
        ]


async def test_an_account_that_gives_no_role_begins_no_part(glacier: SimulatedGlacier, tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET.replace(FILMS, HUB))
    async with Clients() as clients:
        with pytest.raises(CredentialsFailed, match=f"the role arn:aws:iam::{HUB}:role/purge is not given"):
            await parted(file, at(glacier), clients)
