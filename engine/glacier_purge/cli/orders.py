"""``pause``, ``resume``, ``rate`` and ``stop``: steer the process that works on a run, from another terminal.

Each goes through the socket in the run folder, is written down in the audit log by the process that obeys, and is
answered with how the run stands then.  Nobody at work on the run is wrong usage: there is nothing to steer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from glacier_purge.cli.options import LogOptions, Logs, Output
from glacier_purge.cli.output import OutputFormat, print_result

if TYPE_CHECKING:
    from glacier_purge.run.steering import Order


def pause(run_dir: Path, *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Send nothing until `resume`; requests under way settle.

    A pause ends with the process: `apply` begins to send, also after a pause.

    Parameters
    ----------
    run_dir
        The run folder.

    Examples
    --------
    glacier-purge pause photos-run
    """
    from glacier_purge.run.host import who
    from glacier_purge.run.steering import Pause

    return _order(run_dir, Pause(by=who()), output)


def resume(run_dir: Path, *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Go on after `pause`. Outside of its hours, or while credentials are renewed, the run still waits.

    Parameters
    ----------
    run_dir
        The run folder.

    Examples
    --------
    glacier-purge resume photos-run
    """
    from glacier_purge.run.host import who
    from glacier_purge.run.steering import Resume

    return _order(run_dir, Resume(by=who()), output)


def rate(
    run_dir: Path, max_rate: float | Literal["none"], *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT
) -> int:
    """Change the highest rate of a run that is going on.

    Parameters
    ----------
    run_dir
        The run folder.
    max_rate
        Most requests a second from now on; none leaves it to the service.

    Examples
    --------
    glacier-purge rate photos-run 20
    # No cap of ours any more.
    glacier-purge rate photos-run none
    """
    from glacier_purge.deletion.pace import check_rate_max
    from glacier_purge.errors import UsageError
    from glacier_purge.run.host import who
    from glacier_purge.run.steering import SetRate

    cap = None if max_rate == "none" else max_rate
    try:
        check_rate_max(cap)  # here as well, because JSON has no word for what is no number
    except UsageError as wrong:
        raise UsageError(f"MAX-RATE {max_rate:g} has to be above 0, or none. Nothing was changed.") from wrong
    return _order(run_dir, SetRate(by=who(), per_second=cap), output)


def stop(run_dir: Path, *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Send nothing new, let requests under way settle, end the process. `apply` goes on with the run.

    Parameters
    ----------
    run_dir
        The run folder.

    Examples
    --------
    glacier-purge stop photos-run
    """
    from glacier_purge.run.host import who
    from glacier_purge.run.steering import Stop

    return _order(run_dir, Stop(by=who()), output)


def _order(run_dir: Path, order: Order, output: OutputFormat) -> int:
    from glacier_purge.api.run_dirs import look_at_run
    from glacier_purge.errors import UsageError
    from glacier_purge.report.results.running import Ordered
    from glacier_purge.run.socket import send_order

    folder = look_at_run(run_dir)
    facts = send_order(folder.path, order)
    if facts is None and folder.is_locked():
        raise UsageError(
            f"the process that works on {run_dir} takes no orders now: it begins, ends, or could make no socket there "
            "(its log says). Ask again in a moment; SIGTERM stops it in any case."
        )
    if facts is None:
        raise UsageError(f"nobody works on the run in {run_dir}. Go on with it: glacier-purge apply {run_dir}")
    told: dict[str, Any] = {name: facts[name] for name in ("state", "why", "until")}
    told |= {"max_rate": facts["max_per_second"]}  # as the option and the setting are called
    told |= {name: facts[name] for name in ("accepted_per_second", "in_flight")}
    print_result(Ordered(order=order.name, **told, run_dir=str(run_dir)), output)
    return 0
