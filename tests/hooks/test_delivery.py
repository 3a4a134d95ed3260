"""Each hook by itself: none keeps another waiting, what is too much is told, and handing over takes no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from glacier_purge.happenings import Happening
from glacier_purge.hooks import delivery as room
from glacier_purge.hooks.delivery import Line, delivering
from glacier_purge.hooks.event import Event, NotTold
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    import pytest

pytestmark = IN_PROCESS

ALL = frozenset(Happening)


def event(number: int, happening: Happening = Happening.HELD) -> Event:
    return Event(id=str(number), happening=happening, body=b"", variables={})


async def hangs(_: Event) -> None:
    await anyio.sleep_forever()


async def test_a_hook_that_hangs_keeps_no_other_waiting_and_no_queue_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_WAITING_MAX", 3)
    came: list[str] = []
    told: list[tuple[str, str | None]] = []

    async def takes(one: Event) -> None:
        came.append(one.id)

    async with delivering(
        [Line(name="slow", happenings=ALL, send=hangs), Line(name="ok", happenings=ALL, send=takes)]
    ) as out:
        for number in range(6):
            under_way = out.hand_over(event(number), lambda hook, why: told.append((hook, why)))
            assert under_way == (["slow", "ok"] if number < 4 else ["ok"])
            await anyio.sleep(1)
    assert came == [str(number) for number in range(6)]
    assert [one for one in told if one[0] == "slow"] == [("slow", "3 events wait for it already")] * 2
    assert [why for hook, why in told if hook == "ok"] == [None] * 6


async def test_a_hook_is_told_of_what_it_asked_for_and_not_of_what_it_took() -> None:
    came: list[str] = []

    async def takes(one: Event) -> None:
        came.append(one.happening.value)

    line = Line(name="ok", happenings=frozenset({Happening.FAILED, Happening.FINISHED}), send=takes)
    async with delivering([line]) as out:
        for happening in Happening:
            out.hand_over(event(1, happening), lambda hook, why: None)
        assert out.hand_over(event(1, Happening.FAILED), lambda hook, why: None, but=["ok"]) == []
        await anyio.sleep(1)
    assert came == ["failed", "finished"]


async def test_whatever_a_hook_does_the_next_event_is_sent_all_the_same() -> None:
    told: list[str | None] = []
    ends: list[Exception | None] = [NotTold("busy"), ZeroDivisionError("a bug"), None]

    async def fails(_: Event) -> None:
        if (end := ends.pop(0)) is not None:
            raise end

    async with delivering([Line(name="it", happenings=ALL, send=fails)]) as out:
        for number in range(3):
            out.hand_over(event(number), lambda hook, why: told.append(why))
        await anyio.sleep(1)
    assert told == ["busy", "unexpected error: ZeroDivisionError: a bug", None]
