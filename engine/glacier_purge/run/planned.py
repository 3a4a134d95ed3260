"""From an inventory file to a run folder with a plan in it; or to no folder at all, when anything is in doubt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glacier_purge.clock import utc_now
from glacier_purge.errors import DiskFailed, first_sentence
from glacier_purge.plan.decisions import DECISIONS_FILE, DUPLICATES_FILE
from glacier_purge.plan.document import Plan, plan_bytes
from glacier_purge.plan.identity import Identity, write_identity
from glacier_purge.plan.migration.migrated import UNPROVEN_FILE
from glacier_purge.run.host import package_sha256
from glacier_purge.storage.documents import discard
from glacier_purge.storage.folder import IDENTITY_FILE, PLAN_FILE, RunFolder


@contextmanager
def new_folder(path: Path) -> Iterator[RunFolder]:
    """Make a run folder; take it away again when planning in it fails, so that the same command can be repeated.

    Nothing was sent from a folder without a plan, so nothing is lost with it.  Raises ``DiskFailed`` in words for that.
    """
    folder = RunFolder.create(path)
    try:
        yield folder
    except BaseException as failure:
        if not folder.plan_file.exists():
            shutil.rmtree(path, ignore_errors=True)  # a disk may be mounted there; what failed is told, not that
        if isinstance(failure, DiskFailed):  # nothing is left that could be gone on with
            raise DiskFailed(f"{first_sentence(failure)}. Nothing was sent; mend the disk, plan again.") from failure
        raise


def clear_unfinished(folder: RunFolder) -> None:
    """Take away what planning left in a folder without a plan when it was refused or killed, so that it can be done
    again. The inventory stays.
    """
    assert not folder.plan_file.exists(), "a plan is made once"
    discard(folder.files, DECISIONS_FILE, DUPLICATES_FILE, UNPROVEN_FILE, IDENTITY_FILE)


def keep_plan(folder: RunFolder, plan: Plan, *, retrievals_looked_at: bool) -> None:
    """Write down what run this is and then its plan, which makes the folder whole."""
    run_sha256 = write_identity(
        folder,
        Identity(
            run=folder.path.resolve().name,
            vault_arn=plan.vault.arn,
            endpoint_url=plan.endpoint_url,
            tool_version=plan.tool_version,
            package_sha256=package_sha256(),
            created=utc_now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            retrievals_looked_at=retrievals_looked_at,
        ),
    )
    folder.write_once(PLAN_FILE, plan_bytes(plan, run_sha256))
