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
from urllib.request import Request, urlopen

from tests.replica.s3 import pretend_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_WITNESSES = Path(__file__).parents[2] / ".venv-witness" / "bin"
_UP_SECONDS_MAX = 60.0
_TRIES = 3


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """moto's S3, with a bucket ``purges``; gives where it is."""
    with _served(lambda port: [_WITNESSES / "moto_server", "-H", "127.0.0.1", "-p", str(port)], folder) as endpoint_url:
        yield endpoint_url


@contextmanager
def seaweed(folder: Path) -> Iterator[str]:
    """SeaweedFS, likewise: a real S3 server."""

    def command(port: int) -> list[Path | str]:
        data = folder / f"seaweed-{port}"
        data.mkdir()
        ports = [f"-{name}.port={_free_port()}" for name in ("master", "volume", "filer")]
        ports += [f"-{name}.port.grpc={_free_port()}" for name in ("master", "volume", "filer", "s3")]
        ports += [f"-s3.port={port}", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
        return [_WITNESSES / "weed", "server", f"-dir={data}", "-s3", "-ip=127.0.0.1", *ports]

    with _served(command, folder) as endpoint_url:
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
def _served(command: Callable[[int], list[Path | str]], folder: Path) -> Iterator[str]:
    """Have a server on a free port, or on another where somebody else took that meanwhile."""
    for _ in range(_TRIES):
        port = _free_port()
        endpoint_url, words = f"http://127.0.0.1:{port}", command(port)
        with (folder / f"{Path(words[0]).name}.log").open("ab") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        try:
            if _makes_bucket(endpoint_url, process):
                yield endpoint_url
                return
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    raise AssertionError(f"no server came up in {_TRIES} tries: see {folder}")


def _makes_bucket(endpoint_url: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether a bucket could be made; not where the server ended before."""
    until = time.monotonic() + _UP_SECONDS_MAX
    while process.poll() is None:
        try:
            with urlopen(Request(f"{endpoint_url}/purges", method="PUT"), timeout=5):
                return True
        except OSError as error:  # as all that urllib raises
            why = error
        assert time.monotonic() < until, f"no bucket after {_UP_SECONDS_MAX:g} s: {why}"
        time.sleep(0.2)
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
