"""The test kit: in process, under virtual time, with a folder to come back to, and as a pytest fixture."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

import glacier_simulator as simulator
from glacier_purge.errors import UsageError
from glacier_simulator import SimulatedGlacier
from glacier_simulator.clock import SimulatorClock
from glacier_simulator.latency import Latency
from glacier_simulator.loading import read_vault
from glacier_simulator.persistence import StateFolder
from tests.glacier_simulator.raw_client import RawClient, ask

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]


def test_names_are_imported_on_first_use() -> None:
    for name in simulator.__all__:
        assert getattr(simulator, name)
    with pytest.raises(AttributeError, match="nothing"):
        simulator.nothing  # noqa: B018 - it is the looking up that fails


async def test_the_announcement_is_one_line_of_json_as_scripts_expect_it() -> None:
    async with SimulatedGlacier(archives=12, vault="tapes") as glacier:
        said, where = json.loads(glacier.announcement()), glacier.endpoint_url
    assert said == {
        "result": "simulator",
        "format": 1,
        "endpoint_url": where,
        "account_id": "123456789012",
        "vault": "tapes",
        "archives": 12,
    }


async def test_the_same_seed_and_start_give_the_same_archives() -> None:
    texts = []
    for seed in (1, 1, 2):
        async with SimulatedGlacier(archives=50, seed=seed, starts_at=1.8e9, time_scale=0) as glacier:
            texts.append(glacier.inventory_text())
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.looptime
async def test_days_pass_with_a_virtual_loop() -> None:
    async with SimulatedGlacier(archives=100) as glacier, RawClient(glacier.endpoint_url) as client:
        job = await client.ask("POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval"}')
        for record in json.loads(glacier.inventory_text())["ArchiveList"]:
            await client.ask("DELETE", f"/-/vaults/photos/archives/{record['ArchiveId']}")
        refused = await client.ask("DELETE", "/-/vaults/photos")
        await asyncio.sleep(24 * 3600)
    assert refused.json["message"].startswith("Vault not empty or recently written to")
    assert job.status == 202


@pytest.mark.looptime
async def test_a_purged_vault_can_be_deleted_after_its_next_inventory() -> None:
    async with SimulatedGlacier(archives=3) as glacier:
        for record in json.loads(glacier.inventory_text())["ArchiveList"]:
            await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{record['ArchiveId']}")
        assert (await ask(glacier.endpoint_url, "DELETE", "/-/vaults/photos")).status == 400
        await asyncio.sleep(24 * 3600)
        assert (await ask(glacier.endpoint_url, "DELETE", "/-/vaults/photos")).status == 204


@pytest.mark.looptime
async def test_the_rate_is_meant_per_real_second_whatever_the_time_scale() -> None:
    async with (
        SimulatedGlacier(rate=10, burst=1, time_scale=3600) as glacier,
        RawClient(glacier.endpoint_url) as client,
    ):
        statuses = []
        for _ in range(20):
            statuses.append((await client.ask("GET", "/-/vaults")).status)
            await asyncio.sleep(0.05)
    assert statuses.count(200) == 10


@pytest.mark.looptime
async def test_latency_is_spread_around_its_median_and_refusals_are_quicker() -> None:
    loop = asyncio.get_running_loop()
    waits = []
    async with SimulatedGlacier(latency_ms=100) as glacier, RawClient(glacier.endpoint_url) as client:
        for path in ["/-/vaults"] * 51 + ["/-/vaults/none"] * 51:
            began = loop.time()
            await client.ask("GET", path)
            waits.append(loop.time() - began)
    assert 0.07 < sorted(waits[:51])[25] < 0.14
    assert 0.02 < sorted(waits[51:])[25] < 0.05


def test_no_latency_is_none_and_a_negative_one_is_refused() -> None:
    assert Latency(0, 1).seconds() == 0
    with pytest.raises(ValueError, match="latency"):
        Latency(-1, 1)


def test_the_clock_runs_at_its_scale_and_never_backwards() -> None:
    real = [10.0]
    clock = SimulatorClock(lambda: real[0], start=1000, scale=60)
    real[0] += 2
    assert clock.now() == 1120
    clock.rescale(0)
    real[0] += 5
    assert clock.now() == 1120
    clock.step(80)
    assert clock.now() == 1200
    for seconds in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="clock"):
            clock.step(seconds)
    with pytest.raises(ValueError, match="scale"):
        clock.rescale(-1)


async def test_a_state_folder_survives_a_restart(tmp_path: Path) -> None:
    async with SimulatedGlacier(archives=20, state_dir=tmp_path, time_scale=0) as glacier:
        archive_id = json.loads(glacier.inventory_text())["ArchiveList"][3]["ArchiveId"]
        await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{archive_id}")
        await ask(glacier.endpoint_url, "PUT", "/-/vaults/second")
        glacier.clock.step(1_000_000)
        before, now = glacier.inventory_text(), glacier.clock.now()
    async with SimulatedGlacier(archives=99, state_dir=tmp_path, time_scale=0, seed=7) as glacier:
        assert glacier.clock.now() == now
        assert glacier.inventory_text() == before
        assert glacier.ledger["deletes_received"] == 1
        assert glacier.service.vault_names() == ["photos", "second"]


async def test_a_killed_simulator_comes_back_as_it_was_last_saved(tmp_path: Path) -> None:
    killed = SimulatedGlacier(archives=20, state_dir=tmp_path / "killed")
    async with killed:
        copy = tmp_path / "copy"
        copy.mkdir()
        (copy / "simulator.state").write_bytes((tmp_path / "killed" / "simulator.state").read_bytes())
    async with SimulatedGlacier(state_dir=copy) as glacier:
        assert glacier.ledger["archives_left"] == 20


@pytest.mark.looptime
async def test_it_is_saved_while_it_runs(tmp_path: Path) -> None:
    async with SimulatedGlacier(archives=20, state_dir=tmp_path) as glacier:
        written = (tmp_path / "simulator.state").read_bytes()
        await ask(glacier.endpoint_url, "PUT", "/-/vaults/second")
        await asyncio.sleep(60)
        assert (tmp_path / "simulator.state").read_bytes() != written


async def test_a_state_folder_serves_one_simulator_at_a_time(tmp_path: Path) -> None:
    async with SimulatedGlacier(state_dir=tmp_path):
        with pytest.raises(UsageError, match="another simulator"):
            async with SimulatedGlacier(state_dir=tmp_path):
                pass
    async with SimulatedGlacier(state_dir=tmp_path):
        pass


def test_a_state_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "simulator.state").write_bytes(b"something else")
    with StateFolder(tmp_path) as folder, pytest.raises(UsageError, match="not the state"):
        folder.load()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
async def test_a_users_own_inventory_can_be_rehearsed(tmp_path: Path, mark: bytes) -> None:
    async with SimulatedGlacier(archives=30, vault="tapes", region="eu-west-1", account_id="999999999999") as glacier:
        file = tmp_path / "inventory.json"
        file.write_bytes(mark + glacier.inventory_text())
    owner = read_vault(file)
    assert (owner.name, owner.region, owner.account_id) == ("tapes", "eu-west-1", "999999999999")
    async with SimulatedGlacier(
        inventory=file, vault=owner.name, region=owner.region, account_id=owner.account_id, seed=2
    ) as glacier:
        again = json.loads(glacier.inventory_text())
        original = json.loads(file.read_text("utf-8-sig"))
        assert again["ArchiveList"] == original["ArchiveList"]
        path = f"/-/vaults/tapes/archives/{original['ArchiveList'][0]['ArchiveId']}"
        assert (await ask(glacier.endpoint_url, "DELETE", path)).status == 204
        assert glacier.ledger["archives_left"] == 29


RECORD = (
    '{"ArchiveId": "%s", "ArchiveDescription": "", "CreationDate": "2020-01-01T00:00:00Z", "Size": %s, '
    '"SHA256TreeHash": ""}'
)
HEAD = '{"VaultARN": "arn:aws:glacier:us-east-1:123456789012:vaults/v", "ArchiveList": ['


async def rehearse(file: Path) -> None:
    async with SimulatedGlacier(inventory=file, vault=read_vault(file).name):
        pass


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not json", "not the JSON"),
        ('{"ArchiveList": []}', "VaultARN"),
        ('{"VaultARN": "arn:aws:s3:::bucket", "ArchiveList": []}', "ARN"),
        (HEAD + RECORD % ("..", 1) + "]}", "record 0.*archive id"),
        (HEAD + RECORD % ("a", 1) + "," + RECORD % ("b", '"1"') + "]}", "record 1.*size"),
        (HEAD + RECORD % ("a", 1) + "," + RECORD % ("a", 1) + "]}", "here already"),
        (HEAD + "{}]}", "record 0.*missing"),
        (HEAD + RECORD % ("a", 1), "not the JSON"),
    ],
)
async def test_an_inventory_that_cannot_be_pretended_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "inventory.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        await rehearse(file)


def test_the_fixture_gives_each_test_a_glacier_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["glacier_simulator.pytest_plugin"]')
    pytester.makepyfile(
        """
        import pytest

        async def test_empty(simulated_glacier):
            assert simulated_glacier.ledger["archives_left"] == 0

        @pytest.mark.simulated_glacier(archives=7, vault="tapes")
        async def test_filled(simulated_glacier):
            assert simulated_glacier.ledger["archives_left"] == 7
            assert simulated_glacier.endpoint_url.startswith("http://127.0.0.1:")
        """
    )
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.runpytest("-q").assert_outcomes(passed=2)
