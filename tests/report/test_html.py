"""Pages: what they say, that they are whole, and that nothing a stranger wrote is more than text in them."""

from __future__ import annotations

import asyncio
import dataclasses
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.archive import Vault
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.recovery import read_log_identity, read_whole_log
from glacier_purge.audit.timeline import FailedArchive, Saying
from glacier_purge.cli import main
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.fleet.roster import settled_roster, write_roster
from glacier_purge.plan.choices import Choices
from glacier_purge.plan.cost import read_price_table
from glacier_purge.report.fleet_report import FleetReport
from glacier_purge.report.html.chart import rounded_ticks, time_ticks
from glacier_purge.report.html.page import as_html, percent, stranger, when
from glacier_purge.report.html.page import said as page_said
from glacier_purge.report.run_report import RunReport
from glacier_purge.report.shape import shape_of
from glacier_purge.report.vault_report import VaultReport, Verdict
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.folder import RunFolder
from tests.answers import check_answer
from tests.audit.logs import outcome
from tests.audit.test_timeline import at, beat
from tests.clients import VAULT, simulated
from tests.e2e.claimed import certified, planned
from tests.lifecycle.lifecycles import carried, ids_of, listed, listing

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    "</bdi></td></table><h1>deleted nothing",
    "{{ 7*7 }} {% include 'x' %}",
    "javascript:alert(1)",
    "\u202egnp.exe\u202c",
    "\x1b[2Jclean\x07",
    "a\u0000b\u00ad\u200b\ufeff",
    "&lt;b&gt; &amp;amp;",
    "<!-- --!> <![CDATA[ ]]>",
    "x" * 10_000,
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made")
    asyncio.run(certified(place / "run"))
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        environment.setenv("XDG_STATE_HOME", str(place / "state"))
        asyncio.run(lived(place / "lifecycle"))
    return place


async def lived(place: Path) -> None:
    async with simulated(archives=30) as (glacier, _):
        await carried(glacier, place, Choices(ids=listed(place.with_name("ids"), ids_of(glacier)[:10])))


def report(folder: Path) -> VaultReport:
    return VaultReport.of(RunFolder.look(folder), read_price_table(None), NOW)


class Page(HTMLParser):
    """A page taken apart: which elements and attributes it has, its text, and whether each element is closed."""

    VOID = frozenset({"meta", "br", "wbr", "path", "line", "rect"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check(html: str) -> Page:
    """A page that loads nothing, runs nothing, and is whole."""
    page = Page(html)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert page.tags.isdisjoint({"script", "link", "iframe", "object", "embed", "form", "input", "img", "base"})
    assert not [name for name in page.attributes if name.startswith("on") or name in {"src", "srcset", "action"}]
    assert [link for link in page.links if not link.startswith("#")] == []
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(html) < 500_000
    return page


def test_a_proven_run_says_so_first_with_its_figures_and_how_to_check_them(made: Path) -> None:
    it = report(made / "run")
    page = check(as_html(it, NOW))
    assert it.verdict is Verdict.PROVEN
    first_screen = page.text[: page.text.index("Does it add up")]
    assert "Deleted, and proven gone by a newer inventory" in first_screen
    assert f"{it.deleted:,} of {it.deleted:,} planned archives deleted" in first_screen
    assert it.rounds[0].certificate is not None
    for digest in (it.rounds[0].certificate.digest, it.rounds[0].plan.digest, it.rounds[0].plan.snapshot.sha256):
        assert digest in page.text
    assert "the sum is the same" in page.text


def test_the_commands_that_the_page_prints_do_what_it_says(made: Path) -> None:
    text = Page(as_html(report(made / "run"), NOW)).text
    [verify] = [line for line in text.splitlines() if line.startswith("glacier-purge audit verify")]
    assert main(shlex.split(verify)[1:]) == 0
    [begins] = [line for line in text.splitlines() if line.startswith("# has to begin with ")]
    [hashed] = [line for line in text.splitlines() if line.startswith("sha256sum ")]
    found = subprocess.run(shlex.split(hashed), check=True, capture_output=True, text=True).stdout
    assert found.startswith(begins.split()[-1])
    wrong = shlex.split(verify)[1:]
    wrong[-1] = wrong[-1][:-1] + ("0" if wrong[-1][-1] != "0" else "1")
    assert main(wrong) == 4


def test_a_lifecycle_shows_where_the_days_went(made: Path) -> None:
    it = report(made / "lifecycle")
    assert it.calendar is not None
    page = check(as_html(it, NOW))
    assert "Where the" in page.text
    for phase in it.calendar.phases:
        assert phase.event[1:] in page.text


def test_a_plan_that_nobody_carried_out_has_a_page_too(tmp_path: Path) -> None:
    folder, _ = planned(tmp_path / "run")
    it = report(folder.path)
    assert it.verdict is Verdict.NOTHING_SENT
    assert "What is to go" in check(as_html(it, NOW)).text


def test_a_page_made_of_sums_is_the_page_made_of_the_whole_log(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "run", tmp_path / "run")
    with_sums = as_html(report(tmp_path / "run"), NOW)
    for checkpoint in (tmp_path / "run").glob("checkpoint*"):
        checkpoint.unlink()
    assert as_html(report(tmp_path / "run"), NOW) == with_sums
    disk = FileDisk(made / "run")
    identity = read_log_identity(disk)
    assert identity is not None
    whole = read_whole_log(disk, identity)
    assert whole.ledger.timeline.sayings


@pytest.mark.usefixtures("credentials")
async def test_a_fleet_shows_first_who_waits_for_a_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet = RunFolder.create(tmp_path / "fleet")
    films, reels = (Vault(account_id=VAULT.account_id, region=VAULT.region, name=name) for name in ("films", "reels"))
    async with simulated(archives=30) as (glacier, _):
        glacier.service.generate_vault("films", 20, 1_000_000_000.0)
        write_roster(fleet, listing(VAULT, films, reels, endpoint_url=glacier.endpoint_url))
        await carried(glacier, fleet.path / folder_name(VAULT))
        await carried(glacier, fleet.path / folder_name(films), approve=None, vault=films)
        with RunFolder.look(fleet.path / folder_name(films)).locked(
            films, glacier.endpoint_url
        ):  # one that waits for it at a terminal
            waits = FleetReport.of(fleet, [(fleet, listing(films, VAULT, endpoint_url=glacier.endpoint_url))])
    assert [(row.vault.name, row.standing.state) for row in waits.rows] == [("films", "waiting"), ("photos", "done")]
    (fleet.path / folder_name(reels)).mkdir()
    (fleet.path / folder_name(reels) / "lifecycle.jsonl").write_bytes(b"<script>\n")
    roster = settled_roster(fleet)
    assert roster is not None
    it = FleetReport.of(fleet, [(fleet, roster)])
    html = as_html(it, NOW)
    page = Page(html)
    assert [row.vault.name for row in it.rows] == ["reels", "films", "photos"]
    assert "1 of them can’t go on before somebody looks" in page.text
    assert page.links == [f"{folder_name(vault)}/report.html" for vault in (films, VAULT)]
    assert str(it.wanted[0].confirm_digest) in page.text
    assert page.tags.isdisjoint({"script", "link", "iframe", "img", "form"})
    assert main(["report", str(fleet.path), "--output", "json"]) == 0
    answer = check_answer("report", capsys.readouterr().out)
    assert (answer["result"], answer["done"], answer["vaults"]) == ("fleet", 1, 3)


def test_counts_of_the_log_are_written_as_counts() -> None:
    said = page_said(Saying(at(0), "canary", {"archives": 10.0, "failed": 0.0}))
    assert said == "The first 10 archives are settled; 0 of them failed"


def test_a_line_of_one_point_is_not_drawn(made: Path) -> None:
    calm = report(made / "run")
    [run] = calm.rounds
    ledger = Ledger(10)
    ledger.apply([beat("first_delete", active_seconds=0.0)], ts=at(0), epoch=1)
    ledger.apply([outcome(0), beat("first_delete", active_seconds=0.1)], ts=at(1), epoch=1)
    short = dataclasses.replace(calm, rounds=(dataclasses.replace(run, shape=shape_of(ledger.timeline)),))
    page = check(as_html(short, NOW))
    assert "Deletes a second" not in page.text
    assert "Time to a reply" not in page.text
    assert "Archives deleted" in page.text


def test_rounds_that_deleted_nothing_are_not_what_is_told_as_sent(made: Path) -> None:
    proven = report(made / "run")
    [run] = proven.rounds
    ledger = Ledger(10)
    ledger.apply([beat("first_delete", active_seconds=0.0)], ts=at(0), epoch=1)
    nothing = dataclasses.replace(run, last_deletion=None, first_deletion=None, shape=shape_of(ledger.timeline))
    never = dataclasses.replace(nothing, shape=None)
    for rounds in ((nothing,), (never,), (nothing, never)):
        assert "Deletes sent" not in check(as_html(dataclasses.replace(proven, rounds=rounds), NOW)).text
    for some in ((nothing, run), (run, never), (never, run)):
        text = check(as_html(dataclasses.replace(proven, rounds=some), NOW)).text
        assert f"Deletes sent {when(run.began or '')} to" in text


def busy(it: VaultReport, text: str) -> VaultReport:
    """The report with a week behind it, and with what a stranger wrote wherever strangers write."""
    ledger = Ledger(100_000)
    causes = ("first_delete", "looking_for_limit", "at_limit", "window", "faults", "throttled", text, "hold")
    for n in range(400):
        facts: dict[str, Any] = {"active_seconds": 60.0 * n, "throttled": n // 7, "server_faults": n // 9}
        facts |= {"p50_ms": 40.0 + n % 11}
        ledger.apply([beat(causes[n // 50], **facts)], ts=at(60 * n), epoch=1 + n // 300)
    [run] = it.rounds
    plan = msgspec.structs.replace(
        run.plan,
        samples=[msgspec.structs.replace(sample, description=text) for sample in run.plan.samples],
        reasons=[
            msgspec.structs.replace(reason, parameter=text, records=reason.records or 1) for reason in run.plan.reasons
        ],
    )
    rough: dict[str, object] = {field: getattr(run, field) for field in RunReport.__dataclass_fields__}
    rough |= {
        "plan": plan,
        "shape": shape_of(ledger.timeline),
        "counts": run.counts | {"failed": 2},
        "throttled": 57,
        "stop_reason": text,
        "failed": [FailedArchive(3, text, 403, text, 2, text), FailedArchive(4, text, None, None, 1, None)],
        "sayings": [
            Saying(text, event, dict.fromkeys(("by", "how", "order", "found", "reason", "tool_version"), text))
            for event in (
                "approved",
                "opened",
                "ordered",
                "held",
                "hold_lifted",
                "recovered",
                "canary",
                "stopped",
                text,
            )
        ],
    }
    whole: dict[str, object] = {field: getattr(it, field) for field in VaultReport.__dataclass_fields__}
    return VaultReport(**whole | {"rounds": (RunReport(**rough),)})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_strangers_wrote_is_text_wherever_it_stands(text: str, made: Path) -> None:
    calm = check(as_html(busy(report(made / "run"), "plain"), NOW))
    page = check(as_html(busy(report(made / "run"), text), NOW))
    assert (page.tags, page.attributes) == (calm.tags, calm.attributes)
    for bad in ("\x1b", "\x00", "\u202e", "\u200b"):
        assert bad not in page.text


def test_a_busy_week_has_charts_with_words_for_those_who_do_not_see_them(made: Path) -> None:
    html = as_html(busy(report(made / "run"), "plain"), NOW)
    page = check(html)
    assert html.count('role="img"') == 8
    assert html.count("<desc ") == 8
    for words in (
        "Outside the hours set",
        "Service failing",
        "Throttled: backing off",
        "archives could not be deleted",
    ):
        assert words in page.text
    assert "Shaded: " in page.text


@given(st.text(max_size=300))
def test_any_text_is_shown_as_characters_that_have_a_picture(text: str) -> None:
    shown = Page(str(stranger(text))).text
    assert all(character.isprintable() for character in shown)


@pytest.mark.parametrize(("share", "words"), [(0.0, "0 %"), (0.0001, "under 1 %"), (0.0149, "1 %"), (1.0, "100 %")])
def test_something_is_never_nought_percent(share: float, words: str) -> None:
    assert percent(share) == words


def test_moments_are_written_as_people_do() -> None:
    assert when("2026-12-05T21:07:03Z") == "5 Dec 2026 21:07"
    assert Page(str(when("no date\x00"))).text == "no dateU+0000"


@pytest.mark.parametrize(
    ("top", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (97, [0, 20, 40, 60, 80, 100]),
        (2.4e6, [0, 500_000, 1_000_000, 1_500_000, 2_000_000, 2_500_000]),
    ],
)
def test_an_axis_ends_at_a_round_number(top: float, ticks: list[float]) -> None:
    assert rounded_ticks(top) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("seconds", "most", "first", "count"),
    [(50, 9, "12:00:10", 5), (3_600, 9, "12:10", 6), (86_400 * 3, 9, "2 Dec", 6), (86_400 * 20, 9, "8 Dec", 3)],
)
def test_a_time_axis_has_round_times(seconds: float, most: int, first: str, count: int) -> None:
    ticks = time_ticks(NOW.replace(second=7), seconds, most)
    assert (ticks[0][1], len(ticks) <= most) == (first, True)
    assert len(ticks) >= count - 1


def test_the_verb_says_it_to_people_and_programs_and_writes_the_page(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(made / "lifecycle"), "--html", str(tmp_path / "page.html")]) == 0
    printed = capsys.readouterr().out
    assert "REHEARSAL" in printed
    assert "Where the " in printed
    check((tmp_path / "page.html").read_text("utf-8"))
    assert main(["report", str(made / "run"), "--output", "json"]) == 0
    answer = check_answer("report", capsys.readouterr().out)
    assert (answer["result"], answer["verdict"], answer["failed"]) == ("vault", Verdict.PROVEN.value, 0)
    assert main(["report", str(tmp_path)]) == 2
    assert main(["report", str(made / "run"), "--html", str(tmp_path / "no" / "page.html")]) == 2


def test_templates_are_not_loaded_before_a_page_is_made() -> None:
    code = "import sys, glacier_purge.api.library; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
