"""How long work is told: in words, and often enough that nobody wonders whether it goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from glacier_purge.inventory.inspection import inspect
from glacier_purge.long_work import LongWork, Unit, watched_by
from glacier_purge.report.displays import works_display
from glacier_purge.report.live import LiveWorks, WorkBars
from glacier_purge.report.works import PlainWorks, Works, WorkView
from tests.plan.archives import VAULT, archive_id

if TYPE_CHECKING:
    from pathlib import Path

BEGUN = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """Seconds since ``BEGUN``, as far as somebody set them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return BEGUN + timedelta(seconds=self.seconds)


@pytest.mark.parametrize(
    ("what", "unit", "done", "total", "per_second", "told"),
    [
        (
            "reading",
            Unit.BYTES,
            1 << 30,
            4 << 30,
            float(1 << 20),
            "1.0 GiB of 4.0 GiB (25.0%), 1.0 MiB/s, 5 s so far, 51 min 12 s left",
        ),
        ("reading", Unit.BYTES, 1 << 30, None, None, "1.0 GiB, 5 s so far"),
        ("deciding", Unit.RECORDS, 10, 40, 2.0, "10 records of 40 records (25.0%), 2/s, 5 s so far, 15 s left"),
        ("sorting", Unit.PARTS, 10, 40, 2.0, "25.0%, 5 s so far, 15 s left"),
        ("asking", Unit.PARTS, 0, None, None, "5 s so far"),
        ("over", Unit.BYTES, 9, 8, 1.0, "9 B of 8 B (100.0%), 1 B/s, 5 s so far, 0 s left"),
        ("\x1b[2J", Unit.PARTS, 0, None, None, "5 s so far"),
    ],
)
def test_a_work_is_one_line(
    what: str, unit: Unit, done: int, total: int | None, per_second: float | None, told: str
) -> None:
    view = WorkView(number=1, what=what, unit=unit, done=done, total=total, elapsed_seconds=5.0, per_second=per_second)
    assert view.sentence.partition(": ")[2] == told
    assert view.sentence.isprintable()
    assert view.ended.endswith(" took 5 s")


def test_the_rate_is_of_the_last_seconds_and_of_what_was_done_here() -> None:
    clock = Clock()
    works, work = Works(clock), LongWork("downloading", 10_000, Unit.BYTES, 5_000)
    works.begins(work)
    assert works.views()[0].per_second is None
    for clock.seconds in range(1, 30):
        work.add(100)
        [view] = works.views()
        assert view.per_second == 100.0
    for clock.seconds in range(30, 60):
        works.views()
    [view] = works.views()
    assert (view.per_second, view.remaining_seconds) == (0.0, None)
    works.ends(work)
    assert not works.views()


def test_lines_are_written_within_two_seconds_and_then_every_ten() -> None:
    clock, stream = Clock(), StringIO()
    works, plain = Works(clock), PlainWorks(stream, every_seconds=10.0, now=clock.now)
    work = LongWork("reading inventory.json", 3_000, Unit.BYTES, 0)
    works.begins(work)
    for clock.seconds in [quarter / 4 for quarter in range(120)]:
        work.add(25)
        plain.show(works.views())
    works.ends(work)
    plain.show(())
    lines = stream.getvalue().splitlines()
    assert [line[17:19] for line in lines] == ["00", "10", "20", "29"]
    assert lines[0] == "2026-11-23T12:00:00Z reading inventory.json: 75 B of 2.9 KiB (2.5%), 0 s so far"
    assert lines[-1] == "2026-11-23T12:00:29Z reading inventory.json took 30 s"


def test_many_short_works_are_a_long_one_to_whoever_waits_and_one_alone_is_nothing() -> None:
    clock, stream = Clock(), StringIO()
    works, plain = Works(clock), PlainWorks(stream, every_seconds=10.0, now=clock.now)
    for _ in range(10):
        work = LongWork("checking a file", None, Unit.PARTS, 0)
        works.begins(work)
        plain.show(works.views())
        clock.seconds += 0.5
        works.ends(work)
        plain.show(())
    assert stream.getvalue().count("checking a file: ") >= 3
    stream.truncate(0)
    clock.seconds += 3_600
    works.begins(LongWork("a look at a hold", None, Unit.PARTS, 0))
    plain.show(works.views())
    clock.seconds += 0.5
    plain.show(())
    assert "a hold" not in stream.getvalue()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_bars_are_drawn_and_gone_before_what_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "vt100")
    clock, stream = Clock(), Terminal()
    works = Works(clock)
    live = works_display(stream, plain_every_seconds=10.0, now=clock.now)
    assert isinstance(live, LiveWorks)
    work = LongWork("reading [bold]x[/bold]", 4_000, Unit.BYTES, 1_000)
    works.begins(work)
    live.show(works.views())
    assert not stream.getvalue(), "it may be over at once"
    clock.seconds = 1.0
    live.show(works.views())
    assert "reading [bold]x[/bold]" in stream.getvalue()
    assert "25%" in stream.getvalue()
    live.show(())
    assert stream.getvalue().endswith("\r\x1b[2K\x1b[?25h\r") or "\x1b[2K" in stream.getvalue()[-40:]
    live.show(())


def test_each_unit_has_its_bar() -> None:
    stream = StringIO()
    console = Console(file=stream, width=120)
    bars = WorkBars(console)
    views = [
        WorkView(number=number, what=unit.value, unit=unit, done=1, total=total, elapsed_seconds=1, per_second=None)
        for number, (unit, total) in enumerate([(unit, total) for unit in Unit for total in (4, None)])
    ]
    bars.update(views)
    console.print(bars.picture)
    bars.update(views[:1])
    console.print(bars.picture)
    drawn = stream.getvalue().splitlines()
    assert len(drawn) == len(views) + 1
    assert "1 of 4" in stream.getvalue()
    assert max(map(len, drawn)) == 120


def test_a_slow_source_is_read_without_a_gap_of_more_than_ten_seconds_and_told_within_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inventory whose every chunk takes a second to come, inspected as the verb does it."""
    records = [
        {
            "ArchiveId": archive_id(number),
            "ArchiveDescription": "x" * 800,
            "CreationDate": "2020-01-31T12:00:00Z",
            "Size": 1,
            "SHA256TreeHash": "0" * 64,
        }
        for number in range(2_500)
    ]
    document = {"VaultARN": VAULT.arn, "InventoryDate": "2026-11-01T00:00:00Z", "ArchiveList": records}
    file = tmp_path / "inventory.json"
    file.write_text(json.dumps(document, separators=(",", ":")), "ascii")
    clock, stream = Clock(), StringIO()
    works, plain = Works(clock), PlainWorks(stream, every_seconds=10.0, now=clock.now)

    def slowly(self: LongWork, more: int) -> None:
        self.done += more
        clock.seconds += 1.0
        plain.show(works.views())

    monkeypatch.setattr(LongWork, "add", slowly)
    with watched_by(works):
        assert inspect(str(file)).records == 2_500
    plain.show(works.views())
    lines = stream.getvalue().splitlines()
    seconds = [(datetime.fromisoformat(line.partition(" ")[0]) - BEGUN).total_seconds() for line in lines]
    assert clock.seconds > 30
    assert seconds[0] <= 2
    assert max(later - earlier for earlier, later in pairwise(seconds)) <= 10
    assert "left" in lines[2]
    assert lines[-1].endswith(f"reading inventory.json took {clock.seconds:.0f} s")
