"""What both transports must do alike: the same bytes from the server, the same meaning, nothing sent twice.

Every case asks for two deletes.  The second is always refused by the server, so a transport that lets anything
left over from the first exchange answer the second one is found out.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from glacier_purge.archive import ArchiveId, Vault
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.errors import CredentialsFailed, UsageError
from glacier_purge.glacier.reply import Meaning, Reply
from tests.clients import open_rest, open_sdk
from tests.glacier.one_delete import Asked, delete
from tests.glacier.raw_server import (
    Exchange,
    HangUpError,
    RawServer,
    answers,
    description,
    refusal,
    reply,
    request_id_of,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from glacier_purge.glacier.port import Glacier
    from tests.glacier.raw_server import Answer

    Opener = Callable[[Vault, Access], AbstractAsyncContextManager[Glacier]]

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
KEYS = StaticCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret")
ARCHIVE = ArchiveId("-" + "a_Z9" * 34 + "x")
REFUSED = refusal("403 Forbidden", "AccessDeniedException", "not authorized")
HTML = b"<html><title>Log in to WiFi</title></html>"
THROTTLE_BODY = b'{"code":"ThrottlingException","message":"Rate exceeded","type":"Client"}'


@pytest.fixture(params=["sdk", "rest"])
def open_transport(request: pytest.FixtureRequest) -> Opener:
    openers: dict[str, Opener] = {"sdk": open_sdk, "rest": open_rest}
    return openers[request.param]


def access(endpoint_url: str, **changes: Any) -> Access:
    return replace(Access(endpoint_url=endpoint_url, credentials=KEYS), **changes)


async def two_deletes(open_transport: Opener, first: Answer, **changes: Any) -> tuple[Reply, Reply, RawServer]:
    """Return the replies to a delete answered by ``first`` and to a refused one after it."""

    async def answer(exchange: Exchange) -> None:
        await (first(exchange) if exchange.number == 1 else exchange.send(REFUSED))

    async with serving(answer) as server, open_transport(VAULT, access(server.endpoint_url, **changes)) as glacier:
        return await delete(glacier, ARCHIVE), await delete(glacier, ARCHIVE), server


def sent(data: bytes) -> Answer:
    return answers(data)


def sent_and_closed(data: bytes) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(data)
        raise HangUpError

    return answer


async def in_single_bytes(exchange: Exchange) -> None:
    for byte in reply(body=b""):
        await exchange.send(bytes([byte]))
        await asyncio.sleep(0)


async def with_a_fold_between_two_pieces(exchange: Exchange) -> None:
    """A header that goes on in another line, where neither piece shows it and the last is whole."""
    for piece in (b"HTTP/1.1 204 No Content\r\nx-note: one\r\n", b" two\r\n", b"x-amzn-RequestId: abc\r\n\r\n"):
        await exchange.send_as_it_is(piece)
        await asyncio.sleep(0.01)


async def reset(exchange: Exchange) -> None:
    exchange.reset()
    raise HangUpError


async def half_close(exchange: Exchange) -> None:
    exchange.writer.write_eof()


DELETED, NO_REPLY = Meaning.DELETED, Meaning.NO_REPLY

EXCHANGES: dict[str, tuple[Answer, Meaning]] = {
    # whole replies, however they are cut and spelt
    "204": (sent(reply()), DELETED),
    "204 in single bytes": (in_single_bytes, DELETED),
    "204 with an empty body announced": (sent(reply(framing="Content-Length: 0")), DELETED),
    "204 with header names in lower case": (
        sent(b"HTTP/1.1 204 No Content\r\nx-amzn-requestid: abc\r\ndate: now\r\n\r\n"),
        DELETED,
    ),
    "204 without a reason": (sent(b"HTTP/1.1 204 \r\nx-amzn-RequestId: abc\r\n\r\n"), DELETED),
    "204 that closes": (sent_and_closed(reply("204 No Content", "Connection: close")), DELETED),
    "204 of HTTP/1.0": (sent_and_closed(b"HTTP/1.0 204 No Content\r\nx-amzn-RequestId: abc\r\n\r\n"), DELETED),
    "204 after an interim reply": (sent(b"HTTP/1.1 100 Continue\r\n\r\n" + reply()), DELETED),
    "throttled": (sent(refusal("400 Bad Request", "ThrottlingException", "Rate exceeded")), Meaning.THROTTLED),
    "throttled in chunks": (
        sent(
            b"HTTP/1.1 400 Bad Request\r\nx-amzn-RequestId: abc\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"20\r\n" + THROTTLE_BODY[:32] + b"\r\n28\r\n" + THROTTLE_BODY[32:] + b"\r\n0\r\n\r\n"
        ),
        Meaning.THROTTLED,
    ),
    "throttled, ended by the connection": (
        sent_and_closed(b"HTTP/1.1 400 Bad Request\r\nx-amzn-RequestId: abc\r\n\r\n" + THROTTLE_BODY),
        Meaning.THROTTLED,
    ),
    "code in the header": (
        sent(reply("400 Bad Request", "x-amzn-ErrorType: ThrottlingException:http://x/", body=b"{}")),
        Meaning.THROTTLED,
    ),
    "429 without a body": (sent(reply("429 Too Many Requests")), Meaning.THROTTLED),
    "service unavailable": (sent(refusal("500 Error", "ServiceUnavailableException")), Meaning.SERVER_FAULT),
    "bare 503": (sent(reply("503 Service Unavailable")), Meaning.SERVER_FAULT),
    "a gateway's 502 page": (sent(reply("502 Bad Gateway", body=HTML, request_id=None)), Meaning.SERVER_FAULT),
    "expired token": (sent(refusal("403 Forbidden", "ExpiredTokenException")), Meaning.CREDENTIALS),
    "missing vault": (sent(refusal("404 Not Found", "ResourceNotFoundException")), Meaning.VAULT_MISSING),
    "another vault's archive": (
        sent(refusal("400 Bad Request", "InvalidParameterValueException", "Invalid vault name: arn:x")),
        Meaning.WRONG_VAULT,
    ),
    "an error nobody knows": (sent(refusal("400 Bad Request", "SomethingNewException")), Meaning.UNKNOWN),
    # not from AWS
    "a login page": (sent(reply("200 OK", body=HTML, request_id=None)), Meaning.NOT_AWS),
    "a redirect": (sent(reply("302 Found", "Location: /123456789012/vaults/photos", request_id=None)), Meaning.NOT_AWS),
    "a redirect with a request id": (sent(reply("307 Moved", "Location: /")), Meaning.NOT_AWS),
    # no whole reply
    "closed without a byte": (sent_and_closed(b""), NO_REPLY),
    "reset": (reset, NO_REPLY),
    "half closed": (half_close, NO_REPLY),
    "cut in the status line": (sent_and_closed(b"HTTP/1.1 204 No Con"), NO_REPLY),
    "cut in the headers": (sent_and_closed(b"HTTP/1.1 204 No Content\r\nx-amzn-RequestId: abc\r\n"), NO_REPLY),
    "cut in the body": (sent_and_closed(reply("400 No", framing="Content-Length: 99", body=b"{")), NO_REPLY),
    "cut in a chunk": (
        sent_and_closed(reply("400 No", framing="Transfer-Encoding: chunked", body=b"20\r\n{")),
        NO_REPLY,
    ),
    "not HTTP": (sent(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), NO_REPLY),
    "two lengths": (sent(reply("400 No", "Content-Length: 1", framing="Content-Length: 2", body=b"{}")), NO_REPLY),
    "a body longer than announced": (sent(reply("400 No", framing="Content-Length: 1", body=b"{}\r\n\r\n")), NO_REPLY),
    "204 with rubbish behind it": (sent(reply() + b"rubbish\r\n\r\n"), NO_REPLY),
    "a switch of protocols": (
        sent(reply("101 Switching Protocols", "Upgrade: websocket", "Connection: upgrade")),
        NO_REPLY,
    ),
    "200 of the service": (sent(reply("200 OK", body=b"")), NO_REPLY),
    "a refusal cut to half": (sent(reply("400 No", body=THROTTLE_BODY[:32])), NO_REPLY),
    "a refusal that was packed": (
        sent(reply("400 No", "Content-Encoding: gzip", body=gzip.compress(THROTTLE_BODY))),
        NO_REPLY,
    ),
    # a 204 that the service would not have sent
    "204 with a header that goes on in another line": (with_a_fold_between_two_pieces, NO_REPLY),
    "204 without a request id": (sent(reply(request_id=None)), NO_REPLY),
    "204 with an empty request id": (sent(reply(request_id="")), NO_REPLY),
    "204 with a request id of blanks": (sent(reply(request_id="  ")), NO_REPLY),
    "204 with two request ids": (sent(reply("204 No Content", f"x-amzn-RequestId: {'b' * 48}")), NO_REPLY),
    "204 with a request id of a page": (sent(reply(request_id="b" * 1_000)), NO_REPLY),
    "204 with an error type": (sent(reply("204 No Content", "x-amzn-ErrorType: ThrottlingException")), NO_REPLY),
    "204 with an empty error type": (sent(reply("204 No Content", "x-amzn-ErrorType: ")), NO_REPLY),
    "204 with a body": (sent(reply(framing="Content-Length: 2", body=b"{}")), NO_REPLY),
    "204 with a body that is not announced": (sent(reply(body=b"{}")), NO_REPLY),
    "204 with a length and no body": (sent(reply(framing="Content-Length: 2")), NO_REPLY),
    "204 with a length of two spellings": (sent(reply(framing="Content-Length: 00")), NO_REPLY),
    "204 in chunks": (sent(reply(framing="Transfer-Encoding: chunked", body=b"0\r\n\r\n")), NO_REPLY),
    "204 that announces chunks": (sent(reply(framing="Transfer-Encoding: chunked")), NO_REPLY),
    "204 with a length that is said twice": (sent(reply(framing="Content-Length: 0\r\nContent-Length: 0")), NO_REPLY),
    "204 with a header in two lines": (sent(reply("204 No Content", "Server: a\r\n b")), NO_REPLY),
    "204 with a request id in another line": (sent(reply(request_id="\r\n abc")), NO_REPLY),
    "204 with blanks behind its request id": (sent(reply(request_id="abc \t ")), DELETED),
    "204 after two interim replies": (
        sent(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nx-amzn-RequestId: abc\r\n\r\n" + reply()),
        DELETED,
    ),
    "204 without a request id after an interim reply that has one": (
        sent(b"HTTP/1.1 103 Early\r\nx-amzn-RequestId: abc\r\n\r\n" + reply(request_id=None)),
        NO_REPLY,
    ),
    "204 out of a cache": (sent(reply("204 No Content", "Age: 0")), NO_REPLY),
    "a refusal out of a cache": (sent(refusal("403 No", "AccessDeniedException", "", "Age: 60")), NO_REPLY),
    "204 of HTTP/2.0": (sent(reply().replace(b"HTTP/1.1", b"HTTP/2.0")), NO_REPLY),
    "204 of HTTP/0.9": (sent(reply().replace(b"HTTP/1.1", b"HTTP/0.9")), NO_REPLY),
    "an interim reply that has a request id, then nothing": (
        sent_and_closed(b"HTTP/1.1 103 Early Hints\r\nx-amzn-RequestId: abc\r\n\r\n"),
        NO_REPLY,
    ),
    # more than a reply
    "204 twice at once": (sent(reply() * 2), NO_REPLY),
    "204 and another one": (sent(reply() + reply(request_id="b" * 48)), NO_REPLY),
    "204 and a refusal": (sent(reply() + REFUSED), NO_REPLY),
    "204 and the beginning of another one": (sent(reply() + b"HTTP/1.1 2"), NO_REPLY),
    "204 and a blank line": (sent(reply() + b"\r\n"), NO_REPLY),
    "a refusal and a 204": (sent(REFUSED + reply(request_id="b" * 48)), NO_REPLY),
    "a refusal with an empty request id": (sent(reply("403 Forbidden", request_id="")), NO_REPLY),
}


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("name", EXCHANGES)
async def test_a_reply_means_the_same_over_every_transport(open_transport: Opener, name: str) -> None:
    answer, meaning = EXCHANGES[name]
    first, second, server = await two_deletes(open_transport, answer)
    assert (first.meaning, second.meaning) == (meaning, Meaning.REFUSED)
    assert len(server.requests) == 2
    assert meaning is NO_REPLY or first.status is not None


async def test_both_transports_send_the_same_bytes() -> None:
    """But for date, signature, invocation id and the name of the program."""

    def frozen_parts(request: bytes) -> list[str]:
        changing = ("Host", "User-Agent", "X-Amz-Date", "amz-sdk-invocation-id")
        lines = request.decode().split("\r\n")
        return [
            line.partition(": ")[0]
            if line.startswith(changing)
            else line.partition("Signature=")[0].replace(day, "DAY")
            for line in lines
            for day in [dict(pair.split(": ") for pair in lines if ": " in pair)["X-Amz-Date"][:8]]
        ]

    requests: list[list[str]] = []
    for token in (None, "session/token=="):
        for opener in (open_sdk, open_rest):
            keys = StaticCredentials(access_key_id="AKID", secret_access_key="secret", session_token=token)
            async with (
                serving(answers(reply())) as server,
                opener(VAULT, access(server.endpoint_url, credentials=keys)) as glacier,
            ):
                await delete(glacier, ARCHIVE)
            requests.append(frozen_parts(server.requests[0]))
    assert requests[0] == requests[1]
    assert requests[2] == requests[3]
    assert len(requests[2]) == len(requests[0]) + 1


async def test_a_reply_is_kept_whole(open_transport: Opener) -> None:
    slow_down = refusal("400 Bad Request", "ThrottlingException", "Rate exceeded", "x-amz-retry-after: 1500")
    first, _, _ = await two_deletes(open_transport, sent(slow_down))
    assert first == Reply(
        Meaning.THROTTLED,
        status=400,
        code="ThrottlingException",
        message="Rate exceeded",
        request_id=request_id_of(1),
        retry_after_seconds=1.5,
    )


async def test_a_reply_nobody_asked_for_does_not_answer_the_next_delete(open_transport: Opener) -> None:
    answered, repeated = asyncio.Event(), asyncio.Event()

    async def twice(exchange: Exchange) -> None:
        if exchange.number > 1:
            await exchange.send(REFUSED)
            return
        await exchange.send(reply())
        await answered.wait()
        await exchange.send(reply())
        repeated.set()

    async with serving(twice) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        first = await delete(glacier, ARCHIVE)
        answered.set()
        await repeated.wait()
        await asyncio.sleep(0.01)  # the repeated reply crosses loopback
        second = await delete(glacier, ARCHIVE)
    assert (first.meaning, second.meaning) == (DELETED, Meaning.REFUSED)


@pytest.mark.parametrize("given_before", [reply(), REFUSED, refusal("400 No", "ThrottlingException")], ids=repr)
async def test_a_reply_given_before_is_none_and_ends_its_connection(
    open_transport: Opener, given_before: bytes
) -> None:
    async def the_first_again(exchange: Exchange) -> None:
        if exchange.number == 2:
            await exchange.send_as_it_is(reply(request_id=request_id_of(1)))
        else:
            await exchange.send(given_before)

    async with serving(the_first_again) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        got = [await delete(glacier, ARCHIVE) for _ in range(3)]
    assert (got[1].meaning, got[1].code, got[1].status) == (NO_REPLY, "RepeatedReply", None)
    assert request_id_of(1) in got[1].message
    assert got[0].meaning is got[2].meaning is not NO_REPLY
    assert server.connections == 2


async def test_a_reply_given_before_over_another_connection_is_none(open_transport: Opener) -> None:
    together = asyncio.Barrier(2)

    async def the_same_for_both(exchange: Exchange) -> None:
        if exchange.number <= 2:
            await together.wait()
            await exchange.send_as_it_is(reply())
        else:
            await exchange.send(reply())

    async with serving(the_same_for_both) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        got = await asyncio.gather(*(delete(glacier, ARCHIVE) for _ in range(2)))
        after = [(await delete(glacier, ARCHIVE)).meaning for _ in range(3)]
    assert "RepeatedReply" in {each.code for each in got}
    assert after == [DELETED] * 3


async def test_replies_that_fell_behind_by_one_answer_nothing(open_transport: Opener) -> None:
    """The second delete gets the first one's reply; its own, which follows, must not answer the third."""

    async def behind(exchange: Exchange) -> None:
        if exchange.number == 2:
            await exchange.send_as_it_is(reply(request_id=request_id_of(1)))
            with suppress(ConnectionError):
                await exchange.send(reply())
        else:
            await exchange.send(reply() if exchange.number == 1 else REFUSED)

    async with serving(behind) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        got = [(await delete(glacier, ARCHIVE)).meaning for _ in range(3)]
    assert got == [DELETED, NO_REPLY, Meaning.REFUSED]


async def test_a_connection_closed_while_idle_is_replaced(open_transport: Opener) -> None:
    answered, closed = asyncio.Event(), asyncio.Event()

    async def then_close(exchange: Exchange) -> None:
        if exchange.number > 1:
            await exchange.send(REFUSED)
            return
        await exchange.send(reply())
        await answered.wait()
        closed.set()
        raise HangUpError

    async with serving(then_close) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        first = await delete(glacier, ARCHIVE)
        answered.set()
        await closed.wait()
        await asyncio.sleep(0.01)  # the end crosses loopback
        second = await delete(glacier, ARCHIVE)
    assert (first.meaning, second.meaning) == (DELETED, Meaning.REFUSED)
    assert (len(server.requests), server.connections) == (2, 2)


async def test_a_kept_connection_that_drops_a_delete_costs_one_request(open_transport: Opener) -> None:
    async def drop_the_second(exchange: Exchange) -> None:
        if exchange.number == 2:
            raise HangUpError
        await exchange.send(reply())

    async with serving(drop_the_second) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        got = [(await delete(glacier, ARCHIVE)).meaning for _ in range(3)]
    assert got == [DELETED, NO_REPLY, DELETED]
    assert len(server.requests) == 3


@pytest.mark.looptime
async def test_a_silent_server_is_given_up_in_time(open_transport: Opener) -> None:
    async def silence(exchange: Exchange) -> None:
        await asyncio.sleep(3600)

    first, second, _ = await two_deletes(open_transport, silence)
    assert (first.meaning, first.code, second.meaning) == (NO_REPLY, "ReadTimeoutError", Meaning.REFUSED)
    assert 30 <= asyncio.get_running_loop().time() <= 36


@pytest.mark.looptime
async def test_a_server_that_drips_bytes_is_given_up_in_time(open_transport: Opener) -> None:
    async def drip(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 204 No Content\r\nx-amzn-RequestId: ")
        for _ in range(3600):
            await exchange.send(b"a")
            await asyncio.sleep(1)

    first, second, _ = await two_deletes(open_transport, drip)
    assert (first.meaning, first.code, second.meaning) == (NO_REPLY, "ReadTimeoutError", Meaning.REFUSED)
    assert 30 <= asyncio.get_running_loop().time() <= 36


@pytest.mark.looptime
async def test_a_reply_after_the_time_limit_does_not_answer_the_next_delete(open_transport: Opener) -> None:
    async def late(exchange: Exchange) -> None:
        await asyncio.sleep(60 if exchange.number == 1 else 31)
        await exchange.send(reply() if exchange.number == 1 else REFUSED)

    async with (
        serving(late) as server,
        open_transport(VAULT, access(server.endpoint_url, request_timeout_seconds=45.0)) as glacier,
    ):
        got = [(await delete(glacier, ARCHIVE)).meaning for _ in range(2)]
    assert got == [NO_REPLY, Meaning.REFUSED]


async def test_a_delete_that_is_cancelled_leaves_no_reply_behind(open_transport: Opener) -> None:
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def wait_for_cancellation(exchange: Exchange) -> None:
        if exchange.number > 1:
            await exchange.send(REFUSED)
            return
        arrived.set()
        await cancelled.wait()
        await exchange.send(reply())

    async with serving(wait_for_cancellation) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        deleting = asyncio.ensure_future(delete(glacier, ARCHIVE))
        await arrived.wait()
        deleting.cancel()
        with suppress(asyncio.CancelledError):
            await deleting
        cancelled.set()
        assert (await delete(glacier, ARCHIVE)).meaning is Meaning.REFUSED


async def test_as_many_requests_fly_as_are_asked_for_and_no_more_than_allowed(open_transport: Opener) -> None:
    flying, most = 0, 0
    full = asyncio.Event()

    async def count(exchange: Exchange) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        if flying == 20:
            full.set()
        await full.wait()
        flying -= 1
        await exchange.send(reply())

    async with (
        serving(count) as server,
        open_transport(VAULT, access(server.endpoint_url, max_in_flight=20)) as glacier,
    ):
        got = await asyncio.gather(*(delete(glacier, ARCHIVE) for _ in range(50)))
    assert {each.meaning for each in got} == {DELETED}
    assert most == 20
    assert server.connections == 20


async def test_nobody_listening_is_no_reply(open_transport: Opener) -> None:
    async with serving(answers(reply())) as server:
        pass
    async with open_transport(VAULT, access(server.endpoint_url)) as glacier:
        got = await delete(glacier, ARCHIVE)
    assert (got.meaning, got.code, got.status) == (NO_REPLY, "EndpointConnectionError", None)


@pytest.mark.parametrize("archive_id", ["", ".", "..", "a" * 137, "a" * 137 + "/", "%2e%2e", "a" * 138 + "\n"])
async def test_nothing_but_an_archive_id_is_ever_sent(open_transport: Opener, archive_id: str) -> None:
    async with serving(answers(reply())) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        with pytest.raises(UsageError, match="not sent"):
            await delete(glacier, ArchiveId(archive_id))
    assert server.requests == []


async def test_one_bad_id_keeps_all_that_were_to_go_with_it_from_being_sent(open_transport: Opener) -> None:
    async with serving(answers(reply())) as server, open_transport(VAULT, access(server.endpoint_url)) as glacier:
        await delete(glacier, ARCHIVE)  # so that there is an idle connection
        with pytest.raises(UsageError, match="not sent"):
            glacier.delete_archives([Asked(ARCHIVE), Asked(ArchiveId("..")), Asked(ARCHIVE)])
    assert len(server.requests) == 1


async def test_deletes_sent_together_each_get_their_own_reply(open_transport: Opener) -> None:
    """More than there are connections, of which some are idle and some are still to be made."""

    async def by_number(exchange: Exchange) -> None:
        last = exchange.request.split(b" ")[1][-1:].decode()
        await exchange.send(
            refusal("403 Forbidden", "AccessDeniedException")
            if last == "x"
            else reply(request_id=f"{last}{exchange.number}")
        )

    ids = [ArchiveId("a" * 137 + last) for last in "abcdefghix"]
    async with (
        serving(by_number) as server,
        open_transport(VAULT, access(server.endpoint_url, max_in_flight=4)) as glacier,
    ):
        await asyncio.gather(delete(glacier, ids[0]), delete(glacier, ids[1]))
        asked = [Asked(archive_id) for archive_id in ids]
        await asyncio.gather(*(later() for later in glacier.delete_archives(asked)))
        replies = [await each.answer for each in asked]
    assert [each.meaning for each in replies] == [DELETED] * 9 + [Meaning.REFUSED]
    assert [(each.request_id or "")[0] for each in replies[:9]] == list("abcdefghi")


async def test_no_credentials_is_a_reply_and_sends_nothing(open_transport: Opener) -> None:
    async with (
        serving(answers(reply())) as server,
        open_transport(VAULT, access(server.endpoint_url, credentials=None)) as glacier,
    ):
        got = await delete(glacier, ARCHIVE)
        with pytest.raises(CredentialsFailed, match="no AWS credentials"):
            await glacier.renew_credentials()
    assert got.meaning is Meaning.CREDENTIALS
    assert server.requests == []


async def test_renewed_credentials_sign_the_next_delete(
    open_transport: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    file.write_text("[default]\naws_access_key_id=AKIDOLD\naws_secret_access_key=s\n")
    async with (
        serving(answers(reply(), description(VAULT), reply())) as server,
        open_transport(VAULT, access(server.endpoint_url, credentials=None)) as glacier,
    ):
        await delete(glacier, ARCHIVE)
        file.write_text("[default]\naws_access_key_id=AKIDNEW\naws_secret_access_key=s\naws_session_token=t\n")
        await glacier.renew_credentials()
        await delete(glacier, ARCHIVE)
    assert b"Credential=AKIDOLD/" in server.requests[0]
    assert server.requests[1].startswith(b"GET ")  # whose the new key is
    for request in server.requests[1:]:
        assert b"Credential=AKIDNEW/" in request
        assert b"X-Amz-Security-Token: t\r\n" in request


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return tmp_path / "authority.pem"


def server_side(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_certificates_are_checked_against_the_bundle_given(
    open_transport: Opener, authority: trustme.CA, bundle: Path
) -> None:
    async with (
        serving(answers(reply()), tls=server_side(authority)) as server,
        open_transport(VAULT, access(server.endpoint_url, ca_bundle=bundle)) as glacier,
    ):
        assert (await delete(glacier, ARCHIVE)).meaning is DELETED


async def test_certificates_are_checked_against_the_environments_bundle(
    open_transport: Opener, authority: trustme.CA, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    async with (
        serving(answers(reply()), tls=server_side(authority)) as server,
        open_transport(VAULT, access(server.endpoint_url)) as glacier,
    ):
        assert (await delete(glacier, ARCHIVE)).meaning is DELETED


@pytest.mark.parametrize("content", [None, "not a certificate"])
async def test_a_bundle_that_cannot_be_read_is_told_at_the_start(
    open_transport: Opener, content: str | None, tmp_path: Path
) -> None:
    bundle = tmp_path / "authority.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(UsageError, match="PEM"):
        async with open_transport(VAULT, access("https://127.0.0.1:1", ca_bundle=bundle)):
            pass


async def test_the_endpoint_is_one_that_deletes_may_go_to(
    open_transport: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    async with open_transport(VAULT, Access(credentials=KEYS)) as glacier:
        assert glacier.endpoint_url == "https://glacier-fips.us-east-1.amazonaws.com"


async def test_an_unknown_authority_is_not_trusted(open_transport: Opener, authority: trustme.CA) -> None:
    async with (
        serving(answers(reply()), tls=server_side(authority)) as server,
        open_transport(VAULT, access(server.endpoint_url)) as glacier,
    ):
        got = await delete(glacier, ARCHIVE)
    assert (got.meaning, got.code) == (Meaning.UNTRUSTED, "SSLError")
    assert server.requests == []


async def test_a_certificate_for_another_host_is_not_trusted(
    open_transport: Opener, authority: trustme.CA, bundle: Path
) -> None:
    async with (
        serving(answers(reply()), tls=server_side(authority, "glacier.us-east-1.amazonaws.com")) as server,
        open_transport(VAULT, access(server.endpoint_url, ca_bundle=bundle)) as glacier,
    ):
        assert (await delete(glacier, ARCHIVE)).meaning is Meaning.UNTRUSTED
    assert server.requests == []


async def test_on_loopback_the_check_can_be_given_up(open_transport: Opener, authority: trustme.CA) -> None:
    async with (
        serving(answers(reply()), tls=server_side(authority)) as server,
        open_transport(VAULT, access(server.endpoint_url, verify_certificates=False)) as glacier,
    ):
        assert (await delete(glacier, ARCHIVE)).meaning is DELETED


@pytest.mark.looptime
async def test_a_server_without_tls_is_no_reply(open_transport: Opener) -> None:
    async with (
        serving(answers(reply())) as server,
        open_transport(VAULT, access(server.endpoint_url.replace("http:", "https:"))) as glacier,
    ):
        assert (await delete(glacier, ARCHIVE)).meaning is NO_REPLY
    assert server.requests == []


async def test_an_ipv6_address_is_an_endpoint(open_transport: Opener) -> None:
    async with (
        serving(answers(reply()), host="::1") as server,
        open_transport(VAULT, access(server.endpoint_url)) as glacier,
    ):
        assert (await delete(glacier, ARCHIVE)).meaning is DELETED
    assert f"Host: [::1]:{server.endpoint_url.rpartition(':')[2]}\r\n".encode() in server.requests[0]
