"""Roles as two clients take them that know nothing of this project: boto3, and the AWS CLI by a profile."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conformance.witnesses import needs_witness, simulator
from tests.e2e.conftest import environment
from tests.e2e.test_foreign import by_boto3

if TYPE_CHECKING:
    from pathlib import Path

HUB, SPOKE = "999999999999", "111111111111"
ROLE = f"arn:aws:iam::{SPOKE}:role/purge"
TRUST = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{HUB}:user/operator"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Condition": {"StringEquals": {"sts:ExternalId": "corp-7"}},
}
COMPANY = f"""
[[accounts]]
id = "{HUB}"
users = [{{ name = "operator", access_key_id = "AKIAOPERATOR", secret_access_key = "secret" }}]

[[accounts]]
id = "{SPOKE}"
vaults = [{{ name = "photos", regions = ["us-east-1"], archives = 3 }}]
roles = [{{ name = "purge", trust = "trust.json" }}]
"""
ASK = f"""
import json, sys, boto3, botocore
def client(service, **keys):
    return boto3.client(service, endpoint_url=sys.argv[1], region_name="us-east-1", **keys)
def refused(**more):
    try:
        sts.assume_role(RoleArn={ROLE!r}, RoleSessionName="ada", **more)
    except botocore.exceptions.ClientError as no:
        return no.response["Error"]["Code"], no.response["ResponseMetadata"]["HTTPStatusCode"]
sts = client("sts", aws_access_key_id="AKIAOPERATOR", aws_secret_access_key="secret")
tags = [{{"Key": "ticket", "Value": "OPS-7"}}]
given = sts.assume_role(RoleArn={ROLE!r}, RoleSessionName="ada", ExternalId="corp-7", Tags=tags)
keys = given["Credentials"]
session = dict(
    aws_access_key_id=keys["AccessKeyId"],
    aws_secret_access_key=keys["SecretAccessKey"],
    aws_session_token=keys["SessionToken"],
)
print(json.dumps({{
    "arn": given["AssumedRoleUser"]["Arn"],
    "caller": client("sts", **session).get_caller_identity()["Arn"],
    "vaults": [one["VaultARN"] for one in client("glacier", **session).list_vaults()["VaultList"]],
    "wrong": refused(ExternalId="corp-8"),
    "none": refused(),
    "tag": refused(ExternalId="corp-7", Tags=[{{"Key": "aws:x", "Value": "y"}}]),
}}))
"""


@pytest.fixture
def company(tmp_path: Path) -> Path:
    (tmp_path / "trust.json").write_text(json.dumps({"Statement": TRUST}))
    file = tmp_path / "company.toml"
    file.write_text(COMPANY)
    return file


@pytest.mark.witness
@needs_witness
def test_boto3_takes_a_role_and_is_refused_in_awss_codes(witness: Path, company: Path) -> None:
    with simulator(0, "--accounts", str(company)) as endpoint_url:
        said = json.loads(by_boto3(witness, ASK, endpoint_url))
    session = f"arn:aws:sts::{SPOKE}:assumed-role/purge/ada"
    assert said == {
        "arn": session,
        "caller": session,
        "vaults": [f"arn:aws:glacier:us-east-1:{SPOKE}:vaults/photos"],
        "wrong": ["AccessDenied", 403],
        "none": ["AccessDenied", 403],
        "tag": ["InvalidParameterValue", 400],
    }


@pytest.mark.witness
@needs_witness
def test_the_aws_cli_works_by_a_profile_with_a_role(witness: Path, company: Path, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        f"[profile spoke]\nrole_arn = {ROLE}\nexternal_id = corp-7\nsource_profile = hub\nregion = us-east-1\n"
        "[profile hub]\naws_access_key_id = AKIAOPERATOR\naws_secret_access_key = secret\n"
    )
    with simulator(0, "--accounts", str(company)) as endpoint_url:
        done = subprocess.run(
            [str(witness / "aws"), "glacier", "list-vaults", "--account-id", "-", "--profile", "spoke"],
            capture_output=True,
            env=environment(
                HOME=str(tmp_path),  # where it keeps sessions, which no other simulator knows
                AWS_CONFIG_FILE=str(tmp_path / "config"),
                AWS_ENDPOINT_URL=endpoint_url,
            ),
            check=True,
        )
    assert [one["VaultName"] for one in json.loads(done.stdout)["VaultList"]] == ["photos"]
