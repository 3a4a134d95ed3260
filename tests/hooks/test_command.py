"""Hooks that are programs: what they get, what they do not, and that none is waited for longer than it may take."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from glacier_purge.hooks.command import CommandHook, run_hook
from glacier_purge.hooks.event import NotTold
from tests.hooks.test_webhook import DATA, EVENT


def hook(*program: str, timeout_seconds: float = 20.0) -> CommandHook:
    return CommandHook(
        name="ours", program=program, timeout_seconds=timeout_seconds, secrets=frozenset({"SECRET_OF_ANOTHER"})
    )


def shell(script: str, timeout_seconds: float = 20.0) -> CommandHook:
    return hook("/bin/sh", "-c", script, timeout_seconds=timeout_seconds)


def is_running(process_id: int) -> bool:
    """Tell whether it is there and no zombie."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    try:
        return Path(f"/proc/{process_id}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_program_gets_the_event_and_nothing_that_deletes(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "CHAT_TOKEN": "the program's own",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "aws_session_token": "x",
        "AWS_PROFILE": "deleter",
        "GLACIER_PURGE_SAFETY__MAX_ARCHIVES": "3",
        "SECRET_OF_ANOTHER": "x",
    }
    got = tmp_path / "got"
    await run_hook(shell(f"cat > {got}.json; env -0 > {got}.env"), EVENT, environment)
    assert json.loads((tmp_path / "got.json").read_bytes())["data"] == DATA
    given = dict(line.split("=", 1) for line in (tmp_path / "got.env").read_text("utf-8").rstrip("\0").split("\0"))
    for name in ("PWD", "SHLVL", "_", "OLDPWD"):  # the shell's
        given.pop(name, None)
    assert given == {
        "PATH": os.environ["PATH"],
        "CHAT_TOKEN": "the program's own",
        "GLACIER_PURGE_EVENT": "held",
        "GLACIER_PURGE_VAULT": "photos",
        "GLACIER_PURGE_VAULT_ARN": DATA["vault_arn"],
        "GLACIER_PURGE_RUN_DIR": "/runs/photos",
        "GLACIER_PURGE_PHASE": "",
        "GLACIER_PURGE_DIGEST": DATA["digest"],
        "GLACIER_PURGE_MESSAGE": DATA["message"],
        "GLACIER_PURGE_NEXT": "",
    }


async def test_what_it_prints_is_logged_line_by_line_without_secrets_and_not_without_end() -> None:
    script = "echo one; echo password=hunter2hunter2 >&2; head -c 3000000 /dev/zero | tr '\\0' 'a'; yes | head -100000"
    with capture_logs() as logged:
        await run_hook(shell(script), EVENT, os.environ)
    lines = [one["line"] for one in logged if one["event"] == "hook.said"]
    assert "one" in lines
    assert "password=[hidden]" in lines
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 1000


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "it ended with exit code 3"),
        ("kill -KILL $$", "it was ended by signal 9"),
        ("exec /nonexistent/program 2>/dev/null", "it ended with exit code 127"),
    ],
)
async def test_a_program_that_fails_is_told(script: str, why: str) -> None:
    with pytest.raises(NotTold, match=f"^{why}$"):
        await run_hook(shell(script), EVENT, os.environ)


async def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotTold, match=r"^it cannot be started \(No such file or directory\)$"):
        await run_hook(hook(str(tmp_path / "none")), EVENT, os.environ)
    (tmp_path / "text").write_text("no program")
    with pytest.raises(NotTold, match=r"^it cannot be started \(Permission denied\)$"):
        await run_hook(hook(str(tmp_path / "text")), EVENT, os.environ)


async def test_one_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/child; trap '' TERM; while :; do sleep 600; done"
    began = time.monotonic()
    with pytest.raises(NotTold, match=r"^it took longer than 0.4 s and was ended, with all that it had started$"):
        await run_hook(shell(script, timeout_seconds=0.4), EVENT, os.environ)
    assert time.monotonic() - began < 10
    child = int((tmp_path / "child").read_text("ascii"))
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:  # noqa: ASYNC110 - of another process
        await anyio.sleep(0.01)
    assert not is_running(child)


async def test_what_a_program_leaves_at_work_is_not_waited_for() -> None:
    began = time.monotonic()
    await run_hook(shell("sleep 5 & exit 0"), EVENT, os.environ)
    assert time.monotonic() - began < 4


async def test_a_program_that_does_not_read_is_none_the_worse() -> None:
    await run_hook(shell("exec <&-; exit 0"), EVENT, os.environ)
