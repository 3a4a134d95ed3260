"""A log that was damaged is told from one that crashed. (What a crash may leave is the campaign `crash-images`.)"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.recovery import read_log
from glacier_purge.audit.segments import seal, unsealed
from glacier_purge.audit.verification import verify
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import Clock, dump, open_journal, outcome
from tests.reliability.campaigns.crash_images import IDENTITY, RECORDS, written_run
from tests.reliability.power import KINDS, power_cut

if TYPE_CHECKING:
    from pathlib import Path


def test_a_flipped_bit_is_never_read_as_what_was_written() -> None:
    """No flipped bit is taken for a crash's doing, in the last commit neither. The last line has no successor."""
    rng = random.Random(4)
    for _ in range(20):
        disk = PretendDisk()
        asyncio.run(written_run(rng, disk))
        files = {name: data for name, data in disk.contents().items() if name.startswith("audit/")}
        segments = [name for name in files if name.startswith("audit/0")]
        last_line = len(files[max(segments)].splitlines(keepends=True)[-1])
        for _ in range(40):
            name = rng.choice(segments)
            most = len(files[name]) - (last_line if name == max(segments) else 0)
            if most <= 0:
                continue
            changed = bytearray(files[name])
            changed[rng.randrange(most)] ^= 1 << rng.randrange(8)
            with pytest.raises(AuditDamaged) as damaged:
                read_log(PretendDisk(files | {name: bytes(changed)}), IDENTITY)
            assert damaged.value.file.startswith("audit/0")


@pytest.mark.parametrize("seed", range(40))
def test_a_log_recovered_from_crashes_raises_no_alarm(seed: int, tmp_path: Path) -> None:
    """Crash three times, go on each time, finish: the check for tampering finds nothing."""
    rng = random.Random(seed)

    class Cut(Exception):
        pass

    disk = PretendDisk()
    for _ in range(3):
        at = disk.operations + rng.randint(3, 30)

        def cut_power(_verb: str, _name: str, disk: PretendDisk = disk, at: int = at) -> None:
            if disk.operations >= at:
                raise Cut

        disk.before = cut_power
        try:
            asyncio.run(go_on(rng, disk))
        except Cut:
            disk.before = None
            disk = power_cut(rng, disk, rng.choice([kind for kind in KINDS if kind != "checkpoint damaged"]))
            assert verify(dump(disk.contents(), tmp_path / f"crashed-{at}")).faults == ()
    disk.before = None
    asyncio.run(go_on(rng, disk))
    verdict = verify(dump(disk.contents(), tmp_path / "end"))
    assert verdict.faults == ()
    assert verdict.finished
    assert sum(verdict.counts.values()) == RECORDS


async def go_on(rng: random.Random, disk: PretendDisk) -> None:
    """Work on the run to its end, from wherever it stands."""
    journal = await open_journal(disk, records=RECORDS, clock=Clock(1_795_360_443.0 + rng.random()), segment_records=7)
    journal.note("opened", tool_version="1.0")
    if journal.ledger.released_through < RECORDS - 1:
        journal.note("released", first=0, last=RECORDS - 1)
    await journal.durable()
    for number in unsealed(disk):
        seal(disk, number)
    for ordinal in range(RECORDS):
        if not journal.ledger.done(ordinal):
            journal.record([outcome(ordinal, redelete=journal.ledger.maybe_sent(ordinal))])
            if rng.random() < 0.4:
                await journal.durable()
            if rng.random() < 0.1:
                await journal.checkpoint({})
    await journal.durable()
    if journal.ledger.finished is None:
        journal.note("finished", counts=journal.ledger.counts)
    await journal.aclose()
