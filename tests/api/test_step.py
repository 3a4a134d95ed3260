"""Steps over the simulator, its days stepped in between: what each situation needs, until when, and the exit code."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from glacier_purge.api.lifecycle import LifecycleOrder
from glacier_purge.api.not_waiting import waited_for
from glacier_purge.api.step import COME_AGAIN_AFTER, step
from glacier_purge.errors import Needs
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.plan.choices import Choices
from glacier_purge.settings import Settings
from glacier_purge.storage.locks import run_locked, vault_locked
from tests.answers import check_answer
from tests.clients import HOUR, KEYS, VAULT, Stepping, simulated
from tests.glacier_simulator.raw_client import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.report.results.stepping import Stepped
    from glacier_simulator import SimulatedGlacier

    Situation = Callable[["Scheduler"], Awaitable[Stepped]]


@dataclass
class Scheduler:
    """Calls again when it was told to, or some hours later."""

    glacier: SimulatedGlacier
    control: GlacierControl
    place: Path
    order: LifecycleOrder = field(default_factory=LifecycleOrder)
    approved: list[str] = field(default_factory=list)
    vault: str = "photos"
    credentials: StaticCredentials | None = KEYS
    endpoint_url: str | None = None
    window: str | None = None

    def now(self) -> datetime:
        return Stepping(self.glacier).now()

    async def call(self) -> Stepped:
        told = await step(
            self.vault,
            run_dir=self.place,
            order=self.order,
            confirm_digests=self.approved,
            settings=Settings.model_validate(
                {
                    "aws": {"endpoint_url": self.endpoint_url or self.glacier.endpoint_url, "region": "us-east-1"},
                    "pace": {"first_per_second": 1000.0, "windows": [self.window] if self.window else []},
                }
            ),
            credentials=self.credentials,
            clock=self.now,
        )
        check_answer("run", msgspec.json.encode(told).decode() + "\n")
        return told

    async def until(self, needs: Needs, phase: str | None = None) -> Stepped:
        """Obey ``until`` as often as it takes to need something else than time, or to be in this phase."""
        for _ in range(50):
            told = await self.call()
            if told.needs is needs and phase in {None, told.phase}:
                return told
            assert told.needs is Needs.TIME, told
            self.wait_for(told)
        raise AssertionError(f"it did not come to {needs}")

    def wait_for(self, told: Stepped) -> None:
        assert told.until is not None
        seconds = (datetime.fromisoformat(told.until) - self.now()).total_seconds()
        assert seconds > 0, "a scheduler that obeys would spin"
        self.glacier.clock.step(max(seconds, 3 * HOUR))

    def approve(self, told: Stepped) -> None:
        self.approved = [*told.confirm_digests]


@pytest.fixture
async def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scheduler]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    async with simulated(archives=20) as (glacier, control):
        yield Scheduler(glacier, control, tmp_path / "lifecycle")


# -- situations: what was done to come to each ------------------------------------------------------------------------


async def first_call(scheduler: Scheduler) -> Stepped:
    return await scheduler.call()


async def planned(scheduler: Scheduler) -> Stepped:
    return await scheduler.until(Needs.APPROVAL)


async def approved_by_another_digest(scheduler: Scheduler) -> Stepped:
    await scheduler.until(Needs.APPROVAL)
    scheduler.approved = ["0" * 64]
    return await scheduler.call()


async def purged(scheduler: Scheduler) -> Stepped:
    scheduler.approve(await scheduler.until(Needs.APPROVAL))
    return await scheduler.call()


async def done(scheduler: Scheduler) -> Stepped:
    scheduler.approve(await scheduler.until(Needs.APPROVAL))
    return await scheduler.until(Needs.NOTHING)


async def done_and_called_again(scheduler: Scheduler) -> Stepped:
    await done(scheduler)
    return await scheduler.call()


async def held_by_a_tag(scheduler: Scheduler) -> Stepped:
    await tag(scheduler)
    return await scheduler.call()


async def held_by_a_tag_once_approved(scheduler: Scheduler) -> Stepped:
    scheduler.approve(await scheduler.until(Needs.APPROVAL))
    await tag(scheduler)
    return await scheduler.call()


async def without_credentials(scheduler: Scheduler) -> Stepped:
    scheduler.credentials = None
    return await scheduler.call()


async def credentials_gone_while_it_waited(scheduler: Scheduler) -> Stepped:
    await scheduler.call()
    scheduler.credentials = None
    return await scheduler.call()


async def a_damaged_step(scheduler: Scheduler) -> Stepped:
    scheduler.wait_for(await scheduler.call())
    file = scheduler.place / "lifecycle.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"preflight"', b'"inventory"', 1))
    return await scheduler.call()


async def the_folder_in_anothers_hands(scheduler: Scheduler) -> Stepped:
    await scheduler.call()
    with run_locked(scheduler.place):
        return await scheduler.call()


async def the_vault_in_anothers_hands(scheduler: Scheduler) -> Stepped:
    scheduler.approve(await scheduler.until(Needs.APPROVAL))
    with vault_locked(VAULT, scheduler.glacier.endpoint_url, None):
        return await scheduler.call()


async def no_such_vault(scheduler: Scheduler) -> Stepped:
    scheduler.vault = "phones"
    return await scheduler.call()


async def another_choice_than_it_began_with(scheduler: Scheduler) -> Stepped:
    await scheduler.call()
    scheduler.order = LifecycleOrder(choices=Choices(min_size="1KiB"))
    return await scheduler.call()


async def a_service_that_does_not_answer(scheduler: Scheduler) -> Stepped:
    async with asyncio.timeout(50):
        scheduler.endpoint_url = "http://127.0.0.1:9"  # discard: nobody listens
        return await scheduler.call()


async def tag(scheduler: Scheduler) -> None:
    reply = await ask(
        scheduler.glacier.endpoint_url,
        "POST",
        "/-/vaults/photos/tags?operation=add",
        json.dumps({"Tags": {"purge:deny": "yes"}}).encode(),
    )
    assert reply.status == 204


SOON, COME_AGAIN, NEVER = "when the service has it", "in ten minutes", None


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize(
    ("situation", "phase", "needs", "until", "exit_code"),
    [
        (first_call, "inventory", "time", SOON, 75),
        (planned, "approval", "approval", NEVER, 75),
        (approved_by_another_digest, "approval", "approval", NEVER, 75),
        (purged, "verify", "time", SOON, 75),
        (done, "done", "nothing", NEVER, 0),
        (done_and_called_again, "done", "nothing", NEVER, 0),
        (held_by_a_tag, "preflight", "operator", NEVER, 2),
        (held_by_a_tag_once_approved, "freeze", "operator", NEVER, 2),
        (without_credentials, "preflight", "credentials", NEVER, 253),
        (credentials_gone_while_it_waited, "inventory", "credentials", NEVER, 253),
        (a_damaged_step, None, "operator", NEVER, 4),
        (the_folder_in_anothers_hands, "inventory", "time", COME_AGAIN, 75),
        (the_vault_in_anothers_hands, "freeze", "time", SOON, 75),
        (no_such_vault, "preflight", "operator", NEVER, 254),
        (another_choice_than_it_began_with, "inventory", "operator", NEVER, 2),
        (a_service_that_does_not_answer, "preflight", "time", COME_AGAIN, 3),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_what_a_situation_needs(
    scheduler: Scheduler, situation: Situation, phase: str | None, needs: str, until: str | None, exit_code: int
) -> None:
    told, now = await situation(scheduler), scheduler.now()
    assert (told.phase, told.needs, told.exit_code) == (phase, needs, exit_code), told
    if until is None:
        assert told.until is None
    else:
        assert told.until is not None
        at = datetime.fromisoformat(told.until)
        assert now < at
        assert (at == (now + COME_AGAIN_AFTER).replace(microsecond=0)) == (until == COME_AGAIN)
    assert len(told.confirm_digests) == (needs == "approval")
    assert (told.message is None) == (exit_code in {0, 75})
    assert (told.waiting_for is None) == (exit_code != 75)


async def test_calls_say_what_each_of_them_did_and_the_last_how_it_ended(scheduler: Scheduler) -> None:
    first = await scheduler.call()
    assert [one.event for one in first.steps] == ["nothing stands against it"]
    assert scheduler.glacier.ledger["deletes_received"] == 0
    wanted = await scheduler.until(Needs.APPROVAL)
    assert [one.event for one in wanted.steps] == ["inventory fetched", "planned"]
    assert (wanted.selected, wanted.deleted) == (20, 0)
    scheduler.approve(wanted)
    sent = await scheduler.call()
    assert [one.phase for one in sent.steps] == ["approval", "freeze", "purge"]
    assert (sent.deleted, sent.failed, scheduler.glacier.ledger["archives_left"]) == (20, 0, 0)
    last = await scheduler.until(Needs.NOTHING)
    assert (last.ended_with, last.vault_deleted, last.kept) == ("uploads as before", False, 0)
    assert last.certificate is not None
    assert scheduler.glacier.ledger["deletes_received"] == 20


async def test_outside_of_its_hours_it_comes_again_when_they_begin(
    scheduler: Scheduler,
) -> None:
    scheduler.approve(await scheduler.until(Needs.APPROVAL))
    opens = (scheduler.now() + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    scheduler.window = f"{opens:%H:%M}-{opens + timedelta(hours=3):%H:%M} UTC"
    told = await scheduler.call()
    assert (told.phase, told.needs, told.exit_code) == ("purge", Needs.TIME, 75)
    assert (told.waiting_for, told.until) == ("the hours in which it may send", f"{opens:%Y-%m-%dT%H:%M:%SZ}")
    assert scheduler.glacier.ledger["deletes_received"] == 0
    scheduler.glacier.clock.step((opens - scheduler.now()).total_seconds() + 1)
    assert (await scheduler.call()).phase == "verify"
    assert scheduler.glacier.ledger["deletes_received"] == 20


@pytest.mark.parametrize(
    ("paused_by", "needs"),
    [
        ([], []),
        (["window"], [Needs.TIME]),
        (["hold"], [Needs.OPERATOR]),
        (["hold", "window"], [Needs.OPERATOR]),
        (["operator"], []),
        (["operator", "hold"], []),
        (["operator", "window"], []),
        (["credentials"], []),
        (["window", "credentials"], []),
    ],
)
def test_a_run_that_only_waits_is_told_from_one_that_somebody_paused(paused_by: list[str], needs: list[Needs]) -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    moment = {"paused_by": paused_by, "hold": "a tag", "until": "2026-11-30T22:00:00Z"}
    assert [waiting.needs for waiting in waited_for(moment, now)] == needs


async def test_a_frozen_vault_is_told_of_at_every_call(scheduler: Scheduler) -> None:
    scheduler.order = LifecycleOrder(options=LifecycleOptions(freeze=True))
    scheduler.approve(await scheduler.until(Needs.APPROVAL))
    denied = (await scheduler.call()).uploads_denied
    assert denied is not None
    assert "glacier-purge thaw photos" in denied
    assert (await scheduler.until(Needs.NOTHING)).uploads_denied is None


async def test_a_bug_is_raised_and_no_document_made_of_it(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("glacier_purge.api.lifecycle.what_holds", broken)
    with pytest.raises(ZeroDivisionError):
        await scheduler.call()
