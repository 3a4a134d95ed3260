"""What the pool has seen since it started, counted: requests, replies by kind, and how long replies took.

Kept apart from the pacer, which forgets on purpose.  Latencies go into buckets that grow by a tenth each, so a
percentile is right to 10 % at any number of requests and the memory is that of a few hundred integers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from glacier_purge.glacier.reply import PAUSES_THE_RUN, Meaning

_FIRST_BUCKET_SECONDS = 0.0005
_GROWTH = 1.1
_BUCKETS = 140  # 0.5 ms * 1.1**139 = 284 s, longer than any request may take
_FAULTS = (Meaning.SERVER_FAULT, Meaning.NO_REPLY, *PAUSES_THE_RUN)
_ENDS = [_FIRST_BUCKET_SECONDS * _GROWTH**bucket for bucket in range(_BUCKETS - 1)]


class Latencies:
    """A histogram of seconds in buckets 10 % apart."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS

    def add(self, latencies_seconds: Iterable[float]) -> None:
        """Count latencies."""
        counts = self._counts
        for seconds in latencies_seconds:
            counts[bisect_left(_ENDS, seconds)] += 1

    def percentile_seconds(self, share: float) -> float | None:
        """The latency that ``share`` (0..1) of the counted ones did not exceed; None when nothing was counted."""
        wanted = share * sum(self._counts)
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return _FIRST_BUCKET_SECONDS * _GROWTH**bucket
        return None

    def clear(self) -> None:
        """Forget everything, to begin the next interval."""
        self._counts = [0] * _BUCKETS


class Tally:
    """Counts of one process start (one epoch of the run): ``accepted`` with a 204, ``refused`` with anything else."""

    def __init__(self) -> None:
        self.sent = 0
        self.accepted = 0
        self.refused = dict.fromkeys(Meaning, 0)
        self.doubted = 0
        """Replies that came and were taken for none; they are among the refused."""
        self.latencies = Latencies()

    @property
    def throttled(self) -> int:
        """Requests refused for rate."""
        return self.refused[Meaning.THROTTLED]

    @property
    def faults(self) -> int:
        """Requests that met a fault of the service, of the network or of the credentials."""
        return sum(self.refused[meaning] for meaning in _FAULTS)

    def accept(self, latencies_seconds: Sequence[float]) -> None:
        """Count accepted deletes, by how long each took."""
        self.accepted += len(latencies_seconds)
        self.latencies.add(latencies_seconds)

    def refuse(self, meaning: Meaning, latency_seconds: float) -> None:
        """Count one reply of another meaning."""
        self.refused[meaning] += 1
        self.latencies.add((latency_seconds,))
