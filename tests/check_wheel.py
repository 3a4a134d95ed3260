"""Holds a built wheel against the source, and the installed package against what users need of it.

Run by ``make wheel`` as ``python -I tests/check_wheel.py WHEEL`` in an environment that holds the wheel and its
dependencies only: a data file that was left out, or a development package the program came to need, shows here.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = tuple(
    REPOSITORY / folder
    for folder in ("engine/glacier_purge", "engine/glacier_simulator", "config/glacier_purge_profiles")
)
COMMAND = Path(sys.executable).with_name("glacier-purge")


def missing_files(wheel: Path) -> set[str]:
    """Files of the source that the wheel lacks."""
    shipped = set(zipfile.ZipFile(wheel).namelist())
    source = {
        file.relative_to(package.parent).as_posix()
        for package in PACKAGES
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    return source - shipped


def output_of(*arguments: str) -> str:
    """What the installed command prints, from a folder where there is no source."""
    answer = subprocess.run([COMMAND, *arguments], cwd="/", capture_output=True, text=True, timeout=60, check=True)
    return answer.stdout


def main() -> None:
    """Fail with a message for the first thing that is not right."""
    wheel = Path(sys.argv[1])
    assert not (missing := missing_files(wheel)), f"the wheel lacks {sorted(missing)}"
    for name in ("glacier_purge", "glacier_simulator"):
        package = resources.files(name)
        assert REPOSITORY / "engine" not in Path(str(package)).parents, f"{name} comes from the source folder"
        assert (package / "py.typed").is_file(), f"{name} does not say that it is typed"
    assert (resources.files("glacier_purge_profiles") / "gentle.toml").is_file()
    version = wheel.name.split("-")[1]
    assert output_of("--version") == f"glacier-purge {version}\n"
    assert "Exit codes:" in output_of("--help")
    assert "leave_share = 0.5" in output_of("config", "show", "--settings-profile", "gentle")
    schema = (REPOSITORY / "config/schemas/run.json").read_text("utf-8")
    assert output_of("config", "schema", "run") == schema, "the installed command has other schemas than config/schemas"
    sys.stdout.write(f"{wheel.name}: complete, installs, runs\n")


main()
