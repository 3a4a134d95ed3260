"""``watch``: a live page of what goes on in a folder, whoever works on it."""

from __future__ import annotations

from pathlib import Path

from glacier_purge.cli.options import LogOptions, Logs
from glacier_purge.cli.output import tell


def watch(run_dir: Path, *, page: str = "any", seconds: float | None = None, logs: Logs = LogOptions()) -> int:
    """Show on a page in a browser how a run, a lifecycle or a fleet goes, whoever works on it, until Ctrl-C.

    The page is for this machine alone, and only looks: orders are given on the command line. Its address, which is
    printed, holds a secret; whoever has it can look, and nobody else. The same address with metrics instead of the last
    slash has figures for Prometheus. `apply`, `purge`, `run` and `fleet` open the same page themselves with --page.

    Parameters
    ----------
    run_dir
        The folder of a run (`plan`), of a lifecycle (`run`) or of a fleet.
    page
        Where: 127.0.0.1:8377, a port, unix:/run/purge.sock, or any port that is free.
    seconds
        End after that time.

    Examples
    --------
    glacier-purge watch photos-run --seconds 1
    # To be looked at from another machine, through SSH.
    glacier-purge watch photos-run --page 8377 --seconds 1
    """
    import anyio

    from glacier_purge.api.run_dirs import check_is_no_stream
    from glacier_purge.api.watching import Looking, page_open
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.fleet.roster import settled_roster
    from glacier_purge.page.door import place
    from glacier_purge.storage.folder import RunFolder

    folder = RunFolder.look(run_dir)
    if settled_roster(folder) is None:
        check_is_no_stream(folder)
    where = place("" if page == "any" else page)

    async def work() -> int:
        async with page_open(Looking(folder), folder, where) as found:
            tell(f"the live page is at {found.address}; Ctrl-C ends it")
            with anyio.move_on_after(float("inf") if seconds is None else seconds):
                await anyio.sleep_forever()
        return 0

    return in_event_loop(work)
