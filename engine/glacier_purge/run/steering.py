"""The orders that a run takes while it goes on, as the lines of JSON they travel in, and who carries them out.

``{"order":"rate","by":"dave@host","per_second":40}``: each says what and who, and is written down in the audit log and
for the operator.  An order changes how fast and when the run sends and never what: no order reaches the plan.  It holds
for the process it was given to and for no later one: who starts a run again has decided anew that it should send.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from glacier_purge.audit.journal import Journal
from glacier_purge.deletion.budget import Pacing
from glacier_purge.deletion.pace import check_rate_max
from glacier_purge.deletion.pauses import Side
from glacier_purge.deletion.pool import Pool
from glacier_purge.errors import UsageError
from glacier_purge.storage.documents import DocumentUnreadable, decoded

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))


class _Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="order"):
    by: str
    """User and host, for the record."""

    @property
    def name(self) -> str:
        """The verb."""
        return str(self.__struct_config__.tag)


class Pause(_Order, frozen=True, kw_only=True, tag="pause"):
    """Send nothing until ``Resume``."""


class Resume(_Order, frozen=True, kw_only=True, tag="resume"):
    """End the pause that ``Pause`` began; other sides may still hold dispatch."""


class SetRate(_Order, frozen=True, kw_only=True, tag="rate"):
    """Never send faster than ``per_second`` from now on; None leaves the rate to the service."""

    per_second: float | None


class Stop(_Order, frozen=True, kw_only=True, tag="stop"):
    """Send nothing new, settle what is in flight, end the process; the run can be resumed."""


class AskStatus(_Order, frozen=True, kw_only=True, tag="status"):
    """Change nothing; say how the run stands. The only one that is not written down."""


Change = Pause | Resume | SetRate | Stop


Order = Change | AskStatus


def write_order(order: Order) -> bytes:
    """The order as one line."""
    return msgspec.json.encode(order) + b"\n"


def read_order(line: bytes) -> Order:
    """Read one line. Raises ``UsageError`` for anything but an order."""
    try:
        order: Order = decoded(line, Order)  # type: ignore[arg-type]  # a union is no class, and msgspec reads it
    except DocumentUnreadable as error:
        raise UsageError(f"that is no order this version understands ({error}); nothing was changed.") from error
    return order


class Steering:
    """The levers of one process's run. ``drain`` ends it in good order for the reason it is given; ``before_resuming``
    is called when an operator's pause ends; no order raises the rate above ``rate_per_second_wall``."""

    def __init__(
        self,
        *,
        pool: Pool,
        pacer: Pacing,
        journal: Journal,
        drain: Callable[[str], None],
        wall_clock: Callable[[], float],
        before_resuming: Callable[[], None],
        rate_per_second_wall: float | None = None,
    ) -> None:
        self._pool = pool
        self._pacer = pacer
        self._journal = journal
        self._drain = drain
        self._wall_clock = wall_clock
        self._before_resuming = before_resuming
        self._rate_per_second_wall = rate_per_second_wall

    def obey(self, order: Change) -> None:
        """Carry out an order. Raises ``UsageError`` for a rate that is none; nothing was changed then."""
        facts: dict[str, object] = {}
        if isinstance(order, SetRate):
            check_rate_max(order.per_second)
            wall = self._rate_per_second_wall
            if wall is not None and (order.per_second is None or order.per_second > wall):
                raise UsageError(
                    f"a settings file of this host allows at most {wall:g} deletes a second; glacier-purge config show "
                    "says which. Nothing was changed."
                )
            facts = {"per_second": order.per_second}
        self._journal.note("ordered", order=order.name, by=order.by, **facts)
        _log.warning("run.ordered", order=order.name, by=order.by, **facts)
        self._carry_out(order)

    def _carry_out(self, order: Change) -> None:
        match order:
            case Pause():
                since = datetime.fromtimestamp(self._wall_clock(), UTC)
                self._pool.pause(
                    Side.OPERATOR,
                    f"paused by {order.by} at {since:%Y-%m-%dT%H:%M:%SZ}, until somebody resumes it or starts it again",
                )
            case Resume():
                self._before_resuming()
                self._pool.resume(Side.OPERATOR)
            case SetRate():
                self._pacer.set_rate_max(order.per_second)
            case Stop():
                self._drain(f"stop ordered by {order.by}")
