"""The feed: nothing is handed on before its range is durable, and everything that stays gets its outcome."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.archive import Archive
from glacier_purge.audit.journal import Journal
from glacier_purge.audit.record import Outcome
from glacier_purge.guard.fuse import Canary, FuseSettings
from glacier_purge.inventory.batch import Defect
from glacier_purge.plan.decisions import DecidedBatch
from glacier_purge.plan.reasons import DELETE, DUPLICATE, INVALID, TOO_SMALL
from glacier_purge.run.bounds import Allowance
from glacier_purge.run.feed import RELEASE_MAX, RELEASE_MIN, Feed
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.plan.archives import archive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REASONS = {TOO_SMALL: "smaller_than:5"}


def everything(first: int, last: int) -> DecidedBatch:
    """Records that all go."""
    archives = [archive(ordinal) for ordinal in range(first, last + 1)]
    return DecidedBatch(first, archives, [], bytes(len(archives)), {})


async def given(batches: list[DecidedBatch]) -> AsyncIterator[DecidedBatch]:
    for batch in batches:
        yield batch


@asynccontextmanager
async def journal(disk: PretendDisk, records: int) -> AsyncIterator[Journal]:
    opened = await Journal.open(disk, run="run", plan_digest="d" * 64, records=records, wall_clock=lambda: 1.7e9)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(opened.run)
        yield opened
        await opened.aclose()


def no_canary(kept: Journal) -> Canary:
    return Canary(kept, FuseSettings(stages=()), lambda _: None)


async def fed(kept: Journal, batches: list[DecidedBatch], *, rate_per_second: float = 100.0) -> list[list[Archive]]:
    """The ranges a feed hands on; each is checked to be durably released by then (I3)."""
    send, receive = anyio.create_memory_object_stream[list[Archive]](0)
    feed = Feed(
        decided=given(batches),
        journal=kept,
        fresh=send,
        rate_per_second=lambda: rate_per_second,
        reasons=REASONS,
        canary=no_canary(kept),
        allowance=Allowance(sum(batch.decisions.count(DELETE) for batch in batches), kept.ledger),
    )
    ranges: list[list[Archive]] = []
    async with receive, anyio.create_task_group() as tasks:
        tasks.start_soon(feed.run)
        async for archives in receive:
            assert archives[-1].ordinal <= kept.ledger.released_through, "I3: handed on before it was released"
            ranges.append(archives)
    await kept.durable()
    return ranges


@pytest.mark.parametrize(
    ("rate_per_second", "length"),
    [(0.0, RELEASE_MIN), (1.0, RELEASE_MIN), (100.0, 50), (1_000_000.0, RELEASE_MAX)],
)
async def test_a_range_is_half_a_second_of_sending(rate_per_second: float, length: int) -> None:
    async with journal(PretendDisk(), 2_500) as kept:
        ranges = await fed(kept, [everything(0, 2_499)], rate_per_second=rate_per_second)
    assert {len(archives) for archives in ranges[:-1]} == {length}
    assert [one.ordinal for archives in ranges for one in archives] == list(range(2_500))


async def test_what_stays_gets_its_outcome_and_is_never_handed_on() -> None:
    decisions = bytes([DELETE, TOO_SMALL, DUPLICATE, INVALID, DELETE])
    archives = [archive(ordinal) for ordinal in (0, 1, 2, 4)]
    defect = Defect(ordinal=3, offset_bytes=99, reason="ArchiveId is missing", text="{}")
    async with journal(PretendDisk(), 5) as kept:
        ranges = await fed(kept, [DecidedBatch(0, archives, [defect], decisions, {2: 0})])
        assert [one.ordinal for archives in ranges for one in archives] == [0, 4]
        assert kept.ledger.counts == {"deleted": 0, "duplicate": 1, "failed": 0, "invalid": 1, "skipped": 1}
        assert [kept.ledger.done(ordinal) for ordinal in range(5)] == [False, True, True, True, False]


async def test_a_resumed_feed_hands_on_what_has_no_outcome_and_releases_nothing_twice() -> None:
    disk = PretendDisk()
    async with journal(disk, 100) as kept:
        await fed(kept, [everything(0, 49)])
        done = [
            Outcome(ordinal=n, archive_id="A" * 138, size=1, outcome="deleted", attempts=1) for n in range(0, 50, 2)
        ]
        kept.record(done)
        await kept.durable()
    async with journal(disk, 100) as kept:
        assert kept.ledger.released_through == 49
        ranges = await fed(kept, [everything(0, 99)], rate_per_second=1_000.0)
        assert kept.ledger.released_through == 99
    assert [one.ordinal for archives in ranges for one in archives] == [*range(1, 50, 2), *range(50, 100)]


async def test_a_feed_whose_pool_is_gone_ends() -> None:
    async with journal(PretendDisk(), 100) as kept:
        send, receive = anyio.create_memory_object_stream[list[Archive]](0)
        receive.close()
        feed = Feed(
            decided=given([everything(0, 99)]),
            journal=kept,
            fresh=send,
            rate_per_second=lambda: 1.0,
            reasons={},
            canary=no_canary(kept),
            allowance=Allowance(100, kept.ledger),
        )
        with pytest.raises(anyio.BrokenResourceError):
            await feed.run()
