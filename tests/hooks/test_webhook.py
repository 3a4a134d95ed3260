"""Webhooks against a real receiver: signed, tried again where that may help, and never led elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from glacier_purge.aws.tls import Bundle, client_context
from glacier_purge.happenings import Happening
from glacier_purge.hooks import webhook
from glacier_purge.hooks.event import Event, NotTold, cloud_event
from glacier_purge.hooks.webhook import WebHook, call_hook, signed, wait_seconds
from tests.hooks.receiver import receiving

DATA: dict[str, Any] = {
    "vault": "photos",
    "vault_arn": "arn:aws:glacier:us-east-1:123456789012:vaults/photos",
    "run_dir": "/runs/photos",
    "phase": None,
    "digest": "ab" * 32,
    "message": "It is held: Ä \n second line",
    "next": None,
}
EVENT = cloud_event(Happening.HELD, DATA, event_id="id-1", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
NOW = 1_800_000_000.4


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_FIRST_WAIT_SECONDS", 0.001)


async def call(url: str, *, timeout_seconds: float = 5.0, secret: str | None = None, **how: Any) -> None:
    hook = WebHook(name="https://here/…", url=url, timeout_seconds=timeout_seconds, secret=secret)
    given: dict[str, Any] = {"tls": client_context(None), "proxy": None, "agent": "glacier-purge/1"}
    await call_hook(hook, EVENT, **(given | how), clock=lambda: NOW, chance=lambda: 0.5)


async def test_an_event_comes_as_a_cloud_event() -> None:
    async with receiving() as receiver:
        await call(receiver.url)
    (headers, body), *more = receiver.came
    assert not more
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert headers["User-Agent"] == "glacier-purge/1"
    assert not any(name.lower().startswith("webhook-") for name in headers)
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "id-1",
        "source": DATA["vault_arn"],
        "type": "glacier-purge.held",
        "subject": "/runs/photos",
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:glacier-purge:event:held",
        "data": DATA,
    }


@pytest.mark.parametrize("secret", ["plain text", "whsec_" + base64.b64encode(b"\x00 bytes \xff").decode()])
async def test_who_has_the_secret_can_check_who_sent_it(secret: str) -> None:
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    async with receiving() as receiver:
        await call(receiver.url, secret=secret)
    headers, body = receiver.came[0]
    at = headers["webhook-timestamp"]
    expected = hmac.new(key, f"id-1.{at}.".encode() + body, hashlib.sha256).digest()
    assert (at, headers["webhook-id"]) == ("1800000000", "id-1")
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"


def test_it_is_signed_as_the_standards_own_example_is() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks, which its libraries test with."""
    event = Event(
        id="msg_p5jXN8AQM9LWM0D4loKWxJek", happening=Happening.HELD, body=b'{"test": 2432232314}', variables={}
    )
    headers = signed(event, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1_614_265_330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_secret_that_is_no_base64_is_told_and_sent_nowhere() -> None:
    async with receiving() as receiver:
        with pytest.raises(NotTold, match="is no base64 after that"):
            await call(receiver.url, secret="whsec_ü")
    assert not receiver.came


@pytest.mark.parametrize("answers", [(500,), (503, 429, 408, 425), (None, 200)])
async def test_what_may_pass_is_tried_again(answers: tuple[int | None, ...]) -> None:
    async with receiving(*answers) as receiver:
        await call(receiver.url, timeout_seconds=0.2)
    assert len(receiver.came) == max(2, len([answer for answer in answers if answer != 200]) + 1)
    assert len({body for _, body in receiver.came}) == 1


@pytest.mark.parametrize(
    ("answers", "why", "times"),
    [
        ((500,) * 9, "it answered 500, 5 times", 5),
        ((None,) * 9, "it gave no answer in 0.05 s, 5 times", 5),
        ((400,), "it answered 400", 1),
        ((401,), "it answered 401", 1),
        ((302,), r"it answered with a redirect \(302\), which is not followed", 1),
        ((307,), r"it answered with a redirect \(307\), which is not followed", 1),
    ],
)
async def test_what_does_not_pass_is_told(answers: tuple[int | None, ...], why: str, times: int) -> None:
    async with receiving() as elsewhere, receiving(*answers) as receiver:
        receiver.headers = {"Location": elsewhere.url} if answers[0] in (302, 307) else {}
        with pytest.raises(NotTold, match=f"^{why}") as told:
            await call(receiver.url, timeout_seconds=0.05 if answers[0] is None else 5.0)
    assert len(receiver.came) == times
    assert not elsewhere.came
    assert "very-secret" not in str(told.value)


async def test_nobody_there_is_told_without_the_address() -> None:
    async with receiving() as receiver:
        pass
    with pytest.raises(
        NotTold, match=r"^it cannot be reached \(Connect(ion refused| call failed).*\), 5 times$"
    ) as told:
        await call(receiver.url)
    assert "very-secret" not in str(told.value)


async def test_a_server_that_nobody_vouches_for_gets_nothing_and_a_companys_authority_is_trusted() -> None:
    authority = trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    async with receiving(tls=theirs) as receiver:
        with pytest.raises(NotTold, match=r"does not hold.*Nobody who is trusted here vouches for it"):
            await call(receiver.url)
        assert not receiver.came
        bundle = Bundle(file="ours.pem", named_by="--ca-bundle", pem=authority.cert_pem.bytes().decode())
        await call(receiver.url, tls=client_context(bundle))
    assert len(receiver.came) == 1


@pytest.mark.parametrize(
    ("attempt", "retry_after", "seconds"),
    [
        (1, None, 0.00075),
        (3, None, 0.003),
        (1, "7", 7.0),
        (1, "86400", 60.0),
        (1, "tomorrow", 0.00075),
        (40, None, 45.0),
    ],
)
def test_it_waits_as_the_server_says_else_twice_as_long_each_time(
    attempt: int, retry_after: str | None, seconds: float
) -> None:
    assert wait_seconds(attempt, retry_after, 0.5) == pytest.approx(seconds)
