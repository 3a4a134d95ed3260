"""Every file of a run folder, damaged in every way, by every verb that reads it: a verdict, a place, and never a bug.

Nobody answers at the plan's endpoint, so whoever sent a request would fail with another code than the ones here.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

import glacier_purge.audit.verification as packaged
from glacier_purge.cli import main
from tests.e2e.claimed import certified
from tests.e2e.shell import process_settings_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = (
    "plan.json",
    "run.json",
    "decisions",
    "inventory.json",
    "inventory.json.sha256",
    "audit/000001.jsonl.zst",
    "audit/000002.jsonl.zst",
    "audit/000003.jsonl",
    "audit/manifest.jsonl",
    "checkpoint",
    "checkpoint.previous",
    "certificate.json",
    "certificate.txt",
    "verification/inventory.json",
    "verification/inventory.json.sha256",
)


def flip(file: Path, _: Path) -> None:
    """In the name of something, at the middle of the file."""
    content = bytearray(file.read_bytes())
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


DAMAGE: tuple[Callable[[Path, Path], None], ...] = (flip, cut, empty, gone, doubled, swapped, a_folder)

HARMLESS = {
    ("checkpoint", "gone"),
    ("checkpoint.previous", "gone"),
    ("certificate.json", "gone"),
    ("verification/inventory.json.sha256", "gone"),
}
"""What a run may lack: a crash leaves it before it is first written, and taking it away is what messages advise."""

BY_APPLY: dict[str, int] = {
    "plan.json": 2,
    "decisions": 2,
    "inventory.json": 2,
    "audit/000003.jsonl": 4,
    "audit/manifest.jsonl": 4,
}
"""What ``apply`` ends with, where that is the same for all damage."""
UNREAD = {"inventory.json.sha256", "certificate.json", "certificate.txt", *FILES[-2:]}
"""What neither ``apply`` nor the other verbs here read."""
BY_APPLY_OTHERWISE: dict[tuple[str, str], int] = {
    ("audit/000001.jsonl.zst", "flip"): 4,
    ("audit/000001.jsonl.zst", "cut"): 4,
    ("audit/000001.jsonl.zst", "gone"): 4,
    ("audit/000001.jsonl.zst", "empty"): 4,
    ("audit/000001.jsonl.zst", "swapped"): 4,
    ("audit/000002.jsonl.zst", "gone"): 4,
    ("audit/000003.jsonl", "flip"): 0,  # before what the checkpoint vouches for, which is not read again
    ("audit/manifest.jsonl", "swapped"): 0,  # whole in itself; the whole check holds it against the log
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two whole run folders, of two vaults."""
    place = tmp_path_factory.mktemp("made")
    for name, vault in (("run", "photos"), ("other", "videos")):
        asyncio.run(certified(place / name, f"{vault}-{os.getpid()}"))  # one process a vault works on this host
    return place


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The check as an auditor has it: one file, which finds no package to unpack with and takes ``zstdcat``."""
    copy = tmp_path_factory.mktemp("alone") / "verification_alone.py"
    shutil.copy(packaged.__file__, copy)
    spec = importlib.util.spec_from_file_location("verification_alone", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["verification_alone"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Give a command in this process; its exit code, and all it said."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def command(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        exit_code = main(list(arguments))
        said = capsys.readouterr()
        return exit_code, said.out + said.err

    with process_settings_kept():
        yield command


def damaged(made: Path, place: Path, name: str, damage: Callable[[Path, Path], None]) -> tuple[Path, bool]:
    """A copy of the run folder with one file damaged, and whether anything was changed by that."""
    run = place / damage.__name__ / "run"
    shutil.copytree(made / "run", run)
    before = (run / name).read_bytes()
    damage(run / name, made / "other" / name)
    return run, not (run / name).is_file() or (run / name).read_bytes() != before


@pytest.mark.parametrize("name", FILES)
def test_damage_of_every_file_is_a_verdict_that_names_it(
    name: str,
    made: Path,
    alone: Any,
    tmp_path: Path,
    ask: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for damage in DAMAGE:
        run, is_changed = damaged(made, tmp_path, name, damage)
        case = (name, damage.__name__)
        code, said = ask("audit", "verify", str(run), "--output", "json")
        assert code == (4 if is_changed and case not in HARMLESS else 0), (case, said)
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "zstandard", None)
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
            assert stem in blamed or "manifest" in [fault.kind for fault in here.faults], (case, told)


@pytest.mark.parametrize("name", FILES)
def test_no_damage_of_any_file_is_a_bug_to_any_verb(
    name: str, made: Path, tmp_path: Path, ask: Callable[..., tuple[int, str]]
) -> None:
    digest = json.loads((made / "run" / "plan.json").read_bytes())["digest"]
    for damage in (flip, gone) if name in UNREAD else DAMAGE[:-1]:
        run, is_changed = damaged(made, tmp_path, name, damage)
        case = (name, damage.__name__)
        for verb in (("status",), ("audit", "export")):
            code, said = ask(*verb, str(run))
            assert code in {0, 2, 4}, (verb, case, said)
            assert "Traceback" not in said
        code, said = ask("apply", str(run), "--confirm-digest", digest)
        if name == "run.json":
            assert code in {2, 4}, (case, said)  # before anything began, or as the log has it
            continue
        expected = BY_APPLY_OTHERWISE.get(case, BY_APPLY.get(name, 0))
        assert code == (expected if is_changed else 0), (case, said)
        assert (run / "audit" / "000003.jsonl.torn-1").exists() is False, case
