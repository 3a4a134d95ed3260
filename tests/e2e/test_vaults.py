"""``vaults`` and ``estimate`` against a simulated estate: several regions, locked, tagged, written to, unreadable."""

from __future__ import annotations

import csv
import json
from hashlib import sha256
from io import StringIO
from typing import TYPE_CHECKING, Any
from urllib.request import Request

import pytest

from tests.e2e.shell import Shell, process_settings_kept
from tests.e2e.simulator import DIRECT, simulating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.shell import Said
    from tests.e2e.simulator import Simulator

DAY = 86_400.0
MANY = [f"many-{number:02}" for number in range(12)]
"""More than a page of ListVaults holds."""
WRITER = "arn:aws:iam::999999999999:role/backup"
REGIONS = ("--regions", "us-east-1,eu-west-1,ap-southeast-3,us-west-2")


def ask(simulator: Simulator, region: str, method: str, path: str, body: object = None) -> None:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    hashed = sha256(content).hexdigest()
    headers = {
        "x-amz-glacier-version": "2012-06-01",
        "x-amz-content-sha256": hashed,
        "x-amz-sha256-tree-hash": hashed,
        "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20261122/{region}/glacier/aws4_request, "
        "SignedHeaders=host, Signature=0",
    }
    address = f"{simulator.endpoint_url}/-/vaults/{path}"
    with DIRECT.open(Request(address, content or None, headers, method=method), timeout=30):
        pass


def policy(effect: str, action: str, principal: object, **more: object) -> dict[str, str]:
    statement = {"Sid": "ours", "Effect": effect, "Principal": principal, "Action": action, "Resource": "*"}
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})}


@pytest.fixture(scope="module")
def estate() -> Iterator[Simulator]:
    """photos in us-east-1, with a lock; in eu-west-1 mail (tags, a writer), never (no inventory) and many; one where
    no price is known; none in us-west-2. It is four days later."""
    with simulating(archives=1_000, latency_ms=0.0) as simulator:
        for name, region in [("mail", "eu-west-1"), *((name, "eu-west-1") for name in MANY), ("far", "ap-southeast-3")]:
            ask(simulator, region, "PUT", name)
            ask(simulator, region, "POST", f"{name}/archives", name.encode() * 1000)
        simulator.post("clock", step_seconds=4 * DAY)
        ask(simulator, "eu-west-1", "PUT", "never")
        ask(simulator, "eu-west-1", "POST", "mail/tags?operation=add", {"Tags": {"LegalHold": "true", "a": "=1+1"}})
        ask(simulator, "eu-west-1", "PUT", "mail/access-policy", policy("Allow", "glacier:Upload*", {"AWS": WRITER}))
        age = {"NumericLessThan": {"glacier:ArchiveAgeInDays": "36500"}}
        ask(simulator, "us-east-1", "POST", "photos/lock-policy", policy("Deny", "glacier:*", "*", Condition=age))
        yield simulator


@pytest.fixture
def at(
    estate: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """The command in this process, where each verb but ``simulate`` is asked at the estate's endpoint."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLACIER", estate.endpoint_url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = estate.ledger()
    with process_settings_kept():
        yield Shell(tmp_path, estate, capsys)
    estate.post("faults", rules=[])
    after = estate.ledger()
    for name in ("archives_left", "deletes_received"):
        assert after[name] == before[name]


def answer(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.out)
    return found


def rows(said: Said) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(said.out)))


def by_name(said: Said) -> dict[str, dict[str, Any]]:
    return {one["vault"]: one for one in answer(said)["vaults"]}


def test_every_vault_is_there_with_what_is_around_it(at: Shell) -> None:
    # glacier-purge vaults --regions us-east-1,eu-west-1,ap-southeast-3,us-west-2 --output json
    said = at("vaults", *REGIONS, "--output", "json")
    assert said.exit_code == 0, said.err
    vaults = by_name(said)
    assert set(vaults) == {"photos", "mail", "never", "far", *MANY}, "ListVaults is read to its end"
    mail, photos, never, far = (vaults[name] for name in ("mail", "photos", "never", "far"))
    assert (mail["region"], mail["archives"], mail["bytes"]) == ("eu-west-1", 1, 4_000 + 32 * 1024)
    assert (mail["tags"], mail["may_write"], mail["lock"]) == ({"LegalHold": "true", "a": "=1+1"}, [WRITER], "none")
    assert [(one["weight"], one["subject"]) for one in mail["findings"]] == [("blocking", "tags")]
    assert (photos["lock"], photos["uploads_denied_by"], photos["archives"]) == ("in-progress", [], 1_000)
    assert any("younger than 36,500 days" in one["what"] for one in photos["findings"])
    assert (never["archives"], never["last_inventory"], never["storage_per_month"]) == (None, None, None)
    assert (far["archives"], far["storage_per_month"]) == (1, None), "no price is known there, and none is guessed"
    assert photos["storage_per_month"] == pytest.approx(photos["bytes"] / (1 << 30) * 0.0040)
    assert photos["inventory_age_days"] == pytest.approx(4.5, abs=0.6)
    assert answer(said)["empty"] == [{"profile": None, "account_id": None, "region": "us-west-2"}]
    assert not answer(said)["not_read"]


def test_the_page_has_them_by_region_with_sums_and_what_they_leave_out(at: Shell) -> None:
    # glacier-purge vaults --regions us-east-1,eu-west-1,ap-southeast-3,us-west-2
    page = at("vaults", *REGIONS).out
    lines = [" ".join(line.split()) for line in page.splitlines()]
    for line in (
        "Account 123456789012, eu-west-1",
        "Vault Archives Size Last inventory A month Lock",
        "never not counted - none yet - none",
        "mail tags LegalHold=true, a==1+1",
        f"writes its access policy lets upload: {WRITER}",
        "blocking tags: tagged LegalHold=true",
        "1 of them have had no inventory yet, so nobody has counted their archives",
        "No vaults in us-west-2.",
    ):
        assert line in lines
    assert "ap-southeast-3 is not in that sum: the price table has none for ap-southeast-3" in page
    assert "What IAM lets the account's own users and roles do can't be seen here" in page


def test_a_spreadsheet_takes_nothing_in_the_list_for_a_formula(at: Shell) -> None:
    # glacier-purge vaults --regions eu-west-1,us-east-1 --format csv
    found = rows(at("vaults", "--regions", "eu-west-1,us-east-1", "--format", "csv"))
    assert [row["vault"] for row in found] == [f"'{name}" for name in ("mail", *sorted([*MANY, "never"]), "photos")]
    assert found[0]["tags"] == "'LegalHold=true; a==1+1"
    assert found[0]["may_write"] == f"'{WRITER}"
    assert not [cell for row in found for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_what_may_not_be_read_is_named_and_is_not_none(at: Shell) -> None:
    # glacier-purge vaults --region eu-west-1
    denied = [{"kind": "access-denied", "operation": name} for name in ("GetVaultLock", "GetVaultAccessPolicy")]
    at.simulator.post("faults", rules=denied)
    said = at("vaults", "--regions", "us-east-1", "--output", "json")
    photos = by_name(said)["photos"]
    assert said.exit_code == 254
    assert "2 questions were not answered, so this is not all there is; each is named as not read" in said.err
    assert (photos["lock"], photos["may_write"], photos["uploads_denied_by"]) == (None, None, None)
    assert photos["tags"] == {}
    assert [one["operation"] for one in photos["not_read"]] == ["GetVaultLock", "GetVaultAccessPolicy"]
    assert all("AccessDeniedException" in one["why"] for one in photos["not_read"])
    page = at("vaults", "--regions", "us-east-1")
    assert page.exit_code == 254
    assert page.out.splitlines()[2].endswith("not read")
    assert "GetVaultLock of arn:aws:glacier:us-east-1:123456789012:vaults/photos was answered with" in page.out
    assert "none" not in page.out.partition("\n\n")[0]
    [row] = rows(at("vaults", "--regions", "us-east-1", "--output", "csv"))
    assert (row["lock"], row["not_read"][:13]) == ("", "'GetVaultLock")


def test_a_region_that_can_not_be_listed_is_named_and_stops_no_other(at: Shell) -> None:
    # glacier-purge vaults --regions us-east-1,us-west-2
    refused = [{"kind": "not-supported", "operation": "ListVaults", "count": 1}]
    for output in ("json", "text", "csv"):
        at.simulator.post("faults", rules=refused)
        said = at("vaults", "--regions", "eu-west-1,us-east-1", "--output", output)
        assert said.exit_code == 254
        if output == "json":
            [unread] = answer(said)["not_read"]
            assert ({unread["region"]} | {one["region"] for one in answer(said)["vaults"]}) == {
                "eu-west-1",
                "us-east-1",
            }
            assert (unread["vault"], unread["exit_code"]) == (None, 254)
            assert "NoLongerSupportedException" in unread["why"]
        elif output == "text":
            assert "Not read, so what there is is not known:\n" in said.out
            assert "No vaults" not in said.out
        else:
            assert ["NoLongerSupported" in row["not_read"] for row in rows(said)].count(True) == 1


def test_a_region_that_takes_no_credentials_may_not_be_enabled(at: Shell) -> None:
    # glacier-purge vaults --regions us-east-1,us-west-2
    hint = "Other regions took the same credentials, so the account may not have enabled this one."
    for count, told in ((1, [True]), (2, [False, False])):
        at.simulator.post("faults", rules=[{"kind": "unknown-client", "operation": "ListVaults", "count": count}])
        said = at("vaults", "--regions", "us-east-1,us-west-2", "--output", "json")
        assert said.exit_code == 253
        assert [one["why"].endswith(hint) for one in answer(said)["not_read"]] == told


def test_throttled_questions_are_asked_again(at: Shell) -> None:
    # glacier-purge vaults --regions us-east-1
    at.simulator.post("faults", rules=[{"kind": "throttle", "operation": "*", "count": 3}])
    assert at("vaults", "--regions", "us-east-1").exit_code == 0


def test_each_profile_is_asked_with_its_own_credentials(at: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    # glacier-purge vaults --profiles archive,nobody
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    config = at.folder / "config"
    config.write_text(
        "[profile archive]\nregion = us-east-1\naws_access_key_id = test\naws_secret_access_key = test\n"
        "[profile same]\nregion = us-east-1\naws_access_key_id = test\naws_secret_access_key = test\n"
        "[profile nobody]\nregion = us-east-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    said = at("vaults", "--profiles", "archive,nobody,same", "--output", "json")
    assert said.exit_code == 253
    assert not answer(said)["empty"]
    assert [(one["vault"], one["profile"]) for one in answer(said)["vaults"]] == [("photos", "archive")]
    [unread] = answer(said)["not_read"]
    assert (unread["profile"], unread["exit_code"]) == ("nobody", 253)
    assert at("vaults", "--profiles", "archive,unknown").exit_code == 253


def test_a_profile_is_asked_for_credentials_once_before_all_its_regions_are(
    at: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    # credential_process in the AWS configuration; glacier-purge vaults --regions us-east-1,us-west-1,us-west-2
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    calls, helper = at.folder / "calls", at.folder / "helper"
    helper.write_text(
        f"#!/bin/sh\necho begin >>{calls}\nsleep 0.1\necho end >>{calls}\n"
        'echo \'{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}\'\n'
    )
    helper.chmod(0o700)
    (at.folder / "config").write_text(f"[profile helped]\ncredential_process = {helper}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(at.folder / "config"))
    said = at("vaults", "--profiles", "helped", "--regions", "us-east-1,us-west-1,us-west-2", "--output", "json")
    assert (said.exit_code, len(answer(said)["empty"])) == (0, 2), said.err
    assert calls.read_text().split()[:2] == ["begin", "end"], "who types a code for MFA types one"


def test_all_regions_are_those_of_the_service(at: Shell) -> None:
    # glacier-purge vaults --regions all
    found = answer(at("vaults", "--regions", "all", "--output", "json"))
    asked = {one["region"] for one in found["empty"]} | {one["region"] for one in found["vaults"]}
    assert len(asked) == 22
    assert not [region for region in asked if region.startswith(("cn-", "us-gov-"))], "other partitions have other keys"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("vaults", "--regions", "us-east-1,"), "write names with commas between them"),
        (("estimate",), "name vaults, or give one of --all, --inventory FILE and --run-dir DIR"),
        (("estimate", "photos", "--all"), "name vaults, or give one of"),
        (("estimate", "photos", "--rate", "0"), "a number above 0"),
        (("estimate", "photos", "../photos"), "'../photos' is not a vault name"),
    ],
)
def test_what_makes_no_sense_asks_nobody(at: Shell, arguments: tuple[str, ...], says: str) -> None:
    requests = at.requests()
    said = at(*arguments)
    assert (said.exit_code, at.requests()) == (2, requests)
    assert says in said.err


def test_by_the_services_counts_the_fee_is_a_range(at: Shell) -> None:
    # glacier-purge estimate --all --regions us-east-1,eu-west-1,ap-southeast-3,us-west-2 --output json
    said = at("estimate", "--all", *REGIONS, "--rate", "10", "--output", "json")
    assert said.exit_code == 0, said.err
    vaults, total = by_name(said), answer(said)
    mail, far, never, photos = (vaults[name] for name in ("mail", "far", "never", "photos"))
    billed = mail["bytes"] / (1 << 30) * 0.0040 / 30
    assert mail["early_deletion_fee"] == pytest.approx([86 * billed, 87 * billed], rel=0.02)
    assert (far["saved_per_month"], far["early_deletion_fee"], far["archives"]) == (None, None, 1)
    assert (never["forecast"], never["archives"]) == (None, None)
    deletes = next(step for step in photos["forecast"]["steps"] if step["name"] == "deletes")
    assert deletes["seconds"] == [100.0, 100.0, 100.0]
    assert [step["name"] for step in photos["forecast"]["steps"]] == [
        "inventory",
        "deletes",
        "next inventory",
        "delete vault",
    ]
    assert {arn.rpartition("/")[2] for arn in total["not_known"]} == {"far", "never"}
    page = at("estimate", "--all", *REGIONS).out
    assert "never is in no sum: it has had no inventory yet" in page
    assert "ap-southeast-3 is in no sum of money" in page


def test_what_a_lock_or_a_tag_forbids_is_in_no_sum_and_said(at: Shell) -> None:
    # glacier-purge estimate --all --regions us-east-1,eu-west-1,ap-southeast-3,us-west-2 --output json
    said = at("estimate", "--all", *REGIONS, "--output", "json")
    vaults, total = by_name(said), answer(said)
    mail, photos = vaults["mail"], vaults["photos"]
    assert mail["held_by"] == ["tags: tagged LegalHold=true"]
    assert photos["held_by"] == ["vault lock: ours denies deleting archives younger than 36,500 days"]
    assert {arn.rpartition("/")[2] for arn in total["held"]} == {"mail", "photos"}
    assert (total["archives"], total["held_archives"]) == (13, 1_001)
    saved = mail["saved_per_month"] + photos["saved_per_month"]
    assert total["held_saved_per_month"] == pytest.approx(saved), "what it would be is told"
    assert total["saved_per_month"] == pytest.approx(sum(vaults[name]["saved_per_month"] for name in MANY))
    page = " ".join(at("estimate", "--all", *REGIONS).out.split())
    assert "Held by what forbids deleting, and in no sum: 2 of 16 vaults, 1,001 archives, 0.01 USD a month" in page
    assert "mail (123456789012, eu-west-1): tags: tagged LegalHold=true" in page
    only = answer(at("estimate", "photos", "--output", "json"))
    assert (only["archives"], only["over"], only["early_deletion_fee"]) == (0, None, [0, 0])
    found = rows(at("estimate", "--all", *REGIONS, "--output", "csv"))
    assert [row["vault"] for row in found if row["held_by"] not in {"", "'"}] == ["'mail", "'photos"]


def test_what_may_forbid_it_and_cannot_be_read_is_no_permission(at: Shell) -> None:
    # glacier-purge estimate --all --regions us-east-1
    at.simulator.post("faults", rules=[{"kind": "access-denied", "operation": "GetVaultLock"}])
    said = at("estimate", "photos", "--output", "json")
    photos = by_name(said)["photos"]
    assert (said.exit_code, photos["held_by"]) == (254, [])
    assert [one["operation"] for one in photos["not_read"]] == ["GetVaultLock"]
    page = at("estimate", "photos")
    assert page.exit_code == 254
    assert "Not read of these, which may be held, and are in the sums:" in page.out


def test_by_an_inventory_or_a_plan_the_fee_is_one_figure(at: Shell) -> None:
    # glacier-purge estimate --inventory inventory.json; plan; estimate --run-dir run
    inventory = at.simulator.inventory(at.folder / "inventory.json")
    by_counts = by_name(at("estimate", "photos", "--output", "json"))["photos"]
    requests = at.requests()
    listed = by_name(at("estimate", "--inventory", str(inventory), "--output", "json"))["photos"]
    assert at.requests() == requests, "the service is not asked"
    least, most = listed["early_deletion_fee"]
    assert least == most
    assert by_counts["early_deletion_fee"][0] <= least <= by_counts["early_deletion_fee"][1]
    assert (listed["known_by"], listed["archives"], listed["bytes"]) == ("inventory", 1_000, by_counts["bytes"])
    assert listed["forecast"]["steps"][0]["name"] == "deletes"
    at.planned("--max-size", "1000000", "--in-retrieval", "delete")
    planned = by_name(at("estimate", "--run-dir", str(at.run_dir), "--output", "json"))["photos"]
    assert (planned["known_by"], 0 < planned["archives"] < 1_000) == ("plan", True)
    assert (listed["invalid_records"], planned["invalid_records"]) == (0, 0)
    broken = at.folder / "broken.json"
    broken.write_text(inventory.read_text().replace('"Size":', '"Size":-', 1))
    assert (
        "1 records of the inventory are no archives and in no figure" in at("estimate", "--inventory", str(broken)).out
    )
    other = at("estimate", "films", "--inventory", str(inventory))
    assert (other.exit_code, "the inventory is of vault photos, not of films" in other.err) == (2, True)


def test_a_vault_that_is_nowhere_is_said(at: Shell) -> None:
    # glacier-purge estimate mail nothing --regions us-east-1,eu-west-1
    said = at("estimate", "mail", "nothing", "--regions", "us-east-1,eu-west-1", "--output", "csv")
    assert said.exit_code == 254
    mail, nothing = rows(said)
    assert (mail["vault"], mail["region"], mail["not_read"]) == ("'mail", "eu-west-1", "")
    assert (nothing["vault"], nothing["archives"]) == ("'nothing", "")
    assert "Vault not found" in nothing["not_read"]
