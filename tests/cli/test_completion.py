"""The shells' completion, in the shells themselves where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from glacier_purge.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def script(shell: str, place: Path) -> Path:
    with redirect_stdout(StringIO()) as out:
        assert main(["completion", shell]) == 0
    file = place / f"completion.{shell}"
    file.write_text(out.getvalue())
    return file


@pytest.fixture(scope="module")
def for_bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return script("bash", tmp_path_factory.mktemp("bash"))


def offered_by_bash(file: Path, *words: str) -> list[str]:
    asked = " ".join(f"'{word}'" for word in words)
    asking = (
        f"source {file}; COMP_WORDS=({asked}); COMP_CWORD={len(words) - 1}; _glacier_purge; "
        'printf "%s\\n" "${COMPREPLY[@]}"; complete -p glacier-purge >/dev/null'
    )
    told = subprocess.run(["bash", "--norc", "-c", asking], capture_output=True, text=True, check=True)
    assert not told.stderr
    return told.stdout.split()


@pytest.mark.parametrize(
    ("words", "among", "not_among"),
    [
        (("glacier-purge", "ap"), {"apply"}, {"plan"}),
        (("glacier-purge", "audit", ""), {"verify", "export", "bundle"}, {"apply"}),
        (("glacier-purge", "plan", "--old"), {"--older-than"}, {"--newer-than"}),
        (("glacier-purge", "audit", "export", "--format", ""), {"csv", "jsonl", "s3-batch"}, {"text"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bash_completes(words: tuple[str, ...], among: set[str], not_among: set[str], for_bash: Path) -> None:
    offered = set(offered_by_bash(for_bash, *words))
    assert among <= offered
    assert not not_among & offered


def test_zsh_finds_it_by_name_and_reads_it_where_it_is_installed(tmp_path: Path) -> None:
    file = script("zsh", tmp_path).rename(tmp_path / "_glacier-purge")
    assert file.read_text().startswith("#compdef glacier-purge\n")
    if shutil.which("zsh"):
        asking = (
            f"fpath=({tmp_path} $fpath); autoload -U compinit; compinit -D -u; print ${{_comps[glacier-purge]}}; "
            "autoload +X _glacier-purge; whence -f _glacier-purge"
        )
        told = subprocess.run(["zsh", "-f", "-c", asking], capture_output=True, text=True, check=True)
        assert told.stdout.startswith("_glacier-purge\n")
        assert "delete-vault" in told.stdout


def test_fish_gets_every_verb(tmp_path: Path) -> None:
    said = script("fish", tmp_path).read_text()
    assert all("complete -c glacier-purge" in line for line in said.splitlines() if line.startswith("complete "))
    assert "delete-vault" in said
