"""``inventory fetch`` by the installed command against the simulator; nobody waits, its days are stepped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process

HOUR = 3600.0


def fetch(bench: Bench, *options: str) -> tuple[str, ...]:
    return ("inventory", "fetch", bench.simulator.vault, "--endpoint-url", bench.simulator.endpoint_url, *options)


def test_without_waiting_it_says_until_when_and_a_later_call_has_the_file(bench: Bench) -> None:
    # glacier-purge inventory fetch photos --to inventory.json --no-wait
    file = bench.folder / "inventory.json"
    options = ("--to", str(file), "--no-wait", "--new-inventory")
    for _ in range(2):
        pending = bench.json(*fetch(bench, *options), exit_code=75)
        assert pending["state"] == "pending"
        assert pending["waiting_for"].startswith("inventory job ")
        assert pending["until"].endswith("Z")
    assert not file.exists()
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    fetched = bench.json(*fetch(bench, *options))
    assert (fetched["file"], fetched["records"]) == (str(file), 500)
    assert len(json.loads(file.read_bytes())["ArchiveList"]) == 500
    assert not (bench.folder / "inventory.json.fetch").exists()
    again = bench.run(*fetch(bench, "--to", str(file)), exit_code=2)
    assert "exists already" in again.stderr


def test_the_inventory_fetched_can_be_planned_with(bench: Bench) -> None:
    # glacier-purge inventory fetch photos; glacier-purge plan photos --inventory photos-inventory.json
    bench.json(*fetch(bench, "--no-wait"), exit_code=75)
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    bench.json(*fetch(bench, "--no-wait"))
    plan = bench.plan(inventory=bench.folder / "photos-inventory.json")
    assert plan["selected"] == 500


def test_a_run_folder_keeps_the_inventory_and_how_it_came(bench: Bench) -> None:
    # glacier-purge inventory fetch photos --run-dir run --no-wait
    bench.json(*fetch(bench, "--run-dir", str(bench.run_dir), "--no-wait"), exit_code=75)
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    first = bench.json(*fetch(bench, "--run-dir", str(bench.run_dir), "--no-wait"))
    assert bench.json(*fetch(bench, "--run-dir", str(bench.run_dir), "--no-wait")) == first
    assert (bench.run_dir / "inventory.json").exists()


def test_waiting_is_told_on_stderr_and_can_be_stopped(bench: Bench) -> None:
    # glacier-purge inventory fetch photos --to inventory.json
    process = bench.start(*fetch(bench, "--to", str(bench.folder / "inventory.json")))
    assert process.stderr is not None
    while "waiting for inventory job " not in (line := process.stderr.readline()):
        assert line, "it ended by itself"
    assert line.startswith("glacier-purge: 20")
    assert "next look at 20" in line
    process.terminate()
    process.communicate(timeout=20)
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    assert bench.json(*fetch(bench, "--to", str(bench.folder / "inventory.json")))["records"] == 500


def test_a_jobs_age_counts_by_the_services_days(bench: Bench) -> None:
    # glacier-purge inventory fetch photos --to second.json --no-wait --inventory-max-age 1h
    bench.json(*fetch(bench, "--to", str(bench.folder / "first.json"), "--no-wait"), exit_code=75)
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    bench.json(*fetch(bench, "--to", str(bench.folder / "first.json"), "--no-wait"))
    second = ("--to", str(bench.folder / "second.json"), "--no-wait")
    bench.json(*fetch(bench, *second, "--inventory-max-age", "1h"), exit_code=75)
    third = ("--to", str(bench.folder / "third.json"), "--no-wait")
    bench.json(*fetch(bench, *third, "--inventory-max-age", "12h"))


def test_contradicting_options_are_refused(bench: Bench) -> None:
    both = bench.run(*fetch(bench, "--to", "a", "--run-dir", "b"), exit_code=2)
    assert "Give one of them" in both.stderr
    three = bench.run(*fetch(bench, "--new-inventory", "--inventory-max-age", "12h"), exit_code=2)
    assert "three different things" in three.stderr


def test_a_vault_that_is_not_there_is_refused_by_the_service(bench: Bench) -> None:
    refused = bench.run("inventory", "fetch", "films", "--endpoint-url", bench.simulator.endpoint_url, exit_code=254)
    assert "films" in refused.stderr
