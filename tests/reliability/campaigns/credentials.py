"""Runs whose credentials expire each minute, are revoked, come late, are another account's or signed at a wrong time.

Requests are signed and sent over real connections to a service that checks them; the helper that gives the keys, and
the clocks of both sides, do what the seed says.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glacier_purge.deletion.pacer import PacerSettings
from tests.reliability.campaign import Campaign
from tests.reliability.network.deleting import Deleting
from tests.reliability.network.keys import ACCOUNT, Helper, Mood
from tests.reliability.network.kinds import KINDS
from tests.reliability.network.proxy import Strikes
from tests.reliability.network.virtual_loop import VirtualLoop
from tests.reliability.network.world import carry_out

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_simulator import SimulatedGlacier
    from tests.reliability.network.proxy import FaultProxy
    from tests.reliability.network.world import Case

ARCHIVES = 160
SLOWLY = PacerSettings(rate_per_second_first=0.5, rate_per_second_max=0.5, in_flight_max=4)
"""Five minutes for so many: keys come and go meanwhile."""
A_MINUTE = 60.0


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens to the credentials of a run. ``lasts`` is a key's time in seconds; None is until it is revoked."""

    about: str
    lasts: float | None = None
    mood: Mood = Mood.WELL
    """The helper's from some moment on, for as long as ``seconds`` says."""
    seconds: tuple[float, float] = (0.0, 0.0)
    revoked: bool = False
    """Whether the service takes no key that was given before that moment."""
    every_third: Mood = Mood.WELL
    clock_set_by: float = 0.0
    """How far this host's clock goes wrong meanwhile."""
    ends: tuple[int, str] | None = None
    """The exit code and words with which the run has to end; None where it goes on by itself."""


SHORT, LONG = (20.0, 300.0), (3_600.0, 7_200.0)
STORIES = {
    "each minute": Story(about="keys that last a minute", lasts=A_MINUTE),
    "each minute, hanging": Story(about="and a helper that hangs", lasts=A_MINUTE, every_third=Mood.HANGS),
    "each minute, failing": Story(about="and a helper that fails", lasts=A_MINUTE, every_third=Mood.FAILS),
    "revoked": Story(about="a key that is refused from one moment on", revoked=True),
    "revoked, and no other yet": Story(about="and no other for minutes", revoked=True, mood=Mood.FAILS, seconds=SHORT),
    "revoked, and no other": Story(
        about="and no other for hours", revoked=True, mood=Mood.FAILS, seconds=LONG, ends=(253, "session expired")
    ),
    "helper that hangs for hours": Story(
        about="and no answer for hours",
        lasts=A_MINUTE,
        mood=Mood.HANGS,
        seconds=LONG,
        ends=(3, "no answer within 60 s"),
    ),
    "another account's": Story(
        about="a key of another account",
        revoked=True,
        mood=Mood.STRANGE,
        seconds=LONG,
        ends=(253, f"Use credentials of account {ACCOUNT}"),
    ),
    "another account's, early": Story(
        about="a key of another account before the old one is over",
        lasts=A_MINUTE,
        mood=Mood.STRANGE,
        seconds=LONG,
        ends=(253, f"Use credentials of account {ACCOUNT}"),
    ),
    "token dropped": Story(
        about="keys without their session token",
        revoked=True,
        mood=Mood.NO_TOKEN,
        seconds=LONG,
        ends=(253, "UnrecognizedClientException"),
    ),
    "over already": Story(about="keys that are over", lasts=A_MINUTE, mood=Mood.OVER, seconds=SHORT),
    "clock behind": Story(
        about="a host whose clock is behind", clock_set_by=-1_200.0, seconds=LONG, ends=(253, "clock")
    ),
    "clock ahead": Story(about="a host whose clock is ahead", clock_set_by=1_200.0, seconds=LONG, ends=(253, "clock")),
}
NAMES = list(STORIES)


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One story, over one transport."""
    chance = random.Random(seed)
    name = NAMES[seed % len(NAMES)]
    transport = chance.choice(("rest", "sdk"))
    work = _of(STORIES[name], transport, chance)
    strikes = Strikes(random.Random(seed), 0.0, 0)
    try:
        carry_out(work, KINDS["no-reply"], strikes, folder, archives=ARCHIVES, checks_signatures=True)
    except BaseException as fault:
        fault.add_note(f"{name}: {STORIES[name].about}, over {transport}")
        raise
    return Counter((name,))


def _of(story: Story, transport: str, chance: random.Random) -> Case:
    async def work(service: SimulatedGlacier, proxy: FaultProxy, place: Path) -> None:
        helper = Helper(service, story.lasts, chance.uniform(0.0, 3.0))
        helper.end_all()
        deleting = Deleting(place, service, proxy, transport, source_of=helper.source, pace=SLOWLY)
        loop = asyncio.get_running_loop()
        happening = asyncio.create_task(_happen(story, helper, chance))
        errors = await deleting.process(loop)
        deleting.check()
        _check_keys(helper, proxy)
        if story.ends is None:
            assert not errors, f"I14: it was to be a pause: {errors}"
        else:
            (error,) = errors
            code, words = story.ends
            assert (error.exit_code, words in f"{error}") == (code, True), error
            sent = len(proxy.asked_at)
            await happening
            assert len(proxy.asked_at) == sent, "sent after it had ended"
            helper.mood = Mood.WELL
            assert not await deleting.process(loop)
        await happening
        deleting.check()
        deleting.check_done()
        _check_keys(helper, proxy)
        assert bool(helper.strange) == (story.mood is Mood.STRANGE), "no key of another account was given"
        assert len(proxy.signed_by) > (story.clock_set_by == 0.0), "no key but the first was ever used"
        if story.lasts is not None:
            assert len(proxy.signed_by) >= 4, "keys that last a minute were not renewed each minute"

    return work


def _check_keys(helper: Helper, proxy: FaultProxy) -> None:
    """Nothing is ever sent with a key of another account."""
    assert not helper.strange & set(proxy.signed_by), "I14: deletes were signed with another account's key"


async def _happen(story: Story, helper: Helper, chance: random.Random) -> None:
    """Let happen to the helper, the service and the clock what the story says."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    if story.every_third is not Mood.WELL:
        for _ in range(10):
            await asyncio.sleep(A_MINUTE * chance.uniform(0.3, 1.2))
            helper.mood = story.every_third if helper.asked % 3 == 2 else Mood.WELL
        helper.mood = Mood.WELL
        return
    await asyncio.sleep(chance.uniform(10.0, 150.0))
    helper.mood = story.mood
    if story.revoked:
        helper.end_all()
    loop.clock_set_by_seconds = story.clock_set_by
    await asyncio.sleep(chance.uniform(*story.seconds))
    loop.clock_set_by_seconds = 0.0
    helper.mood = Mood.WELL


CAMPAIGN = Campaign(
    name="credentials",
    asks=(
        "The credentials of a run expire each minute, are revoked, come late or never, lose their token, come from "
        "another account, or are used by a host whose clock is wrong. It pauses and goes on, or ends with its exit "
        "code; no archive fails, nothing is sent with another account's key, and the same command finishes the rest."
    ),
    programme=("T14",),
    invariants=("I14",),
    unit="runs",
    wanted=len(STORIES),
    try_seed=try_seed,
)
