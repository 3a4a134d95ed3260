"""Sees a hold that is set while a run sends: looks at the vault's protection again and again, and holds the pool.

A purge lasts days, and whoever puts the vault under a legal hold meanwhile does not know of it.  So lock, access policy
and tags are read again at an interval, and, before sending goes on, at the start of each window, at the end of an
operator's pause, after each renewal of credentials, and when the host or the process stood still.  A hold pauses the
run as one side of ``Pauses``; it lets go by itself once a look finds it lifted, and nobody's order lifts it.

What can't be read is not "none": a look that got no answer holds as well, until one does.  A read that is denied is
told only, as at the start; but it does not lift a hold that was seen while it could be read.

A hold and its end are in the audit log, each with what was found and since when.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import structlog

from glacier_purge.audit.journal import Journal
from glacier_purge.deletion.pauses import Side
from glacier_purge.deletion.pool import Pool
from glacier_purge.errors import CredentialsFailed, GlacierPurgeError
from glacier_purge.glacier.control import ControlRefused
from glacier_purge.glacier.reply import ENDS_THE_RUN, Meaning, Reply
from glacier_purge.guard.clearance import Look, tell_warnings
from glacier_purge.run.host import Host
from glacier_purge.run.windows import in_words

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

_HELD_LOOK_SECONDS_MAX = 60.0
"""While something holds the run it is looked at this often at least, so that a lifted hold costs a minute."""
_LOOK_AT_CLOCK_SECONDS = 30.0
"""How often the clock on the wall is looked at, which goes on while a host sleeps, when the event loop's does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A look that got no answer, and what came instead, in words."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What holds a run: ``found`` in words, and the look that said so."""

    found: str
    by: Look | Unanswered


def judge(hold: Hold | None, seen: Look | Unanswered) -> Hold | None:
    """What holds the run after another look, given what held it before; None when nothing does. Pure."""
    held_by_look = hold.by if hold is not None and isinstance(hold.by, Look) else None
    if isinstance(seen, Unanswered):
        if held_by_look is not None:
            return hold
        unread = "the vault's lock, access policy and tags could not be read, which is not to say that it has none"
        return Hold(found=f"{unread} ({seen.why})", by=seen)
    if seen.blocking:
        return Hold(found="; ".join(f"{one.subject}: {one.what} ({one.advice})" for one in seen.blocking), by=seen)
    if held_by_look is not None and not seen.unreadable <= held_by_look.unreadable:
        return hold
    return None


class Holds:
    """The looks of one process's run. ``look`` makes one; ``told`` is called after each change of the hold, ``on_hold``
    with since when something holds it and what was found."""

    def __init__(
        self,
        *,
        first: Look,
        look: Callable[[], Awaitable[Look]],
        pool: Pool,
        journal: Journal,
        told: Callable[[], None],
        on_hold: Callable[[str, str], None],
        host: Host,
        interval_seconds: float,
    ) -> None:
        self._warned = first.warnings
        self._look = look
        self._pool = pool
        self._journal = journal
        self._told = told
        self._on_hold = on_hold
        self._host = host
        self._interval_seconds = interval_seconds
        self._asked = anyio.Event()
        self._hold: Hold | None = None
        self._since: str | None = None

    def look_first(self, because: str) -> None:
        """Send nothing until another look was made. ``because`` is for people."""
        if self._hold is None:
            what = "the vault's lock, access policy and tags are read before the next delete"
            self._pool.pause(Side.HOLD, f"{because}: {what}")
        self._asked.set()

    async def keep(self) -> None:
        """Look at the interval and when asked, for as long as the run lasts."""
        while True:
            await self._due()
            self._asked = anyio.Event()
            self._take(await self._seen())

    async def _due(self) -> None:
        """Wait until a look was asked for, or the interval has passed by one of the clocks."""
        began, began_on_the_wall = self._host.clock(), self._host.wall_clock()
        while not self._asked.is_set():
            passed = max(self._host.clock() - began, self._host.wall_clock() - began_on_the_wall)
            if passed > self._seconds + _LOOK_AT_CLOCK_SECONDS:
                self.look_first("this host or process stood still, or its clock was set")
            if passed >= self._seconds:
                return
            with anyio.move_on_after(min(_LOOK_AT_CLOCK_SECONDS, self._seconds - passed)):
                await self._asked.wait()

    @property
    def _seconds(self) -> float:
        held = self._hold is not None
        return min(_HELD_LOOK_SECONDS_MAX, self._interval_seconds) if held else self._interval_seconds

    async def _seen(self) -> Look | Unanswered:
        """Look once; whatever keeps a look from being made, but for a bug, is no answer."""
        asked_at = self._host.clock()
        try:
            return await self._look()
        except CredentialsFailed as failure:
            reply = Reply(Meaning.CREDENTIALS, code=type(failure).__name__, message=str(failure))
            self._pool.ask_for_credentials(reply, asked_at)
            return Unanswered(why=str(failure))
        except ControlRefused as refused:
            if refused.reply.meaning in ENDS_THE_RUN:
                self._pool.refuse(refused.reply)
            return Unanswered(why=str(refused))
        except GlacierPurgeError as error:
            return Unanswered(why=str(error))

    def _take(self, seen: Look | Unanswered) -> None:
        """Hold or let go as ``seen`` says; write down and tell what changed."""
        if isinstance(seen, Look) and seen.warnings != self._warned:
            self._warned = seen.warnings
            tell_warnings(seen)
        before, self._hold = self._hold, judge(self._hold, seen)
        if self._hold is not None:
            self._go_on_holding(self._hold, before)
        elif before is not None:
            self._journal.note("hold_lifted", since=self._since)
            _log.warning("hold.lifted", vault=self._pool.vault.arn, since=self._since)
            self._since = None
        if self._hold is None and not self._asked.is_set():  # whoever asked while this look was made waits for another
            self._pool.resume(Side.HOLD)
        if (self._hold and self._hold.found) != (before and before.found):
            self._told()

    def _go_on_holding(self, hold: Hold, before: Hold | None) -> None:
        self._since = self._since or in_words(datetime.fromtimestamp(self._host.wall_clock(), UTC))
        self._pool.pause(
            Side.HOLD,
            f"held since {self._since}: {hold.found}. It is read again every {self._seconds:,.0f} s, and sending goes "
            "on by itself when nothing holds the vault",
        )
        if before is None or hold.found != before.found:
            self._journal.note("held", since=self._since, found=hold.found, answered=isinstance(hold.by, Look))
            _log.warning("hold.found", vault=self._pool.vault.arn, since=self._since, found=hold.found)
            self._on_hold(self._since or "", hold.found)
