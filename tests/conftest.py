"""What holds for every test: nothing leaves this machine, and no account of the person running them is seen.

An audit hook sees each connect and name lookup made through Python's own sockets, whoever makes it.  It fails the test
rather than the call, because code under test is built to survive a failing network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from glacier_purge import clock
from glacier_simulator import clock as simulator_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

_reached_out: list[str] = []


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not _is_loopback(host):
        _reached_out.append(f"{event} {host!r}")
        pytest.fail(f"{event} {host!r}: tests stay on loopback")


asyncio.set_event_loop(None)  # or looptime, looking for a loop around each sync test, makes one and leaves it open
sys.addaudithook(_refuse_the_network)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # by a shell, as of all that it starts with "&" in a script
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or what the tests start would never hear it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let virtual time pass at once: looptime turns its loop 42 times before each step, hours then take minutes."""
    for item in items:
        if item.get_closest_marker("looptime"):
            item.add_marker(pytest.mark.looptime(noop_cycles=0))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder the project lies in."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def witness(repository: Path) -> Path:
    """The programs of the second environment (AWS CLI, boto3's python, moto_server); never skipped, always made."""
    programs = repository / ".venv-witness/bin"
    assert (programs / "aws").exists(), "the second environment is missing; run: make witness"
    return programs


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    """Fail the test when anything in it tried to leave this machine, also where the error was caught."""
    _reached_out.clear()
    yield
    assert not _reached_out, f"tried to leave loopback: {_reached_out}"


@pytest.fixture(params=[0, 366], ids=["today", "in a year"])
def today(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test run twice, the second time with our clock and the pretended service's a year ahead.

    For modules whose tests go by dates: ``pytestmark = pytest.mark.usefixtures("today")``.
    """
    ahead_seconds = request.param * 86_400
    for one in (clock, simulator_clock):
        monkeypatch.setattr(one, "_read", lambda: time.time() + ahead_seconds)


@pytest.fixture(scope="session")
def trusted_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one authority that this system trusts while it is tested; hundreds take 20 ms to read, for every client."""
    file = tmp_path_factory.mktemp("authorities") / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return file


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, trusted_authority: Path
) -> None:
    """Hide the AWS account, proxies, settings and authorities of whoever runs the tests, from them and from what they
    start."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GLACIER_PURGE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted_authority))
    monkeypatch.setenv("SSL_CERT_DIR", str(trusted_authority.with_name("no-more-authorities-here")))
    nowhere = tmp_path_factory.getbasetemp() / "no-aws-configuration-here"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Some for a pretended service, and a state folder of the test's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
