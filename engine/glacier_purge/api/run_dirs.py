"""The run folder that a verb was given, told apart from all others.

Lifecycles and fleets have their runs' folders below; the audit log of ``delete_archives`` has no plan.

Only a folder without a plan is looked into further, so that verbs that work for days load nothing for it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from glacier_purge.audit.stream_document import STREAM_FILE
from glacier_purge.errors import UsageError
from glacier_purge.storage.folder import PLAN_FILE, RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan

_TOLD_MAX = 5


def open_run(run_dir: Path) -> RunFolder:
    """Take an existing folder to work in it.

    Raises ``UsageError`` where it is not its user's alone, where it is a lifecycle's or a fleet's, with the runs in it,
    and where a script writes it.
    """
    return _of_a_plan(RunFolder.open(run_dir))


def open_run_to_prove(run_dir: Path) -> RunFolder:
    """Take an existing folder to write its certificate.

    Raises ``UsageError`` as ``open_run`` does, and where a lifecycle has written one already and goes by its hash.
    """
    from glacier_purge.lifecycle.state import is_lifecycle  # noqa: PLC0415 - see above
    from glacier_purge.proof.certificate import CERTIFICATE_FILE  # noqa: PLC0415 - see above

    folder = open_run(run_dir)
    lifecycle = folder.path.parent
    if (folder.path / CERTIFICATE_FILE).exists() and is_lifecycle(lifecycle):
        raise UsageError(
            f"{folder.path} is a round of the lifecycle in {lifecycle}, which has proven it and goes by the "
            "certificate that it wrote. Nothing was asked and nothing was changed. To check what is there: "
            f"glacier-purge audit verify {lifecycle}"
        )
    return folder


def look_at_run(run_dir: Path) -> RunFolder:
    """Take an existing folder, whosever it is, for what sends nothing. Raises ``UsageError`` as ``open_run`` does."""
    return _of_a_plan(RunFolder.look(run_dir))


def look_at_log(run_dir: Path) -> RunFolder:
    """Take an existing folder with an audit log, whosever it is: a run's or a script's.

    Raises ``UsageError`` for a lifecycle's or a fleet's, with the runs in it, and where there is neither log nor plan.
    """
    folder = _of_one_log(RunFolder.look(run_dir))
    begun = any(os.path.lexists(folder.path / name) for name in (PLAN_FILE, STREAM_FILE))
    if not begun and not any(folder.path.glob("audit/*.jsonl*")):
        raise UsageError(f"{run_dir} is not the folder of a run or of a script's log: there is no audit log in it.")
    return folder


def planned_or_streamed(folder: RunFolder) -> tuple[Plan | None, str]:
    """The plan of a run, None for the log of a script; and the name of the vault.

    Raises ``PlanRefused`` and ``AuditDamaged`` where what says so can't be read.
    """
    from glacier_purge.archive import Vault  # noqa: PLC0415 - see above
    from glacier_purge.audit.stream_document import read_stream  # noqa: PLC0415 - see above
    from glacier_purge.plan.document import read_plan  # noqa: PLC0415 - see above

    streamed = read_stream(folder.path)
    if streamed is not None:
        return None, Vault.from_arn(streamed[0].vault_arn).name
    plan = read_plan(folder.plan_file)
    return plan, plan.vault_name


def _of_a_plan(folder: RunFolder) -> RunFolder:
    check_is_no_stream(folder)
    return _of_one_log(folder)


def _of_one_log(folder: RunFolder) -> RunFolder:
    if not folder.plan_file.exists():
        _check_is_no_parent(folder)
    return folder


def check_is_no_stream(folder: RunFolder) -> None:
    """Raise ``UsageError`` for the audit log of ``delete_archives``: there is no plan to carry out or to look at."""
    if not os.path.lexists(folder.path / STREAM_FILE):
        return

    raise UsageError(
        f"{folder.path} is the audit log of a script that calls delete_archives, and no run folder: the script goes on "
        f"with it. Nothing was sent. What it holds: glacier-purge audit verify {folder.path}, "
        f"glacier-purge audit export {folder.path}"
    )


def _check_is_no_parent(folder: RunFolder) -> None:
    from glacier_purge.fleet.roster import ROSTER_FILE  # noqa: PLC0415 - see above
    from glacier_purge.lifecycle.state import is_lifecycle  # noqa: PLC0415 - see above
    from glacier_purge.storage.folder import PLAN_FILE  # noqa: PLC0415 - see above

    path = folder.path
    if (path / ROSTER_FILE).exists():
        verb, plans = "fleet", path.glob(f"*/round-*/{PLAN_FILE}")
    elif is_lifecycle(path):
        verb, plans = "run", path.glob(f"round-*/{PLAN_FILE}")
    else:
        return
    runs = sorted(str(plan.parent) for plan in plans)
    more = f" and {len(runs) - _TOLD_MAX:,} more" if len(runs) > _TOLD_MAX else ""
    below = f"Give one of the runs in it: {', '.join(runs[:_TOLD_MAX])}{more}" if runs else "It has planned no run yet"
    raise UsageError(
        f"{path} was begun with glacier-purge {verb}, which goes on with it, and is no run folder. {below}. "
        f"How it stands: glacier-purge status {path}"
    )
