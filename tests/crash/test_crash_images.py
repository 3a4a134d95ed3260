"""Power cuts: every legal disk a crash can leave is read back as a prefix of what was written (I7, I8, I9).

A run is written to a pretended disk; before each of its operations the power is cut in one of twelve ways.  The number
of images is 10,000 unless CRASH_IMAGES says otherwise; the seed is fixed, so a failure comes again.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.recovery import LogIdentity, read_log, repair
from glacier_purge.audit.segments import seal, unsealed
from glacier_purge.audit.verification import verify
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.pretend_disk import SECTOR_BYTES, PretendDisk, Survival
from tests.audit.logs import PLAN, RUN, Clock, commit, dump, log_bytes, open_journal, outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IMAGES = int(os.environ.get("CRASH_IMAGES", "10000"))
RECORDS = 24
IDENTITY = LogIdentity(RUN, PLAN, RECORDS)


def everything(_: random.Random, __: int, data: bytes) -> bytes:
    return data


def nothing(_: random.Random, __: int, ___: bytes) -> bytes:
    return b""


def cut(rng: random.Random, _: int, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def zero_tail(rng: random.Random, _: int, data: bytes) -> bytes:
    kept = rng.randint(0, len(data))
    return data[:kept] + bytes(len(data) - kept)


def all_zeros(_: random.Random, __: int, data: bytes) -> bytes:
    return bytes(len(data))


def sectors(rng: random.Random, offset: int, data: bytes, lost: Callable[[int, int], bool] | None = None) -> bytes:
    found, last = bytearray(data), (offset + len(data)) // SECTOR_BYTES
    for sector in range(offset // SECTOR_BYTES, last + 1):
        if rng.random() < 0.5 if lost is None else lost(sector - offset // SECTOR_BYTES, last):
            start = max(0, sector * SECTOR_BYTES - offset)
            end = min(len(data), max(0, (sector + 1) * SECTOR_BYTES - offset))
            found[start:end] = bytes(end - start)
    return bytes(found)


def first_sector_lost(rng: random.Random, offset: int, data: bytes) -> bytes:
    return sectors(rng, offset, data, lambda place, _: place == 0)


def later_sectors_lost(rng: random.Random, offset: int, data: bytes) -> bytes:
    from_sector = rng.randint(1, 6)
    return sectors(rng, offset, data, lambda place, _: place >= from_sector)


def cut_and_sectors(rng: random.Random, offset: int, data: bytes) -> bytes:
    return sectors(rng, offset, cut(rng, offset, data))


ANYTHING = (everything, nothing, cut, zero_tail, all_zeros, sectors, first_sector_lost, later_sectors_lost)
KINDS: dict[str, tuple[Callable[[random.Random, int, bytes], bytes] | None, str]] = {
    "all of it is there": (everything, "all"),
    "only what was promised": (nothing, "none"),
    "cut anywhere": (cut, "some"),
    "zeros to the end": (zero_tail, "some"),
    "nothing but zeros": (all_zeros, "some"),
    "random sectors lost": (sectors, "some"),
    "the first sector lost": (first_sector_lost, "some"),
    "later sectors lost": (later_sectors_lost, "some"),
    "cut, and sectors lost": (cut_and_sectors, "some"),
    "bytes there, names lost": (everything, "none"),
    "checkpoints lost": (None, "some"),
    "checkpoint damaged": (None, "some"),
}


def power_cut(rng: random.Random, disk: PretendDisk, kind: str) -> PretendDisk:
    appended, names = KINDS[kind]
    how_many = {"all": lambda n: n, "none": lambda _: 0, "some": lambda n: rng.randint(0, n)}[names]
    image = disk.after_power_cut(
        Survival(
            appended=lambda _, offset, data: (appended or rng.choice(ANYTHING))(rng, offset, data),
            names=how_many,
            cut=lambda _: rng.random() < 0.5,
        )
    )
    if kind.startswith("checkpoint"):
        files = image.contents()
        for name in [name for name in files if name.startswith("checkpoint")]:
            if kind == "checkpoints lost":
                del files[name]
            elif files[name]:
                place = rng.randrange(len(files[name]))
                files[name] = files[name][:place] + bytes([files[name][place] ^ 1 << rng.randrange(8)])
        image = PretendDisk(files)
    return image


async def write_a_run(rng: random.Random, disk: PretendDisk) -> None:
    """Two process starts over one log of small segments, with checkpoints and sealing in between."""
    clock = Clock()
    ordinals = list(range(RECORDS))
    rng.shuffle(ordinals)
    for share in (ordinals[: RECORDS // 2], ordinals[RECORDS // 2 :]):
        journal = await open_journal(disk, records=RECORDS, clock=clock, segment_records=9)
        journal.note("opened", tool_version="1.0")
        journal.note("released", first=0, last=RECORDS - 1)
        while share:
            batch = [share.pop() for _ in range(min(len(share), rng.randint(1, 5)))]
            await commit(journal, batch)
            if rng.random() < 0.2:
                await journal.checkpoint({"rate": 100.0})
            if rng.random() < 0.3:
                for number in unsealed(disk):
                    seal(disk, number)


def check(image: PretendDisk, promised: bytes, written: bytes) -> None:
    """I7: promised is a prefix of what is read, which is a prefix of what was written. I8: the rest is kept aside."""
    before = image.contents()
    log = read_log(image, IDENTITY)
    owed = repair(image, log)
    files = image.contents()
    read = log_bytes(files)
    assert written.startswith(read)
    assert read.startswith(promised)
    if log.torn:
        saved = files["audit/" + owed[-1].facts["saved_as"]]
        assert saved == log.torn == log_bytes(before)[len(read) :]
    again = read_log(image, IDENTITY)
    assert not again.torn
    assert repair(image, again) == owed
    assert (again.position, again.ledger.bitmap()) == (log.position, log.ledger.bitmap())


def check_without_checkpoint(image: PretendDisk) -> None:
    """I9: a checkpoint changes how long it takes and nothing else."""
    without = PretendDisk({name: data for name, data in image.contents().items() if not name.startswith("checkpoint")})
    with_it, from_start = read_log(image, IDENTITY), read_log(without, IDENTITY)
    assert with_it.position == from_start.position
    assert with_it.ledger.bitmap() == from_start.ledger.bitmap()
    assert with_it.ledger.state() == from_start.ledger.state()


def test_after_any_power_cut_the_log_is_a_prefix_of_what_was_written() -> None:
    rng = random.Random(20261122)
    kinds = list(KINDS)
    made = 0
    while made < IMAGES:
        disk = PretendDisk()

        def cut_power(_verb: str, _name: str, disk: PretendDisk = disk) -> None:
            nonlocal made
            promised, written = log_bytes(disk.promised()), log_bytes(disk.contents())
            for _ in range(6):
                image = power_cut(rng, disk, kinds[made % len(kinds)])
                check(image, promised, written)
                if made % 5 == 0:
                    check_without_checkpoint(image)
                made += 1

        disk.before = cut_power
        asyncio.run(write_a_run(rng, disk))
    assert made >= IMAGES


def test_a_flipped_bit_is_never_read_as_what_was_written() -> None:
    """No flipped bit is taken for a crash's doing, in the last commit neither. The last line has no successor."""
    rng = random.Random(4)
    for _ in range(20):
        disk = PretendDisk()
        asyncio.run(write_a_run(rng, disk))
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
