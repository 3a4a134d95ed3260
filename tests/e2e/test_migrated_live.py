"""The transfer's table and the copies asked for live, at a DynamoDB and an S3 that are not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Here
from tests.e2e.test_foreign import by_boto3, moto
from tests.plan.archives import archive, archive_id, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.simulator import Simulator

__all__ = ["moto"]

FILL = """
import sys, boto3
facts = dict(endpoint_url=sys.argv[1], region_name="eu-west-1")
db, s3 = boto3.client("dynamodb", **facts), boto3.client("s3", **facts)
db.create_table(TableName="transfer", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}])
s3.create_bucket(Bucket="copies", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
s3.put_bucket_versioning(Bucket="copies", VersioningConfiguration={"Status": "Enabled"})
for number, archive_id in enumerate(sys.argv[2:]):
    db.put_item(TableName="transfer", Item={"pk": {"S": "run|" + archive_id}, "sk": {"S": "meta"},
        "archive_id": {"S": archive_id}, "size": {"N": "1000"}, "sha256_tree_hash": {"S": f"{number:064x}"},
        "retrieve_status": {"S": "run/downloaded"}, "description": {"S": "d" * 20_000},
        "s3_destination_bucket": {"S": "copies"}, "s3_destination_key": {"S": f"run/ä {number}"}})
    s3.put_object(Bucket="copies", Key=f"run/ä {number}", Body=bytes(999 if number == 1 else 1000))
s3.delete_object(Bucket="copies", Key="run/ä 2")
"""


@pytest.mark.slow
def test_the_live_table_and_the_live_copies_prove_what_goes(witness: Path, moto: Simulator, tmp_path: Path) -> None:
    # glacier-purge plan photos --inventory FILE --migrated dynamodb://transfer --check-s3 copies/run
    archives = [archive(number) for number in range(120)]  # more than one page of the table
    snapshot(tmp_path / "spool", archives)
    by_boto3(witness, FILL, moto.endpoint_url, *(archive_id(number) for number in range(119)))
    bench = Here(tmp_path, moto)
    live = ("--migrated", "dynamodb://transfer", "--check-s3", "copies/run")
    any_age = ("--inventory-max-age", "none")  # moto has no such vault to ask
    plan = bench.plan(*live, *any_age, inventory=tmp_path / "spool.json")
    assert {reason["name"]: reason["records"] for reason in plan["reasons"] if reason["records"]} == {
        "delete": 117,
        "copy_size_differs": 1,
        "copy_missing": 1,
        "not_in_manifest": 1,
    }
    missing = bench.run(
        *("plan", "photos", "--inventory", str(tmp_path / "spool.json"), "--run-dir", str(tmp_path / "other")),
        *("--endpoint-url", moto.endpoint_url, "--migrated", "dynamodb://nowhere", *any_age),
        exit_code=254,
    )
    assert "table nowhere cannot be read" in missing.stderr
    assert not (tmp_path / "other").exists()
