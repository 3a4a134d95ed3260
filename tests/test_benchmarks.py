"""What the benchmarks are put together from, where a mistake would misstate a figure instead of failing."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import inventories
from benchmarks.bench_pipeline import GO, NAIVE, OURS
from benchmarks.headlines import headlines
from benchmarks.machine import run
from benchmarks.tables import Table, figure
from glacier_purge.api.values import rules
from glacier_purge.archive import EXACT
from glacier_purge.clock import utc_now
from glacier_purge.guard.rules import is_aged
from glacier_purge.inventory.format.json_reader import JsonReader
from glacier_purge.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

PROMISED = (
    "pipeline_cpu_us go_cpu_us ratio_to_go pipeline_per_second naive_per_second ratio_to_naive parse_per_second "
    "verify_per_second peak_rss_mb pacer"
)


def pipeline_row(client: str, in_flight: int, cpu_us: float, ratio: float) -> dict[str, object]:
    return {
        "client": client,
        "in_flight": in_flight,
        "cpu_us": cpu_us,
        "per_second": 1e6 / cpu_us,
        "our_cpu_to_this": ratio,
        "our_throughput_to_this": 1 / ratio,
    }


def situation(name: str, used: float, reached: list[int | None], jain: float | None = None) -> dict[str, object]:
    return {
        "situation": name,
        "used": used,
        "throttled": 0.001,
        "reached_seconds": reached,
        "jain": jain,
        "failed": 0,
    }


ANSWERS: dict[str, Any] = {
    "bench_pipeline": [
        pipeline_row(OURS, 64, 25, 1.0),
        pipeline_row(OURS, 1000, 30, 1.0),
        pipeline_row(NAIVE, 10, 1000, 0.025),
    ],
    "bench_parse": [{"reader": "ours, Glacier's layout", "records_per_second": 2e6, "peak_mb": 17.0}],
    "bench_audit": {"verify_per_second": 1_000_000},
    "bench_memory": [
        {"archives": archives, "plan_peak_rss_mb": 50.0, "apply_peak_rss_mb": 90.0} for archives in (10_000, 1_000_000)
    ],
    "bench_pacer_real": [
        situation("steady 30/s", 0.99, [4]),
        situation("steady 100/s", 0.97, [6]),
        situation("100, 30, 300/s", 1.0, [2, 1, 12]),
        situation("two clients on 100/s", 1.0, [0], 0.99),
        situation("60 s of resets", 0.98, [2]),
    ],
    "bench_startup": [
        {"command": "glacier-purge --version", "seconds": 0.05},
        {"command": "glacier-purge --help", "seconds": 0.1},
    ],
}


def test_the_headlines_have_the_promised_names_and_are_json() -> None:
    found = headlines(ANSWERS)
    assert set(PROMISED.split()) <= set(found)
    assert json.loads(json.dumps(found)) == found
    assert (found["pipeline_cpu_us"], found["ratio_to_naive"]) == (25, 40)
    assert found["peak_rss_mb"] == {"10k": 90.0, "1M": 90.0}


def test_the_headlines_of_the_pacer_are_its_worst_figures() -> None:
    pacer = headlines(ANSWERS)["pacer"]
    assert (pacer["used"], pacer["cold_start_seconds"], pacer["rise_seconds"]) == (0.97, 6, 12)
    assert (pacer["two_clients_jain"], pacer["used_after_outage"], pacer["failed"]) == (0.99, 0.98, 0)


def test_without_go_its_figures_are_unknown() -> None:
    found = headlines(ANSWERS)
    assert (found["go_cpu_us"], found["ratio_to_go"]) == (None, None)
    with_go = {**ANSWERS, "bench_pipeline": [*ANSWERS["bench_pipeline"], pipeline_row(GO, 64, 25, 1.0)]}
    assert headlines(with_go)["ratio_to_go"] == 1.0


def test_a_limit_never_reached_is_not_reached_in_no_time() -> None:
    rows = [*ANSWERS["bench_pacer_real"], situation("steady 300/s", 0.5, [None])]
    assert headlines({**ANSWERS, "bench_pacer_real": rows})["pacer"]["cold_start_seconds"] is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (12_345, "12,345"),
        (12_345.6, "12,346"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.0123, "0.0123"),
    ],
)
def test_figures_have_the_digits_that_mean_something(value: object, shown: str) -> None:
    assert figure(value) == shown


def test_a_table_says_the_same_for_terminals_and_in_markdown() -> None:
    table = Table(title="Speed", about="Measured.", columns=("what", "us"), rows=[("a|b", 1.5), ("c", None)])
    assert table.text().splitlines() == ["Speed", "Measured.", "", "what    us", "a|b   1.50", "c        -"]
    assert table.markdown().splitlines()[4:] == ["| what | us |", "| --- | ---: |", "| a\\|b | 1.50 |", "| c | - |"]


def test_inventories_made_here_are_read_whole_and_have_no_id_twice(tmp_path: Path) -> None:
    reader = JsonReader()
    content = inventories.write(tmp_path / "inventory.json", 1000).read_bytes()
    archives = [archive for batch in [*reader.feed(content), *reader.finish()] for archive in batch.archives]
    assert len({archive.archive_id for archive in archives}) == 1000
    assert all(EXACT.holds(archive.archive_id) for archive in archives)
    assert archives[7].archive_id == inventories.archive_id(7)


@pytest.mark.usefixtures("today")
def test_inventories_made_here_are_never_too_old_to_plan_from(tmp_path: Path) -> None:
    written = json.loads(inventories.write(tmp_path / "inventory.json", 1).read_bytes())
    assert not is_aged(written["InventoryDate"], rules(Settings()), utc_now())


def test_the_cost_of_a_command_is_that_of_all_it_waited_for() -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True); print('done')"
    cost = run([sys.executable, "-c", parent])
    assert cost.cpu_seconds >= 0.2
    assert cost.output == "done\n"
    with pytest.raises(RuntimeError, match="exit 3"):
        run([sys.executable, "-c", "raise SystemExit(3)"])
