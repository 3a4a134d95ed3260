"""A vault of which a migration proves most: exactly that goes, by the installed command."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process


@pytest.mark.parametrize("bench", [{"archives": 10_000, "latency-ms": 1}], indirect=True)
def test_exactly_what_a_data_transfer_export_proves_goes(bench: Bench) -> None:
    # glacier-purge plan photos --inventory FILE --run-dir DIR --migrated export.json.gz; glacier-purge apply DIR ...
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    listed = json.loads(inventory.read_bytes())["ArchiveList"]
    proven = {record["ArchiveId"] for number, record in enumerate(listed) if number % 10}
    lines = []
    for number, record in enumerate(listed):
        if number % 50 == 0:
            continue  # its InitiateJob failed: there is no row
        status = "staged" if number % 10 == 0 and number % 20 == 0 else "downloaded"
        size = record["Size"] + (number % 20 == 10)  # another 500 were copied, but not whole
        fields = {
            "pk": {"S": f"workflow_1|{record['ArchiveId']}"},
            "sk": {"S": "meta"},
            "archive_id": {"S": record["ArchiveId"]},
            "size": {"N": str(size)},
            "sha256_tree_hash": {"S": record["SHA256TreeHash"]},
            "retrieve_status": {"S": f"workflow_1/{status}"},
        }
        lines.append(json.dumps({"Item": fields}))
    export = bench.folder / "export.json.gz"
    export.write_bytes(gzip.compress("\n".join(lines).encode()))
    plan = bench.plan("--migrated", str(export), inventory=inventory)
    assert (plan["selected"], plan["skipped"]) == (9_000, 1_000)
    result = bench.json(*bench.apply_arguments(plan["digest"]))
    assert (result["deleted"], result["skipped"]) == (9_000, 1_000)
    bench.check_invariants()
    assert bench.simulator.ids_left() == {record["ArchiveId"] for record in listed} - proven
    with (bench.run_dir / "unproven.csv").open(newline="") as file:
        assert {row["archive_id"].removeprefix("'") for row in csv.DictReader(file)} == bench.simulator.ids_left()
    codes = {record["code"] for record in bench.log() if record.get("outcome") == "skipped"}
    assert codes == {"not_in_manifest", "not_copied", "manifest_size_differs"}
