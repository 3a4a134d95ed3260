"""Senders in processes of their own, against the simulator in this one."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from glacier_purge.archive import ArchiveId, Vault
from glacier_purge.errors import RunStopped
from glacier_purge.service.access import Access, StaticCredentials
from glacier_purge.service.frames import Answers, Frames, Ordered, Orders, answer, frame, read_answer, read_order
from glacier_purge.service.reply import Meaning, Reply
from glacier_purge.service.sender import Opening, opening_line, read_opening
from glacier_purge.service.spread import open_spread
from glacier_purge.service.transport import Choice
from glacier_purge.simulator.kit import SimulatedGlacier
from tests.service.one_delete import delete

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
REST = Choice(name="rest", reason="test")


def access(endpoint_url: str) -> Access:
    keys = StaticCredentials(access_key_id="AKIDTEST", secret_access_key="secret")
    return Access(endpoint_url=endpoint_url, credentials=keys, max_in_flight=16)


def ids(glacier: SimulatedGlacier) -> list[ArchiveId]:
    shelf = glacier.service.vault("photos", glacier.clock.now()).shelf
    return [ArchiveId(shelf.archive_id(index)) for index in range(len(shelf))]


def children() -> list[int]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    return [pid for pid in map(int, listed) if b"glacier_purge.service.sender" in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_every_delete_gets_its_own_reply_whichever_process_sends_it() -> None:
    async with (
        SimulatedGlacier(archives=300, rate=0, error_rate=0, latency_ms=1) as glacier,
        open_spread(REST, VAULT, access(glacier.endpoint_url), processes=2) as service,
    ):
        replies = await asyncio.gather(*(delete(service, archive_id) for archive_id in ids(glacier)))
        assert {reply.meaning for reply in replies} == {Meaning.DELETED}
        assert len({reply.request_id for reply in replies}) == 300
        assert glacier.ledger["archives_left"] == 0
        assert (await service.describe_vault()).arn == VAULT.arn
        await service.renew_credentials()
    assert children() == []


async def test_deletes_of_a_sender_that_dies_have_no_reply_and_the_others_go_on() -> None:
    async with (
        SimulatedGlacier(archives=300, rate=0, error_rate=0, latency_ms=200) as glacier,
        open_spread(REST, VAULT, access(glacier.endpoint_url), processes=2) as service,
    ):
        under_way = [asyncio.ensure_future(delete(service, archive_id)) for archive_id in ids(glacier)[:20]]
        await asyncio.sleep(0.05)
        first, second = children()
        os.kill(first, signal.SIGKILL)
        replies = await asyncio.gather(*under_way)
        assert sorted(reply.meaning.value for reply in replies) == ["deleted"] * 10 + ["no reply"] * 10
        assert (await delete(service, ids(glacier)[50])).meaning is Meaning.DELETED
        os.kill(second, signal.SIGKILL)
        assert (await delete(service, ids(glacier)[51])).code == "SenderDied"
        with pytest.raises(RunStopped, match="every sending process"):
            await delete(service, ids(glacier)[52])


async def test_a_sender_that_is_left_alone_ends() -> None:
    async with SimulatedGlacier(archives=1) as glacier:
        async with open_spread(REST, VAULT, access(glacier.endpoint_url), processes=3):
            assert len(children()) == 3
        assert children() == []


def test_frames_are_cut_anywhere_and_come_out_whole() -> None:
    reply = Reply(Meaning.THROTTLED, 400, "ThrottlingException", "Rate exceeded", "id", 1.5)
    stream = frame(Orders([Ordered(1, ArchiveId("a")), Ordered(2, ArchiveId("-b"))])) + frame(
        Answers([answer(7, reply)])
    )
    for cut in range(len(stream)):
        frames = Frames()
        orders, answers = [*frames.feed(stream[:cut]), *frames.feed(stream[cut:])]
        assert read_order(orders) == Orders([Ordered(1, ArchiveId("a")), Ordered(2, ArchiveId("-b"))])
        said = read_answer(answers)
        assert isinstance(said, Answers)
        assert (said.answers[0].number, said.answers[0].reply()) == (7, reply)


def test_what_a_sender_is_opened_with_survives_the_way() -> None:
    opening = Opening(VAULT, Access(endpoint_url="http://127.0.0.1:1", ca_bundle=Path("ca.pem")), REST)
    assert read_opening(opening_line(opening)) == opening
