"""Tampering: every way, at a place drawn, is found and named by its file, record, byte and kind; a crash is none (T9).

Each is asked of the check that `audit verify` calls, and of the same file copied out, as an auditor has it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import shutil
import sys
from collections import Counter
from contextlib import contextmanager, redirect_stderr
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from glacier_purge.audit import verification as packaged
from glacier_purge.audit.segments import seal, unsealed
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import Clock, dump, open_journal, outcome
from tests.reliability.campaign import Campaign
from tests.reliability.crash_story import world_of
from tests.reliability.folder_tampering import WAYS, blamed, fleet, lifecycle, shows
from tests.reliability.log_tampering import FOUND_AS, places_of, whole_run
from tests.reliability.mirror import files_in
from tests.reliability.power import KINDS, PowerCut, power_cut

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = 24
_STORIES = 20
_WITHOUT_PACKAGE = 0.1
"""Of the checks by the file alone, so many unpack with ``zstdcat``, a process each."""


def try_seed(seed: int, folder: Path) -> Counter[str]:
    said = StringIO()
    try:
        with redirect_stderr(said):
            return sum((part(random.Random(seed), folder) for part in (_logs, _folders, _recovered)), Counter[str]())
    except BaseException:
        sys.stderr.write(said.getvalue())
        raise


@cache
def _alone() -> Any:
    """The check as an auditor has it: one file."""
    with TemporaryDirectory() as place:
        copy = shutil.copy(packaged.__file__, Path(place) / "verification_alone.py")
        spec = importlib.util.spec_from_file_location("verification_alone", copy)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["verification_alone"] = module
        spec.loader.exec_module(module)
    return module


@contextmanager
def _unpacking(rng: random.Random) -> Iterator[None]:
    without = shutil.which("zstdcat") is not None and rng.random() < _WITHOUT_PACKAGE
    with patch.dict(sys.modules, {"zstandard": None} if without else {}):
        yield


def _told(faults: Any) -> list[tuple[str, str, int, int | None]]:
    return [(fault.kind, fault.file, fault.offset_bytes, fault.record) for fault in faults]


def _logs(rng: random.Random, folder: Path) -> Counter[str]:
    """Each way to tamper with a log, once."""
    counted, (files, _) = Counter[str](), whole_run()
    for way, kinds in FOUND_AS.items():
        tampered = way(rng, files)
        place = dump(tampered.files, folder / f"log-{way.__name__}")
        faults = packaged.verify(place, plan=tampered.plan, anchor=tampered.anchor).faults
        with _unpacking(rng):
            plan = (
                None
                if tampered.plan is None
                else _alone().PlanFacts(
                    digest=tampered.plan.digest, records=tampered.plan.records, selected=tampered.plan.selected
                )
            )
            alone = _alone().verify(place, plan=plan, anchor=tampered.anchor).faults
        told = (way.__name__, tampered.record, _told(faults)[:3])
        assert _told(alone) == _told(faults), told
        record = tampered.record
        first = next(
            fault
            for fault in faults
            if fault.kind != "manifest" or ("manifest" in kinds and record in (None, fault.record))
        )
        assert first.kind in kinds, told
        assert first.record == record or record is None, told
        if record is None:
            assert first.file.startswith(("audit/", "checkpoint")), told
        else:
            assert (first.file, first.offset_bytes) in places_of(tampered.files, record), told
        counted[f"log: {way.__name__}"] += 1
        shutil.rmtree(place)
    return counted


def _folders(rng: random.Random, folder: Path) -> Counter[str]:
    """Each file of a lifecycle's or a fleet's folder, tampered with in one way."""
    counted, made, place = Counter[str](), rng.choice([lifecycle, lifecycle, fleet]), folder / "photos"
    with world_of(folder):
        asyncio.run(made(place, rng))
    files = files_in(place)
    alarms = [_told(one.found.faults) for one in packaged.verify_folder(place) if one.found.faults]
    assert alarms == [], ("a false alarm", alarms)
    for name, before in files.items():
        way = rng.choice(WAYS)
        after = way(rng, before) if before else b"x"
        has_to_show = shows(name, before, after, planned=f"{name.rpartition('/')[0]}/plan.json" in files)
        if has_to_show is False:
            continue
        if after is None:
            (place / name).unlink()
        else:
            (place / name).write_bytes(after)
        case = f"{made.__name__}: {way.__name__}"
        verdicts = packaged.verify_folder(place)
        with _unpacking(rng):
            alone = _alone().verify_folder(place)
        faults = [_told(one.found.faults) for one in verdicts]
        assert [_told(one.found.faults) for one in alone] == faults, (case, name)
        named = {
            fault.file if one.name == "." else f"{one.name}/{fault.file}"
            for one in verdicts
            for fault in one.found.faults
        }
        stems = {one.removesuffix(".zst").removesuffix(".sha256") for one in named}
        assert stems or not has_to_show, (case, name, "not found")
        assert not stems or stems & blamed(name), (case, name, named)
        counted[case] += 1
        (place / name).write_bytes(before)
        (place / name).chmod(0o600)
    return counted


def _recovered(rng: random.Random, folder: Path) -> Counter[str]:
    """Logs of which a process crashed three times and the next one went on: no alarm, then and at the end."""
    counted = Counter[str]()
    for number in range(_STORIES):
        disk = PretendDisk()
        for crash in range(3):
            at = disk.operations + rng.randint(3, 30)

            def cut_power(_verb: str, _name: str, disk: PretendDisk = disk, at: int = at) -> None:
                if disk.operations >= at:
                    raise PowerCut

            disk.before = cut_power
            try:
                asyncio.run(_go_on(rng, disk))
            except PowerCut:
                disk.before = None
                disk = power_cut(rng, disk, rng.choice([kind for kind in KINDS if kind != "checkpoint damaged"]))
                place = dump(disk.contents(), folder / f"crashed-{number}-{crash}")
                faults = packaged.verify(place).faults
                assert faults == (), ("a false alarm", _told(faults))
                counted["recovered: crashed"] += 1
        disk.before = None
        asyncio.run(_go_on(rng, disk))
        place = dump(disk.contents(), folder / f"end-{number}")
        verdict = packaged.verify(place)
        assert verdict.faults == (), ("a false alarm", _told(verdict.faults))
        assert (verdict.finished, sum(verdict.counts.values())) == (True, RECORDS)
        assert _alone().verify(place).faults == ()
        counted["recovered: gone on with"] += 1
    return counted


async def _go_on(rng: random.Random, disk: PretendDisk) -> None:
    """Work on the run to its end, from wherever it stands."""
    clock = Clock(1_795_360_443.0 + rng.random())
    journal = await open_journal(disk, records=RECORDS, clock=clock, segment_records=7)
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


CAMPAIGN = Campaign(
    name="tamper",
    asks=(
        "Changes, drops, swaps, repeats, forges, cuts and repacks whatever lies in the folders of runs, lifecycles and "
        "fleets: the check and its copy alone find it and name file, record, byte and kind; what crashed and was gone "
        "on with raises no alarm."
    ),
    programme=("T9",),
    invariants=("I20",),
    unit="folders",
    wanted=2_000,
    try_seed=try_seed,
)
