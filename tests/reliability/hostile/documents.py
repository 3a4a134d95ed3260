"""Hostile documents of our own: one file of a run's, lifecycle's or fleet's folder is spoilt, and commands look at it.

The folders are those that this version's upgrade tests keep.  A plan is sealed anew half of the time, as somebody would
who knows how: then its digest is right, and what it says is nonsense.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.plan.document import Plan
from tests.reliability.hostile.mutation import by_bytes, by_json, by_lines, either
from tests.reliability.hostile.outputs import commanded
from tests.reliability.hostile.strings import check_for_terminal
from tests.upgrade.make import FOLDERS

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

_SITUATIONS = ("planned", "killed", "sealed", "failed", "proven", "lifecycle_half", "fleet")
_NOT_DOCUMENTS = re.compile(r"lock|inventory\.json|duplicates|.*\.ids")
_LINES = either(by_lines(b"\n")(by_json), by_bytes)


@cache
def _kept(situation: str) -> dict[str, bytes]:
    newest = max(FOLDERS.iterdir())
    with tarfile.open(newest / f"{situation}.tar.xz") as packed:
        entries = [entry for entry in packed if entry.isfile() and entry.name.startswith("run/")]
        return {entry.name: packed.extractfile(entry).read() for entry in entries}  # type: ignore[union-attr]  # a file


def try_folder(random: Random, folder: Path) -> str:
    """Spoil one file of one folder, and give each command that only looks; raise ``AssertionError`` for a bug."""
    situation = random.choice(_SITUATIONS)
    files = _kept(situation)
    name = random.choice([name for name in files if not _NOT_DOCUMENTS.fullmatch(name.rpartition("/")[2])])
    good = files[name]
    spoilt = _spoilt(name, good, random)
    place = folder / "looked-at"
    for each, content in files.items():
        file = place / each
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_bytes(spoilt if each == name else content)
        file.chmod(0o600)
    ended = []
    for verb in (("status",), ("show",), ("audit", "verify"), ("audit", "export")):
        exit_code, _, err = commanded(*verb, str(place / "run"))
        ended.append(exit_code)
        shown = f"{' '.join(verb)} of {situation} with {name}: {spoilt[:3_000]!r}"
        assert exit_code != 255, f"{err[-1_500:]} in {shown}"
        assert len(err) < 50_000, f"{len(err):,} characters are told by {shown}"
        check_for_terminal(err)
    shutil.rmtree(place)
    return "refused" if any(ended) else "accepted"


def _spoilt(name: str, good: bytes, random: Random) -> bytes:
    if name.endswith("plan.json") and random.randrange(2):
        return _sealed(json.loads(good), random)
    if name.endswith(".jsonl"):
        return _LINES(good, random)
    way = by_json if name.endswith(".json") and random.randrange(4) else by_bytes
    return way(good, random)


def _sealed(document: dict[str, object], random: Random) -> bytes:
    """A plan that says something else, with the digest of what it says, where that is a plan at all."""
    told = by_json(json.dumps(document["plan"]).encode(), random)
    try:
        plan = msgspec.json.decode(told, type=Plan)
    except (ValueError, RecursionError):
        return told
    encoded = msgspec.json.encode(plan, order="sorted")
    return json.dumps({**document, "digest": sha256(encoded).hexdigest(), "plan": json.loads(encoded)}).encode()
