"""What engine/DESIGN.md says of the tree is so.

Every folder and file is on its map, and each thing of which the README says that it keeps a purge safe has tests that
show it, by names that exist.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import glacier_purge
from glacier_purge.cli.verbs import GROUPS, VERBS

ROOT = Path(__file__).parent.parent
ENGINE = ROOT / "engine"
DESIGN = (ENGINE / "DESIGN.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
DOCS = ROOT / "docs"


def section(text: str, heading: str) -> str:
    """What stands below a heading of the second order."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def bullets(text: str) -> list[str]:
    """The items of a list, each on one line, without a paragraph that follows."""
    return [" ".join(item.partition("\n\n")[0].split()) for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]]


def modules(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("*.py")} - {"__init__", "__main__"}


def folders() -> dict[str, set[str]]:
    """Each folder of the engine that holds modules, with their names."""
    found = {f"{file.parent.relative_to(ENGINE).as_posix()}/": modules(file.parent) for file in ENGINE.rglob("*.py")}
    return {folder: names for folder, names in found.items() if names}


def on_the_map() -> dict[str, set[str]]:
    """The map's folders, each with the files that it names."""
    lines = [re.findall(r"`([^`]+)`", item) for item in bullets(section(DESIGN, "Map"))]
    return {names[0]: set(names[1:]) for names in lines}


ON_DISK, ON_THE_MAP = folders(), on_the_map()


@pytest.mark.parametrize("folder", sorted(ON_DISK | ON_THE_MAP))
def test_every_folder_and_file_is_on_the_map_and_nothing_else(folder: str) -> None:
    there, named = ON_DISK.get(folder, set()), ON_THE_MAP.get(folder, set())
    assert (named - there, there - named) == (set(), set()), (
        "the first are only on the map, the second only on the disk"
    )


PROMISES = {
    page.name: bullets(section(page.read_text("utf-8").replace("- **", "- ").replace("**", ""), "What keeps it safe"))
    for page in (ROOT / "README.md", DOCS / "promises.md")
}
SHOWN = bullets(section(DESIGN, "What keeps it safe, and the test that shows it"))


def named_tests(entry: str) -> list[tuple[str, str]]:
    """The tests that an entry names, each with its file; ``::test`` alone is of the file that was named last."""
    file, found = "", []
    for named_file, test in re.findall(r"`([\w/.]*)::(\w+)`", entry):
        file = named_file or file
        found.append((file, test))
    return found


@pytest.mark.parametrize("page", PROMISES)
def test_each_promise_of_a_page_has_its_entry_in_the_same_order(page: str) -> None:
    """The README has them in short, docs/promises.md whole."""
    begun = [entry.partition("**")[2].partition("**")[0].rstrip(".:") for entry in SHOWN]
    assert len(begun) > 12
    assert [promise[: len(words)] for promise, words in zip(PROMISES[page], begun, strict=True)] == begun
    assert min(map(len, begun)) > 15


@pytest.mark.parametrize("entry", SHOWN, ids=[entry[2:42] for entry in SHOWN])
def test_an_entry_names_tests_that_exist(entry: str) -> None:
    named = named_tests(entry)
    assert named, "no test shows it"
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file()
        or not re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_every_dependency_has_its_reason() -> None:
    declared = (ROOT / "pyproject.toml").read_text("utf-8").partition("\ndependencies = [")[2].partition("]")[0]
    reasons = section(DESIGN, "Dependencies, and why each")
    assert [
        name for name in re.findall(r'"([a-z0-9-]+)', declared) if not re.search(rf"\b{name}\b[^·]*:", reasons)
    ] == []


def test_every_word_of_the_glossary_is_explained_once_and_in_order() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section(DESIGN, "Words"), re.MULTILINE)
    words = [word for word, _ in rows if word not in {"word", "---"}]
    assert len(words) > 40
    assert words == sorted(set(words), key=str.casefold)


def test_the_documentation_has_every_verb_and_no_other() -> None:
    """A row begins with one verb in its code, or with several, parted by commas or semicolons."""
    home = (DOCS / "index.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z].*?) \|", home.partition("| verb |")[2].partition("\n\n")[0], re.MULTILINE)
    words = [code.split() for row in rows for code in re.findall(r"`([^`]+)`", row)]
    named = [" ".join(word[:2]) if word[0] in GROUPS else word[0] for word in words]
    assert sorted(named) == sorted(VERBS)


def test_the_names_that_the_documentation_gives_to_scripts_are_public() -> None:
    part = (DOCS / "how-to" / "from-python.md").read_text("utf-8")
    named = set(re.findall(r"glacier_purge\.([A-Za-z_]+)", part)) | set(re.findall(r"`([a-z]+_[a-z_]+)`", part))
    assert {"make_plan", "run_fleet", "Choices"} <= named
    assert named - set(glacier_purge.__all__) == {"audit_log"}
