"""Accounts as a file says: who signs, what lies where, at which limit; and what is wrong with one that can't be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import UsageError
from glacier_simulator import SimulatedGlacier
from glacier_simulator.accounts_file import read_accounts
from glacier_simulator.faults import Rule
from tests.glacier_simulator.raw_client import RawClient, ask
from tests.glacier_simulator.test_simulate_command import get, simulate

if TYPE_CHECKING:
    from pathlib import Path

TRUST = json.dumps({"Statement": {"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"}})
READS = json.dumps({"Statement": {"Effect": "Allow", "Action": "glacier:List*", "Resource": "*"}})
FILES = {"trust.json": TRUST, "reads.json": READS, "broken.json": "{}"}
OPERATOR = """
[[accounts]]
id = "999999999999"
users = [{ name = "operator", access_key_id = "AKIAOPERATOR", secret_access_key = "secret" }]
"""
COMPANY = f"""{OPERATOR}
[[accounts]]
id = "111111111111"
limits = {{ "*" = {{ rate = 50 }}, us-east-1 = {{ rate = 5, burst = 2 }} }}
roles = [{{ name = "purge", trust = "trust.json", policy = "reads.json", lasts_seconds = 20 }}]
vaults = [
    {{ name = "photos", regions = ["eu-west-1", "us-east-1"], archives = 3 }},
    {{ name = "films", regions = ["eu-west-1"], archives = 2 }},
]
"""


def test_what_a_file_says_is_there() -> None:
    accounts = read_accounts(COMPANY, FILES.__getitem__)
    assert [(one.region, one.name, archives) for one, archives in accounts.vaults] == [
        ("eu-west-1", "photos", 3),
        ("us-east-1", "photos", 3),
        ("eu-west-1", "films", 2),
    ]
    assert accounts.credentials["AKIAOPERATOR"].principal_arn == "arn:aws:iam::999999999999:user/operator"
    assert accounts.roles["arn:aws:iam::111111111111:role/purge"].lasts_seconds == 20
    rates = {region: limits.rate for (_, region), limits in accounts.limits.items()}
    assert rates == {"eu-west-1": 50, "us-east-1": 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accounts = []", "length >= 1"),
        ("[[accounts]]\nid = '1'", "matching regex"),
        ("[[accounts]]\nid = '111111111111'\nvault = 'photos'", "unknown field `vault`"),
        ("[[accounts", "Expected"),
        (OPERATOR, "no account has a vault"),
        (COMPANY + OPERATOR, "999999999999 is there twice"),
        (COMPANY.replace("operator", "o p"), "'o p' is not a name"),
        (COMPANY.replace("trust.json", "reads.json"), "no policy: the trust policy of a role names no Resource"),
        (COMPANY.replace("trust.json", "broken.json"), "broken.json is no policy: there is no Statement"),
        (COMPANY.replace("reads.json", "trust.json"), "no policy: the policy of an identity names no Principal"),
        (COMPANY.replace("users = ", "roles = [] #"), "nobody has a key"),
        (COMPANY.replace('name = "films"', 'name = "../films"'), "not a vault name"),
        (COMPANY.replace("rate = 5,", "rate = -5,"), "not a number of requests"),
        ("#" * (1 << 20) + COMPANY, "more than 1,048,576 characters"),
    ],
)
def test_what_cannot_be_is_refused_by_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_accounts(text, FILES.__getitem__)


@pytest.mark.parametrize(
    ("twice", "said"),
    [
        ('{ name = "a", access_key_id = "AKIAOPERATOR", secret_access_key = "s" }', "AKIAOPERATOR is two users'"),
        ('{ name = "a", access_key_id = "AKIAA", secret_access_key = "" }', "length >= 1"),
    ],
)
def test_a_key_is_one_users(twice: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_accounts(COMPANY.replace("users = [", f"users = [{twice}, "), FILES.__getitem__)


async def test_each_account_and_region_has_a_limit_of_its_own_that_can_be_changed() -> None:
    async with SimulatedGlacier(accounts=read_accounts(COMPANY, FILES.__getitem__), rate=70) as glacier:
        url = glacier.endpoint_url
        told = {
            (one["account_id"], one["region"]): one
            for one in (await ask(url, "GET", "/_simulator/accounts")).json["accounts"]
        }
        spoke = told["111111111111", "us-east-1"]
        assert (spoke["limits"]["rate"], spoke["vaults"]) == (5, {"photos": 3})
        assert told["111111111111", "eu-west-1"]["vaults"] == {"films": 2, "photos": 3}
        order = {"rate": 7, "account_id": "111111111111", "region": "eu-west-1"}
        assert (await ask(url, "POST", "/_simulator/limits", json.dumps(order).encode())).status == 200
        assert (await ask(url, "POST", "/_simulator/limits", b'{"rate": 90}')).json["rate"] == 90
        limits = {
            (one.facts.account_id, one.facts.region): one.throttle.limit and one.throttle.limit.rate_per_second
            for one in glacier.service.accounts()
        }
        half = await ask(url, "POST", "/_simulator/limits", b'{"rate": 1, "region": "eu-west-1"}')
    assert limits["111111111111", "us-east-1"] == 5
    assert limits["111111111111", "eu-west-1"] == 7
    assert set(limits.values()) <= {5, 7, 90}
    assert (half.status, "go together" in half.json["message"]) == (400, True)


async def test_a_fault_may_be_one_regions() -> None:
    rule = Rule("internal-error", operation="*", regions=("eu-west-1",))
    came = {}
    async with SimulatedGlacier(faults=[rule]) as glacier, RawClient(glacier.endpoint_url) as client:
        for region in ("eu-west-1", "us-east-1"):
            signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential=A/20270101/{region}/glacier/aws4_request"}
            came[region] = (await client.ask("GET", "/-/vaults", headers=signed)).status
    assert came == {"eu-west-1": 500, "us-east-1": 200}


def test_the_command_serves_a_file_of_accounts(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "company.toml").write_text(COMPANY)
    with simulate("--accounts", str(tmp_path / "company.toml"), "--rate", "0") as (_, said):
        assert (said["account_id"], said["vault"], said["archives"]) == ("111111111111", "photos", 8)
        assert len(json.loads(get(said["endpoint_url"], "/_simulator/accounts"))["accounts"]) == 2
