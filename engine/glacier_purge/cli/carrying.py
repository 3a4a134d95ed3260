"""Carries a plan out on behalf of a verb: shows progress, listens for signals, prints the result, picks the exit code.

Ctrl-C or SIGTERM once: nothing new is sent and requests in flight settle.  Twice: everything is cancelled at once.
Either way the log is closed well and the same command goes on.  The result is printed however the run ended, from
what is durable.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import anyio

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.output import print_result, tell
from glacier_purge.report.displays import display
from glacier_purge.report.summary import Report, progress, summarise

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from glacier_purge.approval.typed import Approval
    from glacier_purge.cli.output import OutputFormat
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.displays import Display
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.storage.folder import RunFolder

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Carrying:
    """One verb's carrying out of one plan."""

    def __init__(self, run: PurgeRun, folder: RunFolder, plan: Plan, *, plain_every_seconds: float) -> None:
        self._run = run
        self._folder = folder
        self._plan = plan
        self._plain_every_seconds = plain_every_seconds
        self._signals: list[int] = []

    async def carry_out(self, approval: Approval, output: OutputFormat) -> int:
        """Do it, print the result to stdout, and return the exit code. Errors of the run pass through."""
        try:
            await self.watch(approval)
        finally:
            summary = self._summary()
            if summary is not None:
                print_result(summary.as_result(), output)
                if self._run.anchor is not None:  # the log was opened, and refused before it got its first line
                    tell(f"audit anchor {self._run.anchor}: kept elsewhere, it shows any later change of the log")
        return self._exit_code(summary)

    async def watch(self, approval: Approval) -> None:
        """Do it with its progress on stderr and an ear for signals. Errors of the run pass through."""
        with display(sys.stderr, plain_every_seconds=self._plain_every_seconds) as screen:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen, tasks.cancel_scope)
                tasks.start_soon(self._show, screen)
                await self._run.carry_out(approval)
                tasks.cancel_scope.cancel()
            self._show_now(screen)

    @property
    def was_interrupted(self) -> bool:
        """Whether Ctrl-C, and no other signal, was the first to stop it."""
        return bool(self._signals) and self._signals[0] == signal.SIGINT

    async def _listen(self, everything: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(*_STOP_SIGNALS) as signals:
            async for number in signals:
                self._signals.append(number)
                name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
                if len(self._signals) > 1:
                    tell(f"{name} again: stopping at once. The same command resumes.")
                    everything.cancel()
                else:
                    tell(f"{name}: nothing new is sent, requests in flight settle. Once more stops at once.")
                    self._run.drain(name)

    async def _show(self, screen: Display) -> None:
        while True:
            await anyio.sleep(screen.every_seconds)
            self._show_now(screen)

    def _show_now(self, screen: Display) -> None:
        if self._run.ledger is not None:
            screen.show(progress(self._run.ledger, self._run.telemetry(), selected=self._plan.counts.selected))

    def _summary(self) -> Report | None:
        if self._run.ledger is None:
            return None
        counts = self._plan.counts
        return summarise(
            self._run.ledger, inventory=counts.inventory, selected=counts.selected, run_dir=str(self._folder.path)
        )

    def _exit_code(self, summary: Report | None) -> int:
        if summary is None or not summary.complete:
            tell(f"stopped before the end. Go on with: glacier-purge apply {self._folder.path}")
            return ExitCode.INTERRUPTED if self.was_interrupted else ExitCode.STOPPED
        if summary.failed:
            tell(f'{summary.failed:,} archives failed: look for "failed" in {self._folder.path}/audit')
            return ExitCode.FAILED
        return ExitCode.DONE


def in_event_loop(work: Callable[[], Awaitable[int]]) -> int:
    """Run a verb's coroutine function on the fastest loop there is, and return its exit code."""
    try:
        import uvloop  # noqa: F401
    except ImportError:
        options = {}
    else:
        options = {"use_uvloop": True}
    exit_code: int = anyio.run(work, backend_options=options)
    return exit_code
