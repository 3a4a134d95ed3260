"""Each of the four roles of ``config/iam`` does its part with the installed command, and may do nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import botocore.session
import pytest

from glacier_purge.guard.upload_denial import denial, sid_for, with_statement
from tests.clients import VAULT
from tests.e2e.conftest import Bench, Here
from tests.e2e.simulator import Simulator
from tests.glacier_simulator.test_simulate_command import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600.0
ROLES = ("plan-and-verify", "delete", "delete-vault", "freeze")


def filled_in(template: Path, folder: Path) -> Path:
    """A template as a person would fill it in, in a file of its own."""
    until = datetime.now(UTC) + timedelta(days=30)
    text = template.read_text("utf-8")
    for placeholder, value in {
        "REGION": "us-east-1",
        "ACCOUNT": "123456789012",
        "VAULT": "photos",
        "YYYY-MM-DD": f"{until:%Y-%m-%d}",
    }.items():
        text = text.replace(placeholder, value)
    file = folder / template.name
    file.write_text(text, "utf-8")
    return file


@pytest.fixture
def guarded(tmp_path: Path, repository: Path) -> Iterator[Bench]:
    """A service that knows a key for each role, named like it."""
    auth = [
        part
        for role in ROLES
        for part in ("--auth", f"{role}:secret:{filled_in(repository / f'config/iam/{role}.json', tmp_path)}")
    ]
    with simulate("--rate", "0", "--latency-ms", "1", "--error-rate", "0", *auth, "--archives", "40") as (_, said):
        yield Here(
            tmp_path, Simulator(str(said["endpoint_url"]), account_id="123456789012", vault="photos", archives=40)
        )


def become(bench: Bench, role: str) -> None:
    bench.variables = {"AWS_ACCESS_KEY_ID": role, "AWS_SECRET_ACCESS_KEY": "secret"}


def test_three_roles_carry_a_vault_to_its_end_and_none_does_anothers_part(guarded: Bench) -> None:
    # glacier-purge inventory fetch, plan, apply, verify, delete-vault
    bench, simulator, run_dir = guarded, guarded.simulator, str(guarded.run_dir)
    endpoint = ("--endpoint-url", simulator.endpoint_url)
    fetch = ("inventory", "fetch", "photos", "--no-wait", "--region", "us-east-1", *endpoint)

    become(bench, "delete")
    refused = bench.run(*fetch, exit_code=254)
    assert "is not authorized to perform: glacier:ListJobs" in refused.stderr

    become(bench, "plan-and-verify")
    bench.json(*fetch, exit_code=75)
    simulator.post("clock", step_seconds=6 * HOUR)
    assert bench.json(*fetch)["records"] == 40
    digest = bench.plan(inventory=bench.folder / "photos-inventory.json")["digest"]
    refused = bench.run(*bench.apply_arguments(digest), exit_code=254)
    assert "is not authorized to perform: glacier:DeleteArchive" in refused.stderr
    assert (simulator.ledger()["archives_left"], simulator.ledger()["denied"]) == (40, 1)

    become(bench, "delete")
    bench.json("apply", run_dir)
    assert simulator.ledger()["archives_left"] == 0
    simulator.post("clock", step_seconds=48 * HOUR)
    refused = bench.run("verify", run_dir, "--no-wait", exit_code=254)
    assert "because no identity-based policy allows the glacier:ListJobs action" in refused.stderr

    become(bench, "plan-and-verify")
    bench.json("verify", run_dir, "--no-wait", exit_code=75)
    simulator.post("clock", step_seconds=6 * HOUR)
    assert bench.json("verify", run_dir, "--no-wait")["state"] == "proven"
    remove = ("delete-vault", run_dir, "--confirm-vault", "photos", "--no-wait")
    refused = bench.run(*remove, "--even-the-last-vault", exit_code=254)
    assert "is not authorized to perform: glacier:DeleteVault" in refused.stderr

    become(bench, "delete-vault")
    refused = bench.run(*remove, exit_code=2)
    assert "only vault" in refused.stderr
    assert bench.json(*remove, "--even-the-last-vault")["answer"] == "deleted"


def test_the_role_that_freezes_may_thaw_a_vault_and_nothing_else(guarded: Bench) -> None:
    # glacier-purge thaw, doctor
    bench, at = guarded, ("--region", "us-east-1", "--endpoint-url", guarded.simulator.endpoint_url)
    become(bench, "freeze")
    ours = with_statement(None, denial(sid_for(b"a lost lifecycle"), VAULT.arn))
    session = botocore.session.get_session()
    session.set_credentials("freeze", "secret")
    client = session.create_client("glacier", "us-east-1", endpoint_url=guarded.simulator.endpoint_url)
    client.set_vault_access_policy(accountId="-", vaultName="photos", policy={"Policy": ours})
    thaw = ("thaw", "photos", "--account-id", VAULT.account_id, "--confirm-vault", "photos", *at)
    assert bench.json(*thaw)["state"] == "thawed"
    assert "nothing to take away" in bench.json(*thaw)["state"]
    refused = bench.run("doctor", "photos", "--account-id", VAULT.account_id, *at, exit_code=254)
    assert "is not authorized to perform: glacier:DescribeVault" in refused.stderr
