"""The vectors, to our verifier and to the foreign one, which also reads real folders and agrees with ours."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.audit.anchor import Anchor, note, notes_bytes
from glacier_purge.audit.verification import PlanFacts, verify, verify_folder
from glacier_purge.clock import utc_now
from tests.audit.logs import PLAN
from tests.audit.vectors import FOLDER, RECORDS, VECTORS, expected
from tests.e2e.claimed import certified

if TYPE_CHECKING:
    from pathlib import Path

FOREIGN = FOLDER.with_name("foreign_verifier.mjs")
needs_node = pytest.mark.skipif(
    shutil.which("node") is None and os.environ.get("CI") != "true",
    reason="NO FOREIGN VERIFIER: node is missing; it runs tests/audit/foreign_verifier.mjs",
)


def by_node(*arguments: str) -> dict[str, Any]:
    said = subprocess.run(["node", str(FOREIGN), *arguments], capture_output=True, text=True, check=False)
    assert said.stderr == ""
    answer: dict[str, Any] = json.loads(said.stdout)
    assert said.returncode == (0 if answer["verdict"] == "sound" else 4)
    return answer


def test_the_files_are_what_is_written_down_for_them() -> None:
    """Written again by ``python -m tests.audit.vectors``."""
    there = {file.name: file.read_bytes() for file in FOLDER.iterdir()}
    assert json.loads(there.pop("expected.json")) == expected()
    assert there == {f"{name}.jsonl": vector.log for name, vector in VECTORS.items()}
    assert len(VECTORS) > 30


@pytest.mark.parametrize("name", VECTORS)
def test_our_verifier_reaches_the_verdict(name: str, tmp_path: Path) -> None:
    vector, wanted = VECTORS[name], expected()["vectors"][name]
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit/000001.jsonl").write_bytes(vector.log)
    found = verify(tmp_path, plan=PlanFacts(digest=PLAN, records=RECORDS), anchor=vector.anchor)
    assert ("damaged" if found.faults else "sound") == wanted["verdict"]
    if vector.is_damaged:
        assert vector.record in {fault.record for fault in found.faults}
        return
    head = found.anchor.partition(":")[2] if found.anchor else PLAN
    assert (found.finished, found.records, found.counts, head) == (
        wanted["finished"],
        wanted["lines"],
        wanted["outcomes"],
        wanted["head"],
    )


@needs_node
def test_the_foreign_verifier_reaches_the_same_verdicts() -> None:
    """A damaged record may show by its own line or by the hash in the next."""
    wanted = expected()["vectors"]
    answers = by_node("--vectors", str(FOLDER))["vectors"]
    assert answers.keys() == VECTORS.keys()
    for name, vector in VECTORS.items():
        answer = answers[name]
        if vector.is_damaged:
            assert vector.record is not None
            assert answer["verdict"] == "damaged", name
            assert answer["record"] in {vector.record, vector.record + 1}, (name, answer)
        else:
            assert answer == {key: value for key, value in wanted[name].items() if key != "anchor"}, name


@needs_node
def test_the_foreign_verifier_agrees_with_ours_on_real_folders(tmp_path: Path) -> None:
    folder = asyncio.run(certified(tmp_path / "run")).path
    [(_, _, ours)] = verify_folder(folder)
    assert ours.anchor is not None
    assert ours.plan is not None
    head = Anchor.of(ours.anchor, run="run", plan_digest=ours.plan, at=utc_now())
    anchors = tmp_path / "anchors"
    anchors.write_bytes(notes_bytes([note(head.text())]))
    assert by_node(str(folder), str(anchors)) == {
        "verdict": "sound",
        "finished": True,
        "lines": ours.records,
        "outcomes": ours.counts,
        "head": ours.anchor.partition(":")[2],
    }
    for name in ("decisions", "audit/manifest.jsonl", "audit/000001.jsonl.zst", "checkpoint"):
        content = (folder / name).read_bytes()
        at = random.Random(name).randrange(len(content) - 2)
        (folder / name).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert by_node(str(folder))["verdict"] == "damaged", (name, at)
        assert verify_folder(folder)[0].found.faults, (name, at)
        (folder / name).write_bytes(content)


@needs_node
def test_both_verifiers_say_the_same_of_whatever_becomes_of_a_log(tmp_path: Path) -> None:
    """Changed, cut, zeroed, doubled and moved at random: what only one of them sees, the text does not say."""
    chance = random.Random(11)
    logs = {f"{number:03d}": mutilated(chance, VECTORS["whole"].log) for number in range(120)}
    for name, log in logs.items():
        (tmp_path / f"{name}.jsonl").write_bytes(log)
    document = {"plan": PLAN, "records": RECORDS, "vectors": {name: {} for name in logs}}
    (tmp_path / "expected.json").write_text(json.dumps(document))
    answers = by_node("--vectors", str(tmp_path))["vectors"]
    verdicts = {name: ours(tmp_path / name, log) for name, log in logs.items()}
    assert {name: answer["verdict"] for name, answer in answers.items()} == verdicts
    assert 9 < list(verdicts.values()).count("sound") < 60


def ours(folder: Path, log: bytes) -> str:
    (folder / "audit").mkdir(parents=True)
    (folder / "audit/000001.jsonl").write_bytes(log)
    found = verify(folder, plan=PlanFacts(digest=PLAN, records=RECORDS))
    return "damaged" if found.faults else "sound"


def mutilated(chance: random.Random, log: bytes) -> bytes:
    at, length = chance.randrange(len(log)), chance.choice([1, 2, 40, 512])
    sector = at - at % 512
    match chance.randrange(7):
        case 0:
            return log[:at] + bytes([chance.randrange(256)]) + log[at + 1 :]
        case 1:
            return log[:at]
        case 2:
            return log[:sector] + bytes(512) + log[sector + 512 :]
        case 3:
            return log[:at] + bytes(length)
        case 4:
            return log[:at] + log[at + length :]
        case 5:
            return log[:at] + log[at : at + length] + log[at:]
    lines = log.splitlines(keepends=True)
    return b"".join(lines[: chance.randrange(len(lines) + 1)]) + chance.choice([b"", b"\n", b"{", lines[-1][:100]])
