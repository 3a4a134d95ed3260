"""Whose turn it is, and that nothing which waits is ever lost."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from glacier_purge.archive import Archive, ArchiveId
from glacier_purge.deletion.turns import Turn, Turns
from glacier_purge.glacier.reply import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.streams.memory import MemoryObjectSendStream


def archive(ordinal: int) -> Archive:
    return Archive(
        ordinal=ordinal, archive_id=ArchiveId("A" * 138), size_bytes=1, created="", description="", tree_hash=""
    )


def batch(*ordinals: int) -> list[Archive]:
    return [archive(ordinal) for ordinal in ordinals]


@contextmanager
def made(*, parked_max: int = 100) -> Iterator[tuple[MemoryObjectSendStream[list[Archive]], Turns]]:
    send, receive = anyio.create_memory_object_stream[list[Archive]](2)
    with send, receive:
        yield send, Turns(receive, parked_max=parked_max)


def taken(turns: Turns, now: float) -> list[int]:
    ordinals = []
    while turns.ready(now):
        ordinals += [turn.archive.ordinal for turn in turns.take(now, turns.ready(now))]
    return ordinals


async def test_fresh_archives_come_in_order_without_waiting() -> None:
    with made() as (send, turns):
        send.send_nowait(batch(0, 1))
        send.send_nowait(batch(2))
        assert taken(turns, 0.0) == [0, 1, 2]


async def test_a_stream_found_empty_is_waited_for_before_it_is_looked_at_again() -> None:
    with made() as (send, turns):
        assert not turns.ready(0.0)
        send.send_nowait(batch(0, 1))
        assert not turns.ready(0.0)
        await turns.more()
        send.send_nowait(batch(2))
        assert taken(turns, 0.0) == [0, 1, 2]


async def test_those_that_wait_go_first_once_their_wait_is_over() -> None:
    with made() as (send, turns):
        send.send_nowait(batch(0, 1, 2, 3))
        assert turns.ready(0.0) == 4
        first, second = turns.take(0.0, 2)
        turns.park(first, ready_at=5.0, soonest_at=5.0)
        turns.park(second, ready_at=3.0, soonest_at=3.0)
        assert turns.seconds_until_due(1.0) == 2.0
        assert [turn.archive.ordinal for turn in turns.take(1.0, 1)] == [2]
        assert turns.ready(5.0) == 1
        assert [turn.archive.ordinal for _ in range(2) for turn in turns.take(5.0, 1)] == [1, 0]
        assert taken(turns, 5.0) == [3]
        assert turns.seconds_until_due(5.0) is None


async def test_equal_waits_end_in_the_order_in_which_they_began() -> None:
    with made() as (_, turns):
        for ordinal in (7, 3, 5):
            turns.park(Turn(archive(ordinal)), ready_at=1.0, soonest_at=1.0)
        assert taken(turns, 1.0) == [7, 3, 5]


async def test_a_full_heap_lets_nothing_fresh_in() -> None:
    with made(parked_max=2) as (send, turns):
        send.send_nowait(batch(0, 1, 2))
        for ready_at in (10.0, 20.0):
            assert turns.ready(0.0)
            (turn,) = turns.take(0.0, 1)
            turns.park(turn, ready_at, ready_at)
        assert (len(turns), turns.ready(0.0)) == (2, 0)
        with anyio.move_on_after(0) as waiting:
            await turns.more()
        assert waiting.cancelled_caught, "it waits for a place"
        assert [turn.archive.ordinal for turn in turns.take(10.0, 1)] == [0]
        assert turns.ready(0.0)


async def test_the_end_of_the_stream_is_seen_after_its_last_batch() -> None:
    with made() as (send, turns):
        send.send_nowait(batch(0))
        send.close()
        assert taken(turns, 0.0) == [0]
        assert not turns.ended
        await turns.more()
        assert turns.ended


@pytest.mark.parametrize("order", ["send, cancel", "cancel, send"])
@pytest.mark.parametrize("steps", range(4))
async def test_a_batch_is_never_lost_to_a_wait_that_is_cancelled(order: str, steps: int) -> None:
    """A reply cancels the wait for archives in the moment in which the feed hands one over."""
    seen: list[int] = []
    waits: list[anyio.CancelScope] = []

    async def stand_in_the_turnstile(turns: Turns) -> None:
        while not turns.ended:
            with anyio.CancelScope() as scope:
                waits.append(scope)
                await turns.more()
            seen.extend(taken(turns, 0.0))

    with made() as (send, turns):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stand_in_the_turnstile, turns)
            for ordinal in range(200):
                for _ in range(steps):
                    await checkpoint()
                if order == "cancel, send" and waits:
                    waits[-1].cancel()
                await send.send(batch(ordinal))
                if order == "send, cancel" and waits:
                    waits[-1].cancel()
            send.close()
    assert seen == list(range(200))


def test_a_turn_counts_replies_by_kind() -> None:
    turn = Turn(archive(0))
    replies = [Meaning.THROTTLED, Meaning.UNKNOWN, Meaning.THROTTLED, Meaning.UNKNOWN, Meaning.THROTTLED]
    assert [turn.count(meaning) for meaning in replies] == [1, 1, 2, 2, 3]


async def test_those_that_wait_can_be_listed_when_a_run_stops() -> None:
    with made() as (_, turns):
        for ordinal in (4, 2):
            turns.park(Turn(archive(ordinal)), ready_at=9.0, soonest_at=9.0)
        assert sorted(turn.archive.ordinal for turn in turns.waiting()) == [2, 4]


async def test_a_wait_is_cut_short_where_nothing_fresh_can_be_sent() -> None:
    with made() as (send, turns):
        turns.park(Turn(archive(7)), ready_at=20.0, soonest_at=0.5)
        turns.park(Turn(archive(8)), ready_at=10.0, soonest_at=0.5)
        send.send_nowait(batch(0, 1))
        assert taken(turns, 0.4) == [0, 1]
        assert turns.seconds_until_due(0.4) == pytest.approx(0.1)
        send.send_nowait(batch(2))
        await turns.more()
        assert taken(turns, 0.5) == [2, 8, 7]
        assert turns.seconds_until_due(0.5) is None


async def test_while_too_many_wait_they_need_not_wait_for_each_other() -> None:
    with made(parked_max=2) as (send, turns):
        send.send_nowait(batch(0, 1))
        for ordinal in (7, 8):
            turns.park(Turn(archive(ordinal)), ready_at=20.0, soonest_at=0.5)
        assert not turns.ready(0.4)
        assert taken(turns, 0.5) == [7, 0, 1, 8]
