"""A company to take roles in: a hub whose operator signs, and two accounts with vaults and a role each."""

from __future__ import annotations

import json

from glacier_purge.aws.access import StaticCredentials
from glacier_simulator.accounts_file import Accounts, read_accounts

HUB, PHOTOS, FILMS = "999999999999", "111111111111", "222222222222"
OPERATOR = StaticCredentials(access_key_id="AKIAOPERATOR", secret_access_key="secret of the operator")
EXTERNAL_ID = "corp-7"
_TRUST = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{HUB}:user/operator"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
}
FILES = {"trust.json": json.dumps({"Statement": _TRUST})}


def company(*, archives: int = 3, lasts_seconds: float = 3600.0) -> str:
    """The text of its accounts file, beside which ``FILES`` have to lie."""
    role = f'roles = [{{ name = "purge", trust = "trust.json", lasts_seconds = {lasts_seconds} }}]'
    return f"""
[[accounts]]
id = "{PHOTOS}"
{role}
vaults = [{{ name = "photos", regions = ["us-east-1"], archives = {archives} }}]

[[accounts]]
id = "{FILMS}"
{role}
vaults = [
    {{ name = "films", regions = ["us-east-1"], archives = {archives} }},
    {{ name = "photos", regions = ["us-east-1"], archives = {archives} }},
]

[[accounts]]
id = "{HUB}"
users = [
    {{ name = "operator", access_key_id = "AKIAOPERATOR", secret_access_key = "{OPERATOR.secret_access_key}" }},
    {{ name = "stranger", access_key_id = "AKIASTRANGER", secret_access_key = "secret" }},
]
"""


def pretended(**options: float) -> Accounts:
    """The company as the simulator takes it."""
    return read_accounts(company(**options), FILES.__getitem__)  # type: ignore[arg-type]  # both are numbers
