"""Pages that can be tried are as they say: their commands, in one shell in a folder, print what stands below them."""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import environment
from tests.e2e.simulator import simulating

if TYPE_CHECKING:
    from pathlib import Path

PORT = "8123"
STEP = "\x1e"
BETWEEN = rf"""
exec 2>&1
between() {{ local code=$?; printf '{STEP}'; return $code; }}
sleep() {{
    until [ -s simulator.json ] && {{ [ "$(jobs -pr | wc -l)" = 1 ] || [ -e photos-run/control ]; }}; do
        command sleep 0.1
    done
}}
"""
"""``between`` parts what commands print, and leaves the exit code for the next one to see.

Where a page sleeps, it is waited for that the simulator serves, and that a run beside it takes orders, be the machine
fast or slow.
"""
TYPED = re.compile(r"(to go on, anything else to stop: )(.+)")
"""What a person types stands on the page behind the question."""


def steps(page: str) -> list[tuple[str, list[str]]]:
    """Each command of the page's console blocks with the lines that it says come of it.

    A line that ends in a backslash or a pipe goes on in the next.
    """
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found[-1][0].endswith(("\\", "|")):
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            else:
                found[-1][1].append(line)
    return found


def pattern(lines: list[str]) -> re.Pattern[str]:
    """What printed text has to match: ``...`` is any lines, ``…`` the rest of what stands in its place."""
    return re.compile("".join(map(_line_pattern, lines)))


def _line_pattern(line: str) -> str:
    if line == "...":
        return r"(?:.*\n)*?"
    asked, answers = TYPED.subn(r"\1", line)  # the line's end is typed and not printed
    return ".+".join(map(re.escape, asked.split("…"))) + ("" if answers else r"\n")


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def in_one_shell(commands: list[str], typed: str, folder: Path) -> list[str]:
    """What each command prints, in a shell whose keyboard has ``typed`` waiting; all that it started has ended."""
    home = folder.parent
    script = home / "commands.sh"
    script.write_text(BETWEEN + "".join(f"{command}\nbetween\n" for command in commands))
    programs = home / "bin"
    programs.mkdir()
    program = programs / "glacier-purge"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m glacier_purge "$@"\n')
    program.chmod(0o755)
    keyboard, terminal = pty.openpty()
    os.write(keyboard, typed.encode())
    shell = subprocess.Popen(
        ["bash", "--norc", str(script)],
        cwd=folder,
        env=environment(GLACIER_PURGE_REPORT__PAGE="true", HOME=str(home), PATH=f"{programs}:{os.environ['PATH']}"),
        stdin=terminal,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(timeout=170)
    finally:
        os.close(keyboard)
        os.close(terminal)
    return printed.split(STEP)[:-1]


@pytest.mark.at_length
@pytest.mark.slow
@pytest.mark.timeout(180)  # a loaded machine takes five times as long as a quiet one
@pytest.mark.parametrize("name", ["tutorial.md", "how-to/rehearse.md"])
def test_each_command_prints_what_the_page_shows(name: str, tmp_path: Path, repository: Path) -> None:
    page = (repository / "docs" / name).read_text("utf-8").replace(PORT, free_port())
    told = steps(page)
    place = tmp_path / "place"
    place.mkdir()
    if "simulate --from inventory.json" in page:
        with simulating(archives=60) as simulator:
            simulator.inventory(place / "inventory.json")
    typed = "".join(f"{answer}\n" for _, answer in TYPED.findall(page))
    printed = in_one_shell([command for command, _ in told], typed, place)
    assert len(printed) == len(told) > 10
    for (command, lines), text in zip(told, printed, strict=True):
        assert pattern(lines).fullmatch(text), f"$ {command}\n{text}\nis not what the page shows:\n" + "\n".join(lines)


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        (["state  done"], "state  done\n", True),
        (["state  done"], "state  paused\n", False),
        (["state  done"], "state  done\nmore\n", False),
        (["state  done", "..."], "state  done\nmore\nand more\n", True),
        (["...", "gone  400", "..."], "first\ngone  399\nlast\n", False),
        (["gone  …", "left  0"], "gone  12\nleft  0\n", True),
        (["gone  …", "left  0"], "gone  12\nleft  1\n", False),
        (["gone  … left"], "gone  1\n2 left\n", False),
        ([], "anything\n", False),
    ],
)
def test_what_a_page_leaves_out_is_all_that_may_differ(shown: list[str], printed: str, fits: bool) -> None:
    assert bool(pattern(shown).fullmatch(printed)) is fits
