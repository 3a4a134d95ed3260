"""Whose turn it is to hear a signal, and what is left of it afterwards; processes are in ``tests/e2e``."""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.cli import event_loop
from glacier_purge.cli.signals import StopSignals, heard, until_stopped
from glacier_purge.errors import Interrupted, RunStopped

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = (signal.SIGUSR1, signal.SIGUSR2)
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def not_here(number: signal.Signals) -> None:
    pytest.fail(f"{number.name} was heard here")


@pytest.fixture(autouse=True)
def handlers_kept() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*NUMBERS, *STOP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_what_was_not_heard_leaves_the_handlers_as_they_were() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with heard(NUMBERS, not_here):
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_what_is_ignored_stays_ignored_and_the_others_are_heard() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    came: list[signal.Signals] = []
    with heard(NUMBERS, came.append):
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR2)
    assert came == [signal.SIGUSR2]
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


def test_ctrl_c_while_a_loop_is_closed_changes_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is known by then; and whoever comes after hears Ctrl-C as before."""
    monkeypatch.setattr(event_loop, "_GARBAGE", gc.get_threshold())
    before, left = signal.getsignal(signal.SIGINT), list[object]()

    async def left_over() -> None:
        try:
            await anyio.sleep(60.0)
        finally:
            signal.raise_signal(signal.SIGINT)
            left.append("ended")

    async def work() -> int:
        left.append(asyncio.create_task(left_over()))
        await anyio.sleep(0.0)
        return 75

    assert event_loop.in_event_loop(work) == 75
    assert left[1:] == ["ended"]
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_after_one_came_all_are_ignored_also_by_whoever_listened_around() -> None:
    outer: list[signal.Signals] = []
    inner: list[signal.Signals] = []
    with heard(NUMBERS, outer.append):
        with heard(NUMBERS, inner.append):
            signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR2)
    signal.raise_signal(signal.SIGUSR1)
    assert (outer, inner) == ([], [signal.SIGUSR1])


def test_whoever_listened_around_hears_again_what_comes_after() -> None:
    outer: list[signal.Signals] = []
    with heard(NUMBERS, outer.append):
        with heard(NUMBERS, not_here):
            pass
        signal.raise_signal(signal.SIGUSR1)
    assert outer == [signal.SIGUSR1]


async def test_in_a_thread_nothing_is_heard_and_nothing_breaks() -> None:
    def within() -> bool:
        with heard(NUMBERS, not_here):
            return True

    assert await asyncio.to_thread(within)


@pytest.mark.parametrize(
    ("number", "counts_as", "said"),
    [
        (signal.SIGTERM, RunStopped, "stopped by SIGTERM. "),
        (signal.SIGHUP, RunStopped, "stopped by SIGHUP. "),
        (signal.SIGINT, Interrupted, "stopped by Ctrl-C. "),
    ],
)
async def test_what_does_not_listen_is_cancelled(
    number: signal.Signals, counts_as: type[RunStopped], said: str
) -> None:
    async def work() -> int:
        signal.raise_signal(number)
        await anyio.sleep(60)
        return 0

    with pytest.raises(RunStopped, match=said) as stopped:
        await until_stopped(work)
    assert type(stopped.value) is counts_as


async def test_what_ends_before_it_could_be_cancelled_has_ended() -> None:
    async def work() -> int:
        signal.raise_signal(signal.SIGTERM)
        return 5

    assert await until_stopped(work) == 5


async def test_the_first_drains_and_the_second_cancels(capsys: pytest.CaptureFixture[str]) -> None:
    drained: list[tuple[str, type[RunStopped]]] = []
    signals = StopSignals(lambda *order: drained.append(order))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(signals.listen, tasks.cancel_scope)
        await anyio.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)
        assert signals.stopped_as is RunStopped
        await anyio.sleep(0.01)
        assert drained == [("SIGTERM", RunStopped)]
        signal.raise_signal(signal.SIGINT)
        await anyio.sleep(60)
    assert len(drained) == 1
    assert signals.stopped_as is RunStopped
    said = capsys.readouterr().err
    assert "SIGTERM: nothing new is sent" in said
    assert "Ctrl-C again: stopping at once" in said
