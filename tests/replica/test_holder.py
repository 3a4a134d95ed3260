"""A whole run under a lease, in virtual time: what bucket, clocks and other hosts do to it, and what it does."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from glacier_purge.aws.bucket import BucketAway
from glacier_purge.aws.pretend_bucket import PretendBucket
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.errors import RunLocked, one_error
from glacier_purge.replica.holder import LeaseHolder, lease_key
from glacier_purge.replica.lease import Holder, LeaseDocument, LeaseLost, LeaseTimes, LeaseUnreadable
from tests.deletion.pretended import VAULT, InProcessGlacier
from tests.run.bench import START, Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from glacier_purge.run.purge import PurgeRun

pytestmark = IN_PROCESS

STEADY = PacerSettings(rate_per_second_first=2.0, rate_per_second_max=2.0, in_flight_max=4)
KEY = lease_key(VAULT)


@dataclass
class Weather:
    """What becomes of a question to the bucket."""

    away: BucketAway | None = None
    takes_seconds: float = 0.05
    loses_answers: bool = False
    calls: list[str] = field(default_factory=list)

    async def __call__(self, call: str, _key: str, *, is_done: bool) -> None:
        if not is_done:
            self.calls.append(call)
            if self.away is not None:
                raise self.away
            return
        await anyio.sleep(self.takes_seconds)
        if self.loses_answers and call != "read":
            raise BucketAway("the answer was lost")


@dataclass
class OneHost:
    """A host with clocks of its own, over a bucket that others may share."""

    objects: dict[str, bytes] = field(default_factory=dict)
    name: str = "one"
    weather: Weather = field(default_factory=Weather)
    slept_seconds: float = 0.0
    wall_set_by_seconds: float = 0.0
    term_seconds: float = 60.0
    host_lock: str = ""

    def clock(self) -> float:
        return asyncio.get_running_loop().time() + self.slept_seconds

    @property
    def me(self) -> Holder:
        return Holder(
            host=self.name,
            process=1,
            run="/runs/photos",
            tool_version="0.2.0",
            nonce=f"nonce of {self.name}",
            host_lock=self.host_lock,
        )

    def holder(self) -> LeaseHolder:
        return LeaseHolder(
            PretendBucket(self.objects, self.weather),
            VAULT,
            self.me,
            LeaseTimes(self.term_seconds),
            clock=self.clock,
            wall_clock=lambda: START.timestamp() + self.clock() + self.wall_set_by_seconds,
            random=random.Random(7).random,
        )

    def document(self) -> LeaseDocument:
        return msgspec.json.decode(self.objects[KEY], type=LeaseDocument)

    @asynccontextmanager
    async def leased(self) -> AsyncIterator[LeaseHolder]:
        holder = self.holder()
        await holder.take()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(holder.keep)
            yield holder
            tasks.cancel_scope.cancel()
        await holder.let_go()

    @asynccontextmanager
    async def at_work(self, bench: Bench, **settings: Any) -> AsyncIterator[tuple[PurgeRun, LeaseHolder]]:
        """A run under the lease, which goes on meanwhile."""
        async with self.leased() as holder:
            run = bench.purge_run(**({"pace": STEADY, "telemetry_seconds": 600.0} | settings))
            run._host = replace(run._host, lease=holder, clock=self.clock)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(bench.carry_out, run)
                yield run, holder


def sent_between(bench: Bench, first: float, last: float) -> int:
    return sum(first <= at < last for at in bench.service.sent_at)


async def test_a_run_carries_the_leases_number_and_lets_it_go_at_its_end(tmp_path: Path) -> None:
    bench, host = Bench(tmp_path, InProcessGlacier(300)), OneHost()
    async with host.at_work(bench) as (run, holder):
        await anyio.sleep(60)
        assert run.telemetry()["state"] == "running"
        assert not host.document().let_go
        assert host.document().chain_head is not None
        assert host.document().renewal > 4
    assert [line["lease_epoch"] for line in bench.events("opened")] == [1]
    assert host.document().let_go
    assert holder.epoch == 1
    assert bench.log()[-1]["event"] == "finished"
    assert not holder.may_send
    questions = len(host.weather.calls) / max(bench.service.sent_at)
    assert questions < 0.2, "a question in five seconds is more than is needed"


async def test_a_bucket_that_is_away_pauses_before_the_margin_and_sending_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    bench, host = Bench(tmp_path, InProcessGlacier(600)), OneHost()
    async with host.at_work(bench) as (run, holder):
        await anyio.sleep(32)
        host.weather.away = BucketAway("s3://purges/x could not be written: 503. Try again.")
        await anyio.sleep(24)
        assert run.telemetry()["state"] == "running", "the lease holds"
        await anyio.sleep(24)
        moment = run.telemetry()
        assert (moment["state"], moment["paused_by"], moment["cause"]) == ("paused", ["lease"], "lease")
        assert "is not known to hold (s3://purges/x could not be written: 503)" in str(moment["why"])
        assert sent_between(bench, 30 + 45.5, 1e9) == 0
        await anyio.sleep(600)
        assert sent_between(bench, 30 + 45.5, 1e9) == 0
        host.weather.away = None
        await anyio.sleep(5)
        assert run.telemetry()["state"] == "running"
        assert holder.epoch == 1
    assert bench.log()[-1]["event"] == "finished"
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}


@pytest.mark.parametrize("way", ["denied", "hangs", "loses answers"])
async def test_a_bucket_that_is_denied_slow_or_loses_answers_sends_nothing_past_the_lease(
    way: str, tmp_path: Path
) -> None:
    bench, host = Bench(tmp_path, InProcessGlacier(600)), OneHost()
    async with host.at_work(bench) as (run, _):
        await anyio.sleep(32)
        if way == "denied":
            host.weather.away = BucketAway("403. It takes the rights.", is_denied=True)
        elif way == "hangs":
            host.weather.takes_seconds = 3_600.0
        else:
            host.weather.loses_answers = True
        await anyio.sleep(300)
        assert run.telemetry()["paused_by"] == ["lease"]
        assert sent_between(bench, 30 + 45.5, 1e9) == 0
        host.weather.away, host.weather.takes_seconds, host.weather.loses_answers = None, 0.05, False
    assert bench.log()[-1]["event"] == "finished"


async def test_a_machine_that_slept_finds_its_lease_over_before_the_next_delete(tmp_path: Path) -> None:
    bench, host = Bench(tmp_path, InProcessGlacier(300)), OneHost()
    async with host.at_work(bench) as (run, _):
        await anyio.sleep(29.9)
        host.weather.away = BucketAway("no network yet")
        sent, host.slept_seconds = bench.service.requests, 400.0
        await anyio.sleep(20)
        assert bench.service.requests == sent
        assert run.telemetry()["paused_by"] == ["lease"]
        host.weather.away = None
        await anyio.sleep(5)
        assert bench.service.requests > sent
    assert bench.log()[-1]["event"] == "finished"


@pytest.mark.parametrize("seconds", [400.0, -400.0])
async def test_a_wall_clock_that_is_set_ends_the_lease_at_most_and_never_makes_it_longer(
    seconds: float, tmp_path: Path
) -> None:
    bench, host = Bench(tmp_path, InProcessGlacier(300)), OneHost()
    async with host.at_work(bench) as (run, _):
        await anyio.sleep(29.9)
        host.weather.away = BucketAway("away")
        host.wall_set_by_seconds = seconds
        await anyio.sleep(1.2)
        assert run.telemetry()["paused_by"] == (["lease"] if seconds > 0 else [])
        await anyio.sleep(60)
        assert run.telemetry()["paused_by"] == ["lease"]
        assert sent_between(bench, 30 + 45.5, 1e9) == 0
        host.weather.away = None
    assert bench.log()[-1]["event"] == "finished"


async def test_who_was_superseded_stops_with_75_and_says_by_whom(tmp_path: Path) -> None:
    bench, host = Bench(tmp_path, InProcessGlacier(600)), OneHost()
    two = OneHost(name="two").me

    async def superseded() -> None:
        with one_error():
            async with host.at_work(bench):
                await anyio.sleep(32)
                other = msgspec.structs.replace(host.document(), lease_epoch=2, holder=two, renewal=1)
                host.objects[KEY] = msgspec.json.encode(other)

    with pytest.raises(LeaseLost, match=r"its lease was taken by process 1 on two") as stopped:
        await superseded()
    lost = stopped.value
    assert lost.exit_code == 75
    assert "its lease was taken by process 1 on two, in /runs/photos (glacier-purge 0.2.0), as number 2" in str(lost)
    assert sent_between(bench, 32 + 10.5, 1e9) == 0
    assert bench.log()[-1]["event"] == "stopped"
    assert "is not this process's any more" in bench.log()[-1]["reason"]
    assert bench.log()[-1]["unknown"] == []
    assert host.document().lease_epoch == 2, "nobody else's lease is let go"
    rest = OneHost({})
    async with rest.at_work(bench):
        pass
    assert bench.log()[-1]["event"] == "finished"


async def test_who_comes_while_another_works_is_told_so_within_a_renewal() -> None:
    one = OneHost()
    async with one.leased():
        await anyio.sleep(95)
        began = one.clock()
        with pytest.raises(RunLocked, match=r"another host works on .* process 1 on one, in /runs/photos"):
            await OneHost(one.objects, "two").holder().take()
        assert one.clock() - began < 25
    two = OneHost(one.objects, "two")
    began = two.clock()
    async with two.leased() as holder:
        assert two.clock() - began < 1, "it was let go"
        assert holder.epoch == 2


async def test_who_comes_after_one_that_died_waits_one_term() -> None:
    one = OneHost()
    await one.holder().take()
    await anyio.sleep(20)
    two = OneHost(one.objects, "two")
    began = two.clock()
    async with two.leased() as holder:
        assert 60.0 <= two.clock() - began <= 63.0
        assert holder.epoch == 2


async def test_who_comes_after_one_that_died_on_the_same_host_begins_at_once_and_others_are_kept_out() -> None:
    one = OneHost(host_lock="its lock")
    await one.holder().take()
    await anyio.sleep(20)
    waiting = OneHost(one.objects, "another host")
    again = OneHost(one.objects, "again", host_lock="its lock")
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            with pytest.raises(RunLocked, match="another host works on"):
                await waiting.holder().take()

        tasks.start_soon(wait)
        await anyio.sleep(5)
        began = again.clock()
        async with again.leased() as holder:
            assert again.clock() - began < 1
            assert holder.epoch == 2
            await anyio.sleep(30)
            assert holder.may_send


async def test_of_several_who_wait_one_begins_and_the_others_are_told() -> None:
    one = OneHost()
    await one.holder().take()
    begun, told = list[int](), list[str]()

    async def wait(number: int) -> None:
        host = OneHost(one.objects, f"waiter {number}")
        host.weather.takes_seconds = 0.02 * number
        try:
            async with host.leased() as holder:
                begun.append(holder.epoch)
                await anyio.sleep(300)
        except* RunLocked as locked:
            told.extend(str(error) for error in locked.exceptions)

    async with anyio.create_task_group() as waiting:
        for number in range(8):
            waiting.start_soon(wait, number)
    assert begun == [2]
    assert len(told) == 7


async def test_garbage_in_its_place_is_refused_and_left_as_it_is() -> None:
    host = OneHost({KEY: b"<html>"})
    with pytest.raises(LeaseUnreadable, match=f"s3://pretended/{KEY} is no lease"):
        await host.holder().take()
    assert host.objects == {KEY: b"<html>"}


@pytest.mark.parametrize(("is_denied", "questions"), [(True, 1), (False, 3)])
async def test_a_bucket_that_is_away_at_the_start_ends_it_with_nothing_sent(is_denied: bool, questions: int) -> None:
    host = OneHost()
    host.weather.away = BucketAway("it is away.", is_denied=is_denied)
    with pytest.raises(BucketAway, match="Nothing was sent, since another host may work on") as away:
        await host.holder().take()
    assert away.value.is_denied is is_denied
    assert len(host.weather.calls) == questions


async def test_what_no_pool_sends_waits_until_the_lease_is_known_to_hold() -> None:
    host = OneHost()
    async with host.leased() as holder:
        await holder.settled()
        host.weather.away = BucketAway("away. Try again.")
        await anyio.sleep(58)
        began = host.clock()
        with pytest.raises(BucketAway, match=r"could not be renewed: away. Nothing is changed while another host"):
            await holder.settled()
        assert host.clock() - began == pytest.approx(60, abs=1)
        host.weather.away = None
        await holder.settled()
        del host.objects[KEY]
        await anyio.sleep(12)
        with pytest.raises(LeaseLost, match="its lease was removed from the bucket"):
            await holder.settled()


async def test_a_scaled_lease_has_all_its_times_scaled(tmp_path: Path) -> None:
    bench, host = Bench(tmp_path, InProcessGlacier(60)), OneHost(term_seconds=2.0)
    host.weather.takes_seconds = 0.01
    async with host.at_work(bench) as (run, _):
        await anyio.sleep(6)
        host.weather.away = BucketAway("away")
        await anyio.sleep(1.7)
        assert run.telemetry()["paused_by"] == ["lease"]
        host.weather.away = None
    assert bench.log()[-1]["event"] == "finished"
