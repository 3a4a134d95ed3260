"""What the rounds of ``bench`` come to: medians for each transport, ratios within rounds, and a table for people."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from glacier_purge.report.results.result import Result, about
from glacier_purge.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glacier_purge.cli.benching.round import Measured

_ROWS = {
    "deletes a second": "deletes_per_second",
    "CPU us a delete": "cpu_us_per_delete",
    "throttled, % of requests": "throttled_percent",
    "limit found, a second": "limit_per_second",
    "peak memory, MB": "peak_rss_mb",
}
_PERCENTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p99_9": "p99.9", "max": "longest"}


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One transport: medians over the rounds, and ratios to the first transport, taken within rounds."""

    transport: Annotated[str, about("The transport that sent.")]
    deleted: Annotated[float, about("Archives deleted in a round.")]
    failed: Annotated[float, about("Archives that could not be deleted.")]
    seconds: Annotated[float, about("What the whole round took.")]
    cpu_seconds: Annotated[float, about("CPU time of the whole round.")]
    deletes_per_second: Annotated[float, about("Deletes a second, from the first request to the last reply.")]
    cpu_us_per_delete: Annotated[float, about("CPU time a delete, in microseconds.")]
    throttled_share: Annotated[float, about("Share of requests that were throttled, 0 to 1.")]
    limit_per_second: Annotated[float | None, about("The limit that was found; null: none was met.")]
    peak_rss_mb: Annotated[float, about("Most memory used, in MB.")]
    latency_ms: Annotated[dict[str, float] | None, about("Percentiles of latency, in ms.")]
    corrected_latency_ms: Annotated[
        dict[str, float] | None, about("The same with the requests that a stall kept from being sent.")
    ]
    cpu_to_first: Annotated[float, about("CPU time, as a ratio to the first transport's.")]
    deletes_per_second_to_first: Annotated[float, about("Deletes a second, as a ratio to the first transport's.")]


class Benched(Result, frozen=True, kw_only=True, tag="bench"):
    """What was measured, and under which conditions."""

    endpoint: Annotated[str, about("The simulator that was measured against.")]
    archives: Annotated[int, about("Archives deleted in a round.")]
    in_flight: Annotated[int, about("Most requests at once.")]
    rate_per_second: Annotated[float | None, about("Requests a second that were asked for; null: as many as go.")]
    rounds: Annotated[int, about("Rounds of each transport.")]
    results: Annotated[list[Compared], about("A row for each transport, in the order measured.")]


def compared(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """One row for each transport, in the order measured: medians, and CPU time as a ratio to the first transport's.

    ``measured`` holds interleaved rounds; a ratio is the median of the ratios within each round.
    """
    rounds: dict[str, list[Measured]] = {}
    for each in measured:
        rounds.setdefault(each.transport, []).append(each)
    first = next(iter(rounds.values()))
    return [
        {name: _median([msgspec.structs.asdict(each)[name] for each in of_one]) for name in of_one[0].__struct_fields__}
        | {
            "cpu_to_first": _ratio(of_one, first, "cpu_us_per_delete"),
            "deletes_per_second_to_first": _ratio(of_one, first, "deletes_per_second"),
        }
        for of_one in rounds.values()
    ]


def as_table(conditions: Mapping[str, object], rows: Sequence[Mapping[str, Any]]) -> str:
    """Conditions in a line, then a column for each transport."""
    lines = [safe(", ".join(f"{name.replace('_', ' ')} {_figure(value)}" for name, value in conditions.items())), ""]
    lines.append(_line("", [row["transport"] for row in rows]))
    shown = [{**row, "throttled_percent": row["throttled_share"] * 100} for row in rows]
    lines += [_line(title, [row[name] for row in shown]) for title, name in _ROWS.items()]
    for title, name in (("latency", "latency_ms"), ("corrected", "corrected_latency_ms")):
        for key, label in _PERCENTILES.items():
            lines.append(_line(f"{title} {label}, ms", [(row[name] or {}).get(key) for row in rows]))
    if len(rows) > 1:
        lines.append(_line("CPU, as a ratio", [row["cpu_to_first"] for row in rows]))
        lines.append(_line("deletes a second, as a ratio", [row["deletes_per_second_to_first"] for row in rows]))
    return "\n".join(lines)


def _median(values: Sequence[Any]) -> Any:
    """The median of figures, also inside mappings; the first of anything else. None where any is missing."""
    if any(value is None for value in values):
        return None
    if isinstance(values[0], dict):
        return {name: _median([value[name] for value in values]) for name in values[0]}
    return statistics.median(values) if isinstance(values[0], int | float) else values[0]


def _ratio(rounds: Sequence[Measured], to: Sequence[Measured], name: str) -> float:
    ratios: list[float] = [getattr(one, name) / getattr(other, name) for one, other in zip(rounds, to, strict=True)]
    return round(statistics.median(ratios), 3)


def _line(title: str, figures: Sequence[object]) -> str:
    return f"{title:<30}" + "".join(f"{_figure(figure):>14}" for figure in figures)


def _figure(value: object) -> str:
    match value:
        case None:
            return "-"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
        case _:
            return str(value)
