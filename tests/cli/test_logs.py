from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING

import pytest
import structlog

from glacier_purge.cli.logs import configure_logs
from glacier_purge.cli.options import LogOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = LogOptions(log_format="json")
CONSOLE = LogOptions(log_format="console")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_lines_hold_time_level_event_and_facts(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(JSON)
    structlog.get_logger().info("delete.throttled", vault="写真", per_second=97.5)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.isascii()
    line = json.loads(printed.err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "delete.throttled", "level": "info", "vault": "写真", "per_second": 97.5}


def test_console_lines_are_safe_and_without_colours_elsewhere_than_on_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(CONSOLE)
    structlog.get_logger().warning("inventory.read", description="\x1b[2J\u202eboo", count=3)
    line = capsys.readouterr().err
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "count=3" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("options", [JSON, CONSOLE])
def test_secrets_are_hidden_however_they_come(options: LogOptions, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    configure_logs(options)
    log = structlog.get_logger()
    log.info("request", headers={"X-Amz-Security-Token": "IQoJb3", "Authorization": "AWS4 x", "host": "h"})
    log.info("credentials", access_key="AKIAIOSFODNN7EXAMPLE", secret_key="short", nested=[{"session_token": "tok"}])
    log.info(f"loose {secret} in a sentence")
    logging.getLogger("botocore.credentials").warning("failed with %s", {"SecretAccessKey": secret})
    try:
        raise ValueError(f"secret_access_key={secret}")
    except ValueError:
        log.exception("credentials.failed")
    printed = capsys.readouterr().err
    for hidden in ("IQoJb3", "AWS4 x", "AKIAIOSFODNN7EXAMPLE", "short", "'tok'", '"tok"', secret):
        assert hidden not in printed
    assert "AKIA…MPLE" in printed or "AKIA\\u2026MPLE" in printed
    assert "Traceback" in printed


@pytest.mark.parametrize("debug", [False, True])
def test_the_wire_is_never_logged(debug: bool, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogOptions(debug=debug))
    logging.getLogger("botocore.endpoint").debug("Sending http request: <AWSPreparedRequest ...>")
    logging.getLogger("aiobotocore.auth").info("CanonicalRequest: ...")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("debug", "lines"), [(False, 0), (True, 1)])
def test_debug_shows_our_own_details(debug: bool, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogOptions(debug=debug))
    structlog.get_logger().debug("pacer.probed")
    assert capsys.readouterr().err.count("\n") == lines


def test_lines_go_to_what_stderr_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress display puts itself in front of stderr while it is drawn."""
    configure_logs(JSON)
    display = io.StringIO()
    monkeypatch.setattr(sys, "stderr", display)
    structlog.get_logger().info("run.paused")
    assert json.loads(display.getvalue())["event"] == "run.paused"


def test_a_closed_stderr_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    configure_logs(JSON)
    monkeypatch.setattr(sys, "stderr", Closed())
    structlog.get_logger().info("run.paused")
