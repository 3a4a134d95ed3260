"""The guard around the tests is itself tested: a guard that lets everything through looks just like one that works."""

from __future__ import annotations

import os
import socket

import pytest

from tests import seclusion


@pytest.mark.parametrize("host", ["192.0.2.1", "169.254.169.254", "glacier.us-east-1.amazonaws.com"])
def test_nothing_leaves_this_machine(host: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="stay on loopback"):
        socket.create_connection((host, 443), timeout=0.1)
    assert seclusion.reached_out
    seclusion.reached_out.clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_allowed(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1]), timeout=5).close()


def test_no_account_of_the_person_running_the_tests_is_seen() -> None:
    allowed = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}
    ours = {"GLACIER_PURGE_REPORT__PAGE"}
    assert {name for name in os.environ if name.startswith(("AWS_", "GLACIER_PURGE_"))} == allowed | ours
