"""The two steps in which a person, or the system, stops a command: in good order, then at once.

Ctrl-C, SIGTERM or SIGHUP once: nothing new is sent and requests in flight settle.  Twice: everything is cancelled.
Either way what is on disk is whole and the same command goes on.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio

from glacier_purge.cli.output import tell
from glacier_purge.errors import Interrupted, RunStopped

if TYPE_CHECKING:
    from collections.abc import Callable

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Listens for them. ``drain`` ends the work in good order: for what reason, and what that counts as."""

    def __init__(self, drain: Callable[[str, type[RunStopped]], None]) -> None:
        self._drain = drain
        self.stopped_as: type[RunStopped] | None = None
        """What the first of them counts as: ``Interrupted`` where it was Ctrl-C; None while there was none."""

    async def listen(self, everything: anyio.CancelScope) -> None:
        """Listen until cancelled; ``everything`` is what the second one ends at once."""
        with anyio.open_signal_receiver(*_STOP_SIGNALS) as signals:
            async for number in signals:
                name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
                if self.stopped_as is not None:
                    tell(f"{name} again: stopping at once. The same command goes on.")
                    everything.cancel()
                    continue
                tell(f"{name}: nothing new is sent, requests in flight settle. Once more stops at once.")
                self.stopped_as = Interrupted if number == signal.SIGINT else RunStopped
                self._drain(name, self.stopped_as)
