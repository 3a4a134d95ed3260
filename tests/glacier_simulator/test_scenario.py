"""Scenarios: read strictly, happening when they say, the same for the same seed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from glacier_purge.errors import UsageError
from glacier_simulator import SimulatedGlacier, load_scenario
from glacier_simulator.scenario import SHIPPED, Change, Limits, Scenario, Sent, Timeline, Upload, read_scenario
from tests.glacier_simulator.raw_client import RawClient, ask

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", SHIPPED)
async def test_each_shipped_scenario_can_be_read_and_begun(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.about.endswith(".")
    async with SimulatedGlacier(archives=5, scenario=scenario) as glacier:
        limits = (await ask(glacier.endpoint_url, "GET", "/_simulator/limits")).json
    assert limits["rate"] == 100


def test_a_scenario_comes_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('about = "Nothing."\n[[fault]]\nkind = "garbage"\nshare = 0.5\n')
    assert load_scenario(str(file)).fault[0].share == 0.5
    with pytest.raises(UsageError, match=r"calm.*busy-account"):
        load_scenario(str(tmp_path / "missing.toml"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("about = ", "Invalid value"),
        ("[start]\nlatency_ms = 1", "about"),
        ('about = "x"\nfoult = []', "foult"),
        ('about = "x"\n[[fault]]\nkind = "earthquake"', "earthquake"),
        ('about = "x"\n[[fault]]\nkind = "garbage"\nshare = 2', "share"),
        ('about = "x"\n[[change]]\nlimits = { rate = -1 }', "rate"),
        ('about = "x"\n[[change]]\nlimits = { rate = 1, burst = 0 }', "burst"),
        ('about = "x"\n[[change]]\nlimits = { mode = "leaky" }', "leaky"),
        ('about = "x"\n[[request]]\nmethod = "GET"', "at_seconds"),
        ('about = "x"\n[[upload]]\nat_seconds = 1\narchives = 0', "archives"),
        ("about = " + "[" * 10_000, "scenario: maximum recursion depth"),
        ("a." * 50_000, "scenario has more than 32,768 characters"),
    ],
)
def test_what_is_wrong_in_a_scenario_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read_scenario(text)


def test_events_are_given_once_in_order_when_they_are_due() -> None:
    later, sooner = Change(at_seconds=20), Sent(at_seconds=10, method="GET", path="/")
    timeline = Timeline(Scenario(about="x", change=[later], request=[sooner]))
    assert timeline.due(9) == []
    assert timeline.next_at_seconds == 10
    assert timeline.due(25) == [sooner, later]
    assert timeline.due(100) == []


def test_what_comes_after_an_operation_is_counted_from_its_first_request() -> None:
    relative, fixed = Change(at_seconds=10, after="DeleteArchive"), Change(at_seconds=105)
    timeline = Timeline(Scenario(about="x", change=[relative, fixed]))
    assert timeline.awaited == {"DeleteArchive"}
    assert timeline.due(50) == []
    timeline.begun("DeleteArchive", 100)
    assert timeline.awaited == set()
    assert timeline.next_at_seconds == 105
    assert timeline.due(200) == [fixed, relative]


async def test_somebody_uploads_hours_after_a_purge_began() -> None:
    upload = Upload(at_seconds=7200, archives=3, description="nightly", after="DeleteArchive")
    async with SimulatedGlacier(archives=2, scenario=Scenario(about="x", upload=[upload]), time_scale=0) as glacier:
        glacier.clock.step(100_000)
        await ask(glacier.endpoint_url, "GET", "/-/vaults")
        assert glacier.ledger["archives_left"] == 2
        first, second = (record["ArchiveId"] for record in json.loads(glacier.inventory_text())["ArchiveList"])
        await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{first}")
        glacier.clock.step(7199)
        await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{second}")
        assert glacier.ledger["archives_left"] == 0
        glacier.clock.step(1)
        await ask(glacier.endpoint_url, "GET", "/-/vaults")
        records = json.loads(glacier.inventory_text())["ArchiveList"]
    assert [record["ArchiveDescription"] for record in records] == ["nightly"] * 3


async def test_changes_come_when_their_time_has_come() -> None:
    changes = [Change(at_seconds=60, limits=Limits(rate=0.001, burst=1)), Change(at_seconds=90, account_closed=True)]
    scenario = Scenario(about="x", change=changes)
    async with SimulatedGlacier(scenario=scenario) as glacier, RawClient(glacier.endpoint_url) as client:
        before = [(await client.ask("GET", "/-/vaults")).status for _ in range(3)]
        glacier.clock.step(60)
        during = [(await client.ask("GET", "/-/vaults")).status for _ in range(3)]
        glacier.clock.step(30_000)
        closed = await client.ask("GET", "/-/vaults")
    assert before == [200, 200, 200]
    assert during == [200, 400, 400]
    assert closed.json["code"] == "NoLongerSupportedException"


async def test_what_somebody_sends_may_have_a_query() -> None:
    tag = Sent(at_seconds=60, method="POST", path="/-/vaults/{vault}/tags?operation=add", body='{"Tags":{"a":"b"}}')
    async with SimulatedGlacier(scenario=Scenario(about="x", request=[tag]), time_scale=0) as glacier:
        glacier.clock.step(60)
        tags = await ask(glacier.endpoint_url, "GET", "/-/vaults/photos/tags")
    assert tags.json == {"Tags": {"a": "b"}}


async def test_in_a_busy_account_somebody_uploads_during_the_purge() -> None:
    async with SimulatedGlacier(scenario=load_scenario("busy-account")) as glacier:
        await ask(glacier.endpoint_url, "GET", "/-/vaults")
        assert glacier.ledger["archives_left"] == 0
        glacier.clock.step(500)
        await ask(glacier.endpoint_url, "GET", "/-/vaults")
        assert glacier.ledger["archives_left"] == 2
        records = json.loads(glacier.inventory_text())["ArchiveList"]
    assert [record["ArchiveDescription"] for record in records] == ["nightly backup", "nightly backup, again"]


async def test_a_locked_vault_denies_the_young_and_lets_the_old_go() -> None:
    async with SimulatedGlacier(archives=200, scenario=load_scenario("locked-vault")) as glacier:
        records = json.loads(glacier.inventory_text())["ArchiveList"]
        oldest, youngest = (f"/-/vaults/photos/archives/{records[place]['ArchiveId']}" for place in (0, -1))
        denied = await ask(glacier.endpoint_url, "DELETE", youngest)
        assert (denied.status, denied.json["code"]) == (403, "AccessDeniedException")
        assert (await ask(glacier.endpoint_url, "DELETE", oldest)).status == 204
        lock = await ask(glacier.endpoint_url, "GET", "/-/vaults/photos/lock-policy")
    assert lock.json["State"] == "InProgress"


PURGE_STEP_SECONDS = 360.0
"""Between two deletes below: four hundred of them last 40 hours, longer than all that bad-week has for a purge."""


async def statuses_of_a_bad_week(seed: int) -> tuple[list[int | str], dict[str, int]]:
    """What each archive's first delete comes to, six minutes apart, and which faults struck."""
    scenario = load_scenario("bad-week")
    seen: list[int | str] = []
    async with SimulatedGlacier(archives=400, scenario=scenario, seed=seed, time_scale=0, latency_ms=0) as glacier:
        await ask(glacier.endpoint_url, "POST", "/_simulator/limits", b'{"rate": 0}')
        glacier.clock.step(seed * 100_000)  # a purge meets all of it whenever it begins
        for record in json.loads(glacier.inventory_text())["ArchiveList"]:
            try:
                reply = await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{record['ArchiveId']}")
                seen.append(reply.status)
            except (OSError, EOFError) as error:
                seen.append(type(error).__name__)
            glacier.clock.step(PURGE_STEP_SECONDS)
        return seen, dict(glacier.ledger["faults"])


@pytest.mark.looptime
async def test_the_same_seed_gives_the_same_bad_week_and_another_another() -> None:
    first, again, other = [await statuses_of_a_bad_week(seed) for seed in (1, 1, 2)]
    assert first == again
    assert first != other
    statuses, struck = first
    assert {204, 400, 403, 500, 502, 503, "ConnectionResetError"} <= set(statuses)
    assert struck["refuse"] == 4 * 10, "the outage"
    assert struck["expired-token"] == 5, "half an hour of expired tokens"
    assert 40 > struck["internal-failure"] > 2, "two hours of storm"
    assert struck["slow-down"] + struck["throttle"] + struck["retry-after"] > 3


async def test_in_a_bad_week_the_third_inventory_job_is_the_one_that_comes_down_in_pieces() -> None:
    async def job(body: bytes = b'{"Type": "inventory-retrieval"}') -> str | None:
        reply = await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", body)
        glacier.clock.step(6 * 3600)
        return f"/-/vaults/photos/jobs/{reply.headers['x-amz-job-id']}" if reply.status == 202 else None

    scenario = load_scenario("bad-week")
    quiet = msgspec.structs.replace(scenario, fault=[rule for rule in scenario.fault if rule.share == 1])
    async with SimulatedGlacier(archives=100, scenario=quiet, time_scale=0) as glacier:
        refused, failed, expired, good = [await job() for _ in range(4)]
        assert refused is None
        assert (await ask(glacier.endpoint_url, "GET", f"{failed}")).json["StatusCode"] == "Failed"
        assert (await ask(glacier.endpoint_url, "GET", f"{expired}/output")).status == 404
        for _ in range(2):
            with pytest.raises((OSError, EOFError)):
                await ask(glacier.endpoint_url, "GET", f"{good}/output")
        whole = await ask(glacier.endpoint_url, "GET", f"{good}/output")
    assert len(whole.json["ArchiveList"]) == 100
    assert glacier.ledger["archives_left"] == 103, "uploaded meanwhile"
