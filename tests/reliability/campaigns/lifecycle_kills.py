"""Lifecycles that end in the middle of what they write or ask, at points drawn by the seed, again and again (T3).

A kill is an exception here, after which the process makes nothing durable and asks for nothing; so it strikes between
two system calls that no signal would find.  Each seed kills a whole lifecycle, and the freezing and thawing of a vault
whose owner sets other policies meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
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
from tests.lifecycle import test_files
from tests.lifecycle.lifecycles import carried, ids_of, said_yes, upload
from tests.reliability.campaign import Campaign
from tests.vault import kills
from tests.vault.kills import ANOTHERS, THEIRS, KilledError, a_lifecycle, kill_at_writes, live, replaces, takes_away

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.glacier.waiting import Waiting
    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder

POINTS = 130
"""As many as a lifecycle of two rounds passes, roughly; a kill that is drawn behind its end does not happen."""
KILLS_OF_A_FREEZE_MAX = 7
ASKED = ("access_policy", "set_access_policy", "delete_access_policy", "delete_vault", "initiate_inventory")


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """Kill a lifecycle twice, and a freeze several times."""
    tried = Counter[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        asyncio.run(_a_lifecycle_killed(seed, folder, Fate(patch), tried))
    asyncio.run(_a_freeze_killed(seed, folder, tried))
    return tried


class Fate:
    """Kills at the ``at``-th point, before or after something is made durable or asked of the service.

    A process that was killed makes nothing durable and asks for nothing any more, whatever it still tries.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._at = 0
        self._passed = 0
        self._is_waiting = False
        fsync, wait = os.fsync, Noting.wait

        def syncing(handle: int) -> None:
            self._point()
            fsync(handle)
            self._point()

        async def waiting(noting: Noting, what: Waiting) -> None:
            """Notes what it waits for, hundreds of times in a lifecycle; there would be no other place to die at."""
            self._is_waiting = True
            await wait(noting, what)
            self._is_waiting = False

        patch.setattr(Noting, "wait", waiting)
        patch.setattr(os, "fsync", syncing)
        for name in ASKED:
            patch.setattr(ControlClient, name, self._mortal(getattr(ControlClient, name)))

    @property
    def has_struck(self) -> bool:
        return 0 < self._at <= self._passed

    def draw(self, at: int) -> None:
        """Begin another process, to be killed there; 0 is never."""
        self._at, self._passed, self._is_waiting = at, 0, False

    def _mortal(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def asking(*arguments: object) -> Any:
            self._point()
            answer = await call(*arguments)
            self._point()
            return answer

        return asking

    def _point(self) -> None:
        self._passed += not self._is_waiting
        if self.has_struck:
            raise KilledError


async def _a_lifecycle_killed(seed: int, folder: Path, fate: Fate, tried: Counter[str]) -> None:
    """It goes on to its end, deletes what was approved and nothing else, and leaves the owner's policy as it was."""
    chance = random.Random(seed)
    before = chance.choice([None, test_files.THEIRS])
    options = LifecycleOptions(freeze=True, remove_vault="photos" if seed % 5 == 0 else None, even_the_last=True)
    choices = EVERY_ARCHIVE if seed % 5 < 3 else Choices(limit=3)
    uploads, uploaded, place = chance.randrange(2), 0, folder / "photos"
    async with simulated(archives=5) as (glacier, client):
        kept = [] if choices == EVERY_ARCHIVE else ids_of(glacier)[3:]
        if before is not None:
            await client.set_access_policy(before)

        async def yes(run: RunFolder, plan: Plan) -> Approval:
            nonlocal uploads, uploaded
            if uploads and run.path.name == "round-1":  # uploads are denied from now on
                uploads, uploaded = 0, 1
                await upload(glacier)
            return await said_yes(run, plan)

        for _ in range(2):
            fate.draw(chance.randint(1, POINTS))
            await carried(glacier, place, choices, options=options, approve=yes)
            tried[_where(place)] += fate.has_struck
            if chance.randrange(2) and place.exists():
                place = place.rename(folder / f"moved-{chance.random()}")
        fate.draw(0)
        ending = await carried(glacier, place, choices, options=options, approve=yes)
        assert ending.state is State.DONE, ending
        if options.remove_vault is None:
            assert await client.access_policy() == before
            left = ids_of(glacier)
            assert set(left) >= set(kept), "I2"
            assert len(left) - len(kept) == (uploaded if kept else 0), "over the limit, and never approved"
        else:
            with pytest.raises(ControlRefused, match="Vault not found"):
                await client.access_policy()
    last = read_steps(place)[-1].event
    assert last is (Event.THAWED if options.remove_vault is None else Event.DELETED)


def _where(place: Path) -> str:
    """How far a lifecycle came, by its last durable step."""
    steps = read_steps(place) if (place / "lifecycle.jsonl").exists() else []
    return f"a lifecycle after {steps[-1].event.value!r}" if steps else "a lifecycle before its first step"


async def _a_freeze_killed(seed: int, folder: Path, tried: Counter[str]) -> None:
    """However often it is killed and moved, and whatever the owner sets meanwhile, the policy ends as the owner's."""
    chance = random.Random(seed)
    before = chance.choice([None, THEIRS, ANOTHERS])
    place, expected = folder / "frozen", before
    a_lifecycle(place)
    async with simulated(archives=1) as (_, client):
        if before is not None:
            await client.set_access_policy(before)
        for number in range(1, 100):
            fate = kills.Fate(chance.randrange(1, 12) if number <= KILLS_OF_A_FREEZE_MAX else 0)
            try:
                with pytest.MonkeyPatch.context() as patch:
                    kill_at_writes(patch, fate)
                    await live(fate.mortal(client), place)
                break
            except KilledError:
                place = place.rename(folder / f"frozen-{number}")
                tried["a freeze"] += 1
            if chance.random() < 0.2:
                await chance.choice([takes_away, replaces])(client)
                expected = await client.access_policy()
        assert await client.access_policy() == expected


CAMPAIGN = Campaign(
    name="lifecycle-kills",
    asks="A lifecycle dies between any two things it writes or asks, and is moved: it goes on to its end, deletes what "
    "was approved and nothing else, and the vault's policy ends as its owner had it or set it meanwhile.",
    programme=("T3",),
    invariants=("I2", "I16", "I19"),
    unit="kills",
    wanted=400,
    try_seed=try_seed,
)
