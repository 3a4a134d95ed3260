"""Disks that fail under a process: strace makes the Nth call of a kind about a folder's files fail, or be the last."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.reliability.forked import Forked

_NAMES = (
    *("lock", "fleet.json", "fleet.toml", "terms.json", "freeze.json", "lifecycle.jsonl", "waiting.json", "ended.json"),
    *("inventory.json", "inventory.json.sha256", "retrieval.json", "inventory.part", "decisions", "duplicates"),
    *("noticed.json", "run.json", "plan.json", "checkpoint", "checkpoint.previous", "checkpoint.tmp"),
    *("certificate.json", "certificate.txt", "removal.jsonl", "report.html", ".file-system"),
    *("audit/000001.jsonl", "audit/000002.jsonl", "audit", "verification"),
    *(
        f"verification/{name}"
        for name in (
            *("inventory.json", "inventory.json.sha256", "retrieval.json", "kept-gone.ids", "never-deleted.ids"),
            *("new-since.ids", "still-listed.ids"),
        )
    ),
)
_CALL = re.compile(r"^(?P<thread>\d+) +(?P<at>[\d.]+) (?:<\.\.\. )?(?P<name>\w+)(?P<rest>.*)$")
_PLACE, _NAME = re.compile(r"<(/[^>]*)>"), re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to which call, by strace's words: "error=EIO", "signal=KILL", "retval=0" (nothing is written)."""

    call: str
    effect: str

    def __str__(self) -> str:
        return f"{self.call} {self.effect.rpartition('=')[2]}"


class Struck(NamedTuple):
    """Where a fault struck: when (seconds since 1970), and what the file is called."""

    at: float
    file: Path


class Trace:
    """One process under strace, which strikes at the ``number``-th call, counted by each thread for itself."""

    def __init__(self, process: Forked, folder: Path, fault: Fault, number: int) -> None:
        self._folder = folder
        self.fault = fault
        self._said = folder.with_name("strace")
        self._said.unlink(missing_ok=True)
        calls = _also_called(fault.call)
        watched = [word for file in _files_of(folder) for word in ("-P", str(file))]
        self._strace = subprocess.Popen(
            [
                *(strace(), "-f", "-y", "-ttt", "-s", "8", "-p", str(process.pid), "-o", str(self._said), *watched),
                *("-e", f"trace={calls}", "-e", f"inject={calls}:{fault.effect}:when={number}"),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._strace.stderr is not None
        said = self._strace.stderr.readline()
        assert "attached" in said, said

    def struck(self) -> list[Struck]:
        """Where the fault struck, once the process has ended."""
        self._strace.communicate(timeout=20)
        is_kill = "KILL" in self.fault.effect
        last: dict[str, Struck] = {}
        found = []
        for line in self._said.read_text("utf-8", "replace").splitlines():
            if (call := _CALL.match(line)) is None:
                continue
            if (file := _file_of(call)) is not None:
                last[call["thread"]] = Struck(float(call["at"]), file)
            if "INJECTED" in line or (is_kill and line.endswith("= ?")):
                found.append(last[call["thread"]])
        return found[:1] if is_kill else found

    def calls_after(self, struck: Struck, names: set[str]) -> list[str]:
        """The calls of these names about the file that was struck, after it was."""
        found = []
        for line in self._said.read_text("utf-8", "replace").splitlines():
            call = _CALL.match(line)
            if call is None or float(call["at"]) <= struck.at or call["name"] not in names:
                continue
            if _file_of(call) == struck.file:
                found.append(line)
        return found


@cache
def strace() -> str:
    """The program. Without it no disk can be made to fail, which is no reason to say that none did."""
    program = shutil.which("strace")
    assert program is not None, "strace is missing, so no disk is made to fail. make strace installs it."
    return program


def files_watched(folder: Path) -> set[Path]:
    """The files that can be struck: of a run, and of the lifecycles and rounds that there may be below it."""
    return set(_files_of(folder))


def _file_of(call: re.Match[str]) -> Path | None:
    """The file a call is about: the one of its descriptor, or the one it names; None where strace ends a line begun."""
    is_named = call["name"].startswith(("open", "rename", "unlink"))
    found = (_NAME if is_named else _PLACE).search(call["rest"])
    return None if found is None else Path(found[1])


def _files_of(folder: Path) -> list[Path]:
    lifecycles = [folder, *(folder / f"123456789012-us-east-1-{vault}" for vault in ("photos", "films", "plans"))]
    bases = [base / below for base in lifecycles for below in ("", "round-1", "round-2")]
    return [file for base in bases for name in ("", *_NAMES) for file in _with_its_temporary(base / name)]


def _with_its_temporary(file: Path) -> tuple[Path, Path]:
    """A file, and what it is called until it is whole (``storage.documents``)."""
    return file, file.with_name(f".{file.name}.new")


def _also_called(call: str) -> str:
    """Libraries and architectures choose among these ("?": where there is such a call)."""
    return {
        "rename": "?rename,?renameat,?renameat2",
        "unlink": "?unlink,?unlinkat",
        "write": "write,?writev",
        "openat": "?open,openat",
    }.get(call, call)
