"""RELIABILITY.md is what the record gives: nothing is left out of it, and nothing is claimed that no run did."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.reliability.campaign import Campaign, every_campaign
from tests.reliability.record import (
    ROOT,
    Record,
    a_run,
    commit_here,
    keep,
    read_kept,
    read_record,
    write_record,
)
from tests.reliability.report import FOUND, REPORT, render
from tests.reliability.schedule import NIGHTS_BEGIN, Reached
from tests.test_design import named_tests

if TYPE_CHECKING:
    from pathlib import Path


def nothing(_: int, __: Path) -> Counter[str]:
    return Counter()


CRASHES = Campaign("crashes", "Power is cut; the log is a prefix.", ("T1",), ("I7",), "images", 100, nothing)
KILLS = Campaign("kills", "The process is killed; it goes on.", ("T3",), ("I5",), "kills", 10, nothing)


def a_night(last: int, *, violations: dict[int, str] | None = None, ended_early: bool = False) -> Record:
    record = Record()
    did = Reached(Counter(torn=3, lost=4), 2, NIGHTS_BEGIN, last, violations or {}, 1.25)
    night = {"commit": "abc", "command": "make nightly HOURS=2", "seconds": 7000.0, "ended_early": ended_early}
    record.add(a_run("night", reached={"crashes": did}, **night))  # type: ignore[arg-type]  # each is what it should be
    return record


def test_it_is_what_the_record_gives() -> None:
    given = render(read_record(), every_campaign(), read_kept(), FOUND.read_text("utf-8"))
    assert REPORT.read_text("utf-8") == given, "write it again: python -m tests.reliability.report"


def test_every_campaign_has_a_row_also_one_that_was_never_tried() -> None:
    text = render(a_night(NIGHTS_BEGIN + 1), [CRASHES, KILLS], {}, "")
    asked, reached = (part.partition("\n## ")[0] for part in text.split("\n## ")[1:3])
    assert "| `crashes` | Power is cut; the log is a prefix. | T1 | I7 | 100 images |" in asked
    assert "| `kills` | The process is killed; it goes on. | T3 | I5 | 10 kills |" in asked
    assert "| `crashes` | 7 images | 2 | 2 | 0 |" in reached
    assert "| `kills` | none yet |" in reached


def test_a_night_is_told_with_its_seeds_and_what_did_not_hold() -> None:
    early = render(a_night(NIGHTS_BEGIN + 1, violations={7: "no"}, ended_early=True), [CRASHES], {}, "")
    assert "`make nightly HOURS=2` at commit abc" in early
    assert "117 min, ended early" in early
    assert f"| `crashes` | 7 images | 2 | 2 | {NIGHTS_BEGIN} to {NIGHTS_BEGIN + 1} | 7 | 1 s |" in early
    assert "ended early" not in render(a_night(NIGHTS_BEGIN + 1), [CRASHES], {}, "")


def test_runs_add_up_and_the_furthest_seed_is_remembered(tmp_path: Path) -> None:
    record = a_night(NIGHTS_BEGIN + 9)
    record.add(a_night(NIGHTS_BEGIN + 4, violations={3: "no"}).runs["night"])
    write_record(record, tmp_path / "record.json")
    again = read_record(tmp_path / "record.json")
    assert again == record
    assert again.totals["crashes"].units == 14
    assert again.totals["crashes"].violations == 1
    assert again.furthest() == {"crashes": NIGHTS_BEGIN + 9}
    assert len(again.runs) == 1


def test_a_run_of_another_record_that_ended_before_does_not_take_the_place_of_the_last() -> None:
    record = a_night(NIGHTS_BEGIN + 9)
    last = record.runs["night"] = msgspec.structs.replace(record.runs["night"], date="2026-11-02 03:04")
    for earlier in ("2026-11-02 03:03", "2026-11-02", "2026-10-30 12:00"):
        record.add(msgspec.structs.replace(last, date=earlier, commit="def"))
    assert record.runs["night"] == last
    assert record.totals["crashes"].units == 28  # what it reached counts all the same
    record.add(later := msgspec.structs.replace(last, date="2026-11-02 03:05", commit="def"))
    assert record.runs["night"] == later


def test_seeds_that_failed_are_kept_with_what_they_showed_and_never_lost(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    keep({"crashes": Reached(violations={7: "Traceback\n  File x\nAssertionError: torn\n"})}, "abc", file)
    keep({"crashes": Reached(), "kills": Reached(violations={7: "It hung."})}, "def", file)
    keep({"crashes": Reached(violations={7: "another reason", 8: "gone"})}, "ghi", file)
    assert read_kept(file) == {
        "crashes": {"7": "abc: AssertionError: torn", "8": "ghi: gone"},
        "kills": {"7": "def: It hung."},
    }


def test_what_was_found_names_tests_that_exist() -> None:
    named = named_tests(FOUND.read_text("utf-8"))
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or f"def {test}(" not in (ROOT / file).read_text("utf-8")
    ]
    assert missing == []
    assert len(named) > 5


@pytest.mark.parametrize(
    "file", ["RELIABILITY.md", "tests/reliability/record.json", "tests/reliability/kept_seeds.json"]
)
def test_nothing_of_the_machine_is_in_what_is_written(file: str) -> None:
    if (ROOT / file).exists():
        assert not re.search(r"/(tmp|root|home|work|var)/", (ROOT / file).read_text("utf-8"))


def test_a_tree_that_is_not_as_it_was_committed_is_told() -> None:
    assert re.fullmatch(r"[0-9a-f]{10}( with changes)?|unknown", commit_here())
