"""Every judgement before a purge, over the values that turn it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import Vault
from glacier_purge.aws.credentials import Caller, Lifetime
from glacier_purge.glacier.control import Notifications
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.guard.findings import Weight
from glacier_purge.guard.surroundings import (
    judge_caller,
    judge_clock,
    judge_credentials,
    judge_disk,
    judge_endpoint,
    judge_permissions,
    judge_storage,
    judge_trails,
)
from glacier_purge.guard.vault import (
    JobCounts,
    judge_account,
    judge_jobs,
    judge_notifications,
    judge_policy,
    judge_tags,
    judge_uploads,
    judge_vault,
)
from glacier_purge.plan.cost import PriceTable

if TYPE_CHECKING:
    from glacier_purge.guard.findings import Finding

VAULT = Vault(account_id="123456789012", region="eu-west-1", name="photos")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DESCRIBED = VaultDescription(arn=VAULT.arn, last_inventory=NOON, archives=1_000_000, size_bytes=10**12)
PRICES = PriceTable(as_of="2020-01", currency="USD", storage_gb_month={"eu-west-1": 0.001}, trail_per_100000_events=3.0)
NEVER = VaultDescription(arn=VAULT.arn, last_inventory=None, archives=None, size_bytes=None)
FINE, NOTE, WARNING, BLOCKING = Weight.FINE, Weight.NOTE, Weight.WARNING, Weight.BLOCKING


def caller(account_id: str, who: str) -> Caller:
    return Caller(account_id=account_id, arn=f"arn:aws:iam::{account_id}:{who}")


ROLE, ROOT, STRANGER = (
    caller("123456789012", "role/purge"),
    caller("123456789012", "root"),
    caller("999999999999", "role/purge"),
)


@pytest.mark.parametrize(
    ("found", "weight", "words"),
    [
        (judge_caller(ROLE, VAULT), FINE, "role/purge"),
        (judge_caller(ROOT, VAULT), BLOCKING, "root user"),
        (judge_caller(STRANGER, VAULT), BLOCKING, "of account 999999999999"),
        (judge_caller(None, VAULT), NOTE, "no identities"),
        (judge_endpoint(VAULT, "http://127.0.0.1:1", pretended=True), NOTE, "not AWS"),
        (judge_endpoint(VAULT, "https://glacier.eu-west-1.amazonaws.com", pretended=False), FINE, "eu-west-1"),
        (judge_clock(NOON, NOON + timedelta(seconds=2)), FINE, "2 s behind"),
        (judge_clock(NOON + timedelta(seconds=40), NOON), WARNING, "40 s ahead of"),
        (judge_clock(NOON, NOON + timedelta(minutes=5)), BLOCKING, "300 s behind"),
        (judge_clock(NOON, None), WARNING, "does not say"),
        (judge_vault(DESCRIBED), FINE, "1,000,000 archives"),
        (judge_vault(NEVER), WARNING, "no inventory"),
        (judge_tags({"owner": "films"}), FINE, "none"),
        (judge_tags({"LegalHold": "false", "purge:deny": "no"}), FINE, "none"),
        (judge_tags({"LegalHold": ""}), BLOCKING, "LegalHold="),
        (judge_tags({"legal-hold": "true"}), BLOCKING, "legal-hold=true"),
        (judge_tags({"Purge:Deny": "yes"}), BLOCKING, "Purge:Deny=yes"),
        (judge_jobs(JobCounts()), FINE, "no archive"),
        (judge_jobs(JobCounts(in_progress=2, downloadable=1)), WARNING, "2 under way, 1 done"),
        (judge_uploads(0), FINE, "no multipart"),
        (judge_uploads(3), WARNING, "3 multipart"),
        (judge_notifications(None), FINE, "nothing"),
        (judge_notifications(Notifications(topic="arn:sns", events=())), NOTE, "arn:sns"),
        (judge_disk(10**12, 1_000_000), FINE, "1,300,000,000 needed"),
        (judge_disk(2 * 10**9, 1_000_000), WARNING, "2,000,000,000 bytes free"),
        (judge_disk(10**9, 1_000_000), BLOCKING, "1,000,000,000 bytes free"),
        (judge_disk(10**9, None), NOTE, "not known"),
        (judge_credentials(Lifetime.LASTING), FINE, "do not expire"),
        (judge_credentials(Lifetime.RENEWED), FINE, "renewed"),
        (judge_credentials(Lifetime.TEMPORARY), WARNING, "nothing renews"),
        (judge_storage("eu-west-1", 10 << 40, PRICES), NOTE, "10.24 USD a month for this vault (prices as of 2020-01)"),
        (judge_storage("eu-west-1", None, PRICES), NOTE, "not known before the vault's first inventory"),
        (judge_storage("sa-east-1", 10 << 40, PRICES), NOTE, "no price: the price table has none for sa-east-1"),
        (judge_trails(12_000_000, PRICES), NOTE, "360.00 USD for this vault, for each trail beyond the first"),
        (judge_trails(None, PRICES), NOTE, "3.00 USD per 100,000 deletes, for each trail"),
        (judge_account(is_the_last=False), FINE, "other vaults"),
        (judge_account(is_the_last=True), WARNING, "only vault"),
    ],
)
def test_a_fact_is_judged(found: Finding, weight: Weight, words: str) -> None:
    assert (found.weight, words in found.what) == (weight, True), found.what
    if weight in {WARNING, BLOCKING}:
        assert found.why
        assert found.advice


@pytest.mark.parametrize(
    ("denied", "weights"),
    [
        (set(), [NOTE]),
        ({"ListJobs"}, [BLOCKING]),
        ({"GetVaultLock"}, [WARNING]),
        ({"GetJobOutput", "ListTagsForVault"}, [BLOCKING, WARNING]),
    ],
)
def test_missing_permissions_block_only_where_there_would_be_no_inventory(
    denied: set[str], weights: list[Weight]
) -> None:
    assert [finding.weight for finding in judge_permissions(denied)] == weights


def deny(condition: str = "") -> str:
    statement = '{"Sid": "x", "Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteArchive"'
    return f'{{"Statement": {statement}{condition}}}}}'


AGE = ', "Condition": {"%s": {"glacier:ArchiveAgeInDays": "90"}}'


@pytest.mark.parametrize(
    ("policy", "weight", "words"),
    [
        (None, FINE, "there is none"),
        ('{"Statement": []}', FINE, "nothing in it"),
        ("nonsense", BLOCKING, "cannot be read"),
        (deny(), BLOCKING, "x denies deleting any archive"),
        (deny(AGE % "NumericLessThan"), WARNING, "younger than 90 days"),
        (deny(AGE % "NumericGreaterThan"), BLOCKING, "older than 90 days"),
        (deny(AGE % "NumericEquals"), WARNING, "can't be judged"),
        (deny(', "Condition": {"StringEquals": {"glacier:ResourceTag/hold": "yes"}}'), BLOCKING, "by a tag"),
    ],
)
def test_a_policy_is_explained(policy: str | None, weight: Weight, words: str) -> None:
    (found,) = judge_policy("lock", policy, {"hold": "yes"}, DESCRIBED)
    assert (found.subject, found.weight, words in found.what) == ("vault lock", weight, True), found.what


def test_a_denial_by_age_says_from_when_on_everything_listed_can_go() -> None:
    (found,) = judge_policy("lock", deny(AGE % "NumericLessThan"), {}, DESCRIBED)
    assert "all that the last inventory counts can go from 2027-02-19 on" in found.why
    (unknown,) = judge_policy("lock", deny(AGE % "NumericLessThan"), {}, NEVER)
    assert "can go from" not in unknown.why
