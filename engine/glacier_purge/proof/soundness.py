"""Holds everything in a finished run's folder against everything else, before anybody concludes anything from it.

A resumed run trusts its checkpoint and reads only the log's tail.  What is proven or removed on the word of a log reads
all of it.
"""

from __future__ import annotations

from pathlib import Path

from glacier_purge.audit.checking import check_watched
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.recovery import replay
from glacier_purge.audit.segments import FOLDER
from glacier_purge.audit.verification import PlanFacts
from glacier_purge.audit.verification import verify as verify_log
from glacier_purge.errors import AuditDamaged, PlanRefused
from glacier_purge.plan.decisions import check_decisions, selected_bitmap
from glacier_purge.plan.document import Plan
from glacier_purge.plan.files import check_plan_files


def sound_ledger(folder: Path, plan: Plan) -> tuple[Ledger, str]:
    """Give the run's durable state and its log's anchor, ``SEQ:HASH``.

    Raises ``PlanRefused`` for a run that is not finished or whose files were changed, ``AuditDamaged`` for its log.
    """
    ledger = replay(folder)
    if ledger.finished is None:
        raise PlanRefused(
            f"the run in {folder} is not finished, so there is nothing to verify yet. Go on with: "
            f"glacier-purge apply {folder}"
        )
    check_plan_files(folder, plan)
    check_decisions(folder, plan.decisions_sha256)
    facts = PlanFacts(digest=plan.digest, records=plan.counts.inventory, selected=selected_bitmap(folder))
    with check_watched(folder / FOLDER):
        log = verify_log(folder, plan=facts)
    for fault in log.faults:
        raise AuditDamaged(fault.message, file=fault.file, offset_bytes=fault.offset_bytes, record=fault.record)
    assert log.anchor is not None, "a finished run has records"
    return ledger, log.anchor
