"""Verbs of a run that are given the folder of a lifecycle or a fleet say which runs are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glacier_purge.api.run_dirs import open_run
from glacier_purge.cli import main
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

VERBS = (
    ("apply",),
    ("verify",),
    ("delete-vault", "--confirm-vault", "photos"),
    ("audit", "export"),
    ("pause",),
    ("rate", "--max-rate", "5"),
)


def made(path: Path, *files: str) -> Path:
    for name in files:
        (path / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / name).write_text("{}")
    return path


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_lifecycle_is_no_run(verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made(tmp_path / "photos", "terms.json", "round-1/plan.json", "round-2/plan.json", "round-3/run.json")
    assert main([*verb, "--run-dir", str(folder)]) == 2
    said = capsys.readouterr().err
    assert f"{folder} was begun with glacier-purge run, which goes on with it" in said
    assert f"Give one of the runs in it: {folder}/round-1, {folder}/round-2. " in said
    assert f"glacier-purge status {folder}" in said


def test_a_fleet_is_no_run_and_tells_a_few_of_its(tmp_path: Path) -> None:
    folder = made(tmp_path / "fleet", "fleet.json", *(f"1-x-v{number}/round-1/plan.json" for number in range(7)))
    with pytest.raises(UsageError, match=r"glacier-purge fleet.*/1-x-v4/round-1 and 2 more\. How"):
        open_run(folder)


def test_what_has_planned_nothing_yet_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="It has planned no run yet"):
        open_run(made(tmp_path / "photos", "lifecycle.jsonl"))


def test_a_run_and_any_other_folder_is_taken(tmp_path: Path) -> None:
    for files in (("plan.json", "terms.json"), ("run.json",)):
        folder = made(tmp_path / files[0], *files)
        assert open_run(folder).path == folder


@pytest.mark.parametrize(
    "verb",
    [(one,) for one in ("apply", "status", "show", "verify", "abandon")] + [("audit", "verify"), ("audit", "export")],
    ids=" ".join,
)
@pytest.mark.parametrize("left", [(), ("lock",), ("notes.txt",)], ids=str)
def test_what_is_no_run_at_all_is_usage_and_nothing_is_made_up(
    verb: tuple[str, ...], left: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "some"
    folder.mkdir(mode=0o700)
    made(folder, *left)
    assert main([*verb, str(folder)]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "None" not in said.err
    assert "damaged" not in said.err
