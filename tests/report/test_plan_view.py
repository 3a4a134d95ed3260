"""The page of a plan: readable, and safe for a terminal whatever strangers wrote into descriptions."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from glacier_purge.plan.choices import Choices
from glacier_purge.plan.choosing import PlanContext, open_selection
from glacier_purge.plan.cost import estimate, read_price_table
from glacier_purge.plan.forecast import forecast
from glacier_purge.report.bars import bar_on, blocks, hashes
from glacier_purge.report.plan_view import PlanView
from tests.plan.archives import TARGET, archive, plan_of, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.archive import Archive

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def view(
    tmp_path: Path, archives: list[Archive], choices: Choices, *held: str, retrievals_looked_at: bool = False
) -> PlanView:
    folder = tmp_path / "run"
    spooled = snapshot(folder, archives)
    with open_selection(choices, PlanContext(now=NOW, held=frozenset(held)), folder) as selection:
        plan = plan_of(spooled, TARGET, selection)
    ahead = forecast(plan.counts.selected, NOW, known=None, per_second_max=None, has_inventory=True)
    return PlanView(
        run_dir="runs/photos",
        plan=plan,
        retrievals_looked_at=retrievals_looked_at,
        estimate=estimate(plan, read_price_table(None), NOW.date()),
        forecast=ahead,
    )


def test_the_page_says_what_goes_what_stays_and_what_it_costs(tmp_path: Path) -> None:
    archives = [
        *(archive(number, created=f"20{12 + number % 4}-01-01T00:00:00Z") for number in range(8)),
        archive(8, created="2026-11-01T00:00:00Z", size_bytes=1 << 30),
        archive(9, size_bytes=1),
    ]
    seen = view(tmp_path, archives, Choices(min_size="2"))
    page = seen.as_text("Do it")
    for line in [
        "Plan for vault photos in eu-west-1, account 123456789012",
        "  goes        9 archives, 1.0 GiB, uploaded 2012-01-01T00:00:00Z to 2026-11-01T00:00:00Z",
        "                  1  smaller than 2 bytes",
        "  2012-01              2      2.0 KiB  ################################",
        "  1 GiB to 32 GiB              1      1.0 GiB  ####",
        "Estimates, at prices as of 2021-11 (put your own in: estimate.prices_file)",
        "  sender      one process at a time on this host; other hosts and containers are not kept out",
        f"digest  {seen.plan.digest}",
        "Do it",
    ]:
        assert line in page.splitlines()
    assert "  early deletion  0.01 USD for 1 archives younger than 90 days (1.0 GiB); keeping them" in page
    assert "NOTE: nobody looked whether somebody is retrieving archives" in page


def test_the_page_says_whether_retrievals_were_looked_at(tmp_path: Path) -> None:
    def told(name: str, choices: Choices, *held: str, looked: bool) -> list[str]:
        archives = [archive(number) for number in range(3)]
        (tmp_path / name).mkdir()
        page = view(tmp_path / name, archives, choices, *held, retrievals_looked_at=looked).as_text().splitlines()
        return [line.strip() for line in page if "retriev" in line and not line.startswith("    ")]

    assert told("none", Choices(), looked=True) == ["retrievals  looked at; nobody retrieves an archive"]
    held = archive(1).archive_id
    assert told("one", Choices(), held, looked=True) == ["retrievals  looked at; 1 archives are being retrieved"]
    unseen = told("unseen", Choices(), looked=False)
    assert unseen[0] == "retrievals  not looked at"
    assert unseen[1].startswith("NOTE: nobody looked whether somebody is retrieving archives")
    ignored = told("ignored", Choices(in_retrieval="delete"), looked=False)
    assert [line.partition(":")[0] for line in ignored[1:]] == ["NOTE"]
    assert "as --in-retrieval delete asked for" in ignored[1]


def test_months_are_shown_as_years_where_there_are_many(tmp_path: Path) -> None:
    archives = [archive(n, created=f"{2012 + n // 12}-{n % 12 + 1:02}-01T00:00:00Z") for n in range(36)]
    page = view(tmp_path, archives, Choices()).as_text()
    assert "  2013             12     11.7 KiB  ################################" in page.splitlines()


def test_what_strangers_wrote_cannot_steer_the_terminal(tmp_path: Path) -> None:
    page = view(tmp_path, [archive(0, description="\x1b[2J\u202enasty\nNothing stays")], Choices()).as_text()
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\\x1b[2J\\u202enasty\\nNothing stays" in page


@pytest.mark.parametrize(
    ("part", "of_hashes", "of_blocks"),
    [(0, "", ""), (1, "#", "▏"), (32, "#" * 16, "█" * 16), (33, "#" * 17, "█" * 16 + "▌"), (64, "#" * 32, "█" * 32)],
)
def test_bars_show_something_for_something_and_halves_as_halves(part: int, of_hashes: str, of_blocks: str) -> None:
    assert hashes(part, 64) == of_hashes
    assert blocks(part, 64 if part != 1 else 10_000) == of_blocks


def test_blocks_are_for_terminals_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    assert bar_on(Terminal()) is blocks
    assert bar_on(io.StringIO()) is hashes
    monkeypatch.setattr(Terminal, "encoding", "latin-1")
    assert bar_on(Terminal()) is hashes
    monkeypatch.setattr(Terminal, "encoding", "utf-8")
    monkeypatch.setenv("TERM", "dumb")
    assert bar_on(Terminal()) is hashes
