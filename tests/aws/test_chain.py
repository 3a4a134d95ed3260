"""The chain itself: what is kept is used until it is refused, and what hangs or asks stands in nobody's way."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from typing import TYPE_CHECKING, Any

import aiobotocore.credentials
import aiobotocore.tokens
import botocore.credentials
import botocore.tokens
import pytest

from glacier_purge.aws.access import Access
from glacier_purge.aws.chain import Chain
from glacier_purge.aws.credentials import Issued
from glacier_purge.aws.session import _quieten_sdk_logs
from glacier_purge.errors import CredentialsUnreachable
from tests.aws.pretended_sts import HANGS, PretendedSts, session_given

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = (
    "[default]\nrole_arn = arn:aws:iam::123456789012:role/purge\nsource_profile = base\n"
    "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
    "[profile base]\naws_access_key_id = AKIA\naws_secret_access_key = s\n"
)


@pytest.fixture
def sts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedSts]:
    (tmp_path / "config").write_text(ROLE)
    with PretendedSts({"AssumeRole": session_given("AssumeRole", "ASIAFIRST")}) as sts:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        monkeypatch.setattr("glacier_purge.aws.chain.asked_at_terminal", lambda _, **__: "123456")
        yield sts


def key(chain: Chain, refused_key: str | None = None) -> str:
    given = chain.begin(refused_key, None).outcome.result(timeout=30)
    assert isinstance(given, Issued)
    return given.access_key


def test_a_kept_session_is_used_until_aws_refuses_its_key(sts: PretendedSts) -> None:
    chain = Chain(Access(), "eu-west-1")
    assert [key(chain) for _ in range(3)] == ["ASIAFIRST"] * 3
    sts.answers["AssumeRole"] = session_given("AssumeRole", "ASIASECOND")
    assert key(chain, "ASIAFIRST") == "ASIASECOND"
    assert key(chain, "ASIAFIRST") == "ASIASECOND"  # kept in the first one's place
    assert [(one.action, one.region) for one in sts.asked] == [("AssumeRole", "eu-west-1")] * 2


async def test_an_event_loop_goes_on_while_a_person_is_asked(
    sts: PretendedSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(prompt: str, **_: object) -> str:
        time.sleep(0.3)
        loop.call_soon_threadsafe(typed.set)
        return "123456"

    monkeypatch.setattr("glacier_purge.aws.chain.asked_at_terminal", slowly)
    attempt = Chain(Access(), "eu-west-1").begin(None, None)
    turns = 0
    while not typed.is_set():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns >= 3
    await asyncio.wait({asyncio.wrap_future(attempt.outcome)})
    assert isinstance(attempt.outcome.result(), Issued)


def test_a_person_may_take_longer_than_a_service(sts: PretendedSts, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(prompt: str, **_: object) -> str:
        time.sleep(1.7)
        return "123456"

    monkeypatch.setattr("glacier_purge.aws.chain.asked_at_terminal", slowly)
    assert key(Chain(Access(credentials_timeout_seconds=1.5), "eu-west-1")) == "ASIAFIRST"


def test_an_attempt_that_is_given_up_ends_at_once_and_says_at_what_it_was(sts: PretendedSts) -> None:
    sts.answers["AssumeRole"] = HANGS
    attempt = Chain(Access(), "eu-west-1").begin(None, None)
    while not sts.asked:
        time.sleep(0.01)
    attempt.give_up()
    given = attempt.outcome.result(timeout=5)
    assert isinstance(given, CredentialsUnreachable)
    assert str(given) == "STS's AssumeRole for profile default was given up."


@pytest.mark.parametrize("module", [aiobotocore.credentials, aiobotocore.tokens, botocore.credentials, botocore.tokens])
def test_the_sdk_adds_no_traceback_to_what_we_say(module: Any, caplog: pytest.LogCaptureFixture) -> None:
    _quieten_sdk_logs()
    module.logger.warning("Refreshing token failed during the mandatory refresh period.", exc_info=True)
    assert caplog.text == ""


def test_where_no_loop_can_be_made_that_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: asyncio.Runner) -> asyncio.AbstractEventLoop:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(asyncio.Runner, "get_loop", refused)
    with pytest.raises(OSError, match="Too many open files"):
        Chain(Access(), "eu-west-1").begin(None, None).outcome.result(timeout=5)
