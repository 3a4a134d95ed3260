"""The library as a script uses it, against a simulated Glacier in the same process, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import aclosing
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

import glacier_purge
from glacier_purge.deletion.pool import UNRECORDED_MAX
from glacier_purge.errors import InventoryDamaged, PlanRefused, RunLocked, ServiceRefused, UsageError
from glacier_purge.plan.identity import read_identity
from glacier_purge.storage.folder import RunFolder
from glacier_simulator.faults import Rule
from glacier_simulator.kit import SimulatedGlacier
from tests.clients import HOUR, control
from tests.glacier_simulator.raw_client import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("today")

VAULT = glacier_purge.Vault(account_id="123456789012", region="us-east-1", name="photos")
CREDENTIALS = glacier_purge.StaticCredentials(access_key_id="test", secret_access_key="test")


@pytest.fixture
async def glacier() -> AsyncIterator[SimulatedGlacier]:
    async with SimulatedGlacier(archives=200, latency_ms=2) as glacier:
        yield glacier


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def settings(glacier: SimulatedGlacier, **pace: object) -> glacier_purge.Settings:
    return glacier_purge.Settings.model_validate(
        {"aws": {"endpoint_url": glacier.endpoint_url}, "pace": {"first_per_second": 1000, **pace}}
    )


def ids_in(glacier: SimulatedGlacier) -> list[str]:
    return [record["ArchiveId"] for record in json.loads(glacier.inventory_text())["ArchiveList"]]


# -- whole runs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def inventory(glacier: SimulatedGlacier, tmp_path: Path) -> Path:
    path = tmp_path / "inventory.json"
    path.write_bytes(glacier.inventory_text())
    return path


async def test_a_plan_is_made_and_carried_out_in_two_calls(
    glacier: SimulatedGlacier, inventory: Path, tmp_path: Path
) -> None:
    how, before = settings(glacier), glacier.ledger["requests"]
    plan = await glacier_purge.make_plan("photos", inventory=inventory, run_dir=tmp_path / "run", settings=how)
    assert (plan.vault, plan.counts.selected) == (VAULT, 200)
    assert glacier.ledger["requests"] == before
    report = await glacier_purge.purge(
        tmp_path / "run", confirm_digest=plan.digest, settings=how, credentials=CREDENTIALS
    )
    assert (report.deleted, report.failed, report.complete) == (200, 0, True)
    assert glacier.ledger["archives_left"] == 0
    again = await glacier_purge.purge(
        tmp_path / "run", confirm_digest=plan.digest, settings=how, credentials=CREDENTIALS
    )
    assert again == report
    assert glacier.ledger["deletes_received"] == 200


async def test_a_vault_is_fetched_planned_shown_purged_looked_at_and_proven_by_functions_alone(tmp_path: Path) -> None:
    async with SimulatedGlacier(archives=50, time_scale=0) as glacier:
        how, run_dir = settings(glacier), tmp_path / "run"
        now: dict[str, Any] = {"waiter": glacier_purge.NoWait()}
        reached: dict[str, Any] = {"settings": how, "credentials": CREDENTIALS}
        with pytest.raises(glacier_purge.Pending) as waits:
            await glacier_purge.fetch_inventory("photos", to=tmp_path / "inventory.json", **now, **reached)
        assert waits.value.what.startswith("inventory job")
        glacier.clock.step(6 * HOUR)
        fetched = await glacier_purge.fetch_inventory("photos", to=tmp_path / "inventory.json", **now, **reached)
        assert (fetched.records, fetched.vault) == (50, "photos")
        plan = await glacier_purge.make_plan("photos", inventory=fetched.file, run_dir=run_dir, **reached)
        shown = glacier_purge.show_plan(run_dir, settings=how)
        assert isinstance(shown, glacier_purge.Shown)
        assert (shown.digest, shown.selected, shown.approval) == (plan.digest, 50, "wanted")
        seen: list[glacier_purge.Progress] = []

        async def approve(view: glacier_purge.PlanView) -> str | None:
            return view.plan.digest if view.plan == plan else None

        report = await glacier_purge.purge(run_dir, approve=approve, on_progress=seen.append, **reached)
        assert (report.deleted, seen[-1].deleted, report.complete) == (50, 50, True)
        standing = glacier_purge.status(run_dir)
        assert isinstance(standing, glacier_purge.RunStatus)
        assert (standing.state, standing.deleted) == ("finished", 50)
        verified = await proven(glacier, run_dir, **reached)
        assert (verified.state, verified.vault_is_empty, verified.gone) == ("proven", True, 50)
        (run_dir / "certificate.json").unlink()
        (run_dir / "verification/inventory.json").write_bytes(b"{}")  # a later inventory can be fetched once more
        again = await proven(glacier, run_dir, **reached)
        assert (again.state, again.gone) == ("proven", 50)


async def proven(glacier: SimulatedGlacier, run_dir: Path, **reached: Any) -> glacier_purge.Verified:
    """Call it once a day, as cron would."""
    while True:
        try:
            return await glacier_purge.verify(run_dir, waiter=glacier_purge.NoWait(), **reached)
        except glacier_purge.Pending:
            glacier.clock.step(24 * HOUR)


@pytest.mark.parametrize("digest", [None, "", "yes", "0" * 64])
async def test_nothing_is_sent_unless_a_plan_is_approved_by_its_digest(
    digest: str | None, glacier: SimulatedGlacier, inventory: Path, tmp_path: Path
) -> None:
    how = settings(glacier)
    await glacier_purge.make_plan("photos", inventory=inventory, run_dir=tmp_path / "run", settings=how)
    before = glacier.ledger["requests"]

    async def approve(_: glacier_purge.PlanView) -> str | None:
        return digest

    ways: list[dict[str, Any]] = [{"approve": approve}, {}]
    for asked in ways:
        with pytest.raises(PlanRefused, match=r"[Nn]othing was sent\.$"):
            await glacier_purge.purge(tmp_path / "run", settings=how, credentials=CREDENTIALS, **asked)
    assert glacier.ledger["requests"] == before


async def test_what_a_progress_callback_raises_stops_the_run_and_the_same_call_goes_on(
    glacier: SimulatedGlacier, inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glacier_purge.api.library.PROGRESS_SECONDS", 0.05)
    how, run_dir = settings(glacier, first_per_second=100), tmp_path / "run"
    plan = await glacier_purge.make_plan("photos", inventory=inventory, run_dir=run_dir, settings=how)

    def enough(progress: glacier_purge.Progress) -> None:
        if progress.deleted > 10:
            raise LookupError("enough")

    with pytest.raises(LookupError):
        await glacier_purge.purge(
            run_dir, confirm_digest=plan.digest, settings=how, credentials=CREDENTIALS, on_progress=enough
        )
    standing = glacier_purge.status(run_dir)
    assert isinstance(standing, glacier_purge.RunStatus)
    assert standing.state == "stopped, resumable with apply"
    assert 10 < standing.deleted < 200
    report = await glacier_purge.purge(run_dir, confirm_digest=plan.digest, settings=how, credentials=CREDENTIALS)
    assert (report.deleted, glacier.ledger["archives_left"]) == (200, 0)


def test_the_package_lists_what_it_offers_and_offers_what_it_lists() -> None:
    assert dir(glacier_purge) == sorted(glacier_purge.__all__)
    assert all(hasattr(glacier_purge, name) for name in dir(glacier_purge))


async def test_nothing_is_sent_for_another_plans_digest_or_a_locked_run(
    glacier: SimulatedGlacier, inventory: Path, tmp_path: Path
) -> None:
    how, before = settings(glacier), glacier.ledger["requests"]
    plan = await glacier_purge.make_plan("photos", inventory=inventory, run_dir=tmp_path / "run", settings=how)
    with pytest.raises(PlanRefused, match="is not this plan's"):
        await glacier_purge.purge(tmp_path / "run", confirm_digest="0" * 64, settings=how, credentials=CREDENTIALS)
    with (
        RunFolder.open(tmp_path / "run").locked(plan.vault, plan.endpoint_url),
        pytest.raises(RunLocked, match="another process works on the run"),
    ):
        await glacier_purge.purge(tmp_path / "run", confirm_digest=plan.digest, settings=how, credentials=CREDENTIALS)
    assert glacier.ledger["requests"] == before


async def test_a_plan_takes_choices_and_deletes_what_they_leave(
    glacier: SimulatedGlacier, inventory: Path, tmp_path: Path
) -> None:
    wanted = ids_in(glacier)[10:15]
    (tmp_path / "ids").write_text("\n".join(wanted), "ascii")
    how, some = settings(glacier), glacier_purge.Choices(ids=str(tmp_path / "ids"), limit=3)
    plan = await glacier_purge.make_plan(
        "photos", inventory=inventory, run_dir=tmp_path / "run", settings=how, choices=some
    )
    assert (plan.counts.selected, plan.counts.skipped) == (3, 197)
    await glacier_purge.purge(tmp_path / "run", confirm_digest=plan.digest, settings=how, credentials=CREDENTIALS)
    assert set(wanted) - set(ids_in(glacier)) == set(wanted[:3])
    assert glacier.ledger["archives_left"] == 197


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"min_size": "1PiB"}, "no archive is left to delete"),
        ({"older_than": "soon"}, "neither an age"),
        ({"limit": 0}, "nothing"),
    ],
)
async def test_choices_that_choose_nothing_leave_no_folder(
    glacier: SimulatedGlacier, inventory: Path, tmp_path: Path, choices: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        await glacier_purge.make_plan(
            "photos",
            inventory=inventory,
            run_dir=tmp_path / "run",
            settings=settings(glacier),
            choices=glacier_purge.Choices(**choices),
        )
    assert not (tmp_path / "run").exists()


async def test_a_plan_is_the_same_whether_the_service_could_be_asked_or_not(
    glacier: SimulatedGlacier, inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def planned(name: str) -> tuple[str, bool | None]:
        folder = tmp_path / name
        plan = await glacier_purge.make_plan("photos", inventory=inventory, run_dir=folder, settings=settings(glacier))
        return plan.digest, read_identity(RunFolder.open(folder), plan).retrievals_looked_at

    unasked, looked = await planned("unasked")
    assert looked is False
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    assert await planned("asked") == (unasked, True)
    async with control(glacier.endpoint_url) as client:
        await client.initiate_inventory("glacier-purge")
    assert await planned("a job for something else") == (unasked, True)
    job = json.dumps({"Type": "archive-retrieval", "ArchiveId": ids_in(glacier)[7]}).encode()
    assert (await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", job)).status == 202
    retrieved, looked = await planned("an archive in retrieval")
    assert looked is True
    assert retrieved != unasked


@pytest.fixture
def torn(inventory: Path) -> int:
    """Where the inventory ends after it lost its last byte."""
    return inventory.write_bytes(inventory.read_bytes()[:-1])


async def test_a_damaged_inventory_leaves_no_folder(
    glacier: SimulatedGlacier, inventory: Path, torn: int, tmp_path: Path
) -> None:
    with pytest.raises(InventoryDamaged, match="truncated") as caught:
        await glacier_purge.make_plan(
            "photos", inventory=inventory, run_dir=tmp_path / "run", settings=settings(glacier)
        )
    assert caught.value.file == str(inventory)
    assert caught.value.offset_bytes == torn
    assert os.listdir(tmp_path) == ["inventory.json"]  # noqa: PTH208 - names, and no waiting


async def test_a_refusal_of_the_service_is_raised_as_itself(
    glacier: SimulatedGlacier, inventory: Path, tmp_path: Path
) -> None:
    how = settings(glacier)
    plan = await glacier_purge.make_plan("photos", inventory=inventory, run_dir=tmp_path / "run", settings=how)
    glacier.desk.faults.replace([Rule("access-denied")])
    with pytest.raises(ServiceRefused, match="the service denied DeleteArchive"):
        await glacier_purge.purge(tmp_path / "run", confirm_digest=plan.digest, settings=how, credentials=CREDENTIALS)
    glacier.desk.faults.replace([])
    report = await glacier_purge.purge(
        tmp_path / "run", confirm_digest=plan.digest, settings=how, credentials=CREDENTIALS
    )
    assert (report.deleted, report.failed) == (200, 0)


# -- deletes alone ----------------------------------------------------------------------------------------------------


async def test_every_id_comes_back_as_one_outcome(glacier: SimulatedGlacier) -> None:
    ids = ids_in(glacier)
    outcomes = [
        outcome
        async for outcome in glacier_purge.delete_archives(
            VAULT, iter(ids), settings=settings(glacier), credentials=CREDENTIALS
        )
    ]
    assert sorted(outcome.ordinal for outcome in outcomes) == list(range(200))
    assert {(outcome.outcome, outcome.http_status) for outcome in outcomes} == {("deleted", 204)}
    assert [outcome.archive_id for outcome in sorted(outcomes, key=lambda one: one.ordinal)] == ids
    assert glacier.ledger["archives_left"] == 0


async def test_ids_that_come_one_by_one_are_not_kept_waiting_for_more(glacier: SimulatedGlacier) -> None:
    ids = ids_in(glacier)[:3]
    deleted = asyncio.Semaphore(1)

    async def one_after_the_other() -> AsyncIterator[str]:
        for archive_id in ids:
            await deleted.acquire()  # the next only when the one before is deleted
            yield archive_id

    come_back: list[str] = []
    async for outcome in glacier_purge.delete_archives(
        VAULT, one_after_the_other(), settings=settings(glacier), credentials=CREDENTIALS
    ):
        come_back.append(outcome.archive_id)
        deleted.release()
    assert come_back == ids


async def test_weather_is_waited_out(glacier: SimulatedGlacier) -> None:
    glacier.desk.faults.replace([Rule("internal-error", share=0.2), Rule("throttle", share=0.1)])
    outcomes = glacier_purge.delete_archives(
        VAULT, ids_in(glacier)[:50], settings=settings(glacier), credentials=CREDENTIALS
    )
    assert {outcome.outcome async for outcome in outcomes} == {"deleted"}
    assert glacier.ledger["archives_left"] == 150


async def test_what_is_no_archive_id_comes_back_and_is_never_sent(glacier: SimulatedGlacier) -> None:
    good = ids_in(glacier)[0]
    ids = ["..", "", "a/b", good[:-1], good, good + "\n", "x" * 10_000, "\x1b[31m"]
    outcomes = {
        outcome.ordinal: outcome
        async for outcome in glacier_purge.delete_archives(
            VAULT, ids, settings=settings(glacier), credentials=CREDENTIALS
        )
    }
    assert [outcomes[ordinal].outcome for ordinal in range(8)] == [
        *["invalid"] * 4,
        "deleted",
        *["invalid"] * 3,
    ]
    assert outcomes[6].archive_id == "x" * 200
    assert glacier.ledger["deletes_received"] == 1
    assert glacier.ledger["malformed"] == 0


async def test_nothing_goes_on_after_an_early_end(glacier: SimulatedGlacier) -> None:
    before = asyncio.all_tasks()
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            yield from ids_in(glacier)
            read += 1

    async with aclosing(
        glacier_purge.delete_archives(VAULT, endless(), settings=settings(glacier), credentials=CREDENTIALS)
    ) as outcomes:
        async for _ in outcomes:
            break
    assert asyncio.all_tasks() == before
    assert read < 5, "ids were collected"
    received = glacier.ledger["deletes_received"]
    await asyncio.sleep(0.05)
    assert glacier.ledger["deletes_received"] == received
    assert glacier.open_connections == 0


async def test_ids_are_not_read_ahead_of_a_caller_who_looks_at_no_outcome(glacier: SimulatedGlacier) -> None:
    ids, read = ids_in(glacier), 0

    def counted() -> Iterator[str]:
        nonlocal read
        for archive_id in cycle(ids):
            read += 1
            yield archive_id

    quickly = settings(glacier, first_per_second=100_000)
    async with aclosing(
        glacier_purge.delete_archives(VAULT, counted(), settings=quickly, credentials=CREDENTIALS)
    ) as outcomes:
        await anext(outcomes)
        received = -1
        while glacier.ledger["deletes_received"] != received or received < UNRECORDED_MAX:
            received = glacier.ledger["deletes_received"]
            await asyncio.sleep(0.05)
        assert UNRECORDED_MAX < received <= UNRECORDED_MAX + 2 * 64
        assert read < received + 500


async def collect(outcomes: AsyncIterator[glacier_purge.Outcome], into: list[glacier_purge.Outcome]) -> None:
    """Gather outcomes where they are not lost with an error."""
    async for outcome in outcomes:
        into.append(outcome)  # noqa: PERF401 - see above


async def test_an_error_of_the_ids_is_raised_after_what_was_named_before(glacier: SimulatedGlacier) -> None:
    ids = ids_in(glacier)

    async def failing() -> AsyncIterator[str]:
        for archive_id in ids[:100]:
            yield archive_id
        raise LookupError("the table ended")

    before = asyncio.all_tasks()
    outcomes: list[glacier_purge.Outcome] = []
    with pytest.raises(LookupError, match="the table ended"):
        await collect(
            glacier_purge.delete_archives(VAULT, failing(), settings=settings(glacier), credentials=CREDENTIALS),
            outcomes,
        )
    assert len(outcomes) == 100
    assert {outcome.outcome for outcome in outcomes} == {"deleted"}
    assert asyncio.all_tasks() == before
    assert glacier.ledger["archives_left"] == 100


async def test_a_refusal_ends_the_stream_as_itself(glacier: SimulatedGlacier) -> None:
    ids, before = ids_in(glacier), glacier.ledger["requests"]
    glacier.desk.faults.replace([Rule("vault-missing")])
    outcomes: list[glacier_purge.Outcome] = []
    with pytest.raises(ServiceRefused, match="the vault was not found"):
        await collect(
            glacier_purge.delete_archives(VAULT, ids, settings=settings(glacier), credentials=CREDENTIALS), outcomes
        )
    assert outcomes == []
    assert glacier.ledger["requests"] <= before + 2


async def test_a_region_without_the_service_is_refused() -> None:
    nowhere = glacier_purge.Vault(account_id="123456789012", region="eu-north-9", name="photos")
    with pytest.raises(UsageError, match="has no vaults in region 'eu-north-9'"):
        await collect(glacier_purge.delete_archives(nowhere, []), [])
