"""Buckets for campaigns: a small S3 of our own in this process, and others' in processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.replica.s3 import pretend_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_WITNESSES = Path(__file__).parents[2] / ".venv-witness" / "bin"
_UP_SECONDS_MAX = 60.0


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """moto's S3, with a bucket ``purges``; gives where it is."""
    port = _free_port()
    with _served([_WITNESSES / "moto_server", "-H", "127.0.0.1", "-p", str(port)], folder, port) as endpoint_url:
        yield endpoint_url


@contextmanager
def seaweed(folder: Path) -> Iterator[str]:
    """SeaweedFS, likewise: a real S3 server."""
    port, data = _free_port(), folder / "seaweed"
    data.mkdir()
    ports = [f"-{name}.port={_free_port()}" for name in ("master", "volume", "filer")]
    ports += [f"-{name}.port.grpc={_free_port()}" for name in ("master", "volume", "filer")]
    command: list[Path | str] = [
        _WITNESSES / "weed",
        "server",
        f"-dir={data}",
        "-s3",
        f"-s3.port={port}",
        "-ip=127.0.0.1",
        *ports,
    ]
    command += ["-volume.max=20", "-master.volumeSizeLimitMB=64", f"-s3.port.grpc={_free_port()}"]
    with _served(command, folder, port) as endpoint_url:
        yield endpoint_url


@contextmanager
def ours(_: Path) -> Iterator[str]:
    """Our own, in a thread."""
    with pretend_s3() as made:
        yield made.endpoint("all")


def is_here(bucket: Callable[[Path], AbstractContextManager[str]]) -> bool:
    """Whether a bucket can be had here; those of others take ``make .venv-witness/.ready``."""
    return bucket is ours or (_WITNESSES / ("moto_server" if bucket is moto else "weed")).exists()


@contextmanager
def _served(command: list[Path | str], folder: Path, port: int) -> Iterator[str]:
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        endpoint_url = f"http://127.0.0.1:{port}"
        _make_bucket(endpoint_url, process)
        yield endpoint_url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _make_bucket(endpoint_url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _UP_SECONDS_MAX
    while True:
        try:
            with urlopen(Request(f"{endpoint_url}/purges", method="PUT"), timeout=5):
                return
        except HTTPError as error:
            if error.code == 409:
                return
            why: Exception = error
        except (URLError, OSError) as error:
            why = error
        assert process.poll() is None, "it ended"
        assert time.monotonic() < until, f"no bucket after {_UP_SECONDS_MAX:g} s: {why}"
        time.sleep(0.2)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
