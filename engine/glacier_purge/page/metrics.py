"""A purge's figures for Prometheus: base units, names by its conventions, taken from snapshots when they are asked for.

Source of the names: "Metric and label naming" (prometheus.io/docs/practices/naming).  docs/how-to/watch.md lists them
with queries for a dashboard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from glacier_purge.report.snapshot import Sent, Snapshot

_LABELS = ("vault", "region", "account")


def exposition(snapshots: Sequence[Snapshot]) -> bytes:
    """The figures of some vaults in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(snapshots))
    return generate_latest(registry)


class _Figures:
    def __init__(self, snapshots: Sequence[Snapshot]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        yield self._phases()
        yield self._outcomes()
        yield self._paused()
        for name, words, figure in _COUNTERS:
            yield self._filled(CounterMetricFamily(f"glacier_purge_{name}", words, labels=_LABELS), figure)
        for name, words, figure in _GAUGES:
            yield self._filled(GaugeMetricFamily(f"glacier_purge_{name}", words, labels=_LABELS), figure)

    def _sent(self) -> Iterable[tuple[list[str], Sent]]:
        for one in self._snapshots:
            if one.sent is not None:
                yield _labels(one), one.sent

    def _filled(
        self, metric: CounterMetricFamily | GaugeMetricFamily, figure: Callable[[Sent], float | None]
    ) -> Metric:
        for labels, sent in self._sent():
            if (value := figure(sent)) is not None:
                metric.add_metric(labels, value)
        return metric

    def _phases(self) -> Metric:
        words = "The phase a vault is in and how it stands there: 1 beside their names."
        metric = GaugeMetricFamily("glacier_purge_phase", words, labels=(*_LABELS, "phase", "state"))
        for one in self._snapshots:
            metric.add_metric([*_labels(one), one.phase, one.state], 1.0)
        return metric

    def _outcomes(self) -> Metric:
        words = "Records of the inventory by what became of them."
        metric = CounterMetricFamily("glacier_purge_archives", words, labels=(*_LABELS, "outcome"))
        for labels, sent in self._sent():
            for outcome, records in sent.counts.items():
                metric.add_metric([*labels, outcome], records)
        return metric

    def _paused(self) -> Metric:
        words = "Who holds the deletes now: 1 beside each."
        metric = GaugeMetricFamily("glacier_purge_paused", words, labels=(*_LABELS, "by"))
        for labels, sent in self._sent():
            for side in sent.paused_by:
                metric.add_metric([*labels, side], 1.0)
        return metric


def _labels(one: Snapshot) -> list[str]:
    return [one.vault, one.region, one.account_id]


def _timestamp(ts: str | None) -> float | None:
    return None if ts is None else datetime.fromisoformat(ts).timestamp()


_COUNTERS: tuple[tuple[str, str, Callable[[Sent], float | None]], ...] = (
    ("requests", "Deletes sent, over all processes.", lambda sent: sent.attempts),
    ("requests_throttled", "Deletes the service refused for rate.", lambda sent: sent.throttled),
    ("requests_faulted", "Deletes without a good answer: 5xx, or none.", lambda sent: sent.faults),
    ("deleted_bytes", "Sizes of the deleted archives.", lambda sent: sent.progress.deleted_bytes),
    ("active_seconds", "How long processes worked on it.", lambda sent: sent.active_seconds),
)
_GAUGES: tuple[tuple[str, str, Callable[[Sent], float | None]], ...] = (
    ("archives_selected", "Archives that the plan lets go.", lambda sent: sent.progress.selected),
    ("selected_bytes", "Sizes of the archives that the plan lets go.", lambda sent: sent.progress.selected_bytes),
    (
        "archives_waiting",
        "Archives that were refused and wait for another turn.",
        lambda sent: sent.progress.waiting,
    ),
    ("requests_in_flight", "Deletes sent and not answered yet.", lambda sent: sent.progress.in_flight),
    (
        "deletes_per_second",
        "Deletes accepted a second now; not there in a pause.",
        lambda sent: sent.progress.rate_per_second,
    ),
    ("limit_deletes_per_second", "The service's limit, where one was found.", lambda sent: sent.limit_per_second),
    (
        "last_deletion_timestamp_seconds",
        "When the last deletion was on record (Unix time).",
        lambda sent: _timestamp(sent.last_deletion),
    ),
)
