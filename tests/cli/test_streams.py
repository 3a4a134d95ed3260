"""Output that goes nowhere ends nothing; each case in a process of its own, because it is about descriptors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glacier_purge.cli.output import tell
from glacier_purge.cli.streams import held_back

COMMAND = str(Path(sys.executable).with_name("glacier-purge"))


def test_a_result_nobody_reads_does_not_change_the_exit_code() -> None:
    # glacier-purge config schema | true
    reading, writing = os.pipe()
    os.close(reading)
    answer = subprocess.run([COMMAND, "config", "schema"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (answer.returncode, answer.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_a_result_that_does_not_fit_on_the_disk_is_said_and_does_not_change_the_exit_code() -> None:
    # glacier-purge config schema > /dev/full
    with Path("/dev/full").open("wb") as full:
        answer = subprocess.run([COMMAND, "config", "schema"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert answer.returncode == 0
    assert answer.stderr == b"glacier-purge: the result could not be printed: No space left on device\n"


def test_an_error_nobody_reads_keeps_its_exit_code() -> None:
    # glacier-purge apply nowhere 2>&1 | true
    reading, writing = os.pipe()
    os.close(reading)
    answer = subprocess.run([COMMAND, "apply", "nowhere"], stdout=subprocess.PIPE, stderr=writing, check=False)
    os.close(writing)
    assert (answer.returncode, answer.stdout) == (2, b"")


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_command_started_with_closed_descriptors_works(closed: str, tmp_path: Path) -> None:
    script = f'"$0" config schema {closed}; echo $? > {tmp_path}/exit'
    subprocess.run(["sh", "-c", script, COMMAND], capture_output=True, check=True)
    assert (tmp_path / "exit").read_text() == "0\n"


def test_what_others_say_while_somebody_is_asked_comes_after_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    asker = sys.stderr
    asker.write("Type photos 500: ")
    with held_back():
        tell("films: verify: proven empty")
        assert sys.stderr.isatty() is asker.isatty()
        for number in range(2_000):
            tell(f"line {number}")
        asker.write("photos 500\n")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "Type photos 500: photos 500"
    assert told[-1] == "glacier-purge: line 1999"
    assert len(told) == 1_001
