"""Pages of vaults: they fit the terminal, lose no text, and tell "not read" and "not counted" from none."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import CredentialsFailed, RunStopped
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.guard.protection import Protection
from glacier_purge.plan.cost import read_price_table
from glacier_purge.report.survey import Found, NoVaults, Survey, Surveyed, Unread
from glacier_purge.report.terminal import fitted

NOW = datetime(2026, 11, 23, tzinfo=UTC)
HOSTILE = "\x1b[2J\u202e[bold red]=cmd"


def surveyed(name: str, archives: int | None, unread: dict[str, RunStopped], **tags: str) -> Surveyed:
    vault = Vault(account_id="123456789012", region="eu-west-1", name=name)
    last = None if archives is None else NOW - timedelta(days=11)
    stored = None if archives is None else archives * 3_000_000
    described = VaultDescription(arn=vault.arn, last_inventory=last, archives=archives, size_bytes=stored)
    return Surveyed(
        found=Found(vault=vault, profile="archive", endpoint_url="https://glacier", described=described),
        protection=Protection(lock=None, policy=None, tags=None if unread else tags, unread=frozenset(unread)),
        uploads=None if unread else 2,
        unread=unread,
    )


@pytest.fixture
def survey() -> Survey:
    silent = RunStopped("the service did not answer: " + "a long story " * 12)
    every = ("ListTagsForVault", "GetVaultLock", "GetVaultAccessPolicy", "ListMultipartUploads")
    vaults = [
        surveyed("photos", 123_456_789, {}, team="films", note=HOSTILE),
        surveyed("a-name-that-is-" + "quite-" * 12 + "long", 1_000, {}),
        surveyed("silent", 5, dict.fromkeys(every, silent)),
        surveyed("new", None, {}),
    ]
    unread = Unread(profile="other", region="sa-east-1", vault=None, error=CredentialsFailed("no credentials " * 9))
    empty = [
        NoVaults(profile="archive", account_id=None, region="us-east-1"),
        NoVaults(profile=None, account_id=None, region="us-west-2"),
    ]
    return Survey(now=NOW, prices=read_price_table(None), vaults=vaults, empty=empty, unread=[unread])


@pytest.mark.parametrize("columns", [80, 120])
def test_the_page_fits_and_loses_nothing(survey: Survey, columns: int) -> None:
    page = fitted(survey.as_text(columns), columns)
    assert max(map(len, page.splitlines())) <= columns
    begins = "".join(match[1] for line in page.splitlines() if (match := re.match(r"  (\S+)", line)))
    assert survey.vaults[1].found.vault.name in begins, "a long name is broken, and all there"
    for row in ("123,456,789", "336.8 TiB", "2026-11-12, 11 d", "1,379.74 USD", "not counted", "none yet"):
        assert row in page, "numbers are not broken"


def test_nothing_that_was_not_read_looks_like_none(survey: Survey) -> None:
    page = survey.as_text(None)
    row = next(line for line in page.splitlines() if line.startswith("  silent") and "2026-11-12" in line)
    assert row.endswith("not read")
    assert page.count("not read  the service did not answer") == 4
    assert "Not read, so what there is is not known:\n  sa-east-1 (profile other): no credentials" in page
    assert "No vaults in us-east-1 (profile archive), us-west-2." in page
    assert survey.exit_code == 253, "the worst of 3 and 253"


def test_a_strangers_text_draws_nothing(survey: Survey) -> None:
    page = survey.as_text(80)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "[bold red]=cmd" in survey.as_text(None)
