"""Carries out orders on a run that is under way, and writes down each of them: in the audit log and for the operator.

An order changes how fast and when the run sends and never what: no order reaches the plan.  None of them is kept for
a later process.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from glacier_purge.deletion.pace import check_rate_max
from glacier_purge.deletion.pauses import Side
from glacier_purge.run.orders import Pause, Resume, SetRate, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.audit.journal import Journal
    from glacier_purge.deletion.budget import Pacing
    from glacier_purge.deletion.workers import Pool
    from glacier_purge.run.orders import Change

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))


class Steering:
    """The levers of one process's run. ``drain`` ends it in good order for the reason it is given."""

    def __init__(
        self,
        *,
        pool: Pool,
        pacer: Pacing,
        journal: Journal,
        drain: Callable[[str], None],
        wall_clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._pacer = pacer
        self._journal = journal
        self._drain = drain
        self._wall_clock = wall_clock

    def obey(self, order: Change) -> None:
        """Carry out an order. Raises ``UsageError`` for a rate that is none; nothing was changed then."""
        facts: dict[str, object] = {}
        if isinstance(order, SetRate):
            check_rate_max(order.per_second)
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
                self._pool.resume(Side.OPERATOR)
            case SetRate():
                self._pacer.set_rate_max(order.per_second)
            case Stop():
                self._drain(f"stop ordered by {order.by}")
