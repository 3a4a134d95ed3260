"""The pages of docs/ and beside it: all in the navigation, their commands real, their tables the code's own.

Links within docs/ are held by the build (``make docs``); here are those of the pages beside it.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from glacier_purge.cli.app import parse
from glacier_purge.cli.manual.pages import pages
from glacier_purge.errors import Needs
from glacier_simulator import SimulatedGlacier
from glacier_simulator.fault_kinds import KINDS
from glacier_simulator.pages import _PAGES
from glacier_simulator.scenario import read_scenario
from tests.glacier_simulator.raw_client import ask
from tests.recording import drawn, screens

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "reference")
BESIDE = sorted([*ROOT.glob("*.md"), ROOT / "config" / "iam" / "README.md"])


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def in_navigation(entries: list[Any]) -> list[str]:
    """Every file that the navigation leads to."""
    found: list[str] = []
    for entry in entries:
        for target in entry.values() if isinstance(entry, dict) else [entry]:
            found += in_navigation(target) if isinstance(target, list) else [target]
    return found


def anchors(page: Path) -> set[str]:
    """What a page can be linked to by, as GitHub and Python-Markdown make them of plain headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_navigation_once() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))
    listed = in_navigation(settings["project"]["nav"])
    written = [f"reference/{name}" for name in pages()]  # by `make reference`, from the code
    assert sorted(listed) == sorted([*(page.relative_to(DOCS).as_posix() for page in PAGES), *written])


@pytest.mark.parametrize("page", BESIDE, ids=named)
def test_links_beside_the_documentation_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text("utf-8"))
    broken = []
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("picture", sorted(DOCS.rglob("*.svg")), ids=named)
def test_a_picture_is_small_whole_and_asks_nobody_for_anything(picture: Path) -> None:
    text = picture.read_text("utf-8")
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert len(text.encode()) < 100_000
    assert set(re.findall(r"""(?:href|src|url)\W+(https?:[^"')]+)""", text)) == set()


def test_a_recording_ends_with_what_was_to_be_seen_last() -> None:
    bar = "\r\x1b[2K\x1b[1A\x1b[2K\x1b[1m{} of 9\x1b[0m\r\n  {}/s"
    reads = ["planned\r\n", "\r\n  0/s", *(bar.format(done, done + 1) for done in range(9)), "\r\ndone\r\n"]
    shown = screens(reads)
    assert shown[-1][1:] == ["planned", "\x1b[1m8 of 9\x1b[0m", "  9/s", "done"]
    picture = drawn(shown)
    assert len(ElementTree.fromstring(picture)) > 1
    assert picture.count(">planned<") == len(shown)


def test_the_readme_is_read_in_five_minutes() -> None:
    """What is long belongs into docs/."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def commands(page: Path) -> list[str]:
    """Each line of a page's code that begins with the command, continued lines joined."""
    text = page.read_text("utf-8").replace("\\\n", " ").replace("|\n", "| ")
    fenced = re.findall(r"^ *```(?:sh|console)?\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(
        r"^ {4}.+$", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    lines = [line.strip().removeprefix("$ ") for block in [*fenced, *indented] for line in block.splitlines()]
    return [line for line in lines if line.startswith("glacier-purge ")]


@pytest.mark.parametrize("page", [page for page in [*PAGES, *BESIDE] if commands(page)], ids=named)
def test_every_command_of_a_page_is_one(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verbs, options and what they take; nothing is carried out."""
    wrong = []
    for command in commands(page):
        words = shlex.split(re.split(r" [|<>;&]| 2>", command)[0].replace("[", "").replace("]", ""))[1:]
        words = ["0" * 64 if word.startswith("$") else word for word in words]
        try:
            parse(words)
        except Exception as error:  # whatever is wrong with it
            wrong.append(f"{command}: {error}")
    assert wrong == []


def test_every_policy_has_its_row() -> None:
    page = (DOCS / "how-to" / "roles.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+\.json)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(file.name for file in (ROOT / "config" / "iam").glob("*.json"))


def test_a_scheduler_is_told_what_to_do_for_whatever_is_needed() -> None:
    page = (DOCS / "how-to" / "scheduler.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE)) - {"needs"} == {needs.value for needs in Needs}


def table(heading: str) -> list[str]:
    """The first column of the table below a heading of the simulator's page, without what marks code."""
    part = (DOCS / "simulator.md").read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [row.split(" | ")[0].replace("`", "") for row in re.findall(r"^\| (`.+)$", part, re.MULTILINE)]


def test_every_kind_of_fault_is_in_the_table() -> None:
    page = (DOCS / "simulator.md").read_text("utf-8")
    assert table("Kinds of faults") == list(KINDS)
    assert [kind for kind in KINDS.values() if f"| {kind.about} |" not in page] == []


def test_every_page_of_the_simulator_is_in_the_table() -> None:
    told = [page for cell in table("Pages") for page in cell.split(", ") if "inventory" not in page]
    assert sorted(told) == sorted(" ".join(page) for page in _PAGES)


async def test_the_scenario_of_the_page_happens_as_it_says() -> None:
    page = (DOCS / "simulator.md").read_text("utf-8")
    scenario = read_scenario(page.partition("```toml\n")[2].partition("```")[0])
    assert scenario.fault
    async with SimulatedGlacier(scenario=scenario, time_scale=0) as glacier:
        glacier.clock.step(6000)
        tags = await ask(glacier.endpoint_url, "GET", "/-/vaults/photos/tags")
        limits = await ask(glacier.endpoint_url, "GET", "/_simulator/limits")
    assert tags.json == {"Tags": {"purge:deny": "audit"}}
    assert limits.json["rate"] == 30
    assert glacier.ledger["archives_left"] == 3
