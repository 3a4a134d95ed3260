"""Fetching a vault's inventory from the simulator in stepped time: waits, stops, failures, what is not believed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import NotOurs, Pending, PlanRefused, RunStopped, UsageError
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.inventory.fetching.job_choice import WantedJob, mark
from glacier_purge.inventory.fetching.retrieval import Retrieval, RetrievalSettings
from glacier_purge.storage.pretend_disk import PretendDisk
from glacier_simulator.faults import Rule
from tests.clients import HOUR, VAULT, Stepping, control, simulated
from tests.glacier_simulator.raw_client import ask
from tests.reliability.mirror import files_in, mirrored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl, Job
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_simulator import SimulatedGlacier


async def _at_once(seconds: float) -> None:
    """Wait for nothing between the tries of a download."""


SMALL = RetrievalSettings(chunk_bytes=4096, sleep=_at_once)
UNHEARD: list[str] = []
LIMITED = b', "InventoryRetrievalParameters": {"Limit": "5"}'
NEW_JOB = b'{"Type": "inventory-retrieval"%b}'


class KilledError(Exception):
    """What a kill -9 is in one process."""


def killing(at: int) -> Callable[[str, str], None]:
    """Kill before the ``at``-th operation on a file."""
    numbers = count(1)

    def before(_verb: str, _name: str) -> None:
        if next(numbers) >= at:
            raise KilledError

    return before


async def fetch(
    client: GlacierControl,
    folder: Path,
    waiter: Waiter,
    wanted: WantedJob = WantedJob(),  # noqa: B008 - frozen
) -> tuple[Snapshot, str]:
    return await Retrieval(client, folder, wanted, waiter, UNHEARD.append, SMALL).fetch()


async def jobs(client: GlacierControl) -> list[Job]:
    return [job async for job in client.list_jobs()]


async def test_a_job_is_asked_for_awaited_downloaded_and_read_through(tmp_path: Path) -> None:
    async with simulated(archives=100) as (glacier, client):
        waiter = Stepping(glacier)
        snapshot, job_id = await fetch(client, tmp_path, waiter)
        (job,) = await jobs(client)
    assert (snapshot.records, snapshot.format, snapshot.path) == (100, "json", tmp_path / "inventory.json")
    assert job_id == job.job_id
    assert names(tmp_path) == {"inventory.json", "inventory.json.sha256", "retrieval.json"}
    assert all(waiting.what.startswith("inventory job ") for waiting in waiter.waited)
    assert 5 <= len(waiter.waited) <= 15


async def test_a_finished_job_of_somebody_elses_is_adopted_and_nothing_asked_for(tmp_path: Path) -> None:
    async with simulated() as (glacier, client):
        for extra in (b"", b', "Format": "CSV"', LIMITED):
            await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", NEW_JOB % extra)
        glacier.clock.step(6 * HOUR)
        whole = next(
            job
            for job in await jobs(client)
            if job.inventory and job.inventory.format == "JSON" and not job.inventory.limit
        )
        snapshot, job_id = await fetch(client, tmp_path, NoWait(clock=Stepping(glacier).now))
        assert (snapshot.records, job_id) == (100, whole.job_id)
        assert len(await jobs(client)) == 3


async def test_without_waiting_the_job_is_asked_for_once_and_taken_by_a_later_call(tmp_path: Path) -> None:
    async with simulated() as (glacier, client):
        hasty = NoWait(clock=Stepping(glacier).now)
        for _ in range(3):
            new = WantedJob(created_from=hasty.now())
            with pytest.raises(Pending, match=r"inventory job .* take 3 to 5 hours") as pending:
                await fetch(client, tmp_path, hasty, new)
            assert pending.value.until is not None
            assert pending.value.until > hasty.now()
            glacier.clock.step(60)
        glacier.clock.step(6 * HOUR)
        snapshot, _ = await fetch(client, tmp_path, hasty, WantedJob(created_from=hasty.now()))
        assert snapshot.records == 100
        assert len(await jobs(client)) == 1


async def test_an_inventory_that_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    async with simulated() as (glacier, client):
        first = await fetch(client, tmp_path, Stepping(glacier))
        glacier.clock.step(90 * HOUR)
        assert await fetch(client, tmp_path, NoWait(clock=Stepping(glacier).now)) == first
        (tmp_path / "inventory.json").write_bytes(
            (tmp_path / "inventory.json").read_bytes().replace(b'"Size":1', b'"Size":2', 1)
        )
        with pytest.raises(PlanRefused, match="changed after it was fetched"):
            await fetch(client, tmp_path, Stepping(glacier))


async def test_killed_while_an_inventory_makes_room_for_a_new_one_the_next_call_has_one(tmp_path: Path) -> None:
    """Wherever it is killed: nothing is noted as fetched that is gone, and no hash is left without its inventory."""
    for at in count(1):
        (folder := tmp_path / f"{at}").mkdir()
        async with simulated(archives=3) as (glacier, client):
            await fetch(client, folder, Stepping(glacier))
            disk = PretendDisk(files_in(folder), before=killing(at))
            with mirrored(folder, disk), pytest.raises((KilledError, Pending)) as end:
                await fetch(client, folder, NoWait(clock=Stepping(glacier).now), WantedJob(is_new=True))
            if end.type is Pending:
                break
            assert names(folder) & {"inventory.json", "inventory.json.sha256"} != {"inventory.json.sha256"}
            snapshot, _ = await fetch(client, folder, Stepping(glacier))
            assert snapshot.records == 3
    assert at > 10


@pytest.mark.parametrize("hand", ["write bit", "second name", "link"])
async def test_an_inventory_or_a_part_in_which_others_have_a_hand_is_not_read(hand: str, tmp_path: Path) -> None:
    def handed(file: Path) -> None:
        if hand == "write bit":
            file.chmod(0o666)
        elif hand == "second name":
            (tmp_path / "elsewhere").hardlink_to(file)
        else:
            file.symlink_to(file.rename(tmp_path / "elsewhere"))

    place = tmp_path / "fetched"
    place.mkdir(mode=0o700)
    async with simulated() as (glacier, client):
        await fetch(client, place, Stepping(glacier))
        whole, told = place / "inventory.json", (place / "retrieval.json").read_text()
        part = place / "inventory.part"
        part.write_bytes(whole.read_bytes())
        handed(whole)
        with pytest.raises(NotOurs, match=r"inventory\.json .* is not used"):
            await fetch(client, place, Stepping(glacier))
        (tmp_path / "elsewhere").unlink(missing_ok=True)
        (place / "retrieval.json").write_text(re.sub(r'"sha256": "[0-9a-f]+"', '"sha256": null', told))
        part.chmod(0o600)
        handed(part)
        with pytest.raises(NotOurs, match=r"inventory\.part .* is not used"):
            await fetch(client, place, Stepping(glacier))


BREAKS = ["output-cut", "truncated-body", "reset-after", "internal-error", "throttle", "bad-gateway"]


@pytest.mark.parametrize("kind", BREAKS)
async def test_a_download_that_breaks_goes_on_where_it_broke(kind: str, tmp_path: Path) -> None:
    async with simulated(faults=[Rule(kind, operation="GetJobOutput", count=5)]) as (glacier, client):
        snapshot, _ = await fetch(client, tmp_path, Stepping(glacier))
        assert glacier.ledger["faults"] == {kind: 5}
        assert snapshot.path.read_bytes() == listed(glacier)


async def test_a_stopped_download_is_continued_by_a_later_call(tmp_path: Path) -> None:
    rules = [Rule("output-cut", operation="GetJobOutput", count=1), Rule("throttle", operation="GetJobOutput")]
    async with simulated(faults=rules) as (glacier, client):
        await client.initiate_inventory(mark(Stepping(glacier).now()))
        glacier.clock.step(6 * HOUR)
        with pytest.raises(Pending, match=r"the service to answer again \(throttled to GetJobOutput\)"):
            await fetch(client, tmp_path, NoWait(clock=Stepping(glacier).now))
        part = tmp_path / "inventory.part"
        came = part.read_bytes()
        assert 0 < len(came) < len(listed(glacier))
        glacier.desk.faults.replace([])
        part.write_bytes(came.replace(b'"InventoryDate":"2', b'"InventoryDate":"1'))  # shows whose bytes these are
        snapshot, _ = await fetch(client, tmp_path, Stepping(glacier))
        kept = snapshot.path.read_bytes()
        assert kept == listed(glacier).replace(b'"InventoryDate":"2', b'"InventoryDate":"1')


async def test_an_outage_of_hours_is_waited_out(tmp_path: Path) -> None:
    rules = [Rule("refuse", operation="DescribeJob", count=40), Rule("bad-gateway", operation="GetJobOutput", count=50)]
    async with simulated() as (glacier, client):
        await client.initiate_inventory(mark(Stepping(glacier).now()))
        glacier.desk.faults.replace([*rules, Rule("expired-token", operation="DescribeJob", count=4)])
        waiter = Stepping(glacier)
        snapshot, _ = await fetch(client, tmp_path, waiter)
    assert snapshot.records == 100
    told = {waiting.what for waiting in waiter.waited}
    assert "the service to answer again (no reply to DescribeJob)" in told
    assert "the service to answer again (server fault to GetJobOutput)" in told
    assert any(what.startswith("new AWS credentials (DescribeJob of ") for what in told)


async def test_what_was_downloaded_of_another_jobs_output_is_not_used(tmp_path: Path) -> None:
    async with simulated() as (glacier, client):
        (tmp_path / "inventory.part").write_bytes(b"of another job")
        snapshot, _ = await fetch(client, tmp_path, Stepping(glacier))
        assert snapshot.path.read_bytes() == listed(glacier)


async def test_a_job_that_fails_is_asked_for_again(tmp_path: Path) -> None:
    async with simulated(faults=[Rule("job-failed", operation="InitiateJob", count=2)]) as (glacier, client):
        snapshot, _ = await fetch(client, tmp_path, Stepping(glacier))
        assert snapshot.records == 100
        assert len(await jobs(client)) == 3


async def test_jobs_that_fail_again_and_again_are_told(tmp_path: Path) -> None:
    async with simulated(faults=[Rule("job-failed", operation="InitiateJob")]) as (glacier, client):
        with pytest.raises(RunStopped, match=r"no inventory of arn:.* it failed"):
            await fetch(client, tmp_path, Stepping(glacier))
        assert len(await jobs(client)) == 4


async def test_an_output_that_expired_before_it_was_here_is_asked_for_again(tmp_path: Path) -> None:
    async with simulated() as (glacier, client):
        hasty = NoWait(clock=Stepping(glacier).now)
        with pytest.raises(Pending):
            await fetch(client, tmp_path, hasty)
        glacier.clock.step(40 * HOUR)
        with pytest.raises(Pending):
            await fetch(client, tmp_path, hasty)
        glacier.clock.step(6 * HOUR)
        snapshot, _ = await fetch(client, tmp_path, hasty)
        assert snapshot.records == 100


async def test_an_output_that_expires_during_the_download_is_asked_for_again(tmp_path: Path) -> None:
    async with simulated(faults=[Rule("throttle", operation="GetJobOutput", count=1)]) as (glacier, client):

        async def a_day(seconds: float) -> None:
            glacier.clock.step(24 * HOUR)

        slow = RetrievalSettings(chunk_bytes=4096, sleep=a_day)
        snapshot, job_id = await Retrieval(
            client, tmp_path, WantedJob(), Stepping(glacier), UNHEARD.append, slow
        ).fetch()
        assert snapshot.records == 100
        assert [job.job_id for job in await jobs(client)] == [job_id]


@pytest.mark.parametrize("kind", ["output-truncated"])
async def test_an_output_without_its_end_is_downloaded_again(kind: str, tmp_path: Path) -> None:
    async with simulated(faults=[Rule(kind, operation="GetJobOutput", count=1)]) as (glacier, client):
        snapshot, _ = await fetch(client, tmp_path, Stepping(glacier))
        assert snapshot.path.read_bytes() == listed(glacier)


async def test_a_vault_without_an_inventory_is_waited_for(tmp_path: Path) -> None:
    async with simulated(archives=0) as (glacier, _):
        glacier.service.create_vault("films", glacier.clock.now())
        async with control(glacier.endpoint_url, replace(VAULT, name="films")) as films:
            body = b"film"
            sha = hashlib.sha256(body).hexdigest()
            headers = {"x-amz-content-sha256": sha, "x-amz-sha256-tree-hash": sha}
            await ask(glacier.endpoint_url, "POST", "/-/vaults/films/archives", body, **headers)
            waiter = Stepping(glacier)
            snapshot, _ = await fetch(films, tmp_path, waiter)
    assert snapshot.records == 1
    assert waiter.waited[0].what.startswith("the vault's first inventory")


async def test_a_job_named_by_the_user_is_taken_or_refused_with_the_reason(tmp_path: Path) -> None:
    async with simulated() as (glacier, client):
        limited = await ask(
            glacier.endpoint_url,
            "POST",
            "/-/vaults/photos/jobs",
            NEW_JOB % b', "InventoryRetrievalParameters": {"Limit": "5"}',
        )
        whole = await client.initiate_inventory("somebody's")
        newer = await client.initiate_inventory("somebody's")
        glacier.clock.step(6 * HOUR)
        with pytest.raises(UsageError, match="only a part"):
            await fetch(client, tmp_path, Stepping(glacier), WantedJob(job_id=limited.headers["x-amz-job-id"]))
        with pytest.raises(UsageError, match="does not know it"):
            await fetch(client, tmp_path, Stepping(glacier), WantedJob(job_id="n" * 92))
        _, job_id = await fetch(client, tmp_path, Stepping(glacier), WantedJob(job_id=whole))
    assert job_id == whole != newer


async def test_a_folder_with_another_vaults_inventory_is_refused(tmp_path: Path) -> None:
    async with simulated() as (glacier, client):
        await fetch(client, tmp_path, Stepping(glacier))
        async with control(glacier.endpoint_url, replace(VAULT, name="films")) as films:
            with pytest.raises(UsageError, match="holds an inventory of"):
                await fetch(films, tmp_path, Stepping(glacier))


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def listed(glacier: SimulatedGlacier) -> bytes:
    """The vault's last inventory, as the simulator itself has it."""
    return b"".join(glacier.service.inventory("photos", "JSON", glacier.clock.now()).pieces())
