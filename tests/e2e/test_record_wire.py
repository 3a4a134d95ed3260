"""``--record-wire`` by the installed command: what a first user would send, and what it would be held against."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conformance.replay import differences, read

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench


pytestmark = pytest.mark.in_process


@pytest.mark.parametrize("bench", [{"archives": 30}], indirect=True)
@pytest.mark.parametrize("transport", ["rest", "sdk"])
def test_a_purge_is_recorded_from_its_first_question_to_its_last_delete(bench: Bench, transport: str) -> None:
    # glacier-purge purge photos --inventory FILE --record-wire wire.jsonl; the same again
    record = bench.folder / "wire.jsonl"
    plan = bench.plan()
    arguments = [*bench.apply_arguments(plan["digest"]), "--transport", transport, "--record-wire", str(record)]
    assert bench.json(*arguments)["deleted"] == 30
    lines = read(record)
    asked = [line.request["method"] for line in lines]
    assert (asked.count("DELETE"), asked[-1]) == (30, "DELETE")
    assert {"GET"} <= set(asked)
    assert differences(lines) == []
    text = record.read_text()
    assert bench.simulator.account_id not in text
    assert "Signature=" not in text
    before = record.read_bytes(), bench.simulator.ledger()["requests"]
    refused = bench.run(*arguments, exit_code=2)
    assert f"{record} exists already and is not written to. Give another file." in refused.stderr
    assert (record.read_bytes(), bench.simulator.ledger()["requests"]) == before


@pytest.mark.parametrize("bench", [{"archives": 5}], indirect=True)
def test_a_command_that_plans_and_applies_makes_one_record(bench: Bench) -> None:
    # glacier-purge purge photos --inventory FILE --confirm-digest DIGEST --record-wire wire.jsonl
    digest = bench.plan()["digest"]
    record = bench.folder / "wire.jsonl"
    result = bench.json(
        *(
            "purge",
            "photos",
            "--inventory",
            str(bench.folder / "inventory.json"),
            "--run-dir",
            str(bench.folder / "another"),
        ),
        *("--endpoint-url", bench.simulator.endpoint_url, "--confirm-digest", digest, "--record-wire", str(record)),
    )
    assert result["deleted"] == 5
    head, *exchanges = [json.loads(line) for line in record.read_bytes().splitlines()]
    assert head["result"] == "wire"
    assert len({each["request"]["target"] for each in exchanges}) > 8
    assert {each["ended"] for each in exchanges} == {None}
