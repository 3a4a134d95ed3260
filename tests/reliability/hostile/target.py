"""One reader to be given hostile input: where its good input comes from, how that is spoilt, and what must hold."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glacier_purge.errors import GlacierPurgeError
from tests.reliability.hostile.mutation import grown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

    from tests.reliability.hostile.mutation import Mutator

SECONDS_MAX, SECONDS_PER_MEGABYTE_MAX = 0.5, 2.0
"""Of this thread's time: a host that does other things too is no fault of a reader."""
MEMORY_GROWTH_BYTES_MAX = 200 << 20
MESSAGE_CHARACTERS_MAX = 5_000
_GROWN_SHARE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A reader.

    Attributes:
        name: What it reads.
        good: Inputs that it takes.
        spoil: Makes hostile ones of them.
        read: Reads an input, in an empty folder; raises the reader's own errors. What is accepted it holds against
            another reading of the same bytes, and raises ``AssertionError`` where they differ.
        refuses: How the reader says no; whatever else it raises is a fault of it.
        names: Every refusal must hold this text: the file, mostly.
    """

    name: str
    good: Callable[[], Sequence[bytes]]
    spoil: Mutator
    read: Callable[[bytes, Random, Path], object]
    refuses: tuple[type[Exception], ...] = (GlacierPurgeError,)
    names: str = ""

    def try_good(self, random: Random, folder: Path) -> None:
        """Good input is taken: without that, nothing that is refused shows anything."""
        for content in self.good():
            self.read(content, random, folder)

    def try_one(self, random: Random, folder: Path) -> str:
        """Spoil one input and have it read; give what became of it."""
        good = random.choice(self.good())
        content = (grown if not random.randrange(_GROWN_SHARE) else self.spoil)(good, random)
        before_bytes, began = _peak_bytes(), time.thread_time()
        try:
            self.read(content, random, folder)
            became = "accepted"
        except self.refuses as refusal:
            self._check_message(str(refusal), content)
            became = "refused"
        except BaseException as fault:
            fault.add_note(f"{self.name}, given {_shown(content)}")
            raise
        took = time.thread_time() - began
        assert took < SECONDS_MAX + SECONDS_PER_MEGABYTE_MAX * len(content) / 1e6, (
            f"{self.name} took {took:.1f} s for {_shown(content)}"
        )
        assert _peak_bytes() - before_bytes < MEMORY_GROWTH_BYTES_MAX, f"{self.name} grew by {_shown(content)}"
        return became

    def _check_message(self, message: str, content: bytes) -> None:
        assert message.strip(), f"{self.name} says nothing of {_shown(content)}"
        assert self.names in message, f"{self.name} names no {self.names}: {message[:300]!r} of {_shown(content)}"
        assert len(message) < MESSAGE_CHARACTERS_MAX, f"{self.name} says {message[:300]!r}... of {_shown(content)}"


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def _shown(content: bytes) -> str:
    if len(content) <= 3_000:
        return repr(content)
    return f"{content[:1_000]!r} ... {content[-300:]!r} ({len(content):,} bytes)"
