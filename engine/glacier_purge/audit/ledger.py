"""Signatures first; the body follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glacier_purge.audit.record import Record


class Ledger:
    """The state of a run as its durable audit records tell it."""

    counts: dict[str, int]
    bytes_deleted: int
    released_through: int
    epoch: int
    attempts: int
    throttled: int
    server_faults: int
    redeleted: int
    active_seconds: float
    finished: dict[str, Any] | None
    stop_reason: str | None
    last_telemetry: dict[str, Any] | None
    first_deletion_ts: str | None
    last_deletion_ts: str | None

    def __init__(self, records: int) -> None:
        raise NotImplementedError

    def apply(self, records: Iterable[Record]) -> None:
        """Take in durable records in order."""
        raise NotImplementedError

    def done(self, ordinal: int) -> bool:
        """Tell whether the record has its terminal outcome."""
        raise NotImplementedError

    def maybe_sent(self, ordinal: int) -> bool:
        """Tell whether an earlier process may have sent this delete without an outcome on disk."""
        raise NotImplementedError
