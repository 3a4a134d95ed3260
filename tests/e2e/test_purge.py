"""Whole purges against the simulator: the first by the installed command, the others by the same commands here."""

from __future__ import annotations

import gzip
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from glacier_purge.audit.verification import read_notes, verify_folder
from glacier_purge.clock import utc_now
from glacier_purge.report.plan_shown import plan_shown
from glacier_purge.report.run_view import run_status
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder
from tests.storage.keys import made_keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import Bench

RESULT_KEYS = [
    *("result", "format"),
    *("inventory", "selected", "deleted", "failed", "skipped", "invalid", "duplicates", "throttled", "attempts"),
    *("redeleted", "seconds", "deletes_per_second", "run_dir"),
]

OUTCOME_KEYS = [
    *("seq", "ts", "event", "run", "ordinal", "archive_id", "size", "outcome", "attempts", "http_status", "code"),
    *("request_id", "ms", "epoch", "prev"),
]


def test_plan_and_apply_delete_every_archive(bench: Bench) -> None:
    # glacier-purge plan photos --inventory FILE --run-dir DIR; glacier-purge apply DIR --confirm-digest D
    plan = bench.plan()
    assert (plan["selected"], plan["inventory"]) == (500, 500)
    assert bench.simulator.ledger()["deletes_received"] == 0
    result = bench.json(*bench.apply_arguments(plan["digest"]))
    assert list(result) == RESULT_KEYS
    assert (result["deleted"], result["failed"], result["redeleted"]) == (500, 0, 0)
    assert bench.simulator.ledger()["archives_left"] == 0
    outcomes = bench.check_invariants()
    assert {tuple(outcome) for outcome in outcomes.values()} == {tuple(OUTCOME_KEYS)}
    assert all(outcome["request_id"] for outcome in outcomes.values())


@pytest.mark.in_process
def test_a_finished_run_sends_nothing_when_applied_again(bench: Bench) -> None:
    plan = bench.plan()
    first = bench.json(*bench.apply_arguments(plan["digest"]))
    again = bench.json("apply", str(bench.run_dir))
    assert again == first
    assert bench.simulator.ledger()["deletes_received"] == 500


@pytest.mark.in_process
def test_status_tells_how_far_a_run_is_and_needs_no_lock(bench: Bench) -> None:
    plan = bench.plan()
    before = bench.json("status", str(bench.run_dir))
    assert (before["deleted"], before["state"]) == (0, "planned, not begun")
    result = bench.json(*bench.apply_arguments(plan["digest"]))
    after = bench.json("status", str(bench.run_dir))
    assert after["state"] == "finished"
    assert {key: after[key] for key in RESULT_KEYS[2:]} == {key: result[key] for key in RESULT_KEYS[2:]}


@pytest.mark.in_process
@pytest.mark.parametrize("bench", [{"archives": 3000, "rate": 400, "latency-ms": 20}], indirect=True)
def test_status_works_while_a_run_is_going_on(bench: Bench) -> None:
    plan = bench.plan()
    process = bench.start(*bench.apply_arguments(plan["digest"]))
    bench.wait_for_deletes(300, process)
    status = bench.json("status", str(bench.run_dir))
    assert status["state"] == "running"
    assert 0 < status["deleted"] < 3000
    process.kill()


@pytest.mark.in_process
def test_a_run_keeps_its_head_elsewhere_signed(bench: Bench) -> None:
    # glacier-purge apply DIR --confirm-digest D --anchor-file FILE --sign-key KEY
    keys, anchors = made_keys(bench.folder), bench.folder / "anchors"
    plan = bench.plan()
    bench.json(*bench.apply_arguments(plan["digest"], "--anchor-file", str(anchors), "--sign-key", str(keys.anna)))
    held = ("--anchor", str(anchors), "--allowed-signers", str(keys.allowed_signers))
    found = bench.json("audit", "verify", str(bench.run_dir), *held)
    [note] = read_notes(anchors.read_bytes())
    assert found["anchor"] == f"{note.seq}:{note.digest}"
    assert found["anchors_signed_by"][0].startswith("anna@example (ED25519 key SHA256:")


@pytest.mark.in_process
def test_purge_does_plan_and_apply_in_one_with_a_digest_planned_before(bench: Bench) -> None:
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    digest = bench.plan(inventory=inventory)["digest"]
    result = bench.json(
        *("purge", "photos", "--inventory", str(inventory), "--run-dir", str(bench.folder / "second")),
        *("--endpoint-url", bench.simulator.endpoint_url, "--confirm-digest", digest),
    )
    assert result["deleted"] == 500


@pytest.mark.in_process
@pytest.mark.parametrize("bench", [{"archives": 2000, "rate": 300, "error-rate": 0.05}], indirect=True)
def test_throttling_and_server_errors_fail_no_archive(bench: Bench) -> None:
    plan = bench.plan()
    result = bench.json(*bench.apply_arguments(plan["digest"]))
    assert (result["deleted"], result["failed"]) == (2000, 0)
    assert result["attempts"] > 2000
    assert result["throttled"] == bench.simulator.ledger()["throttled"]
    bench.check_invariants()


@pytest.mark.in_process
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_a_compressed_inventory_is_read_whatever_its_name(bench: Bench, pack: Callable[[bytes], bytes]) -> None:
    plain = bench.simulator.inventory(bench.folder / "inventory.json")
    packed = bench.folder / "packed"
    packed.write_bytes(pack(plain.read_bytes()))
    plan = bench.plan(inventory=packed)
    assert bench.json(*bench.apply_arguments(plan["digest"]))["deleted"] == 500


@pytest.mark.in_process
def test_a_csv_inventory_needs_no_account_id_where_the_service_knows_it(bench: Bench) -> None:
    plan = bench.plan(inventory=bench.simulator.inventory(bench.folder / "inventory.csv", "csv"))
    assert plan["account_id"] == bench.simulator.account_id
    assert bench.json(*bench.apply_arguments(plan["digest"]))["deleted"] == 500


def test_an_inventory_comes_from_stdin(bench: Bench) -> None:
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    process = subprocess.run(
        [*_command(), "inventory", "inspect", "-", "--output", "json"],
        input=inventory.read_bytes(),
        capture_output=True,
        env=bench.environment(),
        check=True,
    )
    assert json.loads(process.stdout)["records"] == 500


def _command() -> tuple[str, ...]:
    from tests.e2e.conftest import COMMAND

    return COMMAND


@pytest.mark.in_process
def test_the_same_inventory_gives_the_same_plan_to_the_byte(bench: Bench) -> None:
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    bench.plan(inventory=inventory)
    first = (bench.run_dir / "plan.json").read_text()
    bench.run_dir.rename(bench.folder / "first")
    bench.plan(inventory=inventory)
    second = (bench.run_dir / "plan.json").read_text()
    runs = [json.loads(text)["run_sha256"] for text in (first, second)]
    assert second == first.replace(*runs), "all but which run.json lies beside it"


def edited(inventory: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    document = json.loads(inventory.read_bytes())
    change(document)
    inventory.write_text(json.dumps(document, separators=(",", ":")), "utf-8")
    return inventory


@pytest.mark.in_process
def test_duplicates_and_invalid_records_are_set_aside_when_asked(bench: Bench) -> None:
    def spoil(document: dict[str, Any]) -> None:
        document["ArchiveList"].append(dict(document["ArchiveList"][3]))
        document["ArchiveList"][7]["ArchiveId"] = ".."

    inventory = edited(bench.simulator.inventory(bench.folder / "inventory.json"), spoil)
    plan = bench.plan("--set-aside-defects", inventory=inventory)
    assert (plan["selected"], plan["invalid"], plan["duplicates"]) == (499, 1, 1)
    result = bench.json(*bench.apply_arguments(plan["digest"]))
    assert (result["deleted"], result["invalid"], result["duplicates"]) == (499, 1, 1)
    outcomes = {record["ordinal"]: record for record in bench.log() if record["event"] == "outcome"}
    assert outcomes[500]["code"] == "duplicate_of:3"
    assert outcomes[7]["outcome"] == "invalid"
    assert sorted(outcomes) == list(range(501))
    assert bench.simulator.ledger()["archives_left"] == 1


@pytest.mark.in_process
@pytest.mark.parametrize("transport", ["sdk", "rest"])
def test_both_transports_give_the_same_run(bench: Bench, transport: str) -> None:
    plan = bench.plan()
    result = bench.json(*bench.apply_arguments(plan["digest"], "--transport", transport))
    assert (result["deleted"], result["attempts"]) == (500, 500)
    bench.check_invariants()


@pytest.mark.in_process
@pytest.mark.parametrize("bench", [{"archives": 3_000, "latency-ms": 1}], indirect=True)
def test_who_reads_while_a_run_writes_and_seals_its_log_sees_no_damage(bench: Bench) -> None:
    # glacier-purge apply DIR; meanwhile audit verify DIR, status DIR, show DIR
    bench.variables |= {"GLACIER_PURGE_AUDIT__SEGMENT_RECORDS": "1000", "GLACIER_PURGE_AUDIT__CHECKPOINT_SECONDS": "1"}
    process = bench.start(*bench.apply_arguments(bench.plan()["digest"], "--max-rate", "2000"))
    looks = 0
    while process.poll() is None:
        verdicts = verify_folder(bench.run_dir)
        assert [verdict.found.faults for verdict in verdicts] == [()]
        folder = RunFolder.look(bench.run_dir)
        assert run_status(folder, utc_now()).selected == 3_000
        assert plan_shown(folder, Settings()).view.plan.counts.selected == 3_000
        looks += 1
    assert process.returncode == 0, process.communicate()[1]
    assert looks > 3
    assert len(list((bench.run_dir / "audit").glob("*.zst"))) >= 2
