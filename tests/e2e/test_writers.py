"""Somebody still writes to the vault: the installed command says so wherever an inventory is at hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.simulator import ask_for

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process

HOUR = 3600.0


def writers(found: dict[str, Any], key: str) -> dict[str, str]:
    (finding,) = [dict[str, str](finding) for finding in found[key] if finding["subject"] == "writers"]
    return finding


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("bench", [{"archives": 20}], indirect=True)
def test_doctor_plan_and_run_tell_who_still_uploads_and_go_on(bench: Bench) -> None:
    # glacier-purge doctor photos; glacier-purge plan photos --inventory FILE; glacier-purge run photos --no-wait
    bench.variables["GLACIER_PURGE_INVENTORY__RECENT_UPLOAD_DAYS"] = "0"
    endpoint = ("--endpoint-url", bench.simulator.endpoint_url)
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    quiet = bench.json(
        "plan", "photos", "--inventory", str(inventory), "--run-dir", str(bench.folder / "quiet"), *endpoint
    )
    assert writers(quiet, "vault_findings")["weight"] == "fine"

    ask_for(bench.simulator, "POST", "/-/vaults/photos/archives", b"late")
    bench.simulator.post("clock", step_seconds=24 * HOUR)
    page = bench.run(
        "plan", "photos", "--inventory", str(inventory), "--run-dir", str(bench.folder / "page"), *endpoint
    ).stdout
    assert "warning   writers: somebody may still write to the vault: the service counts 21 archives as of" in page
    assert "1 more than are listed" in page
    plan = bench.json(
        "plan", "photos", "--inventory", str(inventory), "--run-dir", str(bench.folder / "plan"), *endpoint
    )
    assert writers(plan, "vault_findings")["weight"] == "warning"
    assert plan["digest"] == quiet["digest"], "what the service says today is no part of the plan"

    bench.variables.clear()
    assert writers(bench.json("doctor", "photos", *endpoint), "findings")["weight"] == "warning"
    run = ("run", "photos", "--run-dir", str(bench.run_dir), "--no-wait", *endpoint)
    bench.json(*run, exit_code=75)
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    told = bench.run(*run, exit_code=75)
    assert "writers: somebody may still write to the vault: the newest archive listed was uploaded at" in told.stderr
    assert "approval" in told.stdout, "it is a warning, and stops nothing"
    lifecycle = (bench.run_dir / "lifecycle.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lifecycle[1])["event"] == "inventory fetched"
