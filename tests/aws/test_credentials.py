"""The credential source: asked often, asking seldom."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from glacier_purge.aws.credentials import RECHECK_SECONDS, CredentialSource
from glacier_purge.errors import CredentialsFailed


@dataclass(frozen=True)
class Frozen:
    access_key: str = "AKID"
    secret_key: str = "secret"
    token: str | None = None


@dataclass
class Chain:
    """AWS's chain as the source sees it; ``answers`` are given one by one, the last for ever."""

    answers: list[Frozen | Exception]
    opened: int = 0
    asked: int = 0
    now: float = 0.0
    source: CredentialSource = field(init=False)

    def __post_init__(self) -> None:
        self.source = CredentialSource(self.open, now=lambda: self.now)

    async def open(self) -> Chain:
        self.opened += 1
        return self

    async def get_frozen_credentials(self) -> Frozen:
        self.asked += 1
        await asyncio.sleep(0)
        answer = self.answers[min(self.asked, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_many_callers_ask_the_chain_once() -> None:
    chain = Chain([Frozen()])
    got = await asyncio.gather(*(chain.source.get_frozen_credentials() for _ in range(100)))
    assert set(got) == {Frozen()}
    assert (chain.opened, chain.asked) == (1, 1)


async def test_the_chain_is_asked_again_after_a_while_for_what_it_renewed() -> None:
    chain = Chain([Frozen("OLD"), Frozen("NEW")])
    assert (await chain.source.get_frozen_credentials()).access_key == "OLD"
    assert chain.source.fresh() == Frozen("OLD")
    chain.now += RECHECK_SECONDS
    assert chain.source.fresh() is None
    assert (await chain.source.get_frozen_credentials()).access_key == "NEW"
    assert (chain.opened, chain.asked) == (1, 2)


async def test_a_failing_helper_is_started_once_in_a_while_and_not_per_request() -> None:
    chain = Chain([RuntimeError("helper died"), Frozen()])
    for _ in range(100):
        with pytest.raises(CredentialsFailed, match="helper died") as failure:
            await chain.source.get_frozen_credentials()
        assert isinstance(failure.value.__cause__, RuntimeError)
    assert chain.asked == 1
    chain.now += RECHECK_SECONDS
    assert await chain.source.get_frozen_credentials() == Frozen()


async def test_renewing_starts_the_chain_over_at_once() -> None:
    chain = Chain([Frozen("OLD"), Frozen("NEW")])
    await chain.source.get_frozen_credentials()
    await chain.source.renew()
    assert chain.source.fresh() == Frozen("NEW")
    assert chain.opened == 2


async def test_renewing_in_vain_says_so() -> None:
    chain = Chain([Frozen(), OSError("no route")])
    await chain.source.get_frozen_credentials()
    with pytest.raises(CredentialsFailed, match="no route"):
        await chain.source.renew()
    assert chain.source.fresh() is None


async def test_an_empty_chain_says_what_to_do() -> None:
    async def nothing() -> None:
        return None

    with pytest.raises(CredentialsFailed, match="--profile"):
        await CredentialSource(nothing).get_frozen_credentials()


@pytest.mark.parametrize("damaged", [Frozen("AK\r\nX-Evil: 1"), Frozen(token="tok\nen"), Frozen("ÄKID")])
async def test_what_cannot_stand_in_a_header_is_no_credential(damaged: Frozen) -> None:
    with pytest.raises(CredentialsFailed, match="characters"):
        await Chain([damaged]).source.get_frozen_credentials()
