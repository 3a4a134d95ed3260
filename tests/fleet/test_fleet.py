"""Several vaults side by side: what ends one leaves the others alone, and a stop ends all in good order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import (
    AuditDamaged,
    CredentialsFailed,
    Interrupted,
    Needs,
    Pending,
    PlanRefused,
    RunStopped,
    ServiceRefused,
)
from glacier_purge.fleet.fleet import Ending, Fleet, State, folder_name
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = IN_PROCESS

LATER = datetime(2026, 11, 23, tzinfo=UTC)


class Way:
    """A vault's way that takes an hour and then ends by ``error``; drained, it ends ``drain_seconds`` later."""

    def __init__(self, error: Exception | None = None, *, drain_seconds: float | None = None) -> None:
        self._error = error
        self._drain_seconds = drain_seconds
        self._drained = anyio.Event()
        self.finished = False

    async def go_on(self) -> None:
        with anyio.move_on_after(3600):
            await self._drained.wait()
            await anyio.sleep(self._drain_seconds or 0.0)
            raise RunStopped("drained")
        if self._error is not None:
            raise self._error
        self.finished = True

    def drain(self, reason: str) -> bool:
        if self._drain_seconds is None:
            return False
        self._drained.set()
        return True


def fleet_of(*ways: Way) -> Fleet:
    return Fleet({f"vault-{number}": way for number, way in enumerate(ways)})


def endings(fleet: Fleet) -> list[tuple[State, int]]:
    return [(ending.state, ending.exit_code) for _, ending in sorted(fleet.endings.items())]


async def test_what_ends_one_vault_leaves_the_others_to_finish() -> None:
    ways = [
        Way(),
        Way(ServiceRefused("no such vault")),
        Way(ExceptionGroup("a task group's", [CredentialsFailed("expired"), CredentialsFailed("expired")])),
        Way(Pending("an inventory", until=LATER)),
        Way(KeyError("a bug")),
        Way(ExceptionGroup("both", [RunStopped("the run stopped"), KeyError("a bug")])),
        Way(RunStopped("no answer")),
        Way(),
    ]
    fleet = fleet_of(*ways)
    await fleet.go_on()
    assert endings(fleet) == [
        (State.DONE, 0),
        (State.FAILED, 254),
        (State.FAILED, 253),
        (State.PENDING, 75),
        (State.FAILED, 255),
        (State.FAILED, 255),
        (State.STOPPED, 3),
        (State.DONE, 0),
    ]
    assert (ways[0].finished, ways[-1].finished) == (True, True)
    assert fleet.endings["vault-2"].message == "expired"
    assert fleet.endings["vault-3"] == Ending(
        state=State.PENDING, exit_code=75, message="an inventory", until=LATER, needs=Needs.TIME
    )
    assert fleet.endings["vault-4"].message == "unexpected error: KeyError: 'a bug'"


@pytest.mark.parametrize(
    ("errors", "exit_code"),
    [
        ([None, None], 0),
        ([None, PlanRefused("changed")], 2),
        ([RunStopped("no answer"), PlanRefused("changed")], 3),
        ([AuditDamaged("torn", file="f", offset_bytes=1), RunStopped("no answer")], 4),
        ([ServiceRefused("denied"), Pending("approval", until=LATER)], 75),
        ([ServiceRefused("denied"), CredentialsFailed("expired")], 254),
    ],
)
async def test_the_exit_code_is_pending_or_else_the_worst(errors: Sequence[Exception | None], exit_code: int) -> None:
    fleet = fleet_of(*map(Way, errors))
    await fleet.go_on()
    assert fleet.exit_code == exit_code


async def test_a_stop_drains_what_sends_and_lets_go_of_what_waits() -> None:
    waits, sends = Way(), Way(drain_seconds=5.0)
    fleet = fleet_of(waits, sends)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fleet.go_on)
        await anyio.sleep(10)
        fleet.stop("Ctrl-C", Interrupted)
        await anyio.sleep(1)
        assert endings(fleet) == [(State.STOPPED, 130)]
        stopped_at = anyio.current_time()
    assert 3 < anyio.current_time() - stopped_at < 5
    assert endings(fleet) == [(State.STOPPED, 130), (State.STOPPED, 130)]
    assert fleet.endings["vault-1"].message == "in good order; the same command goes on"
    assert fleet.exit_code == 130
    assert not waits.finished


async def test_a_stop_before_the_vaults_began_begins_none() -> None:
    way = Way()
    fleet = fleet_of(way)
    fleet.stop("SIGTERM", RunStopped)
    await fleet.go_on()
    assert (endings(fleet), fleet.exit_code, way.finished) == ([(State.STOPPED, 3)], 3, False)


async def test_being_cancelled_ends_all_and_says_so() -> None:
    fleet = fleet_of(Way(), Way(drain_seconds=5.0))
    with anyio.move_on_after(1):
        await fleet.go_on()
    assert endings(fleet) == [(State.STOPPED, 3), (State.STOPPED, 3)]


def test_a_folder_is_named_after_account_region_and_vault_however_long_that_is() -> None:
    def named(name: str) -> str:
        return folder_name(Vault(account_id="123456789012", region="us-east-1", name=name))

    assert named("photos") == "123456789012-us-east-1-photos"
    assert len(named("x" * 255)) < 255
    assert named("x" * 255) != named("x" * 254)
