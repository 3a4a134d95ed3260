"""Fifty lifecycles, each killed at points drawn by its seed, in the middle of what is written or asked: every one goes
on to its end, deletes what was approved and nothing else, and leaves the owner's policy as it was."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.fleet.fleet import State
from glacier_purge.glacier.control import ControlRefused
from glacier_purge.glacier.sdk.control_client import ControlClient
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.state import Noting
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.plan.choices import EVERY_ARCHIVE, Choices
from tests.clients import simulated
from tests.lifecycle.lifecycles import carried, ids_of, said_yes, upload
from tests.lifecycle.test_files import THEIRS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.glacier.waiting import Waiting
    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder

POINTS = 130
"""As many as a lifecycle of two rounds passes, roughly; a kill that is drawn behind its end does not happen."""
ASKED = ("access_policy", "set_access_policy", "delete_access_policy", "delete_vault", "initiate_inventory")


class KilledError(Exception):
    """What a kill -9 is in one process."""


class Fate:
    """Kills at the ``at``-th point, before or after something is made durable or asked of the service.

    A process that was killed makes nothing durable and asks for nothing any more, whatever it still tries.
    """

    def __init__(self) -> None:
        self.at = 0
        self.passed = 0
        self.is_waiting = False

    def draw(self, at: int) -> None:
        """Begin another process, to be killed there; 0 is never."""
        self.at, self.passed = at, 0

    def point(self) -> None:
        self.passed += not self.is_waiting
        if self.at and self.passed >= self.at:
            raise KilledError


@pytest.fixture
def fate(monkeypatch: pytest.MonkeyPatch, credentials: None) -> Fate:
    fate, fsync, wait = Fate(), os.fsync, Noting.wait

    def mortal(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def asking(*arguments: object) -> Any:
            fate.point()
            answer = await call(*arguments)
            fate.point()
            return answer

        return asking

    def syncing(handle: int) -> None:
        fate.point()
        fsync(handle)
        fate.point()

    async def waiting(noting: Noting, what: Waiting) -> None:
        """Notes what it waits for, hundreds of times in a lifecycle; there would be no other place to be killed at."""
        fate.is_waiting = True
        await wait(noting, what)
        fate.is_waiting = False

    monkeypatch.setattr(Noting, "wait", waiting)
    for name in ASKED:
        monkeypatch.setattr(ControlClient, name, mortal(getattr(ControlClient, name)))
    monkeypatch.setattr(os, "fsync", syncing)
    return fate


@pytest.mark.parametrize("seed", range(50))
async def test_a_lifecycle_that_is_killed_ends_with_the_policy_as_it_was(seed: int, fate: Fate, tmp_path: Path) -> None:
    chance = random.Random(seed)
    before = chance.choice([None, THEIRS])
    options = LifecycleOptions(freeze=True, remove_vault="photos" if seed % 5 == 0 else None, even_the_last=True)
    choices = EVERY_ARCHIVE if seed % 5 < 3 else Choices(limit=3)
    uploads, uploaded, place = chance.randrange(2), 0, tmp_path / "photos"
    async with simulated(archives=5) as (glacier, client):
        kept = [] if choices == EVERY_ARCHIVE else ids_of(glacier)[3:]
        if before is not None:
            await client.set_access_policy(before)

        async def yes(folder: RunFolder, plan: Plan) -> Approval:
            nonlocal uploads, uploaded
            if uploads and folder.path.name == "round-1":  # uploads are denied from now on
                uploads, uploaded = 0, 1
                await upload(glacier)
            return await said_yes(folder, plan)

        for _ in range(2):
            fate.draw(chance.randint(1, POINTS))
            await carried(glacier, place, choices, options=options, approve=yes)
            if chance.randrange(2) and place.exists():
                place = place.rename(tmp_path / f"moved-{chance.random()}")
        fate.draw(0)
        ending = await carried(glacier, place, choices, options=options, approve=yes)
        assert ending.state is State.DONE, ending
        if options.remove_vault is None:
            assert await client.access_policy() == before
            left = ids_of(glacier)
            assert set(left) >= set(kept)
            assert len(left) - len(kept) == (uploaded if kept else 0), "over the limit, and never approved"
        else:
            with pytest.raises(ControlRefused, match="Vault not found"):
                await client.access_policy()
    last = read_steps(place)[-1].event
    assert last is (Event.THAWED if options.remove_vault is None else Event.DELETED)
