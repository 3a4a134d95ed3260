"""A reply is one delete's: whatever a box in between does to 204s, nothing is recorded as deleted that is still there.

Held against what the pretended service did.  The whole engine runs, without a folder, over both transports.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import glacier_purge
from glacier_purge.api.clients import Clients
from glacier_purge.archive import ArchiveId
from glacier_purge.audit.segments import last_request_ids
from glacier_purge.aws.access import Access
from glacier_purge.glacier.control import NoAnswer
from glacier_purge.glacier.port import Replies
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.glacier.request_ids import IDS_KEPT_MIN, SeenRequestIds
from glacier_purge.storage.disk import FileDisk
from glacier_simulator.faults import Rule
from glacier_simulator.kit import SimulatedGlacier
from tests.audit.logs import open_journal, outcome
from tests.clients import control
from tests.glacier.one_delete import delete
from tests.glacier.raw_server import refusal, reply, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from glacier_purge.api.transport import Transport
    from tests.glacier.raw_server import Exchange

VAULT = glacier_purge.Vault(account_id="123456789012", region="us-east-1", name="photos")
CREDENTIALS = glacier_purge.StaticCredentials(access_key_id="test", secret_access_key="test")
ARCHIVES = 150
NOT_DONE = [
    "repeated-here", "repeated-anywhere", "204-without-id", "204-with-empty-id", "204-with-error-type",
    "204-with-body", "204-with-length", "204-in-chunks", "204-of-http-2",
]  # fmt: skip
BEHIND = ["stray-reply", "duplicate-reply", "garbage-after-reply"]


async def deleted_under(faults: Sequence[Rule], transport: str, seed: int) -> SimulatedGlacier:
    """Delete every archive, and find each one gone at the moment at which it is told to be deleted."""
    async with SimulatedGlacier(archives=ARCHIVES, faults=list(faults), seed=seed) as glacier:
        ids = [record["ArchiveId"] for record in json.loads(glacier.inventory_text())["ArchiveList"]]
        settings = glacier_purge.Settings.model_validate(
            {
                "aws": {"endpoint_url": glacier.endpoint_url, "transport": transport},
                "pace": {"first_per_second": 1000},
                "retry": {"first_wait_seconds": 0.001, "wait_seconds_max": 0.01},
            }
        )
        told: list[str] = []
        async with aclosing(
            glacier_purge.delete_archives(VAULT, ids, settings=settings, credentials=CREDENTIALS)
        ) as outcomes:
            async for outcome in outcomes:
                assert outcome.outcome == "deleted"
                assert glacier.service.ledger.times_received(outcome.archive_id) >= 1, "told to be deleted, still there"
                told.append(outcome.archive_id)
        assert sorted(told) == sorted(ids)
        assert glacier.ledger["archives_left"] == 0
        assert glacier.ledger["faults"], "nothing was tried"
    return glacier


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("transport", ["sdk", "rest"])
@pytest.mark.parametrize(("kind", "share"), [*((kind, 0.3) for kind in NOT_DONE), ("repeated-anywhere", 0.05)])
async def test_what_is_told_to_be_deleted_is_gone(kind: str, share: float, transport: str) -> None:
    await deleted_under([Rule(kind, share)], transport, seed=int(share * 100))


@pytest.mark.parametrize("transport", ["sdk", "rest"])
async def test_what_is_told_to_be_deleted_is_gone_when_everything_happens(transport: str) -> None:
    await deleted_under([Rule(kind, 0.03) for kind in [*NOT_DONE, *BEHIND]], transport, seed=5)


KEPT = "kept-by-a-box-in-between"
FILMS = glacier_purge.Vault(account_id=VAULT.account_id, region=VAULT.region, name="films")
ARCHIVE = ArchiveId("-" + "a_Z9" * 34 + "x")
DESCRIBED = json.dumps(
    {"VaultARN": VAULT.arn, "VaultName": VAULT.name, "CreationDate": "2020-01-01T00:00:00.000Z"}
).encode()


async def answered_with_what_is_kept(exchange: Exchange) -> None:
    body = DESCRIBED if exchange.request.startswith(b"GET") else b""
    status = "200 OK" if body else "204 No Content"
    await exchange.send_as_it_is(reply(status, "Content-Type: application/json", body=body, request_id=KEPT))


async def ask_for_another_vault(clients: Clients, access: Access, transport: Transport) -> None:
    async with clients.service_over(transport, FILMS, access) as films:
        assert (await delete(films, ARCHIVE)).meaning is Meaning.DELETED


async def ask_a_question(clients: Clients, access: Access, _transport: Transport) -> None:
    await (await clients.control_for_anybody(VAULT, access)).describe_vault()


async def begin_after_a_process_that_got_it(clients: Clients, _access: Access, _transport: Transport) -> None:
    clients.know([KEPT])


@pytest.mark.parametrize("transport", ["sdk", "rest"])
@pytest.mark.parametrize("before", [ask_for_another_vault, ask_a_question, begin_after_a_process_that_got_it])
async def test_what_was_answered_to_anything_before_answers_no_delete(
    before: Callable[[Clients, Access, Transport], Awaitable[None]], transport: Transport
) -> None:
    async with serving(answered_with_what_is_kept) as server, Clients() as clients:
        access = Access(endpoint_url=server.endpoint_url, credentials=CREDENTIALS)
        await before(clients, access, transport)
        async with clients.service_over(transport, VAULT, access) as glacier:
            found = await delete(glacier, ARCHIVE)
    assert (found.meaning, found.code) == (Meaning.NO_REPLY, "RepeatedReply")


async def test_what_a_runs_log_says_last_of_replies_is_known_to_the_process_that_goes_on(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    assert last_request_ids(disk) == []
    journal = await open_journal(disk, records=3)
    journal.record([outcome(0, request_id="one"), outcome(1, request_id="two"), outcome(2, "failed", code="x")])
    await journal.durable()
    assert last_request_ids(disk) == ["one", "two"]
    await journal.aclose()


async def test_a_question_is_not_answered_out_of_a_cache() -> None:
    """Who asked whether the vault is held would hear what was so an hour ago, under an id that nobody has seen."""

    async def kept(exchange: Exchange) -> None:
        await exchange.send(refusal("404 Not Found", "ResourceNotFoundException", "No vault lock policy", "Age: 3600"))

    async with serving(kept) as server, control(server.endpoint_url) as client:
        with pytest.raises(NoAnswer):
            await client.vault_lock()


# -- the window of request ids ---------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 40).map(str), max_size=200), st.integers(1, 20))
def test_a_request_id_among_the_last_is_never_new_and_few_are_kept(ids: list[str], kept_min: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glacier_purge.glacier.request_ids.IDS_KEPT_MIN", kept_min)
        seen = SeenRequestIds()
        for at, request_id in enumerate(ids):
            is_new = seen.is_new(request_id)
            assert not (is_new and request_id in ids[max(0, at - kept_min) : at])
            assert is_new or request_id in ids[:at]
            assert len(seen.newer) + len(seen.older) <= 2 * kept_min


def test_an_id_that_keeps_coming_is_never_forgotten() -> None:
    seen = SeenRequestIds()
    assert seen.is_new("kept by a box in between")
    for number in range(5 * IDS_KEPT_MIN):
        assert seen.is_new(str(number))
        if number % (IDS_KEPT_MIN - 1) == 0:
            assert not seen.is_new("kept by a box in between")


def test_as_many_ids_are_kept_as_an_account_may_send_in_minutes() -> None:
    seen = SeenRequestIds()
    ids = [f"{number:048d}" for number in range(IDS_KEPT_MIN)]
    assert all(map(seen.is_new, ids))
    assert not any(map(seen.is_new, ids))


def deleted(request_id: str) -> Reply:
    return Reply(Meaning.DELETED, 204, request_id=request_id)


async def test_a_reply_that_two_get_in_one_turn_is_nobodys() -> None:
    replies, settled = Replies(SeenRequestIds()), list[tuple[str, Reply]]()
    replies.deliver_to(settled.extend)
    assert [replies.add(*each) for each in [("a", deleted("1")), ("b", deleted("2")), ("c", deleted("1"))]] == [
        True,
        True,
        False,
    ]
    await asyncio.sleep(0)
    assert [(archive, reply.meaning, reply.code) for archive, reply in settled] == [
        ("a", Meaning.NO_REPLY, "RepeatedReply"),
        ("b", Meaning.DELETED, None),
        ("c", Meaning.NO_REPLY, "RepeatedReply"),
    ]


async def test_replies_without_a_request_id_are_not_held_against_each_other() -> None:
    replies = Replies(SeenRequestIds())
    replies.deliver_to(lambda _: None)
    nothing = Reply(Meaning.NO_REPLY, code="ReadTimeoutError")
    assert all([replies.add("a", nothing), replies.add("b", nothing)])


async def test_a_reply_that_keeps_coming_is_never_believed_and_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("glacier_purge.glacier.request_ids.IDS_KEPT_MIN", 10)
    replies, settled = Replies(SeenRequestIds()), list[tuple[str, Reply]]()
    replies.deliver_to(settled.extend)
    assert replies.add("first", deleted("kept"))
    for number in range(100):
        assert replies.add(f"archive {number}", deleted(str(number)))
        await asyncio.sleep(0)
        if number % 9 == 0:
            assert not replies.add("another", deleted("kept"))
        assert len(replies._seen.newer) + len(replies._seen.older) <= 21
    await asyncio.sleep(0)
    assert [
        archive for archive, reply in settled if reply.request_id == "kept" and reply.meaning is Meaning.DELETED
    ] == ["first"]
