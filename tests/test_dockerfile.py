"""The image is built from what it copies, and by the rules of hadolint. Nothing here needs Docker."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent
HADOLINT = PROGRAMS / "hadolint"


def copied(repository: Path) -> list[str]:
    """What the image's instructions take from the clone."""
    lines = (repository / "Dockerfile").read_text("utf-8").splitlines()
    found = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    return [name for names in found for name in names]


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is published for Linux on x86-64 alone")
def test_it_keeps_to_the_rules_of_hadolint(repository: Path) -> None:
    done = subprocess.run([HADOLINT, repository / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_runs_as_a_user_without_rights_from_named_versions(repository: Path) -> None:
    text = (repository / "Dockerfile").read_text("utf-8")
    last = text.rpartition("\nFROM ")[2]
    assert int(re.findall(r"^USER (\d+)$", last, re.MULTILINE)[-1]) >= 1000
    stages = re.findall(r" AS (\w+)$", text, re.MULTILINE)
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(base in stages or re.search(r":\d+\.\d+-", base) for base in bases), bases


def test_what_is_copied_is_let_through_and_makes_the_wheel(repository: Path, tmp_path: Path) -> None:
    names = copied(repository)
    let_through = (repository / ".dockerignore").read_text("utf-8").splitlines()
    assert let_through[0] == "*"
    assert sorted(f"!{name}" for name in set(names)) == sorted(line for line in let_through if line.startswith("!"))
    for name in names:
        source, target = repository / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    options = ("--quiet", "--offline", "--wheel", "--no-build-isolation", "--python", sys.executable)
    build = [str(PROGRAMS / "uv"), "build", *options]
    done = subprocess.run([*build, "--out-dir", "wheel"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [wheel.name for wheel in (tmp_path / "wheel").glob("*.whl")]
