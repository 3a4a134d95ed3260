"""The credential source: asked often, asking seldom and early, and never waited for while there is a set that holds."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from glacier_purge.aws.credentials import (
    AGAIN_SECONDS,
    AGAIN_SECONDS_MAX,
    EARLY_SECONDS,
    LATE_SECONDS,
    SOON_SECONDS,
    STUCK_SECONDS,
    CredentialSource,
    Issued,
    Lifetime,
)
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable, WrongAccount
from tests.aws.pretended_chain import STUCK, Chain, key, one_by_one

HOUR = 3600.0

pytestmark = pytest.mark.looptime


async def test_many_callers_ask_the_chain_once() -> None:
    chain = Chain(one_by_one(key()), seconds=3.0)
    got = await asyncio.gather(*(chain.signed_with() for _ in range(100)))
    assert set(got) == {"AKID"}
    assert chain.began == [0.0]


@pytest.mark.parametrize(
    ("lasts_seconds", "renewed_after"),
    [(12 * HOUR, 12 * HOUR - EARLY_SECONDS), (HOUR, HOUR - EARLY_SECONDS), (900.0, 450.0), (300.0, 150.0), (3.0, 3.0)],
)
async def test_credentials_are_renewed_well_before_their_end(lasts_seconds: float, renewed_after: float) -> None:
    chain = Chain(one_by_one(key("OLD", lasts_seconds), key("NEW")))
    assert await chain.signed_with() == "OLD"
    await asyncio.sleep(renewed_after - 0.5)
    assert chain.source.fresh() == key("OLD", lasts_seconds)
    assert len(chain.began) == 1
    await asyncio.sleep(0.5)
    chain.source.fresh()
    assert chain.began[1:] == [pytest.approx(renewed_after)]
    await asyncio.sleep(0.01)
    assert chain.source.fresh() == key("NEW")


async def test_credentials_without_an_end_are_not_asked_for_again() -> None:
    chain = Chain(one_by_one(key()))
    await chain.signed_with()
    await asyncio.sleep(100 * 24 * HOUR)
    assert chain.source.fresh() == key()
    assert chain.began == [0.0]


async def test_while_old_credentials_hold_nobody_waits_for_a_helper_that_hangs() -> None:
    chain = Chain(one_by_one(key("OLD", 300.0), STUCK))
    await chain.signed_with()
    for _ in range(299):
        await asyncio.sleep(1.0)
        assert chain.source.fresh() == key("OLD", 300.0)
    await asyncio.sleep(1.0)
    assert chain.source.fresh() is None
    assert chain.began == [0.0, 150.0]


async def test_a_failing_helper_is_asked_again_after_growing_waits_and_told_about_meanwhile() -> None:
    chain = Chain(one_by_one(key("OLD", 300.0), *[CredentialsFailed("helper died. Log in.")] * 4, key("NEW")))
    await chain.signed_with()
    with capture_logs() as logs:
        for _ in range(240):
            await asyncio.sleep(1.0)
            assert chain.source.fresh() is not None
    assert chain.began[1:] == [150.0, 156.0, 167.0, 188.0, 229.0]  # looked at once a second
    assert {(log["event"], log["because"]) for log in logs} == {("credentials.not_renewed", "helper died. Log in.")}
    assert chain.source.fresh() == key("NEW")


async def test_a_failure_is_what_everybody_is_told_until_the_chain_is_asked_again() -> None:
    chain = Chain(one_by_one(CredentialsUnreachable("no route. Try later."), key()))
    for _ in range(100):
        with pytest.raises(CredentialsUnreachable, match="no route"):
            await chain.source.get_frozen_credentials()
    assert chain.began == [0.0]
    await asyncio.sleep(AGAIN_SECONDS)
    assert await chain.signed_with() == "AKID"


async def test_a_helper_that_fails_for_ever_is_asked_once_a_minute() -> None:
    chain = Chain(one_by_one(CredentialsFailed("no")))
    for _ in range(1000):
        with pytest.raises(CredentialsFailed):
            await chain.source.get_frozen_credentials()
        await asyncio.sleep(1.0)
    waits = [second - first for first, second in zip(chain.began, chain.began[1:], strict=False)]
    assert waits[:4] == [5.0, 10.0, 20.0, 40.0]
    assert set(waits[4:]) == {AGAIN_SECONDS_MAX}


async def test_a_refused_set_is_given_up_and_another_had_past_what_is_kept() -> None:
    chain = Chain(one_by_one(key("OLD"), key("NEW")))
    await chain.signed_with()
    await chain.source.renew()
    assert chain.source.fresh() == key("NEW")
    assert chain.refused_keys == [None, "OLD"]


async def test_a_set_that_many_find_refused_is_renewed_once() -> None:
    chain = Chain(one_by_one(key("OLD"), key("NEW")), seconds=1.0)
    await chain.signed_with()
    await asyncio.gather(*(chain.source.renew() for _ in range(100)))
    await asyncio.sleep(LATE_SECONDS / 2)
    await chain.source.renew()  # the reply to a request that was signed before
    assert len(chain.began) == 2
    await asyncio.sleep(LATE_SECONDS / 2)
    await chain.source.renew()
    assert len(chain.began) == 3


async def test_renewing_in_vain_says_so_and_leaves_nothing_to_sign_with() -> None:
    chain = Chain(one_by_one(key(), CredentialsFailed("no route")))
    await chain.signed_with()
    with pytest.raises(CredentialsFailed, match="no route"):
        await chain.source.renew()
    assert chain.source.fresh() is None


async def test_what_is_over_already_is_no_set() -> None:
    chain = Chain(one_by_one(key(ends=-120.0)))
    expired = "the helper gave credentials that expired at 2025-12-31T23:58:00Z, 120 s ago"
    with pytest.raises(CredentialsFailed, match=expired):
        await chain.source.get_frozen_credentials()
    assert chain.began == [0.0]


async def test_a_delete_does_not_wait_for_long_when_credentials_are_over() -> None:
    chain = Chain(one_by_one(key(ends=300.0), STUCK))
    await chain.source.soon()
    await asyncio.sleep(300.0)
    with pytest.raises(CredentialsUnreachable, match="over, and the helper /bin/slow has given no others yet"):
        await chain.source.soon()
    assert chain.now() == pytest.approx(300.0 + SOON_SECONDS)


async def test_a_delete_waits_for_what_comes_soon_after_a_night_in_which_nothing_was_sent() -> None:
    chain = Chain(one_by_one(key("OLD", 300.0), key("NEW")), seconds=1.0)
    await chain.source.soon()
    await asyncio.sleep(12 * HOUR)
    assert (await chain.source.soon()).access_key == "NEW"


async def test_an_attempt_that_is_stuck_where_nothing_ends_it_is_told_and_not_waited_for() -> None:
    chain = Chain(one_by_one(STUCK))
    for _ in range(3):
        with pytest.raises(CredentialsFailed, match="/bin/slow does not come to an end"):
            await chain.source.get_frozen_credentials()
        assert chain.now() == pytest.approx(60.0 + STUCK_SECONDS)
    assert len(chain.began) == 1
    chain.source.close()
    assert chain.attempts[0].was_given_up


async def test_another_key_is_checked_before_anything_is_signed_with_it_and_the_old_one_serves_meanwhile() -> None:
    chain = Chain(one_by_one(key("OLD", 300.0), key("STRANGE")), seconds=0.0)
    seen: list[str] = []

    async def check(issued: Issued) -> None:
        seen.append(issued.access_key)
        if issued.access_key == "STRANGE":
            raise WrongAccount("another account's")

    chain.source.check_renewed_by(check)
    await chain.signed_with()
    await asyncio.sleep(150.0)
    chain.source.fresh()
    first, second = chain.checks
    assert first is None  # whose the first key is, is asked by whoever opens a vault
    assert second is not None
    await second(key("OLD", 600.0))
    with pytest.raises(WrongAccount):
        await second(key("STRANGE"))
    assert seen == ["STRANGE"]


@pytest.mark.parametrize(
    ("issued", "lifetime"),
    [
        (Issued(access_key="A", secret_key="s", given_by=""), Lifetime.LASTING),
        (Issued(access_key="A", secret_key="s", given_by="", token="t"), Lifetime.TEMPORARY),
        (Issued(access_key="A", secret_key="s", given_by="", token="t", is_renewed=True), Lifetime.RENEWED),
    ],
    ids=["key", "token", "role"],
)
async def test_keys_last_tokens_expire_and_roles_are_renewed(issued: Issued, lifetime: Lifetime) -> None:
    assert await CredentialSource.of(issued).lifetime() is lifetime


def test_secrets_do_not_show() -> None:
    assert "secret" not in repr(Issued(access_key="A", secret_key="secret", token="secret", given_by=""))
