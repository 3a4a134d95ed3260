"""The examples do what they say, each as a script of its own against a simulated Glacier."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.verification import verify
from tests.answers import check_answer
from tests.e2e.shell import process_settings_kept
from tests.e2e.simulator import simulating, stock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.simulator import Simulator

ARCHIVES = 60


Example = Callable[..., tuple[int, str]]
"""Runs an example by its name with arguments; gives its exit code and what it printed."""


@pytest.fixture
def glacier() -> Iterator[Simulator]:
    with simulating(archives=ARCHIVES) as glacier:
        yield glacier


@pytest.fixture
def standing() -> Iterator[Simulator]:
    """One whose time stands still."""
    with simulating(archives=ARCHIVES, time_scale=0) as glacier:
        yield glacier


@pytest.fixture
def inventory(glacier: Simulator, tmp_path: Path) -> Path:
    return glacier.inventory(tmp_path / "inventory.json")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")},
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture
def script(repository: Path, tmp_path: Path, environment: dict[str, str]) -> Example:
    """As a script, from a folder without the source."""

    def run(name: str, *arguments: str | Path) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, repository / "examples" / name, *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    return run


@pytest.fixture
def example(repository: Path, tmp_path: Path, environment: dict[str, str]) -> Example:
    """In this process, for whatever is given again and again: each start costs a second's third."""

    def run(name: str, *arguments: str | Path) -> tuple[int, str]:
        said = StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", [name, *map(str, arguments)])
            for variable, value in environment.items():
                patch.setenv(variable, value)
            with process_settings_kept(), pytest.raises(SystemExit) as ended:
                runpy.run_path(str(repository / "examples" / name), run_name="__main__")
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.getvalue()

    return run


def test_the_plain_engine_deletes_and_writes_a_line_an_outcome(
    glacier: Simulator, inventory: Path, script: Example, tmp_path: Path
) -> None:
    glacier.post("faults", rules=[{"kind": "internal-error", "count": 3}])
    log = tmp_path / "log.jsonl"
    assert script("plain_engine.py", inventory, log, "--endpoint-url", glacier.endpoint_url) == (0, "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["deleted"] * ARCHIVES
    assert len({line["request_id"] for line in lines}) == ARCHIVES
    assert glacier.ledger()["archives_left"] == 0


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


def test_a_plan_is_made_looked_at_and_carried_out(
    glacier: Simulator, inventory: Path, script: Example, example: Example, tmp_path: Path
) -> None:
    given = ("plan_and_purge.py", "photos", inventory, tmp_path / "run", "--endpoint-url", glacier.endpoint_url)
    code, output = script(*given)
    assert (code, output.splitlines()[0][:8]) == (0, f"{ARCHIVES} of {ARCHIVES}")
    assert glacier.ledger()["deletes_received"] == 0
    digest = output.split()[-1]
    for confirmed, expected in (("0" * 64, 2), (digest, 0), (digest, 0)):
        code, output = example(*given, "--confirm-digest", confirmed)
        assert code == expected, output
    assert f"{ARCHIVES} deleted, 0 failed, complete: True" in output
    assert glacier.ledger()["deletes_received"] == ARCHIVES


def test_a_migration_deletes_what_is_safe_elsewhere_and_nothing_else(
    glacier: Simulator, inventory: Path, script: Example, example: Example, tmp_path: Path
) -> None:
    listed = json.loads(inventory.read_bytes())
    ids = [archive["ArchiveId"] for archive in listed["ArchiveList"]]
    rows = [f"{archive_id},{'s3://copies/1' if at % 3 else ''}" for at, archive_id in enumerate(ids)]
    (tmp_path / "moved.csv").write_text("\n".join(["archive_id,copied_to", *rows]))
    arguments = [listed["VaultARN"], tmp_path / "moved.csv", tmp_path / "log", "--endpoint-url", glacier.endpoint_url]
    for run in (script, example):
        code, output = run("migrate_then_purge.py", *arguments)
        assert (code, output.splitlines()[0]) == (0, "{'deleted': 40}"), output
    assert glacier.ids_left() == set(ids[::3])
    assert glacier.ledger()["deletes_received"] == 40
    assert verify(tmp_path / "log").faults == ()


def each_hour(glacier: Simulator, first: Example, run: Example, *call: str | Path) -> tuple[int, str]:
    """Call an example again and again, hours apart, until it waits for somebody or ends; its exit code and output."""
    code, output = first(*call, "--endpoint-url", glacier.endpoint_url)
    for _ in range(11):
        if code != 75 or "approval" in output.splitlines()[-1]:
            break
        glacier.post("clock", step_seconds=13 * 3600.0)
        code, output = run(*call, "--endpoint-url", glacier.endpoint_url)
    return code, output


@pytest.mark.at_length
@pytest.mark.slow
def test_a_vault_goes_its_whole_way_in_calls_that_wait_for_nothing(
    standing: Simulator, script: Example, example: Example, tmp_path: Path
) -> None:
    call = ("lifecycle.py", "photos", tmp_path / "run")
    code, output = each_hour(standing, script, example, *call)
    assert (code, standing.ledger()["deletes_received"]) == (75, 0), output
    digest = re.findall(r"--confirm-digest ([0-9a-f]{64})", output)[-1]
    seen, told = script("status.py", tmp_path / "run")
    assert (seen, told.count(f"; approve with --confirm-digest {digest}")) == (1, 1), told
    code, output = each_hour(standing, example, example, *call, "--confirm-digest", digest)
    assert code == 0, output
    assert output.splitlines()[-1].startswith("done after 1 rounds, certificate ")
    seen, told = example("status.py", tmp_path / "run")
    assert (seen, "run: done" in told) == (0, True), told
    assert (standing.ledger()["deletes_received"], standing.ledger()["archives_left"]) == (ARCHIVES, 0)


@pytest.mark.slow
def test_a_step_says_what_it_needs_until_nothing_is_needed(
    standing: Simulator, script: Example, example: Example, tmp_path: Path
) -> None:
    call = ("step.py", "photos", tmp_path / "run")
    _, output = each_hour(standing, script, example, *call)
    wanted = check_answer("run", output)
    assert (wanted["exit_code"], wanted["needs"], wanted["until"]) == (75, "approval", None)
    assert standing.ledger()["deletes_received"] == 0
    approved = ("--confirm-digest", wanted["confirm_digests"][0])
    told = []
    for hours in (48.0, 6.0, 0.0):
        code, output = example(*call, "--endpoint-url", standing.endpoint_url, *approved)
        answer = check_answer("run", output)
        told.append((answer["phase"], answer["needs"], code))
        standing.post("clock", step_seconds=hours * 3600.0)
    assert told == [("verify", "time", 75), ("verify", "time", 75), ("done", "nothing", 0)]
    assert (standing.ledger()["deletes_received"], standing.ledger()["archives_left"]) == (ARCHIVES, 0)


@pytest.mark.at_length
@pytest.mark.slow
def test_a_fleet_goes_its_way_in_calls_that_wait_for_nothing(
    standing: Simulator, script: Example, example: Example, tmp_path: Path
) -> None:
    (tmp_path / "fleet.toml").write_text('[[vaults]]\nname = "*"\n', "utf-8")
    stock(standing, "films", 5)
    call = ("fleet.py", tmp_path / "fleet.toml", tmp_path / "run")
    code, output = each_hour(standing, script, example, *call)
    assert (code, standing.ledger()["deletes_received"]) == (75, 0), output
    code, output = each_hour(standing, example, example, *call, "--approve", "films", "--approve", "photos")
    assert code == 0, output
    assert output.count(": done in done") == 2
    seen, told = example("status.py", tmp_path / "run")
    assert (seen, told.count(": done ")) == (0, 2), told
    assert standing.ledger()["archives_left"] == 0
