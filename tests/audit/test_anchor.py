"""Anchors as notes: what was cut back, rewritten or replaced shows to who kept one, whatever else is in the file."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.anchor import Anchor, note, notes_bytes
from glacier_purge.audit.verification import NotToBeChecked, read_anchor, read_notes, verify_folder, verify_run
from tests.audit.logs import PLAN, RUN
from tests.e2e.claimed import certified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT = datetime(2026, 11, 22, 15, 14, 3, tzinfo=UTC)
SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"
OTHER = hashlib.sha256(b"another plan").hexdigest()


def anchor(seq: int = 70, digest: str = "ab" * 32, plan: str = PLAN, run: str = RUN) -> Anchor:
    return Anchor.of(f"{seq}:{digest}", run=run, plan_digest=plan, at=AT)


def test_a_note_is_five_lines() -> None:
    head = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
    assert anchor().text() == f"glacier-purge/{RUN}\n71\n{head}\nplan {PLAN}\ntime 2026-11-22T15:14:03Z\n".encode()


@pytest.mark.parametrize("run", ["a run", "ligne\nbrisée", "%2F", "\udcff", "x" * 255])
def test_a_run_of_any_name_has_a_note_that_is_read(run: str) -> None:
    assert read_notes(notes_bytes([note(anchor(run=run).text())]))[0].seq == 70


def test_a_file_has_one_note_after_the_other_signed_or_not() -> None:
    notes = [note(anchor().text(), SIGNATURE), note(anchor(plan=OTHER).text()), note(anchor(seq=3).text(), SIGNATURE)]
    assert read_notes(notes_bytes(notes)) == notes
    assert [(one.seq, one.digest, one.plan) for one in notes][1] == (70, "ab" * 32, OTHER)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.replace(b"\n", b"\r\n"), "from byte 0 on, its line ends were converted"),
        (lambda content: content + b"#", "on, it is not as one was written"),
        (lambda _: b"", "from byte 0 on, it is not as one was written"),
    ],
)
def test_a_file_of_anchors_that_is_none_is_refused_with_what_became_of_it(
    change: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(NotToBeChecked, match=said):
        read_notes(change(notes_bytes([note(anchor().text())])))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda text: text[1:],
        lambda text: text[:-3],
        lambda text: text + b"more",
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n71\n", b"\n-1\n"),
        lambda text: text.replace(b"\n71\n", b"\n0\n"),
        lambda text: text.replace(b"plan ", b"plan 0"),
        lambda text: text.replace(b"-----END", b"----END"),
    ],
)
def test_anything_else_is_no_file_of_anchors(spoil: object, tmp_path: Path) -> None:
    assert callable(spoil)
    (tmp_path / "anchors").write_bytes(spoil(notes_bytes([note(anchor().text(), SIGNATURE)])))
    with pytest.raises(NotToBeChecked, match="not an anchor"):
        read_anchor(str(tmp_path / "anchors"))


def test_a_name_that_no_file_has_is_no_anchor(tmp_path: Path) -> None:
    for name in (str(tmp_path / "missing"), str(tmp_path), "\0", "5:abc"):
        with pytest.raises(NotToBeChecked, match="not an anchor"):
            read_anchor(name)


def test_a_note_vouches_for_its_own_log_and_for_no_other(tmp_path: Path) -> None:
    folder = asyncio.run(certified(tmp_path / "run")).path
    [(_, _, whole)] = verify_folder(folder)
    assert whole.anchor is not None
    assert whole.plan is not None
    head = Anchor.of(whole.anchor, run="run", plan_digest=whole.plan, at=AT)
    for held, told in [
        (head, []),
        (replace(head, head="cd" * 32), ["changed"]),
        (replace(head, records=72), ["truncated"]),
        (replace(head, records=12, head="cd" * 32), ["changed"]),
        (replace(head, plan_digest=OTHER, records=72), []),  # of a log in another folder
        (replace(head, plan_digest=OTHER, records=12, head="cd" * 32), []),
        (replace(head, plan_digest=OTHER, records=1, head="cd" * 32), []),
    ]:
        assert [fault.kind for fault in verify_run(folder, notes=[note(held.text())]).faults] == told
    gone = note(replace(head, plan_digest=OTHER).text())
    [fault] = verify_folder(folder, notes=[note(head.text()), gone])[0].found.faults
    assert "71 records under plan" in fault.message
    assert "that log is gone, or was replaced" in fault.message
