"""Archives somebody is retrieving: held back, waited for or deleted, by the installed command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_foreign import by_boto3

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process

RETRIEVE = """
import sys, boto3
glacier = boto3.client("glacier", endpoint_url=sys.argv[1], region_name="us-east-1")
for archive_id in sys.argv[2:]:
    job = {"Type": "archive-retrieval", "ArchiveId": archive_id}
    glacier.initiate_job(vaultName="photos", jobParameters=job)
"""


@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"archives": 50}], indirect=True)
def test_archives_being_retrieved_are_held_back_waited_for_or_deleted(bench: Bench, witness: Path) -> None:
    # glacier-purge plan photos --inventory FILE [--in-retrieval hold|wait|delete]
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    wanted = [record["ArchiveId"] for record in json.loads(inventory.read_bytes())["ArchiveList"]][3:5]
    by_boto3(witness, RETRIEVE, bench.simulator.endpoint_url, *wanted)
    command = ("plan", "photos", "--inventory", str(inventory), "--endpoint-url", bench.simulator.endpoint_url)
    pending = bench.json(*command, "--in-retrieval", "wait", "--no-wait", exit_code=75)
    assert pending["waiting_for"] == "2 archives that are being retrieved"
    gone = bench.json(*command, "--in-retrieval", "delete")
    assert (gone["selected"], gone["findings"][0]["name"]) == (50, "retrieval_jobs_ignored")
    plan = bench.plan(inventory=inventory)
    assert (plan["selected"], plan["skipped"], plan["findings"]) == (48, 2, [])
    result = bench.json(*bench.apply_arguments(plan["digest"]))
    assert (result["deleted"], result["skipped"]) == (48, 2)
    bench.check_invariants()
    assert bench.simulator.ids_left() == set(wanted)
