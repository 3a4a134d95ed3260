"""``glacier-purge simulate`` as a process: what scripts read, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from glacier_purge.cli import main
from glacier_simulator.fault_kinds import KINDS
from tests.glacier_simulator.raw_client import request_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-c", "import sys; from glacier_purge.cli import main; sys.exit(main())", "simulate"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@contextmanager
def simulate(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """The running command and its first line."""
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def get(url: object, path: str) -> bytes:
    with urllib.request.urlopen(f"{url}{path}", timeout=30) as reply:
        body = reply.read()
        assert isinstance(body, bytes)
        return body


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_says_where_and_a_signal_ends_it_with_0(number: signal.Signals) -> None:
    with simulate("--archives", "7", "--rate", "0") as (process, said):
        assert list(said) == ["result", "format", "endpoint_url", "account_id", "vault", "archives"]
        assert (said["vault"], said["archives"], said["account_id"]) == ("photos", 7, "123456789012")
        assert json.loads(get(said["endpoint_url"], "/_simulator/ledger"))["archives_left"] == 7
        process.send_signal(number)
        rest, log = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in log


def test_a_users_inventory_names_vault_region_and_account(tmp_path: Path) -> None:
    file = tmp_path / "inventory.json"
    with simulate("--archives", "3", "--vault", "-tapes", "--region", "eu-west-1") as (_, said):
        file.write_bytes(get(said["endpoint_url"], "/_simulator/vaults/-tapes/inventory"))
    with simulate("--from", str(file)) as (_, again):
        assert (again["vault"], again["archives"]) == ("-tapes", 3)
        assert b"arn:aws:glacier:eu-west-1:123456789012:vaults/-tapes" in get(
            again["endpoint_url"], "/_simulator/vaults/-tapes/inventory"
        )


@pytest.mark.parametrize(
    "options",
    [
        ["--host", "0.0.0.0"],
        ["--port", "99999"],
        ["--port", "-1"],
        ["--scenario", "nope"],
        ["--scenario", "/dev/zero"],
        ["--scenario", "."],
        ["--latency-ms", "-5"],
        ["--latency-ms", "nan"],
        ["--rate", "-1"],
        ["--burst", "0"],
        ["--error-rate", "2"],
        ["--archives", "-2"],
        ["--time-scale", "-1"],
        ["--vault", ".."],
        ["--vault", "a/b"],
        ["--account-id", "12"],
        ["--region", "moon"],
        ["--from", "missing.json"],
        ["--auth", "key"],
        ["--auth", "key:secret", "--no-auth"],
        ["--auth", "key:secret:missing.json"],
        ["--auth", "key:secret:pyproject.toml"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_senseless_options_end_it_with_2_and_one_message(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("glacier-purge: ")
    assert "bug" not in said.err


WITHOUT_WAITING = [
    name for name, kind in KINDS.items() if kind.seconds == 0 and not name.startswith(("output", "job"))
] + ["retry-after", "amz-retry-after"]


@pytest.mark.parametrize("options", [[], ["--tls"]], ids=["plain", "tls"])
def test_under_uvloop_no_fault_ends_it_and_each_takes_effect_or_not_as_it_says(options: list[str]) -> None:
    with simulate("--archives", "100", "--rate", "0", "--latency-ms", "0", "--error-rate", "0", *options) as (
        process,
        said,
    ):
        address = urlsplit(str(said["endpoint_url"]))
        trusted = ssl.create_default_context(cafile=str(said["ca_file"])) if options else None

        def ask(method: str, path: str, body: bytes = b"") -> bytes:
            with contextlib.ExitStack() as opened:
                wire = opened.enter_context(socket.create_connection((address.hostname, address.port), timeout=30))
                if trusted is not None:
                    wire = opened.enter_context(trusted.wrap_socket(wire, server_hostname="localhost"))
                wire.sendall(request_bytes(method, path, body, {"Connection": "close"}))
                return b"".join(iter(lambda: wire.recv(65_536), b""))

        def left() -> int:
            found = json.loads(ask("GET", "/_simulator/ledger").partition(b"\r\n\r\n")[2])["archives_left"]
            assert isinstance(found, int)
            return found

        listed = ask("GET", "/_simulator/vaults/photos/inventory?format=csv").partition(b"\r\n\r\n")[2]
        ids = [line.partition(b",")[0].decode() for line in listed.split(b"\n")[1:-1]]
        for kind, archive_id in zip(WITHOUT_WAITING, ids, strict=False):
            before = left()
            ask("POST", "/_simulator/faults", json.dumps({"rules": [{"kind": kind, "count": 1}]}).encode())
            with contextlib.suppress(OSError):
                ask("DELETE", f"/-/vaults/photos/archives/{archive_id}")
            assert before - left() == (1 if KINDS[kind].reaches_service else 0), kind
        process.terminate()
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in log
