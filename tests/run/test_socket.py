"""The socket in the run folder: over real sockets, in a real folder."""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import msgspec
import pytest
from structlog.testing import capture_logs

from glacier_purge.errors import UsageError
from glacier_purge.run import socket as control
from glacier_purge.run.steering import AskStatus, Pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from glacier_purge.run.steering import Order

STATUS = AskStatus(by="dave@host")
PAUSE = Pause(by="dave@host")


def obey(order: Order) -> dict[str, object]:
    if isinstance(order, Pause):
        raise UsageError("not now")
    return {"state": "sending", "asked_by": order.by}


@asynccontextmanager
async def serving(folder: Path, obey: Callable[[Order], dict[str, object]] = obey) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(control.serve, folder, obey)
        with anyio.fail_after(10):
            while await ask(folder) is None:  # noqa: ASYNC110 - what is waited for is a socket, not an event
                await anyio.sleep(0.001)
        yield
        tasks.cancel_scope.cancel()


async def ask(folder: Path, order: Order = STATUS) -> dict[str, object] | None:
    return await anyio.to_thread.run_sync(control.send_order, folder, order)


async def send(folder: Path, *parts: bytes) -> bytes:
    """Send bytes as they are and read what comes back until the other side is silent or gone."""

    def converse() -> bytes:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(str(folder / "control"))
            for part in parts:
                link.sendall(part)
            link.shutdown(socket.SHUT_WR)
            return link.makefile("rb").read()

    return await anyio.to_thread.run_sync(converse)


async def test_an_order_is_answered_with_facts(tmp_path: Path) -> None:
    async with serving(tmp_path):
        assert await ask(tmp_path) == {"state": "sending", "asked_by": "dave@host"}


async def test_an_order_that_is_refused_raises_with_the_reason(tmp_path: Path) -> None:
    async with serving(tmp_path):
        with pytest.raises(UsageError, match="not now"):
            await ask(tmp_path, PAUSE)


async def test_the_socket_is_its_owners_alone_and_goes_at_the_end(tmp_path: Path) -> None:
    async with serving(tmp_path):
        assert stat.S_IMODE((tmp_path / "control").lstat().st_mode) == 0o600
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - names, not paths
    assert await ask(tmp_path) is None


async def test_a_stale_socket_is_nobody_and_in_nobodys_way(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control"))
    assert await ask(tmp_path) is None
    async with serving(tmp_path):
        assert await ask(tmp_path) is not None


async def test_a_folder_far_down_has_a_socket_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    async with serving(deep):
        assert await ask(deep) is not None
    assert not (deep / "control").exists()


async def test_without_proc_a_folder_far_down_has_a_socket_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS and BSD: no /proc, addresses of 104 bytes with their NUL, and no rights of a socket."""

    def no_rights(*_: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(control, "_OPEN_FILES", tmp_path / "no-proc")
    monkeypatch.setattr(os, "fchmod", no_rights)
    for bytes_of_name in (1, 103 - len(os.fsencode(tmp_path / "control")) - 1, 200):
        folder = tmp_path / ("x" * max(1, bytes_of_name))
        folder.mkdir(exist_ok=True)
        async with serving(folder):
            assert await ask(folder) == {"state": "sending", "asked_by": "dave@host"}
            assert stat.S_IMODE((folder / "control").lstat().st_mode) == 0o600
        assert os.listdir(folder) == []  # noqa: PTH208 - names, not paths


async def test_where_no_address_can_be_made_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_OPEN_FILES", tmp_path / "no-proc")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no-tmp"))
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    with pytest.raises(UsageError, match="control cannot be reached: "):
        control.send_order(folder, STATUS)
    with capture_logs() as logs:
        await control.serve(folder, obey)
    assert [line["event"] for line in logs] == ["control.unavailable"]


async def test_no_file_descriptor_is_left_open(tmp_path: Path) -> None:
    async with serving(tmp_path):
        await ask(tmp_path)
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names in a folder that is no disk
    async with serving(tmp_path):
        await ask(tmp_path)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


async def test_where_no_socket_can_be_made_the_run_goes_on_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "control").write_text("somebody's notes")
    with capture_logs() as lines:
        await control.serve(tmp_path, obey)
    assert [line["event"] for line in lines] == ["control.unavailable"]
    assert (tmp_path / "control").read_text() == "somebody's notes"


async def test_while_no_more_files_may_be_opened_a_client_waits_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux says so of every look for a client, also where there is none."""
    monkeypatch.setattr(control, "_AGAIN_SECONDS", 0.01)
    with capture_logs() as lines, socket.socket(socket.AF_UNIX) as link:
        link.settimeout(10)
        async with serving(tmp_path):
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                link.connect(str(tmp_path / "control"))
                link.sendall(b'{"order":"status","by":"dave@host"}\n')
                await anyio.sleep(0.1)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            answer = await anyio.to_thread.run_sync(link.recv, 1_000)
    assert b'"state":"sending"' in answer
    assert [(line["event"], line["because"]) for line in lines] == [
        ("control.unavailable", "[Errno 24] Too many open files")
    ]


async def test_one_client_may_give_several_orders(tmp_path: Path) -> None:
    line = b'{"order":"status","by":"dave@host"}\n'
    async with serving(tmp_path):
        answers = (await send(tmp_path, line + line[:10], line[10:] + line)).splitlines()
    assert [msgspec.json.decode(answer)["state"] for answer in answers] == ["sending"] * 3


@pytest.mark.parametrize("junk", [b"", b"\n", b"GET / HTTP/1.1\r\n\r\n", b"{" * 200, b"x" * 100_000, b"\xff\x00\n"])
async def test_junk_hurts_nobody(tmp_path: Path, junk: bytes) -> None:
    async with serving(tmp_path):
        try:
            answers: list[dict[str, Any]] = [
                msgspec.json.decode(line) for line in (await send(tmp_path, junk)).splitlines()
            ]
        except OSError:  # dropped in the middle of what it sent
            answers = []
        assert all("no order this version understands" in answer["error"] for answer in answers)
        assert await ask(tmp_path) is not None


async def test_a_client_that_leaves_at_once_hurts_nobody(tmp_path: Path) -> None:
    def come_and_go() -> None:
        for _ in range(50):
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(tmp_path / "control"))
                link.sendall(b'{"order":"status","by":"x"}\n')

    async with serving(tmp_path):
        await anyio.to_thread.run_sync(come_and_go)
        assert await ask(tmp_path) is not None


async def test_a_process_that_ends_instead_of_answering_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    def listen_and_hang_up(listener: socket.socket) -> None:
        link, _ = listener.accept()
        with link:
            link.recv(100)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control"))
        listener.listen()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, listen_and_hang_up, listener)
            with pytest.raises(UsageError, match="ended before it answered"):
                await ask(tmp_path)
