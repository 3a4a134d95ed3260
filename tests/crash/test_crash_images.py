"""A log that was damaged is told from one that crashed. (What a crash may leave is the campaign `crash-images`.)"""

from __future__ import annotations

import asyncio
import random

import pytest

from glacier_purge.audit.recovery import read_log
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.reliability.campaigns.crash_images import IDENTITY, written_run


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
