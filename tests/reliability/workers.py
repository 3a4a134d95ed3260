"""The processes that seeds are tried in, a seed at a time: one that hangs or dies is told and replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING

from tests import seclusion
from tests.in_memory import folder_in_memory
from tests.reliability.processes import end_all, orphans_adopted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection

    from tests.reliability.campaign import Campaign
    from tests.reliability.trying import Answer

ROOT = Path(__file__).parents[2]
SHOWN_BYTES = 4_000
"""How much of what a process printed is told beside its violation."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A seed's end: what it tried, what did not hold (or nothing), how long it took, and how much of a processor."""

    campaign: Campaign
    seed: int
    answer: Answer
    seconds: float
    processor_seconds: float = 0.0


class Worker:
    """One process that tries seeds.

    Attributes:
        campaign: Whose seed it tries just now, or None.
        seed: Which.
        began: When it began to, by the monotonic clock.
    """

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.campaign: Campaign | None = None
        self.seed = 0
        self.began = 0.0
        self._environment = environment
        self._folder = folder
        self._output = folder.with_suffix(".output")
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def begin(self, campaign: Campaign, seed: int) -> None:
        """Have a seed tried."""
        if self._connection is None:
            self._start()
        assert self._connection is not None
        os.truncate(self._output, 0)
        self.campaign, self.seed, self.began = campaign, seed, time.monotonic()
        self._connection.send((campaign, seed))

    def ended(self) -> Tried | None:
        """The seed's end, when it has ended, and be it because its time was over or its process died."""
        assert self.campaign is not None
        assert self._connection is not None
        assert self._process is not None
        seconds = time.monotonic() - self.began
        try:
            if self._connection.poll():
                answer: Answer
                answer, processor_seconds = self._connection.recv()
                if answer[1]:
                    answer = (answer[0], answer[1] + self._printed())
                return self._done(answer, seconds, processor_seconds)
        except EOFError:
            return self._lost(f"Its process died: {_death(self._process.wait())}.", seconds)
        if (code := self._process.poll()) is not None:
            return self._lost(f"Its process died: {_death(code)}.", seconds)
        if seconds > self.campaign.limit_seconds:
            return self._lost(f"It hung: not done after {self.campaign.limit_seconds:.0f} seconds.", seconds)
        return None

    def close(self) -> None:
        """End the process, and all that it started."""
        if self._process is not None:
            end_all(self._process.pid)
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.campaign = None
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def waited_for(self) -> Connection:
        """What becomes ready when the seed ends."""
        assert self._connection is not None
        return self._connection

    def _start(self) -> None:
        self._folder.mkdir()
        self._connection, theirs = Pipe()
        with self._output.open("ab") as output:  # appended to, so that it can be emptied between seeds
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.reliability.trying", str(theirs.fileno())],
                cwd=ROOT,
                env=self._environment | {"TMPDIR": str(self._folder), "XDG_STATE_HOME": str(self._folder / "state")},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # what a terminal or a service manager sends is the runner's to hear
            )
        theirs.close()

    def _printed(self) -> str:
        printed = self._output.read_bytes()[-SHOWN_BYTES:].decode("utf-8", "replace").strip()
        return f"\nIt printed, at the end:\n{printed}" if printed else ""

    def _lost(self, fault: str, seconds: float) -> Tried:
        tried = self._done((Counter(), fault + self._printed()), seconds)
        self.close()
        return tried

    def _done(self, answer: Answer, seconds: float, processor_seconds: float = 0.0) -> Tried:
        assert self.campaign is not None
        tried = Tried(self.campaign, self.seed, answer, seconds, processor_seconds)
        self.campaign = None
        return tried


def _death(code: int) -> str:
    return f"killed by {Signals(-code).name}" if code < 0 else f"exit code {code}"


@contextmanager
def workers(count: int, variables: Mapping[str, str] | None = None, *, on_disk: bool = False) -> Iterator[list[Worker]]:
    """So many workers, without the account of whoever runs them; nothing that they started outlives the block.

    ``variables`` are added to their environment. Their folders lie in memory where there is enough of it, unless they
    are to be ``on_disk``.
    """
    place = None if on_disk else folder_in_memory()
    with tempfile.TemporaryDirectory(prefix="tried-", dir=place, ignore_cleanup_errors=True) as name, orphans_adopted():
        folder = Path(name)
        environment = seclusion.clean_environment(os.environ, folder, seclusion.authority_of(folder))
        environment |= variables or {}
        made = [Worker(environment, folder / str(number)) for number in range(count)]
        try:
            yield made
        finally:
            for worker in made:
                worker.close()


def wait_for_one(busy: list[Worker], seconds: float) -> list[Tried]:
    """The seeds that have ended; waits until one has, or for so many seconds."""
    wait([worker.waited_for for worker in busy], seconds)
    return [tried for worker in busy if (tried := worker.ended())]
