"""A run on a terminal: its progress shown, an ear for signals, and at its end the result printed and an exit code.

The result is printed however the run ended, from what is durable.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.output import print_result, tell
from glacier_purge.cli.signals import StopSignals
from glacier_purge.cli.voice import lines
from glacier_purge.cli.working import works_shown
from glacier_purge.clock import utc_now
from glacier_purge.errors import RunStopped
from glacier_purge.report.displays import display
from glacier_purge.report.summary import Report, progress, summarise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from glacier_purge.approval.typed import Approval
    from glacier_purge.cli.output import OutputFormat
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.displays import Display
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.storage.folder import RunFolder

_FIRST_SECONDS = 1.0
"""Whoever started it sees as soon as this that it goes."""


@contextmanager
def screen_on_stderr(plain_every_seconds: float) -> Iterator[Display]:
    """The display that fits stderr, with whatever long work is done in the context."""
    with (
        display(lines("info"), plain_every_seconds=plain_every_seconds, now=utc_now) as screen,
        works_shown(screen.show_works),
    ):
        yield screen


class TerminalSession:
    """One verb's carrying out of one plan."""

    def __init__(self, run: PurgeRun, plan: Plan) -> None:
        self._run = run
        self._plan = plan
        self._signals = StopSignals(lambda name, _: run.drain(name))

    async def carry_out(
        self, folder: RunFolder, approval: Approval, output: OutputFormat, *, plain_every_seconds: float
    ) -> int:
        """Do it, print the result to stdout, and return the exit code. Errors of the run pass through."""
        try:
            with screen_on_stderr(plain_every_seconds) as screen:
                async with self.watched(screen):
                    await self._run.carry_out(approval)
        finally:
            summary = self._summary(folder)
            if summary is not None:
                print_result(summary.as_result(), output)
                if self._run.anchor is not None:  # the log was opened, and refused before it got its first line
                    tell(f"audit anchor {self._run.anchor}: kept elsewhere, it shows any later change of the log")
        return self._exit_code(folder, summary)

    @asynccontextmanager
    async def watched(self, screen: Display) -> AsyncIterator[None]:
        """Show the run's progress on ``screen`` and stop it on signals; the second one ends the context at once."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._signals.listen, tasks.cancel_scope)
            tasks.start_soon(self._show, screen)
            yield
            tasks.cancel_scope.cancel()
        self._show_now(screen)

    @property
    def stopped_as(self) -> type[RunStopped] | None:
        """What it counts as that a signal stopped it, ``Interrupted`` where that was Ctrl-C; None where none did."""
        return self._signals.stopped_as

    async def _show(self, screen: Display) -> None:
        await anyio.sleep(min(_FIRST_SECONDS, screen.every_seconds))
        self._show_now(screen)
        while True:
            await anyio.sleep(screen.every_seconds)
            self._show_now(screen)

    def _show_now(self, screen: Display) -> None:
        if self._run.ledger is not None:
            screen.show(progress(self._run.ledger, self._run.telemetry(), self._plan))

    def _summary(self, folder: RunFolder) -> Report | None:
        if self._run.ledger is None:
            return None
        counts = self._plan.counts
        return summarise(
            self._run.ledger, inventory=counts.inventory, selected=counts.selected, run_dir=str(folder.path)
        )

    def _exit_code(self, folder: RunFolder, summary: Report | None) -> int:
        if summary is None or not summary.complete:
            tell(f"stopped before the end. Go on with: glacier-purge apply {folder.path}")
            return (self.stopped_as or RunStopped).exit_code
        if summary.failed:
            tell(f'{summary.failed:,} archives failed: look for "failed" in {folder.path}/audit')
            return ExitCode.FAILED
        return ExitCode.DONE
