"""What must hold of a round before somebody is asked about it, before uploads are denied for it, and before it is sent.

Everything that can be looked at without changing anything is looked at here, so that a vault is not left with uploads
denied because of something that could have been seen before.  ``PlanOutdated`` is what planning again mends; any other
refusal is about the vault or the settings, and is somebody's to lift.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import anyio.to_thread

from glacier_purge.archive import Vault
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.recovery import replay
from glacier_purge.errors import AuditDamaged, PlanOutdated, PlanRefused, UsageError, first_sentence
from glacier_purge.glacier.control import GlacierControl
from glacier_purge.guard.clearance import check_unprotected
from glacier_purge.guard.protection import Asking, check_clear, protection
from glacier_purge.guard.rules import Rules, check_archives, check_inventory, check_plan, is_aged
from glacier_purge.guard.vault import REMOVAL, weighed_for_removal
from glacier_purge.inventory.fetching.progress import read_progress
from glacier_purge.inventory.fetching.retrieval import INVENTORY_FILE, drop_inventory
from glacier_purge.plan.decisions import DECISIONS_FILE
from glacier_purge.plan.document import Plan
from glacier_purge.plan.files import check_plan_files, plan_files
from glacier_purge.proof.soundness import sound_ledger
from glacier_purge.storage.folder import AUDIT_FOLDER
from glacier_purge.storage.ownership import open_own


class NotWhole(PlanOutdated):
    """The snapshot or the decisions on disk are not what was planned."""


async def check_current(folder: Path, plan: Plan, control: GlacierControl, rules: Rules, now: datetime) -> None:
    """Hold a plan by which nothing was sent against its files, the settings and the service.

    Raises ``PlanOutdated`` when another plan is needed, ``PlanRefused`` when it may not be carried out at all.
    """
    check_plan(plan, rules)
    await anyio.to_thread.run_sync(_check_archives, folder, plan, rules)
    await check_age(plan.snapshot.inventory_date, control, rules, now)


async def check_age(inventory_date: str | None, control: GlacierControl, rules: Rules, now: datetime) -> None:
    """Raise ``PlanOutdated`` for an inventory that is too old while the service has a newer one."""
    if is_aged(inventory_date, rules, now):
        check_inventory(inventory_date, rules, now, await control.describe_vault())


async def check_nothing_forbids(vault: Vault, control: GlacierControl) -> None:
    """Raise ``PlanRefused`` when a lock, the access policy or a tag says that the vault must not be purged now."""
    await check_unprotected(vault, await control.describe_vault(), control)


async def check_removable(vault: Vault, control: GlacierControl) -> None:
    """Raise ``PlanRefused`` when a lock or the access policy says that the vault can't be removed in the end.

    Told at preflight, too; but the order to remove it may be younger than that, and so may the policy.
    """
    described = await control.describe_vault()
    asking = Asking(lambda refused: not refused.is_vault_missing)
    findings = (await protection(control, asking)).findings(described)
    check_clear(vault, [found for found in weighed_for_removal(findings) if found.subject == REMOVAL])


def was_begun(folder: Path) -> bool:
    """Tell whether anything may have been sent in a round. Raises ``AuditDamaged``."""
    return _has_sent(replay(folder))


def check_begun(folder: Path, plan: Plan) -> None:
    """Raise ``AuditDamaged`` unless the files of a round that was begun are what was planned: none can be made anew."""
    try:
        check_plan_files(folder, plan)
    except PlanRefused as refused:
        raise AuditDamaged(
            f"{first_sentence(refused)}. Deletes were sent by this plan, so it can't be made again: restore the file "
            "from a copy, or end the lifecycle with glacier-purge abandon DIR and begin another with another "
            "--run-dir. This command sent nothing.",
            file=str(folder / DECISIONS_FILE if DECISIONS_FILE in str(refused) else folder / plan.snapshot.file),
            offset_bytes=0,
        ) from refused


def check_finished(folder: Path, plan: Plan) -> None:
    """Raise ``AuditDamaged`` unless a round that was purged is there as it was left: its log ended, its files whole."""
    ledger = replay(folder)
    if ledger.finished is None or ledger.approved_digest != plan.digest:
        raise AuditDamaged(
            "the log does not say that this plan was carried out to its end, and it was. Restore the folder from a "
            "copy, or end the lifecycle with glacier-purge abandon DIR. This command sent nothing.",
            file=str(folder / AUDIT_FOLDER),
            offset_bytes=0,
        )
    check_begun(folder, plan)


def check_sound(folder: Path, plan: Plan) -> None:
    """Raise ``AuditDamaged`` unless a round that was purged is there as it was left, its log read through."""
    check_finished(folder, plan)
    sound_ledger(folder, plan)


async def drop_unusable(folder: Path, vault: Vault, sha256: str | None = None) -> bool:
    """Take away a fetched inventory, whole or in part, that nothing can be planned or proven with; tell whether so.

    It is unusable when what is noted of it can't be read or is another vault's, and when its bytes are not those that
    came, or not those of ``sha256``.  The service can be asked for another.
    """
    unusable = await anyio.to_thread.run_sync(_is_unusable, folder, vault, sha256)
    if unusable:
        drop_inventory(folder)
    return unusable


def _check_archives(folder: Path, plan: Plan, rules: Rules) -> None:
    with ExitStack() as opened:
        try:
            files = opened.enter_context(plan_files(folder, plan))
        except PlanRefused as refused:
            raise NotWhole(str(refused)) from refused
        check_archives(files, rules, lambda _: False)


def _has_sent(ledger: Ledger) -> bool:
    return ledger.released_through >= 0 or ledger.finished is not None


def _is_unusable(folder: Path, vault: Vault, sha256: str | None) -> bool:
    try:
        progress = read_progress(folder)
    except UsageError:
        return True
    if progress is None:
        return sha256 is not None
    if progress.vault_arn != vault.arn or sha256 not in (None, progress.sha256):
        return True
    return progress.sha256 is not None and not _has_bytes(folder / INVENTORY_FILE, progress.sha256)


def _has_bytes(file: Path, sha256: str) -> bool:
    try:
        with os.fdopen(open_own(file), "rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == sha256
    except OSError:
        return False
