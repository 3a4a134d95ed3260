"""How verbs wait for hours: a line on stderr for each wait, or with ``--no-wait`` exit code 75 and the time on stdout.

Nobody wants to read the same line every ten minutes for half a day, so on stderr a wait for the same thing is told once
more only when a day has passed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from glacier_purge.aws.endpoints import is_loopback
from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.output import OutputFormat, print_result, tell
from glacier_purge.cli.rehearsal import rehearsal_time
from glacier_purge.cli.signals import until_stopped
from glacier_purge.clock import utc_now
from glacier_purge.errors import Pending
from glacier_purge.glacier.waiting import NoWait, SleepingWaiter
from glacier_purge.run.host import Host
from glacier_purge.text import stamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.access import Access
    from glacier_purge.cli.rehearsal import RehearsalTime
    from glacier_purge.fleet.fleet import Ending
    from glacier_purge.glacier.waiting import Waiter, Waiting
    from glacier_purge.report.results.result import Result

_TELL_AGAIN = timedelta(days=1)

NoWaitOption = Annotated[
    bool,
    Parameter(name="--no-wait", help="Do what can be done now; end with 75 and the next time on stdout, for cron."),
]


def waiter(
    no_wait: bool,
    access: Access,
    tell: Callable[[Waiting], None] | None = None,
    time_of: Callable[[Access], RehearsalTime | None] | None = None,
) -> Waiter:
    """The waiter that the command line asked for, on the service's own time where that is a rehearsal's.

    ``tell`` is told of each wait; otherwise a line on stderr says it.  ``time_of`` is for those who make many waiters.
    """
    simulated = (time_of or simulated_time)(access)
    tell = tell or WaitTeller()
    if simulated is None:
        return NoWait() if no_wait else SleepingWaiter(tell=tell)
    clock, sleep = simulated
    return NoWait(clock=clock) if no_wait else SleepingWaiter(tell=tell, clock=clock, sleep=sleep)


def service_now(access: Access, clients: Clients) -> datetime:
    """The time now for the service that ``clients`` have heard from, or a rehearsal's; told where this host is off."""
    from glacier_purge.glacier.service_clock import OnServiceTime

    return OnServiceTime(waiter(True, access), clients.clock, tell).now()


def host(access: Access) -> Host:
    """The host whose clock dates the audit log: this one, but a rehearsal's days are the simulator's."""
    simulated = simulated_time(access)
    if simulated is None:
        return Host()
    clock, _ = simulated
    return Host(wall_clock=lambda: clock().timestamp())


def simulated_time(access: Access) -> RehearsalTime | None:
    """Clock and sleep of the simulator that ``access`` leads to; None for what is no rehearsal."""
    if access.endpoint_url is None:
        return None
    if not access.endpoint_url.startswith("https:") or not is_loopback(access.endpoint_url):
        return rehearsal_time(access.endpoint_url)
    from glacier_purge.aws.profiles import Configuration
    from glacier_purge.aws.tls import bundle_in_force, client_context

    bundle = bundle_in_force(access.ca_bundle, Configuration.of_profile(access.profile))
    return rehearsal_time(access.endpoint_url, tls=client_context(bundle, checks=access.verify_certificates))


async def settled(work: Callable[[], Awaitable[int]], output: OutputFormat) -> int:
    """Do the work; when it is pending, say on stdout for what and until when."""
    from glacier_purge.report.results.running import Waits

    try:
        return await work()
    except Pending as pending:
        until = None if pending.until is None else f"{pending.until:%Y-%m-%dT%H:%M:%SZ}"
        print_result(Waits(state="pending", waiting_for=pending.what, until=until), output)
        return ExitCode.PENDING


async def documented(work: Callable[[], Awaitable[int]], document: Callable[[Ending], Result]) -> int:
    """Do the work and, however it ended, print the document of it; what is no wait is raised after that.

    A bug is raised without one: nothing can be promised then.
    """
    from glacier_purge.fleet.fleet import Ending, State

    try:
        exit_code = await until_stopped(work)
    except Exception as error:
        ending = Ending.by(error)
        if ending.is_unexpected:
            raise
        print_result(document(ending), OutputFormat.JSON)
        if ending.state is not State.PENDING:
            raise
        return ending.exit_code
    print_result(document(Ending(state=State.DONE)), OutputFormat.JSON)
    return exit_code


class WaitTeller:
    """Says on stderr what is waited for, as a line with its time: ``now`` (UTC)."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._what: str | None = None
        self._tell_again: datetime | None = None

    def __call__(self, waiting: Waiting) -> None:
        """Say it, unless that was said less than a day before."""
        if waiting.what == self._what and self._tell_again is not None and waiting.until < self._tell_again:
            return
        way_out = "" if waiting.what == self._what else ". Ctrl-C stops, the same command goes on."
        self._what, self._tell_again = waiting.what, waiting.until + _TELL_AGAIN
        tell(f"{stamp(self._now())} waiting for {waiting.what}; next look at {stamp(waiting.until)}{way_out}")
