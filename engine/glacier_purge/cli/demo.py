"""``demo``: a simulated vault, a plan and a purge, in one process tree and over real HTTP. Touches no AWS account.

It leaves nothing behind but the run folder that was asked for, however it ends: what it makes besides lies in one
temporary folder, also the limit that it found of a service that nobody meets again.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import LogOptions, Logs, Output
from glacier_purge.cli.output import OutputFormat
from glacier_purge.cli.signals import heard
from glacier_purge.cli.voice import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.cli.simulated import StartedSimulator


def demo(
    *,
    archives: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000_000))] = 2000,
    rate: float = 400.0,
    run_dir: Path | None = None,
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Purge a simulated vault over real HTTP, from its inventory to the last audit line.

    Needs and reads no AWS credentials; nothing leaves this machine, and nothing stays on it.

    Parameters
    ----------
    archives
        How many archives the simulated vault holds.
    rate
        Deletes a second the simulated service takes before it throttles.
    run_dir
        Where to keep the run folder; otherwise it is checked and removed.

    Examples
    --------
    glacier-purge demo
    glacier-purge demo --archives 20000 --rate 1000 --run-dir demo-run
    """
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.simulated import started_simulator

    options = ("--archives", str(archives), "--rate", f"{rate:g}", "--burst", f"{max(1.0, rate / 10):g}")
    with _nothing_left() as folder:
        _say(f"starting a simulated Amazon Glacier with a vault of {archives:,} archives, {rate:g} deletes/s")
        with started_simulator(*options) as glacier:
            exit_code = in_event_loop(lambda: _purge(glacier, run_dir or folder / "run", output))
        if run_dir is not None:
            _say(f"check the proof with: glacier-purge audit verify {run_dir}")
        elif exit_code == ExitCode.DONE:
            exit_code = _check(folder / "run")
    return exit_code


@contextmanager
def _nothing_left() -> Iterator[Path]:
    """A folder for what is made, removed at the end, also where a signal is the end."""
    state = os.environ.get("XDG_STATE_HOME")
    try:
        with (
            heard((signal.SIGTERM, signal.SIGHUP), _interrupted),
            TemporaryDirectory(prefix="glacier-purge-demo-") as folder,
        ):
            os.environ["XDG_STATE_HOME"] = folder
            yield Path(folder)
    finally:
        if state is None:
            os.environ.pop("XDG_STATE_HOME", None)
        else:
            os.environ["XDG_STATE_HOME"] = state


def _interrupted(_number: signal.Signals) -> None:
    raise KeyboardInterrupt


def _check(run_dir: Path) -> int:
    """Do what `audit verify` does, to a run folder that nobody will see; return its exit code."""
    from glacier_purge.audit.verification import verify_folder

    ((*_, found),) = verify_folder(run_dir)
    word = "damaged" if found.faults else "as it was written"
    _say(f"the run folder is {word}, {found.records:,} records in a chain; it is removed now. --run-dir DIR keeps one")
    return found.exit_code


async def _purge(glacier: StartedSimulator, run_dir: Path, output: OutputFormat) -> int:
    import anyio.to_thread

    from glacier_purge.api.clients import Clients
    from glacier_purge.api.planning import plan_in_new_folder
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.cli.apply import apply_plan
    from glacier_purge.settings import Settings
    from glacier_purge.text import size

    settings = Settings.model_validate({"aws": glacier.address(), "report": {"progress_seconds": 2.0}})
    inventory = run_dir.parent / f"{run_dir.name}-inventory.json"
    await anyio.to_thread.run_sync(glacier.save_inventory, inventory)
    try:
        async with Clients() as clients:
            folder, plan = await plan_in_new_folder(
                glacier.vault, str(inventory), settings, clients, run_dir=run_dir, set_aside_defects=False
            )
    finally:
        inventory.unlink()
    _say(f"planned in {run_dir}: {plan.counts.selected:,} archives, {size(plan.selected_bytes)}")
    exit_code = await apply_plan(
        folder,
        plan,
        settings,
        confirm_digest=plan.digest,
        output=output,
        credentials=StaticCredentials(access_key_id="SIMULATED", secret_access_key="simulated"),  # noqa: S106 - no secret
    )
    ledger = await anyio.to_thread.run_sync(glacier.ledger)
    _say(
        f"the simulator received {ledger['deletes_received']:,} deletes of {ledger['distinct_ids']:,} archives, "
        f"throttled {ledger['throttled']:,}, and has {ledger['archives_left']:,} archives left"
    )
    return exit_code


def _say(message: str) -> None:
    say("info", message, f"demo: {message}")
