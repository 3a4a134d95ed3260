"""``verify`` and ``delete-vault`` by the installed command, as cron would call them; days are stepped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import asked

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process

DAY = 86_400.0


def test_a_vault_is_purged_proven_and_removed_without_ever_waiting(bench: Bench) -> None:
    # glacier-purge verify run --no-wait; glacier-purge delete-vault run --confirm-vault photos --no-wait
    plan = bench.plan()
    bench.json(*bench.apply_arguments(plan["digest"]))
    run = str(bench.run_dir)
    early = bench.run("delete-vault", run, "--confirm-vault", "photos", exit_code=2)
    assert "there is no certificate" in early.stderr
    pending = bench.json("verify", run, "--no-wait", exit_code=75)
    assert pending["waiting_for"].startswith("an inventory of photos made after")
    bench.simulator.post("clock", step_seconds=DAY)
    assert bench.json("verify", run, "--no-wait", exit_code=75)["waiting_for"].startswith("inventory job")
    bench.simulator.post("clock", step_seconds=DAY / 4)
    proven = bench.json("verify", run, "--no-wait")
    assert (proven["state"], proven["gone"], proven["listed"]) == ("proven", 500, 0)
    certificate = json.loads((bench.run_dir / "certificate.json").read_bytes())
    assert certificate["digest"] == proven["certificate_digest"]
    assert certificate["certificate"]["plan_digest"] == plan["digest"]
    wrong = bench.run("delete-vault", run, "--confirm-vault", "photo", exit_code=2)
    assert "not the name" in wrong.stderr
    last = bench.run("delete-vault", run, "--confirm-vault", "photos", exit_code=2)
    assert "--even-the-last-vault" in last.stderr
    removed = bench.json("delete-vault", run, "--confirm-vault", "photos", "--even-the-last-vault", "--no-wait")
    assert removed["state"] == "removed"


def test_archives_left_in_the_vault_end_verification_with_1(bench: Bench) -> None:
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    document = json.loads(inventory.read_bytes())
    document["ArchiveList"] = document["ArchiveList"][:490]
    inventory.write_text(json.dumps(document), "utf-8")
    plan = bench.plan(inventory=inventory)
    bench.json(*bench.apply_arguments(plan["digest"]))
    bench.simulator.post("clock", step_seconds=DAY)
    bench.json("verify", str(bench.run_dir), "--no-wait", exit_code=75)
    bench.simulator.post("clock", step_seconds=DAY / 4)
    told = bench.json("verify", str(bench.run_dir), "--no-wait", exit_code=1)
    assert (told["gone"], told["new_since"], told["vault_is_empty"]) == (490, 10, False)
    ids = Path(told["new_since_ids"]).read_text("ascii").split()
    assert set(ids) == bench.simulator.ids_left()
    refused = bench.run("delete-vault", str(bench.run_dir), "--confirm-vault", "photos", exit_code=2)
    assert "lists 10 archives" in refused.stderr


def test_kept_archives_that_are_gone_end_verification_with_1_and_a_certificate(bench: Bench) -> None:
    # glacier-purge plan photos --limit 400; somebody deletes what was kept; glacier-purge verify run
    plan = bench.plan("--limit", "400")
    bench.json(*bench.apply_arguments(plan["digest"]))
    gone = sorted(bench.simulator.ids_left())[:3]
    for archive_id in gone:
        asked(bench.simulator, "DELETE", f"photos/archives/{archive_id}")
    bench.simulator.post("clock", step_seconds=DAY)
    bench.json("verify", str(bench.run_dir), "--no-wait", exit_code=75)
    bench.simulator.post("clock", step_seconds=DAY / 4)
    said = bench.run("verify", str(bench.run_dir), "--no-wait", "--output", "json", exit_code=1)
    told = json.loads(said.stdout)
    assert (told["state"], told["kept"], told["kept_gone"]) == (
        *("proven, but archives that were kept are gone", 97, 3),
    )
    assert sorted(Path(told["kept_gone_ids"]).read_text("ascii").split()) == gone
    assert "3 archives that the plan let be are gone, and this run did not delete them" in said.stderr
    assert all(archive_id in said.stderr for archive_id in gone)
    assert (bench.run_dir / "certificate.json").exists()
