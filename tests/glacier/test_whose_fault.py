"""Every code of the service at every first question: what the command ends with, and how often it was asked.

The first questions are who we are (STS), which vault is meant (look-up), what else is around it (control), and the
first delete.  A row is a code with the status and the message that the service sends it with.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.aws.access import Access
from glacier_purge.deletion.credentials import Renewal
from glacier_purge.deletion.retry import TRANSIENT, refusal
from glacier_purge.deletion.tally import Tally
from glacier_purge.errors import ClockWrong, CredentialsFailed, GlacierPurgeError
from glacier_purge.glacier.reply import _BY_CODE, PAUSES_THE_RUN, Meaning, Reply
from glacier_purge.glacier.sdk.patience import FIRST_QUESTION
from tests.clients import KEYS, VAULT, control, no_sleep, open_rest, open_sdk
from tests.glacier.garbled import PAGE
from tests.glacier.one_delete import delete
from tests.glacier.raw_server import HangUpError, reply, serving
from tests.glacier.raw_server import refusal as refused_with
from tests.plan.archives import archive_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.glacier.raw_server import Exchange

OFTEN = FIRST_QUESTION.attempts_max
PATIENT = 4
"""What ``tests.clients.control`` asks at most; in earnest it is ten times."""
EXPIRED = "Signature expired: 20261130T192516Z is now earlier than 20261130T194016Z"
EARLY = "Signature not yet current: 20261130T195016Z is still later than 20261130T194516Z"


class Ends(NamedTuple):
    """An exit code, and how many requests came before; of a delete, what the pool does with it."""

    exit_code: int
    requests: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """``delete`` is the meaning of the code as the answer to a delete."""

    code: str
    status: str
    message: str = ""
    sts: Ends
    lookup: Ends
    control: Ends
    delete: Meaning

    def __str__(self) -> str:
        return f"{self.code} {self.message}".strip()


def later(code: str, status: str, delete: Meaning = Meaning.SERVER_FAULT) -> Row:
    again = Ends(3, OFTEN)
    return Row(code=code, status=status, sts=again, lookup=again, control=Ends(3, PATIENT), delete=delete)


def ours(code: str, status: str, message: str = "", delete: Meaning = Meaning.CREDENTIALS) -> Row:
    """Credentials, or the clock: control asks once more with renewed ones."""
    once = Ends(253, 1)
    return Row(code=code, status=status, message=message, sts=once, lookup=once, control=Ends(253, 2), delete=delete)


def no(code: str, status: str, delete: Meaning, message: str = "", sts: Ends = Ends(3, OFTEN)) -> Row:  # noqa: B008
    once = Ends(254, 1)
    return Row(code=code, status=status, message=message, sts=sts, lookup=once, control=once, delete=delete)


BAD, DENIED, MISSING = "400 Bad Request", "403 Forbidden", "404 Not Found"
NOT_OURS = Ends(253, 1)
"""Nobody needs a permission to ask who they are: a refusal there is about the credentials."""
ROWS = [
    *(later(code, BAD, Meaning.THROTTLED) for code in ("ThrottlingException", "Throttling", "ThrottledException")),
    *(later(code, BAD, Meaning.THROTTLED) for code in ("RequestThrottledException", "RequestThrottled")),
    *(later(code, "429 Too Many Requests", Meaning.THROTTLED) for code in ("TooManyRequestsException", "Unheard")),
    *(later(code, BAD, Meaning.THROTTLED) for code in ("RequestLimitExceeded", "BandwidthLimitExceeded")),
    *(later(code, "503 Slow Down", Meaning.THROTTLED) for code in ("SlowDown",)),
    later("ProvisionedThroughputExceededException", BAD, Meaning.THROTTLED),
    *(later(code, "500 Error") for code in ("ServiceUnavailableException", "InternalFailure", "InternalServerError")),
    *(later(code, "500 Error") for code in ("InternalError", "InternalServerException", "InternalServiceError")),
    *(later(code, "503 Service Unavailable") for code in ("ServiceUnavailable", "InsufficientCapacityException")),
    *(later(code, "408 Request Timeout") for code in ("RequestTimeoutException", "RequestTimeout", "Silence")),
    later("IDPCommunicationError", BAD),
    *(ours(code, DENIED) for code in ("ExpiredTokenException", "ExpiredToken", "RequestExpired", "InvalidToken")),
    *(ours(code, DENIED) for code in ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId")),
    *(ours(code, DENIED) for code in ("TokenRefreshRequired", "AuthFailure")),
    *(ours(code, DENIED, "does not match") for code in ("InvalidSignatureException", "SignatureDoesNotMatch")),
    *(ours(code, BAD) for code in ("MissingAuthenticationTokenException", "MissingAuthenticationToken")),
    *(ours(code, BAD) for code in ("IncompleteSignatureException", "IncompleteSignature")),
    *(ours(code, DENIED, delete=Meaning.CLOCK) for code in ("RequestTimeTooSkewed", "RequestInTheFuture")),
    *(ours("InvalidSignatureException", DENIED, text, Meaning.CLOCK) for text in (EXPIRED, EARLY)),
    *(ours("SignatureDoesNotMatch", DENIED, text, Meaning.CLOCK) for text in (EXPIRED, EARLY)),
    *(no(code, DENIED, Meaning.REFUSED, sts=NOT_OURS) for code in ("AccessDeniedException", "AccessDenied")),
    *(no(code, DENIED, Meaning.REFUSED, sts=NOT_OURS) for code in ("NotAuthorized", "OptInRequired")),
    no("ResourceNotFoundException", MISSING, Meaning.VAULT_MISSING, f"Vault not found for ARN: {VAULT.arn}"),
    no("VaultNotFound", MISSING, Meaning.VAULT_MISSING),
    no("NoLongerSupportedException", BAD, Meaning.NO_LONGER_SUPPORTED),
    no("InvalidParameterValueException", BAD, Meaning.WRONG_VAULT, "Invalid vault name: films"),
    *(no(code, BAD, Meaning.UNKNOWN) for code in ("InvalidParameterValueException", "MissingParameterValueException")),
    *(no(code, BAD, Meaning.UNKNOWN) for code in ("LimitExceededException", "PolicyEnforcedException")),
    *(no(code, BAD, Meaning.UNKNOWN) for code in ("SerializationException", "BadRequest", "CodeOfTomorrow")),
]


def test_the_rows_have_every_code_that_is_known() -> None:
    assert set(_BY_CODE) <= {row.code for row in ROWS}


def answer(row: Row) -> Callable[[Exchange], Awaitable[None]]:
    """Refuse as the one who is asked words it: STS in XML, Amazon Glacier in JSON."""
    xml = f"<ErrorResponse><Error><Code>{row.code}</Code><Message>{row.message}</Message></Error></ErrorResponse>"

    async def give(exchange: Exchange) -> None:
        is_sts = exchange.request.startswith(b"POST / ")
        as_xml = reply(row.status, "Content-Type: text/xml", body=xml.encode())
        await exchange.send(as_xml if is_sts else refused_with(row.status, row.code, row.message))

    return give


async def who(endpoint_url: str) -> object:
    async with Clients(sleep=no_sleep) as clients:
        return await clients.caller(reached(endpoint_url), VAULT.region)


async def which(endpoint_url: str) -> object:
    async with Clients(sleep=no_sleep) as clients:
        return await clients.find_vault(VAULT.name, reached(endpoint_url), VAULT.region)


async def all_of_them(endpoint_url: str) -> object:
    async with Clients(sleep=no_sleep) as clients:
        return await clients.list_vaults(reached(endpoint_url), VAULT.region, None)


async def around(endpoint_url: str) -> object:
    async with control(endpoint_url) as client:
        return await client.describe_vault()


def reached(endpoint_url: str) -> Access:
    return Access(endpoint_url=endpoint_url, credentials=KEYS)


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_refusal_of_a_first_question_ends_with_its_code(row: Row) -> None:
    found: dict[str, Ends] = {}
    for name, ask in {"sts": who, "look-up": which, "listing": all_of_them, "control": around}.items():
        async with serving(answer(row)) as server:
            with pytest.raises(GlacierPurgeError) as caught:
                await ask(server.endpoint_url)
        found[name] = Ends(caught.value.exit_code, len(server.requests))
        assert row.code in str(caught.value), name
        assert isinstance(caught.value, ClockWrong) is (row.delete is Meaning.CLOCK), name
        assert "profile" not in str(caught.value) or found[name].exit_code == 253, caught.value
    assert found == {"sts": row.sts, "look-up": row.lookup, "listing": row.lookup, "control": row.control}


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("opener", [open_sdk, open_rest], ids=["sdk", "rest"])
async def test_a_refusal_of_a_delete_means_the_same_over_both_transports(opener: Callable[..., object]) -> None:
    found = {}
    for row in ROWS:
        async with serving(answer(row)) as server, opened(opener, server.endpoint_url) as glacier:
            found[str(row)] = (await delete(glacier, archive_id(1))).meaning  # type: ignore[arg-type]
    assert found == {str(row): row.delete for row in ROWS}


@asynccontextmanager
async def opened(opener: Callable[..., object], endpoint_url: str) -> AsyncIterator[object]:
    async with opener(VAULT, reached(endpoint_url)) as glacier:  # type: ignore[attr-defined]
        yield glacier


@pytest.mark.looptime
@pytest.mark.parametrize("meaning", [meaning for meaning in Meaning if meaning is not Meaning.DELETED])
async def test_what_a_refused_first_delete_ends_with(meaning: Meaning) -> None:
    """Weather is waited out, what nobody knows fails an archive; each other meaning ends the run with its code."""
    said = Reply(meaning, 403, "Code", "said so")
    if meaning in TRANSIENT or meaning is Meaning.UNKNOWN:
        with pytest.raises(KeyError):
            refusal(VAULT, said)
        return
    if meaning in PAUSES_THE_RUN:
        with pytest.raises(CredentialsFailed) as caught:
            await renewed_for_ever(said)
        assert caught.value.exit_code == 253
        assert isinstance(caught.value, ClockWrong) is (meaning is Meaning.CLOCK)
        assert ("clock" in str(caught.value)) is (meaning is Meaning.CLOCK)
        return
    ends = {Meaning.NOT_AWS: 3, Meaning.UNTRUSTED: 253}
    assert refusal(VAULT, said).exit_code == ends.get(meaning, 254)


async def renewed_for_ever(said: Reply) -> None:
    async def renew() -> None:
        pass

    renewal, tally = Renewal(renew, clock=lambda: 0.0, patience_seconds=60.0), Tally()
    while True:
        renewal.ask(said, 1.0)
        await renewal.renew_when_asked(tally, lambda _: None)


# -- what is no answer ------------------------------------------------------------------------------------------------


async def cut_short(exchange: Exchange) -> None:
    whole = refused_with(MISSING, "ResourceNotFoundException", "Vault not found")
    await exchange.send(whole[:-20])
    raise HangUpError


async def cut_in_its_head(exchange: Exchange) -> None:
    await exchange.send_as_it_is(b"HTTP/1.1 503 Service Unavai")
    raise HangUpError


async def hung_up(exchange: Exchange) -> None:
    exchange.reset()
    raise HangUpError


async def no_http(exchange: Exchange) -> None:
    await exchange.send_as_it_is(b"SSH-2.0-OpenSSH_9.9\r\n")
    raise HangUpError


async def badly_chunked(exchange: Exchange) -> None:
    await exchange.send(reply("403 Forbidden", framing="Transfer-Encoding: chunked", body=b"zz\r\n"))
    raise HangUpError


async def a_proxys_403(exchange: Exchange) -> None:
    await exchange.send(reply("403 Forbidden", "Content-Type: text/html", body=PAGE, request_id=None))


async def a_proxys_407(exchange: Exchange) -> None:
    await exchange.send(reply("407 Proxy Authentication Required", body=PAGE, request_id=None))


async def a_gateways_502(exchange: Exchange) -> None:
    await exchange.send(reply("502 Bad Gateway", body=PAGE, request_id=None))


NO_ANSWERS = (cut_short, cut_in_its_head, hung_up, no_http, badly_chunked, a_proxys_403, a_proxys_407, a_gateways_502)


@pytest.mark.parametrize("give", NO_ANSWERS, ids=lambda give: give.__name__)
async def test_what_is_no_answer_is_asked_for_again_and_ends_with_3(
    give: Callable[[Exchange], Awaitable[None]],
) -> None:
    for ask in (who, which, all_of_them, around):
        async with serving(give) as server:
            with pytest.raises(GlacierPurgeError) as caught:
                await ask(server.endpoint_url)
        assert caught.value.exit_code == 3, ask
        assert len(server.requests) >= 3, ask
        assert "renew" not in str(caught.value).lower(), ask


@pytest.mark.parametrize(
    ("off", "told"),
    [
        (timedelta(minutes=20.5), "20 min .* behind"),
        (timedelta(minutes=-20.5), "20 min .* ahead of"),
        (timedelta(days=-400), "400 d"),
    ],
)
async def test_a_clock_that_is_wrong_is_told_with_how_far(off: timedelta, told: str) -> None:
    date = format_datetime(datetime.now(UTC) + off, usegmt=True)

    async def give(exchange: Exchange) -> None:
        refused = refused_with(DENIED, "RequestTimeTooSkewed", "The difference is too large")
        if exchange.request.startswith(b"POST / "):
            refused = reply(
                DENIED, body=b"<R><Error><Code>RequestTimeTooSkewed</Code><Message>no</Message></Error></R>"
            )
        await exchange.send(refused.replace(b"Date: Sun, 22 Nov 2026 15:14:03 GMT", f"Date: {date}".encode()))

    for ask in (who, which, all_of_them, around):
        async with serving(give) as server:
            with pytest.raises(ClockWrong, match=f"this host's clock is {told}.*the service's.*Set this host's clock"):
                await ask(server.endpoint_url)
