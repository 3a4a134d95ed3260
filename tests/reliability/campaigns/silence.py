"""Watches a large run at a terminal, step after step: nothing may stand still there for over two seconds.

A hundred thousand archives, at night three million, are planned, deleted, checked and exported by the installed command
at a pseudo-terminal.  What the same step is silent for with ten archives, on this machine now, at its ends and between
them, is measured before and allowed for: that is Python's and its imports', and the same whatever the vault's size.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import inventories
from benchmarks.servers import tls_server
from tests.reliability.campaign import Campaign
from tests.reliability.schedule import NIGHTS_BEGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHIVES, ARCHIVES_AT_NIGHT = 100_000, 3_000_000
SILENCE_SECONDS_MAX = 2.0
COMMAND = str(Path(sys.executable).with_name("glacier-purge"))


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was shown for so long, after ``last``, the end of what was."""

    seconds: float
    last: str
    is_at_an_end: bool


def watched(command: list[str], environment: dict[str, str]) -> list[Silence]:
    """Run a command at a terminal; give each time between two things it showed, its beginning and its end included."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    silences, shown, at = [], "", time.monotonic()
    with subprocess.Popen(
        [COMMAND, *command], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    ) as process:
        os.close(slave)
        for content in _read(master):
            silences.append(Silence(time.monotonic() - at, shown[-200:], is_at_an_end=not shown))
            shown, at = shown + content, time.monotonic()
        process.wait()
        silences.append(Silence(time.monotonic() - at, shown[-200:], is_at_an_end=True))
    os.close(master)
    assert process.returncode == 0, f"{command[:2]}: exit {process.returncode}\n{shown[-2000:]}"
    return silences


def _read(master: int) -> Iterator[str]:
    while True:
        select.select([master], [], [])
        try:
            content = os.read(master, 65_536)
        except OSError:  # how Linux says that nobody holds the other end any more
            return
        if not content:
            return
        yield content.decode("utf-8", "replace")


def watch(seed: int, folder: Path) -> Counter[str]:
    """Watch every step, of a few archives first and then of many."""
    archives = ARCHIVES_AT_NIGHT if seed >= NIGHTS_BEGIN else ARCHIVES
    (folder / "server").mkdir()
    with tls_server(folder / "server") as server:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GLACIER_PURGE_"))}
        environment = clean | {
            "AWS_ACCESS_KEY_ID": "AKIDWATCHED",
            "AWS_SECRET_ACCESS_KEY": "s" * 40,
            "AWS_DEFAULT_REGION": inventories.REGION,
            "AWS_CA_BUNDLE": str(server.ca_file),
            "AWS_EC2_METADATA_DISABLED": "true",
            "GLACIER_PURGE_PACE__FIRST_PER_SECOND": "100000",
            "TERM": "xterm-256color",
            "XDG_STATE_HOME": str(folder / "state"),
        }
        few = dict(_steps(folder / "few", 10, server.url, environment))
        longest = {}
        for name, silences in _steps(folder / "many", archives, server.url, environment):
            allowed = {is_end: _longest(few[name], is_end) for is_end in (True, False)}
            for silence in silences:
                base = allowed[silence.is_at_an_end]
                told = f"{name}: {silence.seconds:.1f} s of nothing after {silence.last!r}; {base:.1f} s of a few"
                assert silence.seconds - base <= SILENCE_SECONDS_MAX, told
            longest[name] = {round(allowed[is_end], 2): round(_longest(silences, is_end), 2) for is_end in allowed}
    print(longest, flush=True)
    return Counter({f"steps with {archives:,} archives": len(longest)})


def _longest(silences: list[Silence], is_at_an_end: bool) -> float:
    return max((each.seconds for each in silences if each.is_at_an_end is is_at_an_end), default=0.0)


def _steps(
    folder: Path, archives: int, endpoint_url: str, environment: dict[str, str]
) -> Iterator[tuple[str, list[Silence]]]:
    folder.mkdir()
    inventory, run = folder / "inventory.json", str(folder / "run")
    inventories.write(inventory, archives)
    place = ["--endpoint-url", endpoint_url, "--account-id", inventories.ACCOUNT]
    plan = ["plan", inventories.VAULT, "--inventory", str(inventory), "--run-dir", run, *place]
    yield "inspect", watched(["inventory", "inspect", str(inventory)], environment)
    yield "plan", watched(plan, environment)
    yield "show", watched(["show", run], environment)
    digest = json.loads((folder / "run/plan.json").read_bytes())["digest"]
    yield "apply", watched(["apply", run, "--confirm-digest", digest], environment)
    yield "audit verify", watched(["audit", "verify", run], environment)
    yield "status", watched(["status", run], environment)
    yield "audit export", watched(["audit", "export", run, "--to", str(folder / "export.csv")], environment)
    yield "report", watched(["report", run, "--html", str(folder / "report.html")], environment)


CAMPAIGN = Campaign(
    name="silence",
    asks="A run of a hundred thousand archives, at night three million, is inspected, planned, shown, carried out, "
    "checked, exported and reported at a terminal: nothing there stands still for over two seconds.",
    programme=("T17",),
    invariants=("I15",),
    unit="steps watched",
    wanted=8,
    try_seed=watch,
    night_share=0.2,
    alone=True,
    limit_seconds=3600.0,
)
