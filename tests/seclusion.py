"""What is kept from everything that is tried here: the network beyond this machine, and whose machine it is.

An audit hook sees each connect and name lookup made through Python's own sockets, whoever makes it.  What reached out
is remembered as well as refused, because code under test is built to survive a failing network.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING

import pytest
import trustme

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

reached_out: list[str] = []
"""Every attempt of this process to leave loopback since it was last cleared."""


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
        reached_out.append(f"{event} {host!r}")
        pytest.fail(f"{event} {host!r}: tests stay on loopback")


def stay_on_loopback() -> None:
    """Refuse this process, from now on, whatever lies beyond this machine."""
    sys.addaudithook(_refuse_the_network)


def check_no_company_file() -> None:
    """Refuse to test where a company's settings lie: no variable keeps what the tests start from reading them."""
    from glacier_purge.settings.places import COMPANY_FILE

    if COMPANY_FILE.exists():
        pytest.exit(f"{COMPANY_FILE} counts for every command that is tested here. Run the tests where there is none.")


def authority_of(folder: Path) -> Path:
    """Make one authority, for systems that trust no other; hundreds take 20 ms to read, for every client."""
    file = folder / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return file


def clean_environment(found: Mapping[str, str], folder: Path, authority: Path) -> dict[str, str]:
    """An environment without the AWS account, proxies, settings and authorities of whoever runs the tests."""
    hidden = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    kept = {
        name: value
        for name, value in found.items()
        if not name.startswith(("AWS_", "GLACIER_PURGE_")) and not name.lower().endswith("_proxy")
    }
    nowhere = folder / "no-aws-configuration-here"
    return {name: value for name, value in kept.items() if name not in hidden} | {
        "SSL_CERT_FILE": str(authority),
        "SSL_CERT_DIR": str(authority.with_name("no-more-authorities-here")),
        "AWS_CONFIG_FILE": str(nowhere / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(nowhere / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_CONFIG_HOME": str(folder / "no-settings-of-the-user-here"),
        "XDG_STATE_HOME": str(folder / "state"),
        "GLACIER_PURGE_REPORT__PAGE": "false",  # 20 ms for each of a thousand runs; its own tests ask for it
    }
