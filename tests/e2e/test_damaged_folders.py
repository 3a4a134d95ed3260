"""Every file of a run folder, damaged in every way, by every verb that reads it: a verdict, a place, and never a bug.

Each file is damaged in a third of the ways here, in all of them by the campaign `damaged-folders`.

Of a run that was carried out everything is there; nobody answers at its endpoint, so whoever sent a request would fail
with another code than the ones here.  A run that was only begun has a service, whose ledger says what was sent.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

import glacier_purge.audit.verification as packaged
from glacier_purge.cli import main
from tests.e2e.claimed import certified
from tests.e2e.desk import alone_at, commanded, deletes
from tests.e2e.shell import process_settings_kept
from tests.e2e.simulator import simulating

if TYPE_CHECKING:
    from tests.e2e.simulator import Simulator

pytestmark = pytest.mark.usefixtures("parsed_once")

PLAN_FILES = {"plan.json", "run.json", "decisions", "duplicates", "inventory.json"}
SEGMENTS = {"audit/000001.jsonl.zst", "audit/000002.jsonl.zst", "audit/000003.jsonl"}
UNVOUCHED = {"removal.jsonl", "verification/retrieval.json"}
"""Notes by which nothing is decided: held to their form only."""
FILES = (
    *sorted(PLAN_FILES | SEGMENTS | UNVOUCHED),
    "inventory.json.sha256",
    "audit/manifest.jsonl",
    "checkpoint",
    "checkpoint.previous",
    "certificate.json",
    "certificate.txt",
    "verification/inventory.json",
    "verification/inventory.json.sha256",
)
STRANGER = 12_345


def flip(file: Path, _: Path) -> None:
    """In the name of something, at the middle of the file."""
    content = bytearray(file.read_bytes() or b"\0")
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def cut(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def empty(file: Path, _: Path) -> None:
    file.write_bytes(b"")


def gone(file: Path, _: Path) -> None:
    file.unlink()


def doubled(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes() * 2)


def swapped(file: Path, others: Path) -> None:
    shutil.copy(others, file)


def a_folder(file: Path, _: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path, _: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def a_link(file: Path, _: Path) -> None:
    file.rename(file.with_name("moved"))
    file.symlink_to("moved")


def a_strangers(file: Path, _: Path) -> None:
    os.chown(file, STRANGER, -1)


def written_by_anybody(file: Path, _: Path) -> None:
    file.chmod(0o666)


def with_a_second_name(file: Path, _: Path) -> None:
    file.with_name("second").hardlink_to(file)


Damage = Callable[[Path, Path], None]
OTHER_BYTES: tuple[Damage, ...] = (flip, cut, empty, gone, doubled, swapped)
NO_FILE: tuple[Damage, ...] = (a_folder, a_pipe, a_link)
OTHERS_HANDS: tuple[Damage, ...] = (a_strangers, written_by_anybody, with_a_second_name)
if os.geteuid():
    warnings.warn("NOT TESTED: only root can give a file to somebody else", stacklevel=1)
    OTHERS_HANDS = OTHERS_HANDS[1:]
EVERY_WAY = (*OTHER_BYTES, *NO_FILE, *OTHERS_HANDS)

HARMLESS = {
    ("checkpoint", "gone"),
    ("checkpoint.previous", "gone"),
    ("certificate.json", "gone"),
    ("verification/inventory.json.sha256", "gone"),
    ("verification/retrieval.json", "gone"),
    ("removal.jsonl", "gone"),
}
"""What a run may lack: a crash leaves it before it is first written, and taking it away is what messages advise."""

OPENED = (SEGMENTS - {"audit/000002.jsonl.zst"}) | {"audit/manifest.jsonl", "checkpoint", "checkpoint.previous"}
"""What is looked at to tell how far a run is; the checkpoint vouches for what lies before the last segment."""
READ_BY: dict[str, set[str]] = {
    "status": OPENED | {"plan.json"},
    "show": OPENED | PLAN_FILES,
    "apply": OPENED | PLAN_FILES,
    "export": SEGMENTS | {"checkpoint", "checkpoint.previous", "plan.json", "inventory.json"},
}
STOPS_ITS_READER: dict[str, set[str]] = {
    "audit/000001.jsonl.zst": {"flip", "cut", "gone", "empty", "swapped"},
    "audit/000002.jsonl.zst": {"gone"},
    "audit/000003.jsonl": {"cut", "empty", "gone", "doubled", "swapped"},  # flipped before what is vouched for
    "audit/manifest.jsonl": {"flip", "cut", "empty", "gone", "doubled"},  # another one is whole in itself
}
"""Damage of the log that shows to whoever reads it from its checkpoint on; all of it shows to ``audit verify``."""
TOLD_AS = {
    "plan.json": ("plan.json", "run.json", "inventory.json", "holds no plan", "the plan beside it"),  # what misfits
    "duplicates": ("duplicates", "decisions"),  # one hash is of both
    "audit/manifest.jsonl": ("audit/",),  # what it vouches for
    **dict.fromkeys(SEGMENTS, ("audit/0000",)),  # a link between two is broken by either
}
"""How a file is named by whoever refuses to go on; by itself, but for these."""


def expected(verb: str, name: str, damage: str) -> int:
    """What a verb but ``audit verify`` ends with for a file that was damaged so."""
    if damage not in {one.__name__ for one in OTHER_BYTES}:
        return 2 if name in READ_BY[verb] else 0
    if verb == "export" and name not in PLAN_FILES:
        return 4 if name in SEGMENTS else 0
    if name in PLAN_FILES & READ_BY[verb]:
        return 4 if (verb, damage) == ("status", "swapped") else 2
    return 4 if damage in STOPS_ITS_READER.get(name, ()) else 0


def two_whole_runs(place: Path) -> Path:
    """Run folders of two vaults, with their certificates."""
    for name, vault in (("run", "photos"), ("other", "videos")):
        asyncio.run(certified(place / name, f"{vault}-{os.getpid()}"))  # one process a vault works on this host
    return place


def check_alone(place: Path) -> Any:
    """The check as an auditor has it: one file, which finds no package to unpack with and takes ``zstdcat``."""
    copy = place / "verification_alone.py"
    shutil.copy(packaged.__file__, copy)
    spec = importlib.util.spec_from_file_location("verification_alone", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["verification_alone"] = module
    spec.loader.exec_module(module)
    return module


Asks = Callable[..., tuple[int, str]]
"""Gives a command; its exit code, and all it said."""


@contextmanager
def commands(place: Path) -> Iterator[Asks]:
    """Give commands in this process."""

    def command(*arguments: str) -> tuple[int, str]:
        said = StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            exit_code = main(list(arguments))
        return exit_code, said.getvalue()

    with pytest.MonkeyPatch.context() as environment, process_settings_kept():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        environment.setenv("GLACIER_PURGE_PACE__FIRST_PER_SECOND", "1000")  # the cold start has its own tests
        environment.setenv("XDG_STATE_HOME", str(place / "state"))
        yield command


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_whole_runs(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return check_alone(tmp_path_factory.mktemp("alone"))


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Asks]:
    with commands(tmp_path) as command:
        yield command


def a_third(name: str) -> Sequence[Damage]:
    """Ways to damage a file: other ones than its neighbours are damaged in."""
    return EVERY_WAY[FILES.index(name) % 3 :: 3]


def damaged(made: Path, place: Path, name: str, damage: Damage) -> tuple[Path, bool]:
    """A copy of the run folder with one file damaged, and whether anybody can tell by its bytes or what it is; it takes
    the place of the copy before."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(made / "run", run)
    before = (run / name).read_bytes()
    damage(run / name, made / "other" / name)
    is_file = (run / name).is_file() and not (run / name).is_symlink()
    return run, not is_file or (run / name).read_bytes() != before


def check_verdicts(name: str, ways: Sequence[Damage], made: Path, alone: Any, place: Path, ask: Asks) -> None:
    """Damage is a verdict that names it.  An auditor may have a copy that is anybody's; all else is damage."""
    for damage in ways:
        run, is_changed = damaged(made, place, name, damage)
        case = (name, damage.__name__)
        code, said = ask("audit", "verify", str(run), "--output", "json")
        if not (name in UNVOUCHED and damage in OTHER_BYTES):
            assert code == (4 if is_changed and case not in HARMLESS else 0), (case, said)
        assert code in {0, 4}, (case, said)
        with patch.dict(sys.modules, zstandard=None):
            [(_, what, by_itself)] = alone.verify_folder(run)
        assert (what, by_itself.exit_code) == ("run", code), case
        told = json.loads(said)["fault_list"]
        places = [(fault.kind, fault.file, fault.offset_bytes, fault.record) for fault in by_itself.faults]
        [(_, _, here)] = packaged.verify_folder(run)
        assert places == [(one.kind, one.file, one.offset_bytes, one.record) for one in here.faults], case
        assert told == [str(fault) for fault in here.faults]
        if code:
            stem = name.removesuffix(".zst").removesuffix(".sha256")
            blamed = [fault.file.removesuffix(".zst").removesuffix(".sha256") for fault in here.faults]
            by_both = name == "duplicates" and "decisions" in blamed  # one hash is of both
            assert stem in blamed or by_both or "manifest" in [fault.kind for fault in here.faults], (case, told)


def check_verbs(name: str, ways: Sequence[Damage], made: Path, place: Path, ask: Asks) -> None:
    """Damage is a bug to no verb, and stops who reads the file."""
    digest = json.loads((made / "run" / "plan.json").read_bytes())["digest"]
    for damage in ways:
        run, is_changed = damaged(made, place, name, damage)
        for verb, *options in (("status",), ("show",), ("export",), ("apply", "--confirm-digest", digest)):
            given = ("audit", verb) if verb == "export" else (verb,)
            code, said = ask(*given, str(run), *options)
            case = (verb, name, damage.__name__)
            by_bytes = damage in OTHER_BYTES and not is_changed
            assert code == (0 if by_bytes else expected(*case)), (case, said)
            assert "Traceback" not in said
            assert not code or any(word in said for word in TOLD_AS.get(name, (name,))), (case, said)
        assert (run / "audit" / "000003.jsonl.torn-1").exists() is False, name


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("name", FILES)
def test_damage_of_every_file_is_a_verdict_that_names_it(
    name: str, made: Path, alone: Any, tmp_path: Path, ask: Asks
) -> None:
    check_verdicts(name, a_third(name), made, alone, tmp_path, ask)


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("name", FILES)
def test_no_damage_of_any_file_is_a_bug_to_any_verb(name: str, made: Path, tmp_path: Path, ask: Asks) -> None:
    check_verbs(name, a_third(name), made, tmp_path, ask)


BEGUN_FILES = (*sorted(PLAN_FILES), "audit/000001.jsonl", "checkpoint", "lock", "noticed.json")
UNSENT = {"checkpoint", "lock", "noticed.json"}
"""Files of a begun run that may be other than they were: nothing is sent by their word."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Path]]:
    """Two runs of a vault that were approved and begun, each for some archives; the rest are in no plan."""
    place = tmp_path_factory.mktemp("begun")
    with simulating(archives=20, latency_ms=1.0) as simulator, alone_at(place):
        simulator.inventory(place / "all.json")
        for name, limit in (("run", "3"), ("other", "7")):
            given = ("--inventory", str(place / "all.json"), "--run-dir", str(place / name), "--limit", limit)
            commanded("plan", "photos", *given, "--endpoint-url", simulator.endpoint_url)
            digest = json.loads((place / name / "plan.json").read_bytes())["digest"]
            simulator.post("faults", rules=[{"kind": "access-denied"}])
            commanded("apply", str(place / name), "--confirm-digest", digest, exit_code=254)
            simulator.post("faults", rules=[])
        yield simulator, place


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("name", BEGUN_FILES)
def test_whatever_file_is_damaged_nothing_outside_of_the_plan_is_sent(
    name: str, begun: tuple[Simulator, Path], tmp_path: Path, ask: Asks
) -> None:
    """By the server's ledger, and by what is still listed: of another plan's archives as well."""
    simulator, place = begun
    plan = json.loads((place / "run" / "plan.json").read_bytes())["plan"]
    assert plan["counts"]["selected"] == 3
    kept = {record["ArchiveId"] for record in json.loads((place / "all.json").read_bytes())["ArchiveList"]}
    selected = (place / "run" / "decisions").read_bytes()
    ids = [record["ArchiveId"] for record in json.loads((place / "run" / "inventory.json").read_bytes())["ArchiveList"]]
    kept -= {archive_id for archive_id, decision in zip(ids, selected, strict=True) if decision == 0}
    for damage in EVERY_WAY:
        if not (place / "run" / name).exists():
            continue
        run, is_changed = damaged(place, tmp_path, name, damage)
        sent = deletes(simulator)
        code, said = ask("apply", str(run))
        case = (name, damage.__name__)
        unseen = ("audit/000001.jsonl", "flip")  # before what the checkpoint vouches for, so it is not read again
        if not is_changed and damage in OTHER_BYTES:
            assert code == 0, (case, said)
        elif name not in UNSENT and case != unseen:
            assert code in {2, 4}, (case, said)
        assert code in {0, 2, 4}, (case, said)
        assert deletes(simulator) - sent == (0 if code else 3), (case, said)
    assert simulator.ids_left() >= kept
