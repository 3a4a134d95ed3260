"""The first run of docs/how-to/first-run.md, command by command as it stands there, against the simulator."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.conformance.replay import differences, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Bench

ARCHIVES = 60
REACHES_THE_VAULT = {"doctor", "inventory", "plan"}
"""The other verbs know the endpoint from the plan."""


@pytest.mark.slow
@pytest.mark.in_process
@pytest.mark.parametrize("bench", [{"archives": ARCHIVES, "time-scale": 40_000}], indirect=True)
def test_the_first_run_is_as_it_is_written_down(bench: Bench, repository: Path) -> None:
    page = (repository / "docs" / "how-to" / "first-run.md").read_text("utf-8")
    protocol = page.partition("```\n")[2].partition("```")[0]
    commands = [line.split()[1:] for line in protocol.splitlines()]
    assert [command[0] for command in commands] == ["doctor", "inventory", "plan", "apply", "verify", "audit"]
    for command in commands:
        arguments = [bench.simulator.vault if word == "VAULT" else word for word in command]
        if arguments[0] in REACHES_THE_VAULT:
            arguments += ["--endpoint-url", bench.simulator.endpoint_url]
        if arguments[0] == "apply":  # nobody is there to type
            plan = json.loads((bench.folder / "first-run" / "plan.json").read_bytes())
            arguments += ["--confirm-digest", plan["digest"]]
        said = bench.run(*arguments)
        if arguments[0] == "plan":
            assert re.search(r"\b10 archives\b|\b10 of 60\b", said.stdout), said.stdout
    ledger = bench.simulator.ledger()
    assert (ledger["deletes_received"], ledger["archives_left"]) == (10, ARCHIVES - 10)
    assert "DeleteVault" not in ledger["operations"]
    certificate = next((bench.folder / "first-run").glob("certificate*.json"))
    assert '"deleted":10' in certificate.read_text().replace(" ", "")
    records = sorted(bench.folder.glob("*.jsonl"))
    assert [record.name[0] for record in records] == ["1", "2", "3", "4", "5"]
    for record in records:
        lines = read(record)
        assert lines, record.name
        assert differences(lines) == [], record.name
        assert bench.simulator.account_id not in record.read_text()


def test_every_assumption_says_where_it_comes_from_and_who_saw_it(repository: Path) -> None:
    page = (repository / "docs" / "real-service.md").read_text("utf-8")
    rows = [row for row in page.partition("## What is assumed")[2].splitlines() if row.startswith("| ")][1:]
    told = [[cell.strip() for cell in re.split(r" \| | \|$", row.removeprefix("| "))] for row in rows]
    told = [cells for cells in told if not re.fullmatch(r"\*\*[A-Z][a-z ]+\*\*", cells[0])]
    assert len(told) > 25
    for assumed, source, seen, *_ in told:
        assert source, assumed
        assert re.match(r"(log|report|no)\b", seen), (assumed, seen)
        assert ("**!**" in assumed) is (") |" not in assumed and "**!** (" in assumed), f"a guard is missing: {assumed}"
