"""A company's fleets, on the disks of several workers, as one report; and what their certificates come to together."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import Vault
from glacier_purge.cli import main
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.fleet.roster import write_roster
from glacier_purge.proof.company_certificate import CompanyCertificate, VaultProven
from glacier_purge.storage.folder import RunFolder
from tests.answers import check_answer
from tests.clients import VAULT, simulated
from tests.lifecycle.lifecycles import carried, listing

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def proven(name: str, certificate: str | None = "c" * 64, kept_gone: int = 0) -> VaultProven:
    why = None if certificate else "it was not begun"
    return VaultProven(vault_arn=name, certificate=certificate, not_proven=why, kept_gone=kept_gone)


def test_the_digest_is_of_every_vault_and_its_certificate_and_of_no_order() -> None:
    one, two = proven("one"), proven("two")
    known = CompanyCertificate.of([one, two])
    assert CompanyCertificate.of([two, one]).digest == known.digest
    others = [[one], [one, proven("two", "d" * 64)], [one, proven("two", None)], [one, proven("two", kept_gone=1)]]
    assert known.digest not in {CompanyCertificate.of(other).digest for other in others}
    assert [vault.vault_arn for vault in CompanyCertificate.of(others[2]).not_proven] == ["two"]


@pytest.mark.usefixtures("credentials")
async def test_what_lies_on_several_disks_is_told_as_one_and_each_vault_as_far_as_it_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # glacier-purge report DIR, with the folders of several workers in it
    films, elsewhere = (
        Vault(account_id=VAULT.account_id, region=region, name="films") for region in (VAULT.region, "eu-west-1")
    )
    company = tmp_path / "company"
    (company / "anna").mkdir(parents=True)
    async with simulated(archives=30) as (glacier, _):
        glacier.service.generate_vault("films", 20, 1_000_000_000.0)
        for disk, vaults in (("anna/pair", (VAULT, films)), ("bert", (VAULT, films)), ("cara", (elsewhere,))):
            fleet = RunFolder.create(company / disk)
            write_roster(fleet, listing(*vaults, endpoint_url=glacier.endpoint_url))
        await carried(glacier, company / "anna/pair" / folder_name(VAULT), approve=None)
        await carried(glacier, company / "bert" / folder_name(VAULT))
        await carried(glacier, company / "anna/pair" / folder_name(films), approve=None, vault=films)

    assert main(["report", str(company), "--output", "json", "--html", str(tmp_path / "page.html")]) == 0
    out = capsys.readouterr().out
    check_answer("report", out)
    told = json.loads(out)
    states = {one["vault_arn"]: one["state"] for one in told["status"]["vaults"]}
    assert states == {VAULT.arn: "done", films.arn: "pending", elsewhere.arn: "not begun"}
    assert [
        (one["region"], one["vaults"], one["done"], one["proven"], one["selected"], one["deleted"])
        for one in told["pairs"]
    ] == [("eu-west-1", 1, 0, 0, 0, 0), (VAULT.region, 2, 1, 1, 50, 30)]
    certificates = {one["vault_arn"]: (one["certificate"], one["not_proven"]) for one in told["certificate"]["vaults"]}
    own = json.loads((company / "bert" / folder_name(VAULT) / "round-1" / "certificate.json").read_bytes())["digest"]
    assert certificates[VAULT.arn] == (own, None)
    assert certificates[elsewhere.arn] == (None, "it was not begun")
    assert certificates[films.arn][1].startswith("pending: waiting for somebody's approval")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert told["certificate"]["digest"] in page
    assert own in page

    assert main(["report", str(company)]) == 0
    text = capsys.readouterr().out
    assert f"{VAULT.account_id} {VAULT.region}: 1 of 2 vaults done, 1 proven, 30 of 50 archives deleted" in text
    assert f"{own}  {VAULT.arn}" in text
    assert "NOT PROVEN, it was not begun" in text
