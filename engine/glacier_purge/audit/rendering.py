"""structlog renders the audit lines: one event is one commit, one call of the processor chain renders all of it.

Paid once per record, structlog costs 6 µs and more; paid once per commit of some hundred records it costs next to
nothing, and the chain of processors still reads as what happens: stamp ▸ number and encode ▸ chain ▸ bytes.  The
wrapped "logger" only hands the finished bytes back.  Nothing here touches the disk; a batch that fails to render leaves
the numbering and the chain as they were.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from structlog.types import Processor

from glacier_purge.audit import chain
from glacier_purge.audit.record import Frame, Record


class Rendered(NamedTuple):
    """One commit, ready to be written: its bytes, and where numbering and chain stand after it."""

    data: bytes
    ts: str
    next_seq: int
    last_hash: str


class _Sink:
    """The innermost "logger": hands a rendered commit back to the one who asked for it."""

    def commit(self, **rendered: Any) -> Rendered:
        return Rendered(rendered["data"], rendered["ts"], rendered["seq"], rendered["prev"])


class _CommitLogger(structlog.BoundLoggerBase):
    """The lean wrapper: one verb, no levels, no filtering; audit lines are never dropped."""

    def commit(self, **batch: Any) -> Rendered:
        rendered = self._proxy_to_logger("commit", **batch)
        assert isinstance(rendered, Rendered)
        return rendered


class Renderer:
    """Turns batches of records into chained lines for one process's part of the log."""

    def __init__(self, *, run: str, epoch: int, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._last_ts = ""
        processors: list[Processor] = [self._stamp, _number_and_encode, _chain]
        self._logger: _CommitLogger = structlog.wrap_logger(
            _Sink(), processors=processors, wrapper_class=_CommitLogger, run=run, epoch=epoch
        )
        self._logger = self._logger.bind()  # resolves the lazy proxy once, not at every commit

    def render(self, records: Sequence[Record], *, seq: int, prev: str) -> Rendered:
        """Render one commit; its first line gets number ``seq`` and carries ``prev``."""
        rendered = self._logger.commit(records=records, seq=seq, prev=prev)
        self._last_ts = rendered.ts
        return rendered

    def continue_after(self, ts: str) -> None:
        """Know the stamp of the last commit on disk, so that the next one differs from it."""
        self._last_ts = ts

    def _stamp(self, _logger: Any, _verb: str, batch: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Give the commit its ``ts``, a millisecond later where it would equal the commit's before."""
        now = self._wall_clock()
        ts = utc_milliseconds(now)
        batch["ts"] = ts if ts != self._last_ts else utc_milliseconds(now + 0.001)
        return batch


def utc_milliseconds(seconds: float) -> str:
    """A wall-clock time (seconds since 1970) as ISO 8601 in UTC, rounded to milliseconds."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _number_and_encode(_logger: Any, _verb: str, batch: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    frame = Frame(batch.pop("run"), batch.pop("epoch"), batch["ts"])
    records = batch.pop("records")
    batch["bodies"] = frame.bodies(records, batch["seq"])
    batch["seq"] += len(records)
    return batch


def _chain(_logger: Any, _verb: str, batch: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    lines, batch["prev"] = chain.link(batch.pop("bodies"), batch["prev"])
    batch["data"] = b"".join(lines)
    return batch
