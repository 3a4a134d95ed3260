"""Keeps a run within its windows: holds the pool while none is open, and says until when.

The hours on the wall are the only clock here that decides anything, because that is what was asked for; it is looked
at every half minute at least, so that a clock that was set is noticed.  Requests under way when a window closes are
settled as usual.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from glacier_purge.deletion.pauses import Side
from glacier_purge.run.windows import open_until, opens_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.deletion.workers import Pool
    from glacier_purge.run.windows import Window

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

_LOOK_SECONDS_MAX = 30.0


class Hours:
    """The windows of one run. Without any it may always send. ``before_opening`` is called when one opens."""

    def __init__(
        self,
        windows: tuple[Window, ...],
        pool: Pool,
        wall_clock: Callable[[], float],
        *,
        before_opening: Callable[[], None],
    ) -> None:
        self._windows = windows
        self._pool = pool
        self._wall_clock = wall_clock
        self._before_opening = before_opening
        self.opens: datetime | None = None
        """When the next window opens (UTC); None while the run may send."""
        self.closes: datetime | None = None
        """When the open window closes (UTC); None while none is open, or where there are none."""

    async def keep(self) -> None:
        """Hold and release the pool as the hours come, for as long as the run lasts."""
        while self._windows:  # noqa: ASYNC110 - time passes; there is no event to wait for
            await anyio.sleep(self.look())

    def look(self) -> float:
        """Hold or release the pool as it should be now; return the seconds until the next look."""
        if not self._windows:
            return _LOOK_SECONDS_MAX
        now = datetime.fromtimestamp(self._wall_clock(), UTC)
        self.closes = open_until(now, self._windows)
        opens = opens_at(now, self._windows) if self.closes is None else None
        if opens != self.opens:
            self._change(opens)
        next_edge = self.opens or self.closes
        assert next_edge is not None
        return min(_LOOK_SECONDS_MAX, max(0.0, (next_edge - now).total_seconds()))

    def _change(self, opens: datetime | None) -> None:
        self.opens = opens
        if opens is None:
            _log.info("window.opened", closes=in_words(self.closes))
            self._before_opening()
            self._pool.resume(Side.WINDOW)
        else:
            _log.info("window.closed", opens=in_words(opens))
            self._pool.pause(Side.WINDOW, f"outside of the hours asked for: nothing is sent until {in_words(opens)}")


def in_words(moment: datetime | None) -> str | None:
    """A moment in UTC to the second, ISO 8601; None stays None."""
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
