"""``bench`` as users start it; figures are not asserted, only that there are some and that they belong together."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.cli import main
from glacier_purge.cli.benching.result import as_table, compared
from glacier_purge.cli.benching.round import Measured
from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.simulated import started_simulator
from glacier_purge.errors import GlacierPurgeError

if TYPE_CHECKING:
    from collections.abc import Iterator


def bench(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "glacier_purge", "bench", *arguments, "--output", "json"]
    with TemporaryDirectory() as state:
        environment = {**os.environ, "XDG_STATE_HOME": state}
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, env=environment)
        assert not list(Path(state).rglob("*")), "a limit was learnt of a service that nobody meets again"
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def check(row: dict[str, Any], archives: int) -> None:
    assert (row["deleted"], row["failed"], row["throttled_share"]) == (archives, 0, 0)
    assert row["cpu_us_per_delete"] > 0
    assert row["peak_rss_mb"] > 10
    for latencies in (row["latency_ms"], row["corrected_latency_ms"]):
        assert list(latencies.values()) == sorted(latencies.values())


@pytest.mark.at_length
# glacier-purge bench --archives 300 --compare sdk,rest --tls
def test_both_transports_are_measured_in_interleaved_rounds() -> None:
    result = bench("--archives", "300", "--compare", "sdk,rest", "--tls")
    assert [row["transport"] for row in result["results"]] == ["sdk", "rest"]
    for row in result["results"]:
        check(row, 300)
    assert result["results"][0]["cpu_to_first"] == 1


@pytest.mark.at_length
# glacier-purge bench --archives 100 --rate 400 --endpoint-url http://127.0.0.1:... --rounds 2
def test_a_running_simulator_is_measured_and_loses_what_was_asked_for() -> None:
    with started_simulator("--archives", "250", "--rate", "0", "--error-rate", "0", "--latency-ms", "2") as glacier:
        address = ("--endpoint-url", glacier.endpoint_url)
        result = bench("--archives", "100", "--rate", "400", "--rounds", "2", *address)
        check(result["results"][0], 100)
        ledger = glacier.ledger()
        assert (ledger["deletes_received"], ledger["archives_left"]) == (200, 50)
        assert main(["bench", "--archives", "100", *address]) == ExitCode.USAGE
        assert glacier.ledger()["deletes_received"] == 200


def test_a_simulator_that_does_not_start_says_why() -> None:
    with pytest.raises(GlacierPurgeError, match=r"exit code 2: .*is not a port"), started_simulator("--port", "70000"):
        pass


@pytest.fixture
def no_simulator() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that is none of ours, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"ArchiveList": []}')

        do_DELETE = do_POST = do_GET  # noqa: N815 - http.server's names

        def log_message(self, *_arguments: object) -> None:
            """Stay silent."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_another_server_on_loopback_is_refused(
    no_simulator: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, asked = no_simulator
    assert main(["bench", "--endpoint-url", url]) == ExitCode.USAGE
    message = capsys.readouterr().err
    assert "not a simulator's" in message
    assert "glacier-purge apply" in message
    assert asked == ["GET /_simulator/ledger"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--endpoint-url", "https://glacier.us-east-1.amazonaws.com"], "is not on this machine"),
        (["--endpoint-url", "http://169.254.169.254"], "make a plan and carry it out"),
        (["--endpoint-url", "http://127.0.0.1:9"], "no simulator with a vault 'photos' answers"),
        (["--endpoint-url", "http://127.0.0.1:9", "--vault", ".."], ""),
        (["--endpoint-url", "http://127.0.0.1:9", "--tls"], "Leave them away"),
        (["--ca-bundle", "ca.pem"], "goes with --endpoint-url"),
        (["--compare", "sdk,curl"], "'curl' is none"),
        (["--archives", "0"], "Must be >= 1"),
        (["--rate", "0"], "Must be > 0"),
    ],
)
def test_what_is_not_a_simulator_and_what_makes_no_sense_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err


def measured(transport: str, cpu_us: float, per_second: float) -> Measured:
    return Measured(
        transport=transport,
        deleted=10,
        failed=0,
        seconds=1.0,
        cpu_seconds=cpu_us / 1e5,
        deletes_per_second=per_second,
        cpu_us_per_delete=cpu_us,
        throttled_share=0.0,
        limit_per_second=None,
        peak_rss_mb=50.0,
        latency_ms={"p50": cpu_us},
        corrected_latency_ms=None,
    )


def test_rows_are_medians_and_ratios_are_taken_within_rounds() -> None:
    rounds = [measured("sdk", 800, 100), measured("rest", 40, 2000), measured("sdk", 1600, 50)]
    rounds += [measured("rest", 80, 1000), measured("sdk", 900, 100), measured("rest", 30, 3000)]
    sdk, rest = compared(rounds)
    assert (sdk["cpu_us_per_delete"], rest["cpu_us_per_delete"]) == (900, 40)
    assert rest["latency_ms"] == {"p50": 40}
    assert (rest["limit_per_second"], rest["corrected_latency_ms"]) == (None, None)
    assert (rest["cpu_to_first"], rest["deletes_per_second_to_first"]) == (0.05, 20)


def test_the_table_has_a_column_for_each_transport() -> None:
    table = as_table({"archives": 10}, compared([measured("sdk", 800, 100), measured("rest", 40, 2000)]))
    lines = table.splitlines()
    assert lines[0] == "archives 10"
    assert lines[2].split() == ["sdk", "rest"]
    assert lines[-1].split()[-2:] == ["1.00", "20.00"]
