"""The figures the whole project is held to, taken out of what every benchmark answered."""

from __future__ import annotations

from typing import Any

from benchmarks.bench_pipeline import GO, GO_UNSIGNED, NAIVE, OURS


def headlines(results: dict[str, Any]) -> dict[str, Any]:
    """The keys of results.json. ``results`` has each benchmark's answer by its name; None is what could not be had."""
    pipeline = {(row["client"], row["in_flight"]): row for row in results["bench_pipeline"]}
    ours, ours_1000 = pipeline[OURS, 64], pipeline[OURS, 1_000]
    naive = pipeline[NAIVE, 10]
    return {
        "pipeline_cpu_us": ours["cpu_us"],
        "go_cpu_us": _of(pipeline.get((GO, 64)), "cpu_us"),
        "ratio_to_go": _of(pipeline.get((GO, 64)), "our_cpu_to_this"),
        "pipeline_per_second": ours["per_second"],
        "naive_per_second": naive["per_second"],
        "ratio_to_naive": naive["our_throughput_to_this"],
        "parse_per_second": round(
            _row(results["bench_parse"], "reader", "ours, Glacier's layout")["records_per_second"]
        ),
        "verify_per_second": results["bench_audit"]["verify_per_second"],
        "peak_rss_mb": {
            _size(row["archives"]): max(row["plan_peak_rss_mb"], row["apply_peak_rss_mb"])
            for row in results["bench_memory"]
        },
        "pacer": _pacer(results["bench_pacer_real"]),
        "pipeline_1000_in_flight_cpu_us": ours_1000["cpu_us"],
        "go_1000_in_flight_cpu_us": _of(pipeline.get((GO, 1_000)), "cpu_us"),
        "go_unsigned_cpu_us": _of(pipeline.get((GO_UNSIGNED, 64)), "cpu_us"),
        "parse_peak_mb": round(_row(results["bench_parse"], "reader", "ours, Glacier's layout")["peak_mb"], 1),
        "version_seconds": _row(results["bench_startup"], "command", "glacier-purge --version")["seconds"],
        "help_seconds": _row(results["bench_startup"], "command", "glacier-purge --help")["seconds"],
    }


def _pacer(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Worst figures of the real pacer; seconds are None where a limit was never reached."""
    steady = [row for row in rows if row["situation"].startswith("steady")]
    cold, drop, rise = _row(rows, "situation", "100, 30, 300/s")["reached_seconds"]
    after = [row for row in rows if row["situation"].startswith("60 s of")]
    colds = [cold, *(row["reached_seconds"][0] for row in steady)]
    return {
        "used": min(row["used"] for row in steady),
        "throttled": max(row["throttled"] for row in steady),
        "cold_start_seconds": None if None in colds else max(colds),
        "drop_seconds": drop,
        "rise_seconds": rise,
        "two_clients_jain": _row(rows, "situation", "two clients on 100/s")["jain"],
        "used_after_outage": min(row["used"] for row in after),
        "failed": sum(row["failed"] for row in rows),
    }


def _row(rows: list[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    return next(row for row in rows if row[key] == value)


def _of(row: dict[str, Any] | None, key: str) -> float | None:
    return None if row is None else row[key]


def _size(archives: int) -> str:
    return f"{archives // 1_000_000}M" if archives >= 1_000_000 else f"{archives // 1_000}k"
