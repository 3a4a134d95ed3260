"""Credentials that expire in the middle of a run: it pauses, fetches new ones, looks whose they are, and goes on (I14).

The service checks signatures and session tokens; the command gets its credentials from a helper that the AWS
configuration names, as single sign-on does it.  The test decides what the helper says and what the service accepts.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from glacier_simulator.account import Credential
from glacier_simulator.kit import SimulatedGlacier
from tests.e2e.conftest import COMMAND, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCOUNT = "123456789012"
STRANGER = "210987654321"
ARCHIVES = 300


def credential(account_id: str, token: str, expires: float | None = None) -> Credential:
    arn = f"arn:aws:sts::{account_id}:assumed-role/purge/me"
    return Credential(f"secret of {token}", account_id, arn, token, expires)


@dataclass
class Login:
    """The helper's answers, and how often it was asked."""

    folder: Path

    def configuration(self) -> Path:
        """An AWS configuration file that has the credentials fetched by a helper."""
        helper = self.folder / "helper"
        helper.write_text(f"#!/bin/sh\necho asked >> {self.folder}/asked\ncat {self.folder}/answer\n")
        helper.chmod(0o700)
        file = self.folder / "config"
        file.write_text(f"[default]\ncredential_process = {helper}\n")
        return file

    def answer(self, key: str, one: Credential) -> None:
        said = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": one.secret, "SessionToken": one.session_token}
        if one.expires is not None:
            said["Expiration"] = datetime.fromtimestamp(one.expires, UTC).isoformat()
        new = self.folder / "answer.new"
        new.write_text(json.dumps(said))
        new.rename(self.folder / "answer")

    def asked(self) -> int:
        return (self.folder / "asked").read_text().count("asked")


async def run_command(folder: Path, login: Login, *arguments: str) -> asyncio.subprocess.Process:
    variables = environment(XDG_STATE_HOME=str(folder / "state"), GLACIER_PURGE_PACE__FIRST_PER_SECOND="1000")
    variables["AWS_CONFIG_FILE"] = str(login.configuration())
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=variables,
    )


async def plan(folder: Path, login: Login, glacier: SimulatedGlacier) -> str:
    (folder / "inventory.json").write_bytes(glacier.inventory_text())
    planning = await run_command(
        *(folder, login, "plan", "photos", "--inventory", "inventory.json", "--run-dir", "run"),
        *("--endpoint-url", glacier.endpoint_url, "--output", "json"),
    )
    out, err = await planning.communicate()
    assert planning.returncode == 0, err.decode()
    digest: str = json.loads(out)["digest"]
    return digest


def outcomes(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "run" / "audit" / "000001.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["event"] == "outcome"]


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    while not happened():  # noqa: ASYNC110 - no event comes out of another process
        await asyncio.sleep(0.005)


def accepting(glacier: SimulatedGlacier, accepted: dict[str, Credential]) -> None:
    """Let the service know these keys and no others; what was signed with others is refused from now on."""
    known = glacier.service._credentials
    assert isinstance(known, dict)
    known.clear()
    known.update(accepted)


@pytest.mark.at_length
@pytest.mark.slow
async def test_expired_credentials_pause_the_run_until_there_are_new_ones(tmp_path: Path) -> None:
    # credential_process in the AWS configuration; glacier-purge apply DIR
    first, second = credential(ACCOUNT, "first"), credential(ACCOUNT, "second")
    login = Login(tmp_path)
    login.answer("ASIAFIRST", first)
    async with SimulatedGlacier(archives=ARCHIVES, latency_ms=10, secret_keys={"ASIANOBODY": "x"}) as glacier:
        accepting(glacier, {"ASIAFIRST": first})
        digest = await plan(tmp_path, login, glacier)
        arguments = ("apply", "run", "--confirm-digest", digest, "--max-rate", "300", "--output", "json")
        applying = await run_command(tmp_path, login, *arguments)
        await until(lambda: glacier.ledger["deletes_received"] >= 50)
        accepting(glacier, {"ASIASECOND": second})  # the first are refused from now on, the second not yet to be had
        refused_at, asked = glacier.ledger["deletes_received"], login.asked()
        await until(lambda: login.asked() > asked)
        login.answer("ASIASECOND", second)
        out, err = await applying.communicate()
        assert applying.returncode == 0, err.decode()
        assert refused_at < ARCHIVES
        result = json.loads(out)
        assert (result["deleted"], result["failed"], result["redeleted"]) == (ARCHIVES, 0, 0)
        assert "credentials.renewing" in err.decode()
        assert "credentials.renewed" in err.decode()
        assert (glacier.ledger["archives_left"], glacier.ledger["deletes_received"]) == (0, ARCHIVES)
    assert {record["outcome"] for record in outcomes(tmp_path)} == {"deleted"}
    for secret in ("secret of first", "secret of second", '"first"', '"second"'):
        assert secret not in out.decode() + err.decode()


@pytest.mark.slow
async def test_credentials_of_another_account_after_a_renewal_stop_the_run(tmp_path: Path) -> None:
    first, strange = credential(ACCOUNT, "first"), credential(STRANGER, "strange")
    login = Login(tmp_path)
    login.answer("ASIAFIRST", first)
    async with SimulatedGlacier(archives=ARCHIVES, latency_ms=10, secret_keys={"ASIANOBODY": "x"}) as glacier:
        accepting(glacier, {"ASIAFIRST": first, "ASIASTRANGE": strange})
        digest = await plan(tmp_path, login, glacier)
        applying = await run_command(tmp_path, login, "apply", "run", "--confirm-digest", digest, "--max-rate", "300")
        await until(lambda: glacier.ledger["deletes_received"] >= 50)
        login.answer("ASIASTRANGE", strange)
        accepting(glacier, {"ASIASTRANGE": strange})
        _, err = await applying.communicate()
        assert applying.returncode == 253, err.decode()
        assert f"Use credentials of account {ACCOUNT}" in err.decode()
        stopped_at = glacier.ledger["deletes_received"]
        assert stopped_at < ARCHIVES
        assert {record["outcome"] for record in outcomes(tmp_path)} == {"deleted"}
        assert len(outcomes(tmp_path)) == ARCHIVES - glacier.ledger["archives_left"]
        login.answer("ASIAFIRST", first)
        accepting(glacier, {"ASIAFIRST": first})
        resuming = await run_command(tmp_path, login, "apply", "run")
        _, err = await resuming.communicate()
        assert resuming.returncode == 0, err.decode()
        assert glacier.ledger["archives_left"] == 0


@pytest.mark.slow
async def test_no_delete_is_sent_with_another_accounts_key_that_was_had_early(tmp_path: Path) -> None:
    first = credential(ACCOUNT, "first", int(time.time()) + 20.0)
    strange = credential(STRANGER, "strange", time.time() + 3600.0)
    login = Login(tmp_path)
    login.answer("ASIAFIRST", first)
    async with SimulatedGlacier(archives=ARCHIVES, latency_ms=10, secret_keys={"ASIANOBODY": "x"}) as glacier:
        accepting(glacier, {"ASIAFIRST": first, "ASIASTRANGE": strange})
        digest = await plan(tmp_path, login, glacier)
        applying = await run_command(tmp_path, login, "apply", "run", "--confirm-digest", digest, "--max-rate", "10")
        await until(lambda: glacier.ledger["deletes_received"] >= 5)
        login.answer("ASIASTRANGE", strange)
        _, err = await applying.communicate()
        assert applying.returncode == 253, err.decode()
        received = glacier.ledger["deletes_received"]
        assert 5 <= received < ARCHIVES
        assert received == ARCHIVES - glacier.ledger["archives_left"] == len(outcomes(tmp_path))
    said = err.decode()
    assert "credentials.not_renewed" in said  # while the first ones held
    assert "gave another key, which is not used" in said
    assert f"Use credentials of account {ACCOUNT}" in said
    assert "strange" not in said


@pytest.mark.at_length
@pytest.mark.slow
async def test_a_helper_that_fails_at_the_start_sends_nothing(tmp_path: Path) -> None:
    login = Login(tmp_path)
    login.answer("ASIAFIRST", credential(ACCOUNT, "first"))
    async with SimulatedGlacier(archives=ARCHIVES, secret_keys={"ASIANOBODY": "x"}) as glacier:
        digest = await plan(tmp_path, login, glacier)
        before = glacier.ledger["requests"]
        os.truncate(tmp_path / "answer", 0)
        applying = await run_command(tmp_path, login, "apply", "run", "--confirm-digest", digest)
        _, err = await applying.communicate()
        assert applying.returncode == 253, err.decode()
        assert "Traceback" not in err.decode()
        assert glacier.ledger["requests"] == before
