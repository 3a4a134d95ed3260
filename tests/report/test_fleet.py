"""A fleet's table: news on plain streams, a table on terminals, nothing hostile on either."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from glacier_purge.report.displays import fleet_display
from glacier_purge.report.fleet import PlainFleet, Pressing, Row, folded, row_sentence
from glacier_purge.report.live import LiveFleet, _fitting, _table

AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def row(standing: str = "waiting for an inventory", vault: str = "photos", phase: str = "inventory") -> Row:
    return Row(vault=vault, where="123456789012 us-east-1", phase=phase, standing=standing, until=AT)


def test_a_row_says_which_vault_waits_for_what_and_until_when() -> None:
    assert row_sentence(row()) == (
        "photos (123456789012 us-east-1), inventory: waiting for an inventory; next look at 2026-11-23T01:02:03Z"
    )
    assert row_sentence(Row(vault="a", where="b", phase="c", standing="d\x1b[2J")) == "a (b), c: d\\x1b[2J"


def test_a_moment_is_whole_on_a_narrow_terminal() -> None:
    """Broken at its space, never cut."""
    console = Console(file=StringIO(), width=80)
    console.print(_table([row("waiting for the vault's first inventory, which comes half a day after an upload")]))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO from above
    assert "2026-11-23" in drawn
    assert "01:02:03" in drawn
    assert "\u2026" not in drawn
    assert max(map(len, drawn.splitlines())) == 80


def test_plain_lines_are_written_for_news_and_once_a_day() -> None:
    stream, now = StringIO(), AT
    table = PlainFleet(stream, every_seconds=10.0, now=lambda: now)
    with table:
        for hours in (0, 1, 23.9, 24, 25):
            now = AT + timedelta(hours=hours)
            table.show([row(), row(vault="films")])
        with table.aside():
            table.show([row("news in a question")])
        table.show([row(), row(vault="films", phase="plan")])
    lines = stream.getvalue().splitlines()
    assert [line.split(" ")[:2] for line in lines] == [
        ["2026-11-23T01:02:03Z", "photos"],
        ["2026-11-23T01:02:03Z", "films"],
        ["2026-11-24T01:02:03Z", "photos"],
        ["2026-11-24T01:02:03Z", "films"],
        ["2026-11-24T02:02:03Z", "films"],
    ]


def test_a_terminal_gets_a_table_and_others_get_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "vt100")

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    table = fleet_display(stream, plain_every_seconds=10.0, now=lambda: AT)
    assert isinstance(table, LiveFleet)
    with table:
        table.show([row("3 \x1b[2J")])
        with table.aside():
            table.show([row("overdrawn")])
        table.show([row("3 \x1b[2J")])
        table.show([row("3 \x1b[2J")])
        with table.aside():
            stream.write("a question\n")
    drawn, _, after = stream.getvalue().partition("a question\n")
    assert "\x1b[1A" in drawn
    assert "\x1b[1A" not in after.partition("photos")[0], "the next table begins below the question"
    assert "photos" in drawn
    assert "3 \\x1b[2J" in drawn
    assert "overdrawn" not in drawn
    assert isinstance(fleet_display(StringIO(), plain_every_seconds=10.0, now=lambda: AT), PlainFleet)


def fleet_of(*pressing: Pressing) -> list[Row]:
    return [replace(row(vault=f"vault-{number}"), pressing=each) for number, each in enumerate(pressing)]


@pytest.mark.parametrize(
    ("rows", "lines", "shown", "others"),
    [
        (
            fleet_of(*[Pressing.WAITS] * 9, Pressing.WORKS, Pressing.DONE, Pressing.ASKS),
            5,
            ["vault-9", "vault-11"],
            "10 more: 9 waiting (next look 2026-11-23 01:02 UTC), 1 done",
        ),
        (
            fleet_of(*[Pressing.WORKS] * 9, Pressing.FAILED, Pressing.ASKS),
            3,
            ["vault-0", "vault-9", "vault-10"],
            "8 more: 8 with news for which there is no room",
        ),
        (
            [
                replace(one, until=AT - timedelta(hours=number))
                for number, one in enumerate(fleet_of(*[Pressing.WAITS] * 9))
            ],
            2,
            ["vault-7", "vault-8"],
            "7 more: 7 waiting (next look 2026-11-22 19:02 UTC)",
        ),
    ],
)
def test_a_fleet_folds_to_what_does_not_only_wait(rows: list[Row], lines: int, shown: list[str], others: str) -> None:
    chosen, told = folded(rows, lines)
    assert [one.vault for one in chosen] == shown
    assert told == others


@pytest.mark.parametrize("columns", [80, 120])
def test_a_fleet_of_twelve_is_whole_on_24_lines(columns: int) -> None:
    rows = fleet_of(*[Pressing.WAITS] * 9, Pressing.WORKS, Pressing.FAILED, Pressing.ASKS)
    rows = [
        replace(one, standing="waiting for the vault's first inventory, half a day after an upload") for one in rows
    ]
    console = Console(file=StringIO(), width=columns, height=24)
    drawn = _fitting(rows, console)
    lines = console.render_lines(drawn, console.options.update(height=None))
    assert len(lines) < 24
    text = "".join(segment.text for line in lines for segment in line)
    for vault in ("vault-9", "vault-10", "vault-11"):
        assert vault in text
    assert "9 more: 9 waiting" in text
    assert "more:" not in "".join(
        segment.text for line in console.render_lines(_fitting(rows[9:], console)) for segment in line
    )
