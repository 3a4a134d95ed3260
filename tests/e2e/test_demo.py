"""``demo`` leaves nothing behind, however it ends, but the run folder that was asked for."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import COMMAND, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what runs is looked up in /proc")


class Demo:
    """A demonstration with a home, a temporary folder and a current one of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        places = {"HOME": folder / "home", "TMPDIR": folder / "tmp", "XDG_STATE_HOME": folder / "state"}
        self._here = folder / "here"
        for place in [*places.values(), self._here]:
            place.mkdir()
        self._environment = environment(**{name: str(place) for name, place in places.items()})

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, "demo", "--archives", "100", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self._here,
            env=self._environment,
        )

    def left(self) -> set[str]:
        """What is left of it, by the names of its top folders."""
        return {
            "/".join(path.relative_to(self.folder).parts[:2]) for path in self.folder.rglob("*") if not path.is_dir()
        }


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    yield Demo(tmp_path)
    ours = [name for name in simulators() if str(tmp_path) in name]
    assert ours == [], "a simulator goes on"


def simulators() -> list[str]:
    """The environments of processes that simulate."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"simulate" in (process / "cmdline").read_bytes().split(b"\0"):
                found.append((process / "environ").read_text(errors="replace"))
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    return found


# glacier-purge demo
def test_nothing_is_left_of_a_demo(demo: Demo) -> None:
    process = demo.start("--rate", "2000", "--quiet")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "deleted             100" in out
    assert demo.left() == set()


# glacier-purge demo --run-dir kept
def test_what_was_asked_for_is_left_of_it(demo: Demo) -> None:
    process = demo.start("--rate", "2000", "--run-dir", "kept", "--output", "json")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "check the proof with: glacier-purge audit verify kept" in err
    assert demo.left() == {"here/kept"}


@pytest.mark.parametrize(
    ("ended_by", "after"), [(signal.SIGTERM, "starting a simulated"), (signal.SIGINT, "planned in")]
)
def test_nothing_is_left_of_one_that_is_interrupted(ended_by: signal.Signals, after: str, demo: Demo) -> None:
    process = demo.start("--rate", "20")
    assert process.stderr is not None
    assert any(after in line for line in process.stderr)
    process.send_signal(ended_by)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert demo.left() == set()
