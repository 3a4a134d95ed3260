"""Somebody else's inventory job, and a job that is ordered, as every verb that takes one says it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, Request, build_opener

import pytest

if TYPE_CHECKING:
    from tests.e2e.shell import Shell
    from tests.e2e.simulator import Simulator

HOUR = 3600.0


def continuation(simulator: Simulator, behind: int) -> str:
    """A finished job that lists all but the first ``behind`` archives; it looks like one of the whole vault."""
    first = sorted_ids(simulator)[behind - 1]
    body = {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Marker": first}}
    url = f"{simulator.endpoint_url}/-/vaults/{simulator.vault}/jobs"
    order = Request(url, json.dumps(body).encode(), {"x-amz-glacier-version": "2012-06-01"}, method="POST")
    with build_opener(ProxyHandler({})).open(order, timeout=30) as reply:
        job_id: str = reply.headers["x-amz-job-id"]
    simulator.post("clock", step_seconds=6 * HOUR)
    return job_id


def sorted_ids(simulator: Simulator) -> list[str]:
    inventory = json.loads(simulator.get(f"vaults/{simulator.vault}/inventory?format=json"))
    return [record["ArchiveId"] for record in inventory["ArchiveList"]]


def test_a_part_is_passed_over_by_its_name_and_one_of_our_own_asked_for(shell: Shell) -> None:
    # glacier-purge inventory fetch photos --to inventory.json --no-wait
    job_id = continuation(shell.simulator, behind=1)
    at = ("--endpoint-url", shell.simulator.endpoint_url, "--no-wait")
    fetch = ("inventory", "fetch", "photos", "--to", str(shell.folder / "inventory.json"), *at)
    first, second = shell(*fetch), shell(*fetch)
    assert (first.exit_code, second.exit_code) == (75, 75)
    passed_over = f"inventory job {job_id} of photos is passed over: it lists 59 archives, and the service counts 60"
    assert passed_over in first.err
    assert job_id not in second.err
    told = json.loads((shell.folder / "inventory.json.fetch/retrieval.json").read_bytes())
    assert told["tried"][0].startswith(f"{job_id}: it lists 59 archives")
    run = shell("run", "photos", "--run-dir", str(shell.run_dir), *at)
    assert run.exit_code == 75
    assert passed_over in run.err
    shell.simulator.post("clock", step_seconds=6 * HOUR)
    third = shell(*fetch)
    assert third.exit_code == 0
    assert len(json.loads((shell.folder / "inventory.json").read_bytes())["ArchiveList"]) == 60
    named = shell("run", "photos", "--run-dir", str(shell.run_dir), "--job-id", job_id, *at)
    assert named.exit_code == 2
    assert f"inventory job {job_id} of " in named.err
    assert "will not do: it lists 59 archives" in named.err


def test_an_inventory_is_not_fetched_into_a_folder_that_was_planned_in(shell: Shell) -> None:
    shell.planned()
    kept = (shell.run_dir / "inventory.json").read_bytes()
    said = shell(
        *("inventory", "fetch", "photos", "--run-dir", str(shell.run_dir), "--new-inventory", "--no-wait"),
        *("--endpoint-url", shell.simulator.endpoint_url),
    )
    assert said.exit_code == 2
    assert "holds a plan, which needs the inventory it was made from" in said.err
    assert (shell.run_dir / "inventory.json").read_bytes() == kept


FLEET = '[[vaults]]\nname = "photos"\n'


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("inventory", "fetch", "photos", "--new-inventory", "--job-id", "j"), "two jobs for one inventory"),
        (("run", "photos", "--new-inventory", "--job-id", "j"), "two jobs for one inventory"),
        (("verify", "run", "--new-inventory", "--job-id", "j"), "two jobs for one inventory"),
        (("run", "photos", "--run-dir", "run", "--job-id", "-j"), "inventory job -j of arn:"),
        (("inventory", "fetch", "photos", "--job-id", "-j"), "will not do: the service does not know it (any more)"),
        (("fleet", "fleet.toml", "--run-dir", "fleet", "--job-id", "j"), "--job-id j: write VAULT=JOB"),
        (("fleet", "fleet.toml", "--run-dir", "fleet", "--job-id", "photos="), "--job-id photos=: write VAULT=JOB"),
        (("fleet", "fleet.toml", "--run-dir", "fleet", "--job-id", "films=j"), "the fleet has no such vault"),
        (("fleet", "fleet.toml", "--run-dir", "fleet", "--job-id", "photos=-j"), "inventory job -j of arn:"),
    ],
)
def test_an_order_that_means_nothing_is_refused(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(shell.folder)
    (shell.folder / "fleet.toml").write_text(FLEET, "utf-8")
    said = shell(*arguments, "--no-wait", "--endpoint-url", shell.simulator.endpoint_url)
    assert said.exit_code == 2
    assert says in " ".join((said.err + said.out).split())
