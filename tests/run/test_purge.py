"""Whole runs in virtual time: outages, expired credentials, broken disks, kills, stops; the invariants after each."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.archive import Vault
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.errors import CredentialsFailed, DiskFailed
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.run.sending import DRAIN_SECONDS
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = IN_PROCESS

EXPIRED = Reply(Meaning.CREDENTIALS, 403, "ExpiredTokenException")
LOST = Reply(Meaning.NO_REPLY, None, "ConnectionRefused")


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_run_deletes_what_was_planned_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(300))
    await bench.finish()
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}
    assert bench.service.pretended.ledger.archives_left == 0
    assert bench.service.requests == 300


async def test_telemetry_is_in_the_log_every_ten_seconds(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(3000))
    await bench.finish()
    taken = [line["active_seconds"] for line in bench.events("telemetry")]
    assert taken[0] == 0.0
    assert len(taken) == 4
    assert all(later - earlier == pytest.approx(10.0, abs=0.2) for earlier, later in pairwise(taken))
    assert {"state", "why", "until", "limit_per_second", "accepted_per_second"} <= set(bench.events("telemetry")[-1])


async def test_a_network_outage_of_hours_fails_nothing_and_is_shown(tmp_path: Path) -> None:
    service = InProcessGlacier(1000)
    service.weather = lambda _: LOST if 5 < now() < 6 * 3600 else None
    bench = Bench(tmp_path, service)
    async with bench.process(telemetry_seconds=60.0) as run:
        await anyio.sleep(3600)
        assert run.telemetry()["why"] == "the service is failing: one probe every 5 s until it answers"
        probes = service.requests
        await anyio.sleep(3600)
        assert service.requests - probes <= 3600 / 5 * 1.5
    outcomes = bench.outcomes()
    assert {line["outcome"] for line in outcomes.values()} == {"deleted"}
    assert now() < 6 * 3600 + 120


async def test_expired_credentials_pause_the_run_until_new_ones_are_checked(tmp_path: Path) -> None:
    service = InProcessGlacier(500)
    service.weather = lambda n: EXPIRED if n > 100 and not service.renewals else None
    service.renewal_seconds = 30.0
    bench = Bench(tmp_path, service)
    await bench.finish()
    assert service.renewals == 1
    assert service.described == 2
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}


@pytest.mark.at_length
async def test_credentials_that_expire_all_the_time_fail_nothing(tmp_path: Path) -> None:
    class ShortLived(InProcessGlacier):
        renewed_at = 0.0

        async def renew_credentials(self) -> None:
            await super().renew_credentials()
            self.renewed_at = now()

    service = ShortLived(4000)
    service.renewal_seconds = 5.0
    service.weather = lambda _: EXPIRED if now() - service.renewed_at > 10.0 else None
    bench = Bench(tmp_path, service)
    await bench.finish(telemetry_seconds=60.0)
    assert service.renewals >= 3
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}
    assert bench.events("finished")[0]["counts"]["deleted"] == 4000


async def test_credentials_of_another_account_end_the_run_and_fail_nothing(tmp_path: Path) -> None:
    other = Vault(account_id="999999999999", region="us-east-1", name="photos")

    class Swapped(InProcessGlacier):
        async def renew_credentials(self) -> None:
            await super().renew_credentials()
            self.found = other

    service = Swapped(500)
    service.weather = lambda n: EXPIRED if n > 100 else None
    bench = Bench(tmp_path, service)
    with pytest.raises(ExceptionGroup) as caught:
        await bench.finish()
    assert caught.group_contains(CredentialsFailed, match="999999999999")
    requests = service.requests
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}
    assert bench.log()[-1]["event"] == "stopped"
    assert bench.log()[-1]["reason"] == "credentials could not be renewed"

    service.found = service.vault
    service.weather = lambda _: None
    await bench.finish()
    assert service.pretended.ledger.archives_left == 0
    assert service.requests - requests >= 400


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("nth", range(1, 14))
async def test_a_disk_that_fails_at_any_sync_ends_dispatch_and_the_run_can_be_resumed(tmp_path: Path, nth: int) -> None:
    service = InProcessGlacier(120)
    bench = Bench(tmp_path, service)
    bench.fail_at("sync", nth)
    with pytest.raises((DiskFailed, ExceptionGroup)) as caught:
        await bench.finish()
    assert isinstance(caught.value, DiskFailed) or caught.group_contains(DiskFailed)
    sent = service.requests
    await anyio.sleep(60)
    assert service.requests == sent, "sent on after the disk had failed"
    bench.mend()
    await bench.finish()
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}
    assert service.pretended.ledger.archives_left == 0


async def test_a_drained_run_settles_what_is_in_flight_and_goes_on_without_second_deletes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    async with bench.process() as run:
        await anyio.sleep(2)
        run.drain("SIGTERM")
        sent, began = bench.service.requests, now()
    assert now() - began < 1
    assert bench.service.requests == sent
    stopped = bench.log()[-1]
    assert (stopped["event"], stopped["reason"], stopped["unknown"]) == ("stopped", "SIGTERM", [])
    await bench.finish()
    assert bench.service.requests == 500
    assert not any(line.get("redelete") for line in bench.outcomes().values())


async def test_a_service_that_never_answers_again_is_waited_for_ten_seconds_and_its_deletes_are_named(
    tmp_path: Path,
) -> None:
    service = InProcessGlacier(500)
    bench = Bench(tmp_path, service)
    async with bench.process() as run:
        await anyio.sleep(2)
        service.latency_seconds = 1e9
        await anyio.sleep(5)
        assert service.in_flight == 16
        sent = dict(service.sent)
        run.drain("SIGTERM")
        began = now()
    assert DRAIN_SECONDS <= now() - began <= 10.0
    assert service.sent == sent
    stopped = bench.log()[-1]
    unanswered = {archive.ordinal for archive in service.archives() if service.sent[archive.archive_id]}
    assert set(stopped["unknown"]) == unanswered - set(bench.outcomes())
    assert len(stopped["unknown"]) == 16

    service.latency_seconds = 0.04
    await bench.finish()
    redeleted = {ordinal for ordinal, line in bench.outcomes().items() if line.get("redelete")}
    assert redeleted == set(stopped["unknown"])


async def test_a_killed_run_sends_again_what_it_may_have_sent_and_says_so(tmp_path: Path) -> None:
    service = InProcessGlacier(500)
    bench = Bench(tmp_path, service)
    await bench.kill_after(2.03)
    recorded, sent = set(bench.outcomes()), sum(service.sent.values())
    assert len(recorded) < sent
    await bench.finish()
    outcomes = bench.outcomes()
    assert {line["epoch"] for line in outcomes.values()} == {1, 2}
    sent_twice = {archive_id for archive_id, times in service.sent.items() if times > 1}
    marked = {line["archive_id"] for line in outcomes.values() if line.get("redelete")}
    assert len(sent_twice) == sent - len(recorded)
    assert sent_twice <= marked
    assert {outcomes[ordinal]["epoch"] for ordinal in recorded} == {1}


async def test_a_second_process_begins_near_the_limit_the_first_one_found(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(3000, rate_per_second=50))
    async with bench.process() as run:
        await anyio.sleep(30)
        run.drain("test")
    limit = bench.events("stopped")[-1]["limit_per_second"]
    assert limit == pytest.approx(50, rel=0.15)
    async with bench.process() as run:
        await anyio.sleep(0.5)
        assert run.telemetry()["limit_per_second"] == pytest.approx(limit, rel=0.01)
        run.drain("test")


@pytest.mark.at_length
async def test_a_share_of_the_limit_is_left_to_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(6000, rate_per_second=50))
    async with bench.process(pace=PacerSettings(rate_per_second_first=40.0, leave_share=0.5)) as run:
        await anyio.sleep(60)
        assert "leaving a share of the limit found" in str(run.telemetry()["why"])
        before = bench.service.requests
        await anyio.sleep(40)
        assert bench.service.requests - before == pytest.approx(40 * 25, rel=0.1)
        run.drain("test")
