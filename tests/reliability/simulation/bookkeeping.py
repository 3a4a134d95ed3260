"""T10: what is kept of a run (feed, journal, ledger, recovery), under any order of what can happen to it.

The model is three sets of ordinals: handed on by the feed, settled by a reply, durable.  The disk is the pretended one,
which knows what it promised; a killed process leaves what it wrote, a power cut what the draws let survive of it.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from glacier_purge.audit.recovery import LogIdentity, read_log
from glacier_purge.audit.verification import verify
from glacier_purge.errors import DiskFailed, InvariantBroken
from glacier_purge.guard.fuse import Canary, FuseSettings
from glacier_purge.plan.decisions import DecidedBatch
from glacier_purge.plan.reasons import DELETE, TOO_SMALL
from glacier_purge.run.bounds import Allowance
from glacier_purge.run.feed import Feed
from glacier_purge.storage.pretend_disk import PretendDisk, Survival
from tests.audit.logs import PLAN, RUN, Clock, dump, open_journal, outcome
from tests.plan.archives import archive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from glacier_purge.audit.journal import Journal

BATCH = 24
SEGMENT_RECORDS = 60
SEEDS = st.integers(0, 2**32 - 1)


class Bookkeeping(RuleBasedStateMachine):
    """One run's log from its first record on, over any number of processes."""

    journal: Journal

    @initialize(records=st.integers(1, 120), kept=st.integers(0, 6), rate=st.sampled_from([1.0, 60.0, 400.0]))
    def begin(self, records: int, kept: int, rate: float) -> None:
        """Plan so many records, of which every ``kept``-th stays, and start a process."""
        self.loop = asyncio.new_event_loop()
        self.clock = Clock()
        self.records = records
        self.rate_per_second = rate
        self.decisions = bytes(TOO_SMALL if kept and n % kept == 0 else DELETE for n in range(records))
        self.goes = {n for n in range(records) if self.decisions[n] == DELETE}
        self.disk = PretendDisk()
        self.handed_on: set[int] = set()
        """Ever given to be sent."""
        self.settled: set[int] = set()
        """Ever told to the journal; what stays is settled by the feed."""
        self.durable: set[int] = set()
        self.in_hand: list[int] = []
        self.start()

    # -- a process ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the log as the next process does, and hold what it believes against what was."""
        self.journal = self.run(
            open_journal(self.disk, records=self.records, clock=self.clock, segment_records=SEGMENT_RECORDS)
        )
        done = self.done()
        assert self.durable <= done, "a durable outcome is lost"
        assert done & self.goes <= self.settled, "an outcome that nobody told of"
        left_open = self.handed_on - done
        if self.journal.epoch > 1:
            assert {n for n in left_open if not self.journal.ledger.maybe_sent(n)} == set(), "sent, and nobody knows"
        self.journal.note("opened", tool_version="1.0")  # as each process does, before it hands anything on
        self.run(self.journal.durable())
        self.durable = done
        self.promises(done)
        self.in_hand = []
        self.is_over = False
        self.given, self.fresh = anyio.create_memory_object_stream[list[Any]](1)
        feed = Feed(
            decided=self.decided(),
            journal=self.journal,
            fresh=self.given,
            rate_per_second=lambda: self.rate_per_second,
            reasons={TOO_SMALL: "smaller_than:5"},
            canary=Canary(self.journal, FuseSettings(stages=()), lambda _: None),
            allowance=Allowance(len(self.goes), self.journal.ledger),
        )
        self.feeding = self.loop.create_task(feed.run())

    async def decided(self) -> AsyncIterator[DecidedBatch]:
        """The plan, a batch at a time."""
        for first in range(0, self.records, BATCH):
            decisions = self.decisions[first : first + BATCH]
            yield DecidedBatch(first, [archive(first + n) for n in range(len(decisions))], [], decisions, {})

    def end(self) -> None:
        """The process is gone, whatever it was at."""
        self.feeding.cancel()
        with suppress(asyncio.CancelledError, DiskFailed, BaseExceptionGroup):
            self.loop.run_until_complete(self.feeding)
        self.given.close()
        self.fresh.close()
        self.is_over = True

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something, and let the feed have its turns."""
        result = self.loop.run_until_complete(work)
        self.loop.run_until_complete(_turns())
        return result

    # -- what can happen ----------------------------------------------------------------------------------------------

    @rule()
    def receive(self) -> None:
        """Take a range from the feed, which has to be released by then (I3) and not done before."""
        self.loop.run_until_complete(_turns())
        try:
            archives = self.fresh.receive_nowait()
        except (anyio.WouldBlock, anyio.EndOfStream):
            return
        ordinals = [each.ordinal for each in archives]
        assert set(ordinals) <= self.goes, "what is to stay was handed on"
        assert not set(ordinals) & self.durable, "what has its outcome was handed on again"
        log = read_log(PretendDisk(self.disk.promised()), LogIdentity(RUN, PLAN, self.records))
        assert max(ordinals) <= log.ledger.released_through, "handed on before its range was durable"
        self.in_hand += ordinals
        self.handed_on |= set(ordinals)

    @rule(share=st.floats(0, 1), fails=st.booleans())
    def reply(self, share: float, *, fails: bool) -> None:
        """Some of what is under way is answered, some of that for good and bad."""
        count = round(share * len(self.in_hand))
        answered, self.in_hand = self.in_hand[:count], self.in_hand[count:]
        words = ["failed" if fails and n % 7 == 0 else "deleted" for n in answered]
        self.journal.record([outcome(n, word) for n, word in zip(answered, words, strict=True)])
        self.settled |= set(answered)

    @rule()
    def commit(self) -> None:
        """Everything taken is durable."""
        self.run(self.journal.durable())
        self.durable = self.done()
        assert self.settled_here() <= self.durable
        self.promises(self.durable)

    @rule()
    def checkpoint(self) -> None:
        """The state is written down."""
        self.run(self.journal.checkpoint({}))

    @rule(ordinal=st.integers(-3, 200))
    def settle_wrongly(self, ordinal: int) -> None:
        """A second outcome, or one of a record that is none, is taken by nobody."""
        if ordinal in self.settled_here() or not 0 <= ordinal < self.records or ordinal in self.durable:
            before = self.journal.pending
            try:
                self.journal.record([outcome(ordinal)])
            except InvariantBroken:
                assert self.journal.pending == before
            else:
                raise AssertionError(f"a second outcome of {ordinal} was taken")

    @rule()
    def killed(self) -> None:
        """The process dies, its host lives on: what was written is there."""
        self.end()
        self.start()

    @rule(seed=SEEDS, at=st.integers(1, 6))
    def killed_while_it_writes(self, seed: int, at: int) -> None:
        """It dies at one of the next operations on the disk."""
        del seed
        deadline = self.disk.operations + at

        def die(verb: str, name: str) -> None:
            del verb, name
            if self.disk.operations >= deadline:
                raise OSError("the process is dead")

        self.disk.before = die
        with suppress(DiskFailed):
            self.run(self.journal.durable())
            self.run(self.journal.checkpoint({}))
        self.disk.before = None
        self.end()
        self.start()

    @rule(seed=SEEDS)
    def power_cut(self, seed: int) -> None:
        """The power goes: of what was not promised only some is left."""
        self.end()
        chance = random.Random(seed)
        self.disk = self.disk.after_power_cut(
            Survival(
                appended=lambda _name, offset, data: _sectors(chance, offset, data),
                names=lambda _folder, changes: chance.randint(0, changes),
                cut=lambda _: chance.random() < 0.5,
            )
        )
        self.start()

    @rule()
    def stopped(self) -> None:
        """It ends in good order: what is in flight is named, and nothing else is in doubt afterwards."""
        self.end()
        self.journal.note("stopped", reason="asked to", drained=True, unknown=sorted(self.in_hand))
        self.run(self.journal.aclose())
        unknown = set(self.in_hand)
        in_doubt_before = {n for n in range(self.records) if self.journal.ledger.maybe_sent(n)}
        self.durable = self.done()
        self.start()
        in_doubt = {n for n in range(self.records) if self.journal.ledger.maybe_sent(n)}
        assert unknown <= in_doubt <= unknown | in_doubt_before

    @rule()
    def verified(self) -> None:
        """Whoever checks the folder finds nothing wrong, at any moment."""
        with tempfile.TemporaryDirectory() as folder:
            found = verify(dump(self.disk.contents(), Path(folder)))
        assert not found.faults, found.faults

    # -- what holds always --------------------------------------------------------------------------------------------

    @invariant()
    def nothing_counts_before_it_is_durable(self) -> None:
        """The ledger says what the disk promised, and its figures are the sum of its records (I6)."""
        if not hasattr(self, "journal"):
            return
        done = self.done()
        assert sum(self.journal.ledger.counts.values()) == len(done)
        self.promises(done)

    def promises(self, done: set[int]) -> None:
        """What is believed to be done would be found after a power cut that takes everything it may."""
        left = self.disk.after_power_cut(Survival(appended=lambda *_: b"", names=lambda *_: 0, cut=lambda _: False))
        log = read_log(left, LogIdentity(RUN, PLAN, self.records))
        assert {n for n in range(self.records) if log.ledger.done(n)} >= done, "counted, and not durable"

    def done(self) -> set[int]:
        """What has its outcome by the ledger."""
        return {n for n in range(self.records) if self.journal.ledger.done(n)}

    def settled_here(self) -> set[int]:
        """What this process told the journal of, or an earlier one made durable."""
        return {n for n in self.settled if self.journal._claimed[n >> 3] & (1 << (n & 7))}

    def teardown(self) -> None:
        """Close what is open."""
        if hasattr(self, "feeding"):
            self.end()
            self.loop.close()


async def _turns() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


def _sectors(chance: random.Random, offset: int, data: bytes) -> bytes:
    """Any of the sectors of what was appended, the others as zeros, up to any length."""
    kept = bytearray(data[: chance.choice([0, len(data), chance.randint(0, len(data))])])
    if chance.random() < 0.3:
        first = (-offset) % 512
        for begin in range(first, len(kept), 512):
            if chance.random() < 0.3:
                kept[begin : begin + 512] = bytes(len(kept[begin : begin + 512]))
    return bytes(kept)
