"""What a person sees and types: the command on a pseudo-terminal, as a shell would start it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import COMMAND

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

HOSTILE = "\x1b[31mred\x1b]0;title\x07\u202egnp.exe\x9b2J\r\n\u200b"
"""A description that colours, names the window, turns the reading direction, clears the screen and hides."""

DRAWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What rich draws with: colours, cursor moves, erasing lines."""

SECONDS_MAX = 30.0


class Terminal:
    """A pseudo-terminal with a command on it; what it shows is read and kept."""

    def __init__(self, bench: Bench, *arguments: str, columns: int = 100) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            cwd=bench.folder,
            env=bench.environment() | {"TERM": "xterm-256color"},
            start_new_session=True,
        )
        bench.started.append(self.process)
        os.close(slave)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def read_until(self, text: str) -> None:
        while text not in self.shown:
            assert self._read(), f"the terminal never showed {text!r}:\n{self.shown}"

    def read_all(self) -> int:
        """Read until the command has ended; return its exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=SECONDS_MAX)

    def close(self) -> None:
        os.close(self._master)

    def _read(self) -> bool:
        readable, _, _ = select.select([self._master], [], [], SECONDS_MAX)
        try:
            content = os.read(self._master, 65536) if readable else b""
        except OSError:  # how Linux says that nobody holds the other end any more
            content = b""
        self.shown += content.decode("utf-8", "replace")
        return bool(content)


def plan_of_hostile_descriptions(bench: Bench) -> None:
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    document = json.loads(inventory.read_bytes())
    for record in document["ArchiveList"]:
        record["ArchiveDescription"] = HOSTILE
    inventory.write_text(json.dumps(document, separators=(",", ":")))
    bench.plan(inventory=inventory)


@pytest.mark.in_process
@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"latency-ms": 10}], indirect=True)
def test_typing_vault_and_count_goes_on_and_the_screen_holds_the_figures(bench: Bench) -> None:
    # glacier-purge apply DIR, on a terminal
    plan_of_hostile_descriptions(bench)
    planned = bench.simulator.ledger()["requests"]
    terminal = Terminal(bench, "apply", str(bench.run_dir), "--max-rate", "300")
    terminal.read_until("Type photos 500 to go on, anything else to stop: ")
    asked = terminal.shown
    assert "About to delete 500 archives" in asked
    for part in ("early deletion", "Uploaded in", "Sizes", "Forecast", "stays       0 records", "  sender      one"):
        assert part in asked
    assert f"Plan for vault photos in us-east-1, account {bench.simulator.account_id}" in asked
    assert f"endpoint    {bench.simulator.endpoint_url}" in asked
    assert json.loads((bench.run_dir / "plan.json").read_bytes())["digest"] in asked
    assert r"\x1b[31mred\x1b]0;title\x07\u202egnp.exe" in asked
    assert bench.simulator.ledger()["requests"] == planned  # nothing was asked for before the answer
    terminal.type("photos 500\n")
    exit_code = terminal.read_all()
    terminal.close()
    screen = DRAWN.sub("", terminal.shown)
    assert exit_code == 0, screen
    assert not re.search(r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", screen), repr(screen)
    assert "500 of 500" in screen
    assert re.search(r"[0-9.]+/s, no limit met, [0-9]+ in flight, 0 throttled", screen)
    assert "300/s" in screen, "it does not say what holds the pace"
    assert "done: every record of the inventory is accounted for" in screen
    assert terminal.process.stdout is not None
    assert "deleted             500" in terminal.process.stdout.read()
    bench.check_invariants()


@pytest.mark.in_process
@pytest.mark.slow
def test_anything_else_typed_sends_nothing(bench: Bench) -> None:
    bench.plan()
    before = bench.simulator.ledger()["requests"]
    for answer in ("yes\n", "photos 499\n", "\x04"):
        terminal = Terminal(bench, "apply", str(bench.run_dir))
        terminal.read_until("anything else to stop: ")
        terminal.type(answer)
        assert terminal.read_all() == 2
        assert "Nothing was sent." in terminal.shown
        terminal.close()
    assert bench.simulator.ledger()["requests"] == before
    assert bench.json("status", str(bench.run_dir))["state"] == "planned, not begun"


@pytest.mark.in_process
@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"latency-ms": 10}], indirect=True)
def test_a_terminal_that_is_closed_drains_the_run(bench: Bench) -> None:
    # glacier-purge apply DIR, and the window closed: SIGHUP from the kernel, and nothing can be written any more
    bench.plan()
    terminal = Terminal(bench, "apply", str(bench.run_dir), "--max-rate", "200")
    terminal.read_until("anything else to stop: ")
    terminal.type("photos 500\n")
    bench.wait_for_deletes(30, bench.started[-1])
    terminal.close()
    terminal.process.send_signal(
        signal.SIGHUP
    )  # the kernel sends it to a session that has this as its controlling terminal
    assert terminal.process.wait(timeout=SECONDS_MAX) == 3
    assert bench.log()[-1]["event"] == "stopped"
    assert bench.log()[-1]["unknown"] == []
    assert bench.json("apply", str(bench.run_dir))["deleted"] == 500
    bench.check_invariants()
