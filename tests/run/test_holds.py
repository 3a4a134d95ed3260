"""A hold that is set while a run sends: seen, told, written down, and let go of by itself. All in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.errors import CredentialsFailed, PlanRefused, RunStopped, ServiceRefused
from glacier_purge.glacier.control import ControlRefused, NoAnswer, VaultLock
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.run.steering import Pause, Resume, Stop
from glacier_purge.run.windows import Window
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = IN_PROCESS

BY = "dave@host"
SLOW = PacerSettings(rate_per_second_first=0.1, rate_per_second_max=0.1, in_flight_max=4)
"""One delete in ten seconds: 600 archives take 100 minutes."""
DENY = '{"Statement":{"Sid":"keep","Effect":"Deny","Principal":"*","Action":"glacier:DeleteArchive","Resource":"*"}}'
EXPIRED = Reply(Meaning.CREDENTIALS, 403, "ExpiredTokenException")
DENIED = ControlRefused(
    "not authorized", operation="ListTagsForVault", reply=Reply(Meaning.REFUSED, 403, "AccessDeniedException")
)
LATER = NoAnswer("later", operation="GetVaultLock", reply=Reply(Meaning.NO_REPLY, None, "ReadTimeoutError"))


def now() -> float:
    return asyncio.get_running_loop().time()


def tagged(bench: Bench) -> None:
    bench.protection.tagged = {"purge:deny": ""}


def locked(bench: Bench) -> None:
    bench.protection.lock = VaultLock(policy=DENY, state="InProgress", expires=None)


def forbidden(bench: Bench) -> None:
    bench.protection.policy = DENY


def lifted(bench: Bench) -> None:
    bench.protection.tagged, bench.protection.lock, bench.protection.policy = {}, None, None
    bench.protection.fails = None


async def fails_after(seconds: float, bench: Bench, error: Exception) -> None:
    """Work to the end; from then on each look at the vault ends so."""
    async with bench.process(pace=SLOW):
        await anyio.sleep(seconds)
        bench.protection.fails = error


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize(
    ("hold", "found"),
    [
        (tagged, "tags: tagged purge:deny= (ask them; take the tag away when they agree)"),
        (locked, "vault lock: keep denies deleting any archive"),
        (forbidden, "vault access policy: keep denies deleting any archive"),
    ],
)
async def test_a_hold_set_at_112_of_600_holds_the_rest_until_it_is_lifted(
    hold: Callable[[Bench], None], found: str, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, InProcessGlacier(600))
    async with bench.process(pace=SLOW, telemetry_seconds=600.0) as run:
        await anyio.sleep(1115)
        assert bench.service.requests == 112
        hold(bench)
        await anyio.sleep(901)
        moment = run.telemetry()
        assert (moment["state"], moment["paused_by"]) == ("paused", ["hold"])
        assert str(moment["why"]).startswith("held since 2026-11-22T12:30:")
        assert found in str(moment["why"])
        assert [str(moment["why"]).startswith(f"held since {since}: {told}") for since, told in bench.held] == [True]
        assert found in bench.held[0][1]
        sent = bench.service.requests
        assert sent <= 112 + 91
        await anyio.sleep(1800)
        assert bench.service.requests == sent
        lifted(bench)
        await anyio.sleep(61)
        assert run.telemetry()["state"] == "running"
    (held,), (let_go,) = bench.events("held"), bench.events("hold_lifted")
    assert held["answered"] is True
    assert found in held["found"]
    assert held["since"] == let_go["since"]
    assert bench.log()[-1]["event"] == "finished"
    assert {line["outcome"] for line in bench.outcomes().values()} == {"deleted"}


async def test_without_a_hold_the_vault_is_looked_at_every_quarter_of_an_hour(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(400))
    await bench.finish(pace=SLOW, telemetry_seconds=600.0)
    assert bench.protection.looked_at == pytest.approx([0, 900, 1800, 2700, 3600], abs=1)
    assert bench.events("held") == []


async def test_the_interval_can_be_chosen_and_is_kept_while_held(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(40))
    async with bench.process(pace=SLOW, protection_interval_seconds=20.0):
        await anyio.sleep(50)
        tagged(bench)
        await anyio.sleep(50)
        lifted(bench)
    assert bench.protection.looked_at[:6] == pytest.approx([0, 20, 40, 60, 80, 100], abs=1)
    assert len(bench.events("held")) == len(bench.events("hold_lifted")) == 1


async def test_a_window_opens_only_on_a_vault_that_nothing_holds(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    async with bench.process(
        windows=(Window.parse("13:00-13:02 UTC"), Window.parse("14:00-15:00 UTC")),
        protection_interval_seconds=86_400.0,
        telemetry_seconds=600.0,
    ) as run:
        await anyio.sleep(3590)
        tagged(bench)
        await anyio.sleep(20)
        assert run.telemetry()["paused_by"] == ["hold"]
        assert bench.service.requests == 0
        await anyio.sleep(120)
        assert run.telemetry()["paused_by"] == ["hold", "window"], "a window closes while it is held"
        lifted(bench)
        await anyio.sleep(60)
        assert run.telemetry()["paused_by"] == ["window"]
    assert min(bench.service.sent_at) >= 2 * 3600
    assert bench.log()[-1]["event"] == "finished"


async def test_after_a_renewal_of_credentials_nothing_is_sent_before_another_look(tmp_path: Path) -> None:
    service = InProcessGlacier(500)
    service.weather = lambda n: EXPIRED if n > 100 and not service.renewals else None
    service.renewal_seconds = 30.0
    bench = Bench(tmp_path, service)
    async with bench.process() as run:
        await anyio.sleep(20)
        tagged(bench)
        sent = service.requests
        await anyio.sleep(1200)
        assert (service.renewals, service.requests) == (1, sent)
        assert run.telemetry()["paused_by"] == ["hold"]
        lifted(bench)
    assert bench.log()[-1]["event"] == "finished"
    assert len(bench.protection.looked_at) >= 3


async def test_after_an_operators_pause_nothing_is_sent_before_another_look(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    async with bench.process(protection_interval_seconds=86_400.0) as run:
        await anyio.sleep(1)
        run.obey(Pause(by=BY))
        await anyio.sleep(1)
        tagged(bench)
        sent = bench.service.requests
        assert run.obey(Resume(by=BY))["paused_by"] == ["hold"]
        await anyio.sleep(1200)
        assert bench.service.requests == sent
        lifted(bench)
    assert bench.log()[-1]["event"] == "finished"


async def test_after_a_host_slept_nothing_is_sent_for_long_before_another_look(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(100))
    async with bench.process(pace=SLOW, protection_interval_seconds=7200.0) as run:
        await anyio.sleep(100)
        tagged(bench)
        sent = bench.service.requests
        bench.clock_set_by_seconds = 8 * 3600.0  # what shows of it: the loop's clock stood still
        await anyio.sleep(1200)
        assert bench.service.requests - sent <= 4
        assert run.telemetry()["paused_by"] == ["hold"]
        lifted(bench)
    assert bench.log()[-1]["event"] == "finished"


async def test_a_look_without_an_answer_holds_and_says_that_nothing_could_be_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(120))
    async with bench.process(pace=SLOW, telemetry_seconds=600.0) as run:
        await anyio.sleep(890)
        bench.protection.fails = LATER
        await anyio.sleep(20)
        why = str(run.telemetry()["why"])
        assert "could not be read, which is not to say that it has none (later)" in why
        sent = bench.service.requests
        await anyio.sleep(3600)
        assert bench.service.requests == sent
        lifted(bench)
    assert [line["answered"] for line in bench.events("held")] == [False]
    assert bench.log()[-1]["event"] == "finished"


async def test_a_hold_is_not_lifted_by_a_look_without_an_answer_or_by_a_denied_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(120))
    async with bench.process(pace=SLOW, telemetry_seconds=600.0) as run:
        await anyio.sleep(890)
        tagged(bench)
        await anyio.sleep(20)
        sent = bench.service.requests
        bench.protection.fails = LATER
        await anyio.sleep(600)
        bench.protection.fails, bench.protection.denies_tags = None, DENIED
        await anyio.sleep(600)
        assert "purge:deny" in str(run.telemetry()["why"])
        assert bench.service.requests == sent
        bench.protection.denies_tags = None
        lifted(bench)
    assert len(bench.events("held")) == 1
    assert bench.log()[-1]["event"] == "finished"


async def test_a_look_that_is_denied_is_told_once_and_holds_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, InProcessGlacier(200))
    async with bench.process(pace=SLOW, telemetry_seconds=600.0):
        await anyio.sleep(890)
        bench.protection.denies_tags = DENIED
    assert bench.events("held") == []
    assert caplog.text.count("not readable: ListTagsForVault (AccessDeniedException)") == 1


async def test_an_operator_neither_lifts_a_hold_nor_is_kept_from_stopping(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(120))
    async with bench.process(pace=SLOW) as run:
        await anyio.sleep(890)
        tagged(bench)
        await anyio.sleep(20)
        run.obey(Pause(by=BY))
        assert run.obey(Resume(by=BY))["paused_by"] == ["hold"]
        sent = bench.service.requests
        await anyio.sleep(1200)
        assert bench.service.requests == sent
        began = now()
        run.obey(Stop(by=BY))
    assert now() - began < 1
    assert bench.log()[-1]["event"] == "stopped"
    assert bench.events("telemetry")[-1]["paused_by"] == ["hold"]
    with pytest.raises(PlanRefused, match="purge:deny"):
        await bench.finish()
    assert bench.service.requests == sent
    lifted(bench)
    await bench.finish()


@pytest.mark.parametrize("settings", [{"duration_seconds_max": 1800.0}, {}])
async def test_a_run_that_ends_while_it_is_held_is_not_finished(settings: dict[str, Any], tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(120))
    async with bench.process(pace=SLOW, **settings) as run:
        await anyio.sleep(890)
        tagged(bench)
        await anyio.sleep(1000)
        if not settings:
            run.drain("SIGTERM")
    assert run.ledger is not None
    assert run.ledger.finished is None
    assert bench.log()[-1]["event"] == "stopped"


async def test_a_vault_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    gone = Reply(Meaning.VAULT_MISSING, 404, "ResourceNotFoundException", "Vault not found for ARN: x")
    bench = Bench(tmp_path, InProcessGlacier(120))
    with pytest.raises(ExceptionGroup) as caught:
        await fails_after(890, bench, ControlRefused("gone", operation="GetVaultLock", reply=gone))
    assert caught.group_contains(ServiceRefused, match="the vault was not found")
    assert bench.log()[-1]["reason"] == "refused: vault missing"


async def test_credentials_that_a_look_is_refused_with_are_renewed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(120))
    async with bench.process(pace=SLOW):
        await anyio.sleep(890)
        bench.protection.fails = CredentialsFailed("expired")
        await anyio.sleep(13)
        assert bench.service.renewals >= 1
        lifted(bench)
    assert bench.log()[-1]["event"] == "finished"


async def test_credentials_that_stay_refused_end_the_run_though_nothing_is_sent(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(120))
    with pytest.raises(ExceptionGroup) as caught:
        await fails_after(890, bench, CredentialsFailed("expired"))
    assert caught.group_contains(CredentialsFailed, match="still refused")
    assert bench.log()[-1]["event"] == "stopped"


async def test_before_the_first_delete_no_answer_stops_the_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(5))
    bench.protection.fails = LATER
    with pytest.raises(RunStopped, match="later"):
        await bench.finish()
    assert bench.service.requests == 0
    lifted(bench)
    await bench.finish()
