"""The examples do what they say, each as a script of its own against a simulated Glacier."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.verification import verify
from glacier_simulator.faults import Rule
from glacier_simulator.kit import SimulatedGlacier
from tests.answers import check_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ARCHIVES = 60


@pytest.fixture
async def glacier() -> AsyncIterator[SimulatedGlacier]:
    async with SimulatedGlacier(archives=ARCHIVES) as glacier:
        yield glacier


@pytest.fixture
def inventory(glacier: SimulatedGlacier, tmp_path: Path) -> Path:
    path = tmp_path / "inventory.json"
    path.write_bytes(glacier.inventory_text())
    return path


async def run_example(name: str, repository: Path, tmp_path: Path, *arguments: str | Path) -> tuple[int | None, str]:
    """Run an example from a folder without the source; return its exit code and what it printed."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(repository / "examples" / name), *map(str, arguments)),
        cwd=tmp_path,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_the_plain_engine_deletes_and_writes_a_line_an_outcome(
    glacier: SimulatedGlacier, inventory: Path, repository: Path, tmp_path: Path
) -> None:
    glacier.desk.faults.replace([Rule("internal-error", count=3)])
    log = tmp_path / "log.jsonl"
    code, output = await run_example(
        "plain_engine.py", repository, tmp_path, inventory, log, "--endpoint-url", glacier.endpoint_url
    )
    assert (code, output) == (0, "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["deleted"] * ARCHIVES
    assert len({line["request_id"] for line in lines}) == ARCHIVES
    assert glacier.ledger["archives_left"] == 0


def test_the_plain_engine_is_short_and_uses_nothing_of_ours(repository: Path) -> None:
    source = (repository / "examples/plain_engine.py").read_text()
    imports = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    foreign = {name.partition(".")[0] for name in imports} - sys.stdlib_module_names
    assert foreign == {"aioboto3", "anyio", "structlog", "tenacity"}
    assert len(source.splitlines()) <= 75


async def test_a_plan_is_made_looked_at_and_carried_out(
    glacier: SimulatedGlacier, inventory: Path, repository: Path, tmp_path: Path
) -> None:
    arguments: list[str | Path] = ["photos", inventory, tmp_path / "run", "--endpoint-url", glacier.endpoint_url]
    code, output = await run_example("plan_and_purge.py", repository, tmp_path, *arguments)
    assert (code, output.splitlines()[0][:8]) == (0, f"{ARCHIVES} of {ARCHIVES}")
    assert glacier.ledger["deletes_received"] == 0
    digest = output.split()[-1]
    for confirmed, expected in (("0" * 64, 2), (digest, 0), (digest, 0)):
        code, output = await run_example(
            "plan_and_purge.py", repository, tmp_path, *arguments, "--confirm-digest", confirmed
        )
        assert code == expected, output
    assert f"{ARCHIVES} deleted, 0 failed, complete: True" in output
    assert glacier.ledger["deletes_received"] == ARCHIVES


async def test_a_migration_deletes_what_is_safe_elsewhere_and_nothing_else(
    glacier: SimulatedGlacier, repository: Path, tmp_path: Path
) -> None:
    listed = json.loads(glacier.inventory_text())
    ids = [archive["ArchiveId"] for archive in listed["ArchiveList"]]
    rows = [f"{archive_id},{'s3://copies/1' if at % 3 else ''}" for at, archive_id in enumerate(ids)]
    (tmp_path / "moved.csv").write_text("\n".join(["archive_id,copied_to", *rows]))
    arguments = [listed["VaultARN"], tmp_path / "moved.csv", tmp_path / "log", "--endpoint-url", glacier.endpoint_url]
    for _ in range(2):
        code, output = await run_example("migrate_then_purge.py", repository, tmp_path, *arguments)
        assert (code, output.splitlines()[0]) == (0, "{'deleted': 40}"), output
    left = {archive["ArchiveId"] for archive in json.loads(glacier.inventory_text())["ArchiveList"]}
    assert left == set(ids[::3])
    assert glacier.ledger["deletes_received"] == 40
    assert verify(tmp_path / "log").faults == ()


async def each_hour(glacier: SimulatedGlacier, *call: str | Path) -> tuple[int, str]:
    """Call an example again and again, hours apart, until it waits for somebody or ends; its exit code and output."""
    name, repository, tmp_path, *arguments = call
    code, output = None, ""
    for _ in range(12):
        code, output = await run_example(
            str(name), Path(repository), Path(tmp_path), *arguments, "--endpoint-url", glacier.endpoint_url
        )
        if code != 75 or "approval" in output.splitlines()[-1]:
            break
        glacier.clock.step(13 * 3600.0)
    assert code is not None
    return code, output


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_vault_goes_its_whole_way_in_calls_that_wait_for_nothing(repository: Path, tmp_path: Path) -> None:
    async with SimulatedGlacier(archives=ARCHIVES, time_scale=0) as glacier:
        call = ("lifecycle.py", repository, tmp_path, "photos", tmp_path / "run")
        code, output = await each_hour(glacier, *call)
        assert (code, glacier.ledger["deletes_received"]) == (75, 0), output
        digest = re.findall(r"--confirm-digest ([0-9a-f]{64})", output)[-1]
        seen, told = await run_example("status.py", repository, tmp_path, tmp_path / "run")
        assert (seen, told.count(f"; approve with --confirm-digest {digest}")) == (1, 1), told
        code, output = await each_hour(glacier, *call, "--confirm-digest", digest)
        assert code == 0, output
        assert output.splitlines()[-1].startswith("done after 1 rounds, certificate ")
        seen, told = await run_example("status.py", repository, tmp_path, tmp_path / "run")
        assert (seen, "run: done" in told) == (0, True), told
        assert (glacier.ledger["deletes_received"], glacier.ledger["archives_left"]) == (ARCHIVES, 0)


@pytest.mark.slow
async def test_a_step_says_what_it_needs_until_nothing_is_needed(repository: Path, tmp_path: Path) -> None:
    async with SimulatedGlacier(archives=ARCHIVES, time_scale=0) as glacier:
        call = ("step.py", repository, tmp_path, "photos", tmp_path / "run")
        _, output = await each_hour(glacier, *call)
        wanted = check_answer("run", output)
        assert (wanted["exit_code"], wanted["needs"], wanted["until"]) == (75, "approval", None)
        assert glacier.ledger["deletes_received"] == 0
        approved = ("--confirm-digest", wanted["confirm_digests"][0])
        told = []
        for hours in (48.0, 6.0, 0.0):
            code, output = await run_example(*call, "--endpoint-url", glacier.endpoint_url, *approved)
            answer = check_answer("run", output)
            told.append((answer["phase"], answer["needs"], code))
            glacier.clock.step(hours * 3600.0)
        assert told == [("verify", "time", 75), ("verify", "time", 75), ("done", "nothing", 0)]
        assert (glacier.ledger["deletes_received"], glacier.ledger["archives_left"]) == (ARCHIVES, 0)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_fleet_goes_its_way_in_calls_that_wait_for_nothing(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[[vaults]]\nname = "*"\n', "utf-8")
    async with SimulatedGlacier(archives=ARCHIVES, time_scale=0) as glacier:
        glacier.service.generate_vault("films", 5, 1_000_000_000.0)
        call = ("fleet.py", repository, tmp_path, tmp_path / "fleet.toml", tmp_path / "run")
        code, output = await each_hour(glacier, *call)
        assert (code, glacier.ledger["deletes_received"]) == (75, 0), output
        code, output = await each_hour(glacier, *call, "--approve", "films", "--approve", "photos")
        assert code == 0, output
        assert output.count(": done in done") == 2
        seen, told = await run_example("status.py", repository, tmp_path, tmp_path / "run")
        assert (seen, told.count(": done ")) == (0, 2), told
        assert glacier.ledger["archives_left"] == 0
