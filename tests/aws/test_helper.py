"""A program that gives credentials is kept from what is ours, and ended with what it started."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from glacier_purge.aws.helper import Helper
from glacier_purge.aws.refusals import refusal
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable, HostFailed

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s"}'


def helper(folder: Path, script: str) -> Helper:
    file = folder / "helper"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return Helper("work", lambda: {"profiles": {"work": {"credential_process": str(file)}}}, lambda _: None)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is there, wherever the tests are run."""
    monkeypatch.setattr("glacier_purge.aws.helper.can_ask", lambda: False)


@pytest.mark.usefixtures("alone")
async def test_our_standard_input_is_not_read_by_a_helper(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    kept = os.dup(0)
    os.dup2(ours, 0)  # an inventory that comes by a pipe, say
    try:
        os.write(theirs, b"the inventory")
        given = await helper(tmp_path, f"cat > {tmp_path}/eaten; echo '{ANSWER}'").load()
        assert os.read(0, 100) == b"the inventory"
    finally:
        os.dup2(kept, 0)
        for each in (ours, theirs, kept):
            os.close(each)
    assert (tmp_path / "eaten").read_bytes() == b""
    assert (await given.get_frozen_credentials()).access_key == "A"


@pytest.mark.usefixtures("alone")
async def test_what_a_helper_started_is_ended_with_it(tmp_path: Path) -> None:
    hanging = helper(tmp_path, f"sleep 100 & echo $! > {tmp_path}/started; wait")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await hanging.load()
    started = int((tmp_path / "started").read_text())
    for _ in range(200):  # until whoever takes in orphans has taken it in
        try:
            os.kill(started, 0)
        except ProcessLookupError:
            return
        if "Z" in (tmp_path.joinpath(f"/proc/{started}/stat").read_text().rpartition(")")[2].split()[:1]):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it sleeps on")


@pytest.mark.usefixtures("alone")
async def test_a_helper_that_prints_for_ever_is_ended(tmp_path: Path) -> None:
    with pytest.raises(CredentialsFailed, match="more than 65,536 bytes"):
        await helper(tmp_path, "exec yes").load()


@pytest.mark.usefixtures("alone")
async def test_what_a_helper_leaves_at_work_keeps_nobody_from_its_answer(tmp_path: Path) -> None:
    # an agent that it started holds its output open; asyncio would complain of pipes that nobody closed
    async with asyncio.timeout(10):
        given = await helper(tmp_path, f"sleep 30 & echo $! > {tmp_path}/agent; echo '{ANSWER}'").load()
    agent = int((tmp_path / "agent").read_text())
    os.kill(agent, signal.SIGKILL)  # it is there: an agent serves others, too
    assert (await given.get_frozen_credentials()).access_key == "A"


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("command", "why"), [("", "it is empty"), ("  ", "it is empty"), ('"a', "No closing quotation")]
)
async def test_what_is_no_command_is_called_so(command: str, why: str) -> None:
    with pytest.raises(CredentialsFailed, match=rf"is no command \({why}\)"):
        await Helper("work", lambda: {"profiles": {"work": {"credential_process": command}}}, lambda _: None).load()


@pytest.mark.usefixtures("alone")
async def test_a_helper_is_not_blamed_for_a_limit_and_is_asked_again_later(tmp_path: Path) -> None:
    """A run that renews its credentials pauses for that, as it does where nobody answers."""
    begun = helper(tmp_path, f"echo '{ANSWER}'")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(HostFailed, match=r"cannot be started: .*Too many open files") as told:
            await begun.load()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    failure = refusal(told.value, "the helper", "work")
    assert isinstance(failure, CredentialsUnreachable)
    assert failure.exit_code == 3
