"""Runs under credentials that end, in virtual time: from a helper that hangs, is down, or gives another account's."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from structlog.testing import capture_logs

from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable, each_error
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.run.steering import Pause, Resume
from glacier_purge.run.windows import Window
from tests.aws.pretended_chain import HANGS, Chain
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from glacier_purge.aws.credentials import Issued
    from glacier_purge.glacier.port import Addressed, Later, VaultDescription

pytestmark = IN_PROCESS

LASTS_SECONDS = 300.0
PER_SECOND = 2.0
STEADY = PacerSettings(rate_per_second_first=PER_SECOND, rate_per_second_max=PER_SECOND, in_flight_max=16)
EXPIRED = Reply(Meaning.CREDENTIALS, 403, "ExpiredTokenException")
DIED = CredentialsFailed('the helper /bin/slow ended with exit code 1, saying "session expired". Log in again.')
BY = "tester@bench"


class Signed(InProcessGlacier):
    """The service, which takes a key until its time is over; requests are signed as our transports sign them.

    ``answer(chain, n)`` is what comes of the ``n``-th time that the chain is asked.
    """

    def __init__(self, archives: int, answer: Callable[[Chain, int], Issued | CredentialsFailed | None]) -> None:
        super().__init__(archives)
        self.chain = Chain(lambda number: answer(self.chain, number))
        self.unsigned = 0

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        return [partial(self._signed_delete, archive) for archive in archives]

    async def _signed_delete(self, archive: Addressed) -> None:
        try:
            issued = await self.chain.source.soon()
        except CredentialsFailed as failure:
            self.unsigned += 1
            self.settle([(archive, Reply(Meaning.CREDENTIALS, code=type(failure).__name__, message=str(failure)))])
            return
        is_over = self.chain.now() > float(issued.access_key)
        self.weather = lambda _: EXPIRED if is_over else None
        await self._delete(archive)

    async def renew_credentials(self) -> None:
        await self.chain.source.renew()
        self.renewals += 1


def lasting_from_now(chain: Chain) -> Issued:
    """A set for five minutes, whose name says when it ends."""
    return chain.key(str(chain.now() + LASTS_SECONDS), LASTS_SECONDS)


def hanging_every_third_time(chain: Chain, number: int) -> Issued | CredentialsFailed:
    return HANGS if number % 3 == 0 else lasting_from_now(chain)


def down_between(first: float, last: float, failure: CredentialsFailed) -> Callable[[Chain, int], Any]:
    return lambda chain, _: failure if first <= chain.now() < last else lasting_from_now(chain)


def longest_gap(service: InProcessGlacier) -> float:
    return max(later - before for before, later in zip(service.sent_at, service.sent_at[1:], strict=False))


@pytest.mark.at_length
async def test_twenty_minutes_from_a_helper_that_hangs_every_third_time_are_as_fast_as_any(tmp_path: Path) -> None:
    archives = int(20 * 60 * PER_SECOND)
    service = Signed(archives, hanging_every_third_time)
    bench = Bench(tmp_path, service)
    with capture_logs() as logs:
        await bench.finish(pace=STEADY, telemetry_seconds=3600.0)
    assert service.sent_at[-1] - service.sent_at[0] == pytest.approx(archives / PER_SECOND, rel=0.02)
    assert longest_gap(service) < 2 / PER_SECOND
    assert (service.requests, service.unsigned, service.renewals) == (archives, 0, 0)
    told = [log["because"] for log in logs if log["event"].startswith("credentials.")]
    assert told == [str(HANGS)] * (len(service.chain.began) // 3)
    assert len(told) >= 2


async def test_a_hold_is_seen_when_credentials_are_renewed_without_anybody_waiting_for_them(tmp_path: Path) -> None:
    service = Signed(int(20 * 60 * PER_SECOND), lambda chain, _: lasting_from_now(chain))
    bench = Bench(tmp_path, service)
    async with bench.process(pace=STEADY, telemetry_seconds=3600.0) as run:
        with service.chain.source.telling(run.credentials_renewed):
            await anyio.sleep(LASTS_SECONDS / 4)
            bench.protection.tagged["purge:deny"] = "legal"
            await anyio.sleep(LASTS_SECONDS / 2)
            held_at = service.requests
            assert held_at < LASTS_SECONDS * 0.6 * PER_SECOND
            await anyio.sleep(60.0)
            assert (service.requests, service.renewals) == (held_at, 0)
            run.drain("seen")
    assert "tags" in bench.events("held")[0]["found"]


async def test_a_helper_that_is_down_is_a_pause_with_its_own_words_and_work_goes_on_by_itself(tmp_path: Path) -> None:
    service = Signed(1300, down_between(100.0, 500.0, DIED))
    bench = Bench(tmp_path, service)
    async with bench.process(pace=STEADY) as run:
        await anyio.sleep(290)
        assert run.telemetry()["state"] == "running"  # the old ones hold
        await anyio.sleep(20)
        shown = run.telemetry()
        assert shown["paused_by"] == ["credentials"]
        assert 'the helper /bin/slow ended with exit code 1, saying "session expired": paused until' in str(
            shown["why"]
        )
        sent = service.requests
        await anyio.sleep(100)
        assert service.requests == sent
    assert bench.log()[-1]["event"] == "finished"
    assert longest_gap(service) < 500 - LASTS_SECONDS + 70  # asked again once a minute
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}


@pytest.mark.parametrize("failure", [DIED, HANGS], ids=["fails", "hangs"])
async def test_patience_is_counted_from_when_the_work_stopped_and_the_reason_is_told(
    tmp_path: Path, failure: CredentialsFailed
) -> None:
    service = Signed(1300, down_between(100.0, 1e9, failure))
    bench = Bench(tmp_path, service)
    with pytest.raises(ExceptionGroup) as caught:
        await bench.finish(pace=STEADY, credentials_patience_seconds=900.0)
    ended = service.chain.now()
    (error,) = each_error(caught.value)
    assert isinstance(error, CredentialsFailed)
    assert str(error) == str(failure)
    assert error.__notes__ == ["New credentials were waited for, for 900 s (credentials_patience_seconds)."]
    assert error.exit_code == (3 if isinstance(failure, CredentialsUnreachable) else 253)
    assert ended == pytest.approx(LASTS_SECONDS + 900.0, abs=5.0)
    assert bench.log()[-1]["reason"] == "credentials could not be renewed"
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}
    assert bench.log()[-1]["unknown"] == []


async def test_a_run_whose_helper_hangs_stops_at_once_when_told_to_and_has_nothing_in_doubt(tmp_path: Path) -> None:
    service = Signed(1300, down_between(100.0, 1e9, HANGS))
    bench = Bench(tmp_path, service)
    async with bench.process(pace=STEADY) as run:
        await anyio.sleep(330)
        run.drain("SIGTERM")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 1.0
    stopped = bench.log()[-1]
    assert (stopped["event"], stopped["reason"], stopped["unknown"]) == ("stopped", "SIGTERM", [])


async def test_a_run_that_waits_for_its_first_answer_stops_at_once_when_told_to(tmp_path: Path) -> None:
    class Silent(InProcessGlacier):
        async def describe_vault(self) -> VaultDescription:
            await anyio.sleep(60.0)  # as a helper that hangs
            raise DIED

    bench = Bench(tmp_path, Silent(100))
    async with bench.process() as run:
        await anyio.sleep(5.0)
        run.drain("SIGTERM")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 1.0
    assert (bench.service.requests, bench.log()) == (0, [])


async def test_a_window_closes_while_credentials_are_waited_for_and_nothing_is_sent_when_they_come(
    tmp_path: Path,
) -> None:
    service = Signed(1300, down_between(100.0, 500.0, HANGS))
    bench = Bench(tmp_path, service)
    async with bench.process(pace=STEADY, windows=(Window.parse("12:00-12:06 UTC"),)) as run:
        await anyio.sleep(330)
        assert run.telemetry()["paused_by"] == ["credentials"]
        await anyio.sleep(40)
        assert run.telemetry()["paused_by"] == ["window", "credentials"]
        sent = service.requests
        await anyio.sleep(3600)
        assert run.telemetry()["paused_by"] == ["window"]
        assert service.requests == sent
        run.drain("enough")


async def test_orders_are_obeyed_while_credentials_are_waited_for(tmp_path: Path) -> None:
    service = Signed(1300, down_between(100.0, 500.0, HANGS))
    bench = Bench(tmp_path, service)
    async with bench.process(pace=STEADY) as run:
        await anyio.sleep(330)
        assert run.telemetry()["paused_by"] == ["credentials"]
        assert run.obey(Pause(by=BY))["paused_by"] == ["operator", "credentials"]
        await anyio.sleep(1000)
        sent = service.requests
        assert run.telemetry()["paused_by"] == ["operator"]
        run.obey(Resume(by=BY))
        await anyio.sleep(5)
        assert service.requests > sent
    assert bench.log()[-1]["event"] == "finished"


async def test_what_hung_is_told_while_it_hangs(tmp_path: Path) -> None:
    service = Signed(1300, down_between(100.0, 1000.0, HANGS))
    bench = Bench(tmp_path, service)
    async with bench.process(pace=STEADY) as run:
        await anyio.sleep(LASTS_SECONDS + 4)
        why = str(run.telemetry()["why"])
        run.drain("enough")
    assert "the helper /bin/slow" in why
    assert "were not accepted" not in why
