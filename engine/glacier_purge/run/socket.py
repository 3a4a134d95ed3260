"""The Unix socket in the run folder, through which the process that works on a run takes orders.

One line of JSON asks (``orders``), one line answers: an object of facts, or ``{"error": "..."}``.  The socket is made
by the process that holds the run's lock and goes when it ends; what a killed process left behind is replaced by the
next one and refuses connections until then, so a stale file is never taken for a run at work.  Its rights are 0600
from the moment it is there, and the folder is its owner's alone.  A run never depends on it: where no socket can be
made, or a client misbehaves, the run goes on and the operator log says so.

An address of a Unix socket has room for some 100 bytes (108 on Linux, 104 on macOS and BSD, with a NUL at the end),
fewer than a path may have.  So the folder is opened and the socket addressed through it, as
``/proc/self/fd/N/control``, which is short and cannot be led elsewhere by a link that somebody changes meanwhile.
Where there is no /proc, a path that is too long is taken through a short link, in a temporary folder that nobody else
can write to.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import msgspec
import structlog
from anyio.abc import SocketListener, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from glacier_purge.errors import UsageError
from glacier_purge.run.steering import Order, read_order, write_order
from glacier_purge.storage.documents import DocumentUnreadable, decoded

Facts = dict[str, object]

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

CONTROL_FILE = "control"
_OPEN_FILES = Path("/proc/self/fd")
_ADDRESS_BYTES_MAX = 103
_LINE_BYTES_MAX = 16_384
_CLIENT_SECONDS = 10.0
"""How long a client may take for its line, and how long one waits for its answer."""
_CLIENTS_MAX = 16
_AGAIN_SECONDS = 2.0
"""When a client that could not be taken is tried again: soon enough for its answer."""


async def serve(folder: Path, obey: Callable[[Order], Facts]) -> None:
    """Take orders until cancelled. ``obey`` carries one out and says how the run stands; its ``UsageError`` is told.

    Only for who holds the run's lock: whatever socket is there is taken for a dead process's and removed.
    """
    try:
        with _address(folder) as address, _listening(address) as raw:
            async with await SocketListener.from_socket(raw) as listener, anyio.create_task_group() as conversations:
                room = anyio.CapacityLimiter(_CLIENTS_MAX)
                while True:
                    stream = await _accepted(listener, folder)
                    conversations.start_soon(_converse, stream, obey, room)
    except* OSError as errors:
        _log.warning("control.unavailable", folder=str(folder), because=str(errors.exceptions[0]))


async def _accepted(listener: SocketListener, folder: Path) -> SocketStream:
    """The next client, however long this process may open no more files; that is told once."""
    is_told = False
    while True:
        try:
            return await listener.accept()
        except anyio.BrokenResourceError as error:
            if not is_told:
                _log.warning("control.unavailable", folder=str(folder), because=str(error.__cause__))
            is_told = True
            await anyio.sleep(_AGAIN_SECONDS)


def send_order(folder: Path, order: Order) -> Facts | None:
    """Give an order to the process that works on the run in ``folder``; None when nobody takes orders there.

    Raises ``UsageError`` when the order is refused or nobody answers it in ten seconds.
    """
    with ExitStack() as opened:
        link = opened.enter_context(socket.socket(socket.AF_UNIX))
        link.settimeout(_CLIENT_SECONDS)
        try:
            address = opened.enter_context(_address(folder))
        except OSError as error:
            raise _unreachable(folder, error) from error
        try:
            link.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise _unreachable(folder, error) from error
        try:
            link.sendall(write_order(order))
            line = link.makefile("rb").readline(_LINE_BYTES_MAX)
        except OSError as error:
            raise UsageError(
                f"the process that works on the run in {folder} did not answer ({error}). It may be stopped or very "
                "busy; whether it took the order, its audit log says."
            ) from error
    return _facts(line, folder)


def _unreachable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"{folder / CONTROL_FILE} cannot be reached: {error}.")


def _facts(line: bytes, folder: Path) -> Facts:
    if not line.endswith(b"\n"):
        raise UsageError(f"the process that worked on the run in {folder} ended before it answered.")
    try:
        facts = decoded(line, dict[str, object])
    except DocumentUnreadable as error:
        raise UsageError(
            f"the process that works on the run in {folder} gave an answer that is none ({error}). Whether it took the "
            "order, its audit log says."
        ) from error
    if "error" in facts:
        raise UsageError(str(facts["error"]))
    return facts


async def _converse(stream: SocketStream, obey: Callable[[Order], Facts], room: anyio.CapacityLimiter) -> None:
    """Answer one client's lines until it goes, takes too long, or sends what is no line."""
    async with room, stream:
        lines = BufferedByteReceiveStream(stream)
        try:
            while True:
                with anyio.fail_after(_CLIENT_SECONDS):
                    line = await lines.receive_until(b"\n", _LINE_BYTES_MAX)
                    await stream.send(msgspec.json.encode(_answer(line, obey)) + b"\n")
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            return
        except (anyio.DelimiterNotFound, TimeoutError) as error:
            _log.warning("control.client_dropped", because=type(error).__name__)


def _answer(line: bytes, obey: Callable[[Order], Facts]) -> Facts:
    try:
        return obey(read_order(line))
    except UsageError as error:
        return {"error": str(error)}


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """A short address of the folder's socket, good while the context lasts."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        opened = _OPEN_FILES / str(handle)
        if opened.is_dir():
            yield str(opened / CONTROL_FILE)
        elif len(os.fsencode(whole := folder / CONTROL_FILE)) <= _ADDRESS_BYTES_MAX:
            yield str(whole)
        else:
            with TemporaryDirectory(prefix="gp-") as place:
                link = Path(place) / "f"
                link.symlink_to(folder.absolute())
                yield str(link / CONTROL_FILE)
    finally:
        os.close(handle)


@contextmanager
def _listening(address: str) -> Iterator[socket.socket]:
    """A socket that listens at ``address``, in place of a stale one. The file is gone at the end."""
    path = Path(address)
    if _is_socket(path):
        path.unlink()
    with socket.socket(socket.AF_UNIX) as raw:
        with suppress(OSError):  # macOS and BSD know no rights of a socket; there the folder's keep others out
            os.fchmod(raw.fileno(), 0o600)  # Linux makes the file with these, so there is no moment without them
        raw.bind(address)
        try:
            path.chmod(0o600)
            raw.listen(_CLIENTS_MAX)
            raw.setblocking(False)
            yield raw
        finally:
            path.unlink(missing_ok=True)


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return False
