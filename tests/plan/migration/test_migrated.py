"""Only what is proven goes: claims held against the inventory, and copies looked at."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.archive import EXACT
from glacier_purge.errors import UsageError
from glacier_purge.plan.choices import Choices
from glacier_purge.plan.choosing import PlanContext, open_selection
from glacier_purge.plan.decisions import DECISIONS_FILE
from glacier_purge.plan.document import PlanFinding
from glacier_purge.plan.migration.copies import SeenCopies
from glacier_purge.plan.migration.manifest_files import Tables
from glacier_purge.plan.migration.migrated import ListedCopies, Migration, Proofs, UnseenCopies
from glacier_purge.plan.reasons import (
    COPY_DIFFERS,
    COPY_MISSING,
    COPY_NOT_SEEN,
    DELETE,
    NOT_COPIED,
    NOT_IN_MANIFEST,
    SIZE_DIFFERS,
    TREE_HASH_DIFFERS,
)
from glacier_purge.plan.rows import Rows
from tests.plan.archives import TARGET, archive, archive_id, plan_of, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.plan.document import Plan
    from glacier_purge.plan.migration.migrated import Copies

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    with Rows(tmp_path) as claims, Rows(tmp_path) as objects:
        yield Tables(claims=claims, objects=objects, id_rule=EXACT)


def row(number: int, status: str = "downloaded", **changed: Any) -> dict[str, str]:
    known = {
        "pk": f"run|{number}",
        "sk": "meta",
        "archive_id": archive_id(number),
        "size": "1000",
        "sha256_tree_hash": f"{number:064X}",
        "retrieve_status": f"run/{status}",
        "s3_destination_bucket": "copies",
        "s3_destination_key": f"run/{number}",
    }
    return known | changed


def planned(tmp_path: Path, spooled: Snapshot, tables: Tables, copies: Copies) -> tuple[Plan, list[int]]:
    folder = tmp_path / "run"
    surroundings = PlanContext(now=NOW, proofs=Proofs(migration=Migration(tables.claims), copies=copies))
    with open_selection(Choices(), surroundings, folder) as selection:
        plan = plan_of(spooled, TARGET, selection)
    return plan, list((folder / DECISIONS_FILE).read_bytes())


def test_each_archive_without_proof_stays_with_its_reason(tmp_path: Path, tables: Tables) -> None:
    spooled = snapshot(tmp_path / "run", [archive(number) for number in range(8)])
    for fields in [
        row(0),
        row(1, "staged"),
        row(2, size="999"),
        row(3, sha256_tree_hash="0" * 64),
        row(4, size=""),
        row(5, sha256_tree_hash=""),
        row(6, "requested"),
        row(6),
        row(99),
    ]:
        tables.add_claim(fields)
    tables.claims.seal()
    plan, decisions = planned(tmp_path, spooled, tables, UnseenCopies())
    assert decisions == [
        *(DELETE, NOT_COPIED, SIZE_DIFFERS, TREE_HASH_DIFFERS, SIZE_DIFFERS, TREE_HASH_DIFFERS),
        *(DELETE, NOT_IN_MANIFEST),
    ]
    assert plan.findings == [PlanFinding("copies_not_looked_at", 0, [])]
    with (tmp_path / "run" / "unproven.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert [int(one["ordinal"]) for one in listed] == [1, 2, 3, 4, 5, 7]
    assert listed[1] == {
        "ordinal": "2",
        "archive_id": f"'{archive_id(2)}",  # half of all ids begin with a hyphen, which makes a formula
        "size": "1000",
        "created": "'2020-01-31T12:00:00Z",
        "reason": "manifest_size_differs",
        "manifest_size": "999",
        "manifest_tree_hash": f"'{2:064X}",
        "copy": "'copies/run/2",
    }
    assert listed[-1]["reason"] == "not_in_manifest"


def test_of_claims_that_do_not_hold_the_furthest_is_told(tmp_path: Path, tables: Tables) -> None:
    spooled = snapshot(tmp_path / "run", [archive(0), archive(1)])
    for fields in (row(0), row(1, size="3"), row(1, "staged"), row(1, sha256_tree_hash="1" * 64)):
        tables.add_claim(fields)
    tables.claims.seal()
    assert planned(tmp_path, spooled, tables, UnseenCopies())[1] == [DELETE, TREE_HASH_DIFFERS]


def test_a_listing_proves_copies_of_its_bucket_and_size(tmp_path: Path, tables: Tables) -> None:
    spooled = snapshot(tmp_path / "run", [archive(number) for number in range(5)])
    for number in range(4):
        tables.add_claim(row(number))
    tables.add_claim(row(4, s3_destination_key=""))
    tables.add_object("copies", "run/0", 1000)
    tables.add_object("copies", "run/1", 999)
    tables.add_object("elsewhere", "run/2", 1000)
    tables.claims.seal()
    tables.objects.seal()
    plan, decisions = planned(tmp_path, spooled, tables, ListedCopies(tables.objects))
    assert decisions == [DELETE, COPY_DIFFERS, COPY_MISSING, COPY_MISSING, COPY_NOT_SEEN]
    assert plan.findings == []


class Bucket:
    """Objects by bucket and key, and what was asked for."""

    def __init__(self, **sizes: int) -> None:
        self._sizes = sizes
        self.asked: list[str] = []

    async def object_size_bytes(self, bucket: str, key: str) -> int | None:
        self.asked.append(f"{bucket}/{key}")
        return self._sizes.get(key.rpartition("/")[2].replace("-", "_"))


async def test_copies_are_looked_at_below_the_prefix_and_only_where_a_claim_holds(
    tmp_path: Path, tables: Tables
) -> None:
    spooled = snapshot(tmp_path / "run", [archive(number) for number in range(8)])
    for fields in [
        row(0, s3_destination_key="run/zero"),
        row(1, s3_destination_key="run/one"),
        row(2, s3_destination_key="run/two"),
        row(3, s3_destination_key="elsewhere/zero"),
        row(4, s3_destination_bucket="other"),
        row(5, "staged"),
        row(6, s3_destination_key=""),
        {"aid": archive_id(7), "sz": "1000", "sha": f"{7:064x}", "fname": "seven", "cpt": "2023"},
        row(99),
    ]:
        tables.add_claim(fields)
    tables.claims.seal()
    bucket = Bucket(zero=1000, one=999, seven=1000)
    seen = SeenCopies(len(tables.claims), "copies", "run")
    await seen.look(Migration(tables.claims), spooled.batches(), bucket)
    assert sorted(bucket.asked) == ["copies/run/one", "copies/run/seven", "copies/run/two", "copies/run/zero"]
    assert planned(tmp_path, spooled, tables, seen)[1] == [
        *(DELETE, COPY_DIFFERS, COPY_MISSING, COPY_NOT_SEEN, COPY_NOT_SEEN, NOT_COPIED, COPY_NOT_SEEN, DELETE),
    ]


def test_copies_cannot_be_looked_at_without_a_manifest() -> None:
    with pytest.raises(UsageError, match="--check-s3 looks at the copies that --migrated names"):
        Choices(check_s3="bucket")
