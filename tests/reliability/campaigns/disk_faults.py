"""The Nth call about a run's files fails, or is the process's last; then on to the end on a mended disk (T4)."""

from __future__ import annotations

import random
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from tests.reliability.campaign import Campaign
from tests.reliability.commands import COMMIT_SECONDS, inventory_ids, world
from tests.reliability.tasks import APPLY, FLEET, PURGE, RUN, carry
from tests.reliability.traced import Fault, Struck, Trace, files_watched

if TYPE_CHECKING:
    from tests.reliability.commands import Toll, World
    from tests.reliability.forked import Forked

FAULTS_A_SEED = 3
FAILING = ("error=EIO", "error=ENOSPC", "signal=KILL")
SURE, ANY = 0, 1
NUMBERS = {
    "write": (2, 14),
    "fdatasync": (2, 10),
    "fsync": (2, 8),
    "openat": (8, 30),
    "rename": (1, 6),
    "pwrite64": (1, 1),
    "ftruncate": (1, 1),
    "unlink": (1, 4),
}
"""The calls that can be struck; up to which number each is sure to come, and up to which it may, in one thread."""
FAULTS = (
    *(Fault(call, effect) for call in NUMBERS for effect in FAILING),
    *(Fault(call, "error=EINTR") for call in ("write", "fdatasync", "fsync", "openat")),
    Fault("write", "retval=0"),
    Fault("openat", "error=EMFILE"),
)
VERBS_APART = 5
"""So many faults: each verb is struck by all of them, and no two begin with the same."""
VERBS = (APPLY, RUN, APPLY, PURGE, APPLY, FLEET)
NAMED = {
    "error=EIO": "Input/output error",
    "error=ENOSPC": "No space left on device",
    "error=EINTR": "Interrupted system call",
    "error=EMFILE": "Too many open files",
    "retval=0": "",
}
ADVICE = re.compile(
    r"(Free or mend|Mend|make room|Make room|[Rr]aise the limit|Restore|Put that right|Look at|[Gg]ive the same command"
    r"|[Gg]ive another|again)"
)
SETTLED_SECONDS = 0.3
"""After so long nothing is sent any more, on a busy machine too."""


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One purge, struck up to three times: first where every process comes by, then anywhere."""
    chance, hit = random.Random(seed), Counter[str]()
    round_, which = divmod(seed, len(VERBS))
    first = FAULTS_A_SEED * round_ + VERBS_APART * which
    verb = VERBS[which]
    faults = [FAULTS[(first + each) % len(FAULTS)] for each in range(FAULTS_A_SEED)]
    with world(folder, seed=seed, **verb.options) as here:
        here.variables["GLACIER_PURGE_AUDIT__CHECKPOINT_SECONDS"] = "0.15"

        def each(process: Forked, _: Toll) -> int:
            fault = faults.pop(0) if faults else None
            trace = None
            if fault is not None:
                which = ANY if len(faults) < FAULTS_A_SEED - 1 else SURE
                trace = Trace(process, here.run_dir, fault, chance.randint(1, NUMBERS[fault.call][which]))
            process.begin()
            ended = process.wait()
            struck = trace.struck() if trace else []
            if trace is not None and struck:
                here.service.let_everybody_go()
                check_end(here, process, trace, struck[0])
                hit[f"{verb.name}: {fault} at {kind_of(struck[0].file)}"] += 1
            else:
                assert ended in {ExitCode.DONE, ExitCode.PENDING}, process.err()[-2000:]
            return ended

        carry(here, verb, chance, each)
        unwatched = set(here.run_dir.rglob("*")) - files_watched(here.run_dir)
        assert all(path.is_dir() for path in unwatched), f"no fault can strike these: {unwatched}"
    return hit


def check_end(world: World, process: Forked, trace: Trace, struck: Struck) -> None:
    """A process that was struck ended as the table of exit codes says, told what to do, and sent nothing more."""
    ended, told, fault = process.wait(), process.err(), trace.fault
    assert "Traceback" not in told, told
    if "KILL" in fault.effect:
        assert ended == -signal.SIGKILL, (ended, told)
        return
    if "audit" in struck.file.parts and fault.effect in FAILING and fault.call in {"write", "fdatasync", "fsync"}:
        again = trace.calls_after(struck, {"write", "writev", "fdatasync", "fsync"})
        assert not again, f"I10: the disk was asked again after it had failed: {again}"
    if ended in {ExitCode.DONE, ExitCode.PENDING}:
        return
    end = "\n".join(told.splitlines()[-12:])
    assert ended == ExitCode.STOPPED, f"{fault} at {struck.file}: exit {ended}\n{end}"
    assert ADVICE.search(told), end
    names = {name for each in trace.struck() for name in (kind_of(each.file), f"{each.file.parent} ")}
    assert any(NAMED[fault.effect] in line and any(name in line for name in names) for line in told.splitlines()), (
        f"{fault} at {struck.file}, but nobody is told of {names}:\n{end}"
    )
    if "audit" in struck.file.parts:
        late = time.monotonic() - time.time() + struck.at + COMMIT_SECONDS + SETTLED_SECONDS
        run = Path(*struck.file.parts[: struck.file.parts.index("audit")])
        planned = set(inventory_ids(run)) if (run / "inventory.json").exists() else set()
        sent = [came for came in world.service.deletes() if came.at > late and came.archive_id in planned]
        assert not sent, f"{len(sent)} deletes were sent after the log had failed"


def kind_of(file: Path) -> str:
    """What a file is, whoever it is of and however it is called until it is whole."""
    name = file.name.removeprefix(".").removesuffix(".new").removesuffix(".tmp")
    return "audit" if file.suffix == ".jsonl" and file.parent.name == "audit" else name


CAMPAIGN = Campaign(
    name="disk-faults",
    asks="The Nth write, sync, rename, open, truncation or removal about the files of a purge fails (EIO, ENOSPC, "
    "EINTR, EMFILE, nothing written) or is the last: it stops and says why, sends nothing after a failed commit, asks "
    "nothing again of a disk that failed, and goes on cleanly on one that is mended.",
    programme=("T4",),
    invariants=("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10", "I16"),
    unit="points",
    wanted=150,
    try_seed=try_seed,
)
