"""The walls between rooms hold: each contract of pyproject.toml is broken by what it forbids, in every room there is.

A contract that names too little passes for ever.  So each room in turn gets an import that it must not have, in a copy
of the tree, and the check that ``make check`` runs has to refuse it, by the contract that is meant.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENGINE = ROOT / "engine"
PURGE = ENGINE / "glacier_purge"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS: list[str] = next(contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")

MAY_OPEN_ADAPTERS = {"aws", "glacier.sdk", "glacier.http"}  # and the one file api.clients
ADAPTERS = ["aws.dynamodb", "aws.s3", "aws.session", "glacier.http.rest", "glacier.sdk.client"]

_CHECK_EACH = """
import json, sys
from pathlib import Path
from importlinter.cli import lint_imports

def ends_with(contract):
    return lint_imports("pyproject.toml", limit_to_contracts=[contract] if contract else [], cache_dir=".cache")

codes = []
for contract, name, line in json.load(sys.stdin):
    file = Path(name)
    was = file.read_text("utf-8")
    file.write_text(was + "\\n\\ndef _through_the_wall() -> None:\\n    " + line + "\\n", "utf-8")
    codes.append(ends_with(contract))
    file.write_text(was, "utf-8")
sys.stdout.flush()
sys.stderr.write("CODES " + json.dumps(codes))
"""
"""Adds a line to a file, checks one contract (all, if none is named), takes the line away again; one at a time."""

Line = tuple[str, str, str]
"""A contract's id, a file from the root of the tree, and the import that is written into it."""


def rooms() -> dict[str, Path]:
    """Every folder of modules below the engine and every module at its top, by dotted name, with a file of it."""
    found: dict[str, Path] = {file.stem: file for file in PURGE.glob("*.py") if not file.stem.startswith("__")}
    for folder in {file.parent for file in PURGE.rglob("*.py")} - {PURGE}:
        name = ".".join(folder.relative_to(PURGE).parts)
        closed = (file for file in folder.glob("*.py") if file.stem != "clients")
        found[name] = max(closed, key=lambda file: file.stat().st_size)
    return found


def above(room: str) -> str:
    """A room of the layer over that of ``room``."""
    names = [layer.replace("|", ":").replace(" ", "").split(":") for layer in LAYERS]
    [place] = [number for number, layer in enumerate(names) if room.partition(".")[0] in layer]
    return names[place - 1][0]


def line(contract: str, file: Path | str, module: str) -> Line:
    return contract, str(file if isinstance(file, str) else file.relative_to(ROOT)), f"import {module}"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the contracts are about."""
    place = tmp_path_factory.mktemp("house")
    for folder in ("engine", "config"):
        shutil.copytree(ROOT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def passed(place: Path, lines: list[Line]) -> list[Line]:
    """Those of the lines that the check lets pass, each added alone."""
    done = subprocess.run(
        [sys.executable, "-c", _CHECK_EACH],
        input=json.dumps(lines),
        cwd=place,
        env={**os.environ, "PYTHONPATH": f"{place / 'engine'}{os.pathsep}{place / 'config'}"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    codes = json.loads(done.stderr.rpartition("CODES ")[2])
    return [line for line, code in zip(lines, codes, strict=True) if code == 0]


def test_the_house_stands_as_it_is(copied: Path) -> None:
    nothing = ("", "engine/glacier_purge/errors.py", "pass")
    assert passed(copied, [nothing]) == [nothing], "a contract is broken: see `lint-imports`"


@pytest.mark.at_length
@pytest.mark.timeout(220)
def test_no_room_opens_an_adapter(copied: Path) -> None:
    closed = {name: file for name, file in rooms().items() if name not in MAY_OPEN_ADAPTERS}
    lines = [
        line("adapters", file, f"glacier_purge.{ADAPTERS[number % len(ADAPTERS)]}")
        for number, file in enumerate(closed.values())
    ]
    assert len(lines) > 20
    assert passed(copied, lines) == []


@pytest.mark.at_length
@pytest.mark.timeout(220)
def test_no_room_reaches_up(copied: Path) -> None:
    lines = [line("layers", file, f"glacier_purge.{above(name)}") for name, file in rooms().items()]
    assert len(lines) > 20
    assert passed(copied, lines) == []


A_FILE = "engine/glacier_purge/"

FORBIDDEN = [
    line("layers", A_FILE + "inventory/snapshot.py", "glacier_purge.deletion.pool"),
    line("layers", A_FILE + "settings/model.py", "glacier_purge.proof.certificate"),
    line("adapters", A_FILE + "api/library.py", "glacier_purge.glacier.sdk.control_client"),
    line("hooks", A_FILE + "cli/run.py", "glacier_purge.hooks.webhook"),
    line("hooks", A_FILE + "lifecycle/context.py", "glacier_purge.hooks.delivery"),
    line("temporal", A_FILE + "api/step_process.py", "temporalio"),
    line("temporal", A_FILE + "cli/cluster.py", "temporalio.client"),
    line("cluster", A_FILE + "cluster/worker.py", "glacier_purge.run.purge"),
    line("cluster", A_FILE + "cluster/orders.py", "glacier_purge.approval.typed"),
    line("circles", A_FILE + "audit/chain.py", "glacier_purge.audit.journal"),
    line("circles", A_FILE + "glacier/port.py", "glacier_purge.glacier.http.rest"),
    line("circles", A_FILE + "storage/disk.py", "glacier_purge.audit.record"),
    line("circles", "engine/glacier_simulator/throttle.py", "glacier_simulator.desk"),
    line("sdk", A_FILE + "inventory/fetching/retrieval.py", "botocore"),
    line("sdk", A_FILE + "plan/migration/copies.py", "aioboto3"),
    line("simulator-alone", "engine/glacier_simulator/vault.py", "glacier_purge.glacier.reply"),
    line("simulator-alone", "engine/glacier_simulator/desk.py", "glacier_purge.text"),
    line("simulator-alone", "engine/glacier_simulator/operations/jobs.py", "glacier_purge"),
    line("simulator-outside", A_FILE + "api/library.py", "glacier_simulator"),
    line("simulator-outside", A_FILE + "report/summary.py", "glacier_simulator.ledger"),
    line("terminal", A_FILE + "run/purge.py", "rich"),
    line("terminal", A_FILE + "api/library.py", "cyclopts"),
    line("verifier", A_FILE + "audit/verification.py", "glacier_purge.errors"),
    line("verifier", A_FILE + "audit/verification.py", "glacier_purge.audit.chain"),
    line("verifier", A_FILE + "audit/verification.py", "glacier_purge"),
    *(
        line("pure", A_FILE + file, module)
        for file, module in (
            ("deletion/pacer.py", "anyio"),
            ("plan/forecast.py", "anyio"),
            ("report/summary.py", "time"),
            ("inventory/format/csv_reader.py", "os"),
            ("audit/ledger.py", "time"),
            ("guard/policy.py", "structlog"),
            ("fleet/file.py", "glacier_purge.clock"),
        )
    ),
    line("pure", "engine/glacier_simulator/operations/vaults.py", "glacier_simulator.clock"),
]


def test_every_contract_refuses_what_it_is_there_for(copied: Path) -> None:
    assert {contract for contract, _, _ in FORBIDDEN} == {contract["id"] for contract in CONTRACTS}
    assert passed(copied, FORBIDDEN) == []
