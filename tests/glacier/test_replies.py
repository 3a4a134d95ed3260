"""Replies of one turn of the event loop, delivered together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from glacier_purge.glacier.port import Replies
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.glacier.request_ids import SeenRequestIds

if TYPE_CHECKING:
    from collections.abc import Sequence

REPLY = Reply(Meaning.DELETED, 204, request_id="r")


async def test_those_of_one_turn_come_together_and_in_order() -> None:
    replies, calls = Replies(SeenRequestIds()), []

    def settle(arrived: Sequence[tuple[str, Reply]]) -> None:
        calls.append([archive for archive, _ in arrived])
        if len(calls) == 1:
            replies.add("sent from within", REPLY)

    replies.deliver_to(settle)
    for archive in ("a", "b", "c"):
        replies.add(archive, REPLY)
    assert calls == [], "never from within the call that brought them"
    await asyncio.sleep(0)
    assert calls == [["a", "b", "c"]]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert calls == [["a", "b", "c"], ["sent from within"]]


async def test_nobody_gets_replies_to_what_another_one_asked_for() -> None:
    def first(_arrived: object) -> None: ...

    def second(_arrived: object) -> None: ...

    replies = Replies(SeenRequestIds())
    replies.deliver_to(first)
    replies.deliver_to(first)
    with pytest.raises(RuntimeError, match="somebody else"):
        replies.deliver_to(second)
