"""A table of situations: what is at hand, what is asked, and what comes of it, here and at the service.

A row names a situation.  It is made in a fresh folder and gives a command; held against the row are the command's exit
code, what it said, how many requests the service got, and which entries of the folder are new or changed.  No row may
end as a bug, or take much memory.
"""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING, NamedTuple

from glacier_purge.lifecycle.state import WAITING_FILE
from glacier_purge.storage.locks import LOCK_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.shell import Said, Shell

_MEMORY_BYTES_MAX = 64 * 1024 * 1024
"""More than any command needs of its own in these tables: what is read whole has 16 MiB at most."""


class Situation(NamedTuple):
    """``make`` brings it about and gives the command's arguments; ``changed`` are names right in the folder.

    ``requests`` None is "as many as it takes", for commands that get through.
    """

    make: Callable[[Shell], tuple[str, ...]]
    exit_code: int
    says: tuple[str, ...]
    requests: int | None = 0
    changed: frozenset[str] = frozenset()


def check(situation: Situation, shell: Shell) -> Said:
    """Bring it about, and hold what comes of it against the row."""
    command = situation.make(shell)
    before, requests, memory_bytes = _contents(shell.folder), shell.requests(), _peak_bytes()
    said = shell(*command)
    grown_bytes = _peak_bytes() - memory_bytes
    assert said.exit_code == situation.exit_code, said
    for part in situation.says:
        assert part in said.err + said.out, said
    assert "Traceback" not in said.err
    assert "unexpected error" not in said.err
    if situation.requests is not None:
        sent = shell.requests() - requests
        assert sent == situation.requests, f"{sent} requests: {said}"
    after = _contents(shell.folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == situation.changed, f"{changed}: {said}"
    assert grown_bytes < _MEMORY_BYTES_MAX, f"{grown_bytes:,} bytes"
    return said


def _contents(folder: Path) -> dict[str, list[tuple[str, bytes]]]:
    """Everything below each entry of the folder but for locks and notes, which say when they were written; of what is
    no regular file, only that it is there.
    """
    return {
        entry.name: [
            (str(file), file.read_bytes() if file.is_file() else b"")
            for file in [entry, *sorted(entry.rglob("*"))]
            if file.name not in {LOCK_FILE, WAITING_FILE}
        ]
        for entry in folder.iterdir()
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
