"""The manual and the reference leave out no verb, option, setting, exit code or answer that there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, get_args

import pytest

from glacier_purge.cli import main, schemas
from glacier_purge.cli.exit_codes import MEANINGS
from glacier_purge.cli.manual.described import everything
from glacier_purge.cli.verbs import VERBS
from glacier_purge.settings import Settings
from tests.cli.test_help import parser

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def page() -> str:
    # glacier-purge manual
    with redirect_stdout(StringIO()) as out:
        assert main(["manual"]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    # glacier-purge manual --pages-to reference
    folder = tmp_path_factory.mktemp("reference") / "new"
    assert main(["manual", "--pages-to", str(folder)]) == 0
    return {file.name: file.read_text("utf-8") for file in folder.iterdir()}


def in_words(page: str) -> str:
    """A page of troff as what it says, in one line."""
    text = page.replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\(ga", "`").replace(r"\&", "").replace(r"\e", "\\")
    return " ".join(re.sub(r"^\.\S+ ?|\\f[BR]", "", text, flags=re.MULTILINE).split())


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_whole_text_stands_in_both(verb: str, page: str, reference: dict[str, str]) -> None:
    asked, words = parser(verb), in_words(page)
    written = reference["verbs.md"]
    assert f"\n## {verb}\n" in written
    for paragraph in asked.description.split("\n\n"):
        assert paragraph in words
    for line in asked.examples:
        assert " ".join(line.split()) in words
        assert f"\n{line}\n" in written
    for code, meaning in VERBS[verb].endings.items():
        assert f"{code.value} {meaning}" in words
    options = {one.name for one in asked.assemble_argument_collection() if one.show and one.index is None}
    assert {name for name in options if name not in words or name not in written} == set()


def test_what_verbs_share_is_told_once_and_what_is_theirs_with_them() -> None:
    verbs, shared = everything()
    assert {"AWS", "Log", "Settings", "Pace"} <= shared.keys()
    for verb in verbs:
        assert all(verb.groups[title] == shared[title] for title in verb.groups)


def test_every_setting_answer_and_exit_code_has_its_row(reference: dict[str, str]) -> None:
    for section, field in Settings.model_fields.items():
        model = (*get_args(field.annotation), field.annotation)[0]
        assert model is not None
        for name in model.model_fields:
            assert f"| `{section}.{name}` | " in reference["settings.md"]
    for verb in (*schemas.VERBS, *schemas.EVENTS):
        assert f"\n## {verb}\n" in reference["answers.md"]
    for code, meaning in MEANINGS.items():
        assert f"| `{code.value}` | {meaning} |" in reference["exit-codes.md"]
    assert "| `pace.max_rate` | not set | a second |" in reference["settings.md"]


def test_links_within_the_reference_lead_somewhere(reference: dict[str, str]) -> None:
    for text in reference.values():
        headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


def test_man_reads_it_without_a_warning(page: str, tmp_path: Path) -> None:
    # groff -man -ww -Tutf8 glacier-purge.1
    file = tmp_path / "glacier-purge.1"
    file.write_text(page, "ascii")
    readers = {"groff": ["-man", "-ww", "-Tutf8"], "mandoc": ["-Tlint", "-Wwarning"]}
    there = {name: options for name, options in readers.items() if shutil.which(name)}
    if not there:
        pytest.skip("neither groff nor mandoc is on this machine: nobody read the page")
    for name, options in there.items():
        read = subprocess.run([name, *options, str(file)], capture_output=True, text=True, check=True, timeout=30)
        assert read.stderr == ""
        assert name == "mandoc" or "on Linux they are no files." in read.stdout
