"""Which archives go: one decision byte for each inventory record, so 100 million decisions are 100 MB on disk.

``DELETE`` is the only decision that lets an archive be sent; every other one is the reason why it stays.  Decisions
are made once, when planning, and written down; applying a plan reads them and decides nothing again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glacier_purge.inventory.batch import Batch

DELETE = 0
INVALID = 1
DUPLICATE = 2

REASONS: dict[int, str] = {DELETE: "delete", INVALID: "invalid", DUPLICATE: "duplicate"}
"""What each decision byte means, as written into the plan."""


def decide(batch: Batch, duplicates: dict[int, int]) -> bytearray:
    """Decide for every record of ``batch``; ``duplicates`` maps the ordinals that repeat an id to its first ordinal."""
    decisions = bytearray(batch.records)
    for defect in batch.defects:
        decisions[defect.ordinal - batch.first_ordinal] = INVALID
    for ordinal in duplicates:
        decisions[ordinal - batch.first_ordinal] = DUPLICATE
    return decisions
