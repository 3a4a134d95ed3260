"""Power cuts: every legal disk a crash can leave is read back as a prefix of what was written, and gone on with (T1).

A seed cuts the power in a log, at every operation and once at every byte of a commit, in the folders of a whole
lifecycle (``crash_story``), in one into which inventories are fetched (``fetch_story``), and in those of a fleet and of
a script's log (``fleet_story``).
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from contextlib import redirect_stderr
from io import StringIO
from typing import TYPE_CHECKING

from glacier_purge.audit.recovery import LogIdentity, read_log, repair
from glacier_purge.audit.segments import seal, unsealed
from glacier_purge.storage.pretend_disk import PretendDisk, Survival
from tests.audit.logs import PLAN, RUN, Clock, commit, log_bytes, open_journal
from tests.reliability import crash_story, fetch_story, fleet_story
from tests.reliability.campaign import Campaign
from tests.reliability.power import KINDS, power_cut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDS = 24
IDENTITY = LogIdentity(RUN, PLAN, RECORDS)
_IMAGES_AN_OPERATION = 12


def try_seed(seed: int, folder: Path) -> Counter[str]:
    said = StringIO()
    try:
        with redirect_stderr(said):
            looked_at = _logs(random.Random(seed)) + crash_story.told(seed, folder)
            return looked_at + fetch_story.told(seed, folder) + fleet_story.told(seed, folder)
    except BaseException:
        sys.stderr.write(said.getvalue())
        raise


def _logs(rng: random.Random) -> Counter[str]:
    """Write a run's log and cut the power before each operation, in ways drawn for each."""
    counted, kinds, disk = Counter[str](), list(KINDS), PretendDisk()
    at_every_byte = rng.randint(1, 60)

    def cut_power(verb: str, name: str) -> None:
        promised, written = log_bytes(disk.promised()), log_bytes(disk.contents())
        for _ in range(_IMAGES_AN_OPERATION):
            kind = rng.choice(kinds)
            image = power_cut(rng, disk, kind)
            try:
                _check(image, promised, written)
                if rng.random() < 0.2:
                    _check_without_checkpoint(image)
            except BaseException as error:
                error.add_note(f"power cut before operation {disk.operations}, {verb} {name} ({kind})")
                raise
            counted[f"logs: {kind}"] += 1
        if disk.operations >= at_every_byte and verb == "sync" and not counted["logs: cut at every byte"]:
            for image in _at_every_byte(disk, name):
                _check(image, promised, written)
                counted["logs: cut at every byte"] += 1

    disk.before = cut_power
    asyncio.run(written_run(rng, disk, rng.randint(5, 14)))
    return counted


def _at_every_byte(disk: PretendDisk, name: str) -> Iterator[PretendDisk]:
    """What is found of a file when the power goes after each byte that was not synced: that long, or zeros behind."""
    length = len(disk.contents()[name]) - len(disk.promised().get(name, b""))
    for kept in range(length + 1):
        for zeros in (0, length - kept):

            def found(file: str, _: int, data: bytes, kept: int = kept, zeros: int = zeros) -> bytes:
                return data[:kept] + bytes(zeros) if file == name else data

            yield disk.after_power_cut(Survival(appended=found, names=lambda _, count: count, cut=lambda _: True))


async def written_run(rng: random.Random, disk: PretendDisk, segment_records: int = 9) -> None:
    """Two process starts over one log of small segments, with checkpoints and sealing in between."""
    clock = Clock()
    ordinals = list(range(RECORDS))
    rng.shuffle(ordinals)
    for share in (ordinals[: RECORDS // 2], ordinals[RECORDS // 2 :]):
        journal = await open_journal(disk, records=RECORDS, clock=clock, segment_records=segment_records)
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


def _check(image: PretendDisk, promised: bytes, written: bytes) -> None:
    """I7: promised is a prefix of what is read, which is a prefix of what was written. I8: the rest is kept aside."""
    before = image.contents()
    log = read_log(image, IDENTITY)
    owed = repair(image, log)
    files = image.contents()
    read = log_bytes(files)
    assert written.startswith(read), "I7: not what was written"
    assert read.startswith(promised), "I7: a durable record is lost"
    if log.torn:
        saved = files["audit/" + owed[-1].facts["saved_as"]]
        assert saved == log.torn == log_bytes(before)[len(read) :], "I8: what was cut off is not kept"
    again = read_log(image, IDENTITY)
    assert not again.torn
    assert repair(image, again) == owed, "I8: a repair that is not owed a second time"
    assert (again.position, again.ledger.bitmap()) == (log.position, log.ledger.bitmap())


def _check_without_checkpoint(image: PretendDisk) -> None:
    """I9: a checkpoint changes how long it takes and nothing else."""
    without = PretendDisk({name: data for name, data in image.contents().items() if not name.startswith("checkpoint")})
    with_it, from_start = read_log(image, IDENTITY), read_log(without, IDENTITY)
    assert with_it.position == from_start.position
    assert with_it.ledger.bitmap() == from_start.ledger.bitmap()
    assert with_it.ledger.state() == from_start.ledger.state()


CAMPAIGN = Campaign(
    name="crash-images",
    asks=(
        "Cuts the power between any two operations on any file of a run's, a lifecycle's and a fleet's folder, of one "
        "into which inventories are fetched, and of a script's log: every disk that it may leave is read as a prefix "
        "of what was written, raises no alarm, and is gone on with to the right end."
    ),
    programme=("T1",),
    invariants=("I1", "I2", "I3", "I5", "I7", "I8", "I9"),
    unit="images",
    wanted=100_000,
    try_seed=try_seed,
)
