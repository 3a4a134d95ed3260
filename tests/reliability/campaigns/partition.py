"""Hours without a network, at any request of a run and of a lifecycle, in virtual time (I18).

The service cannot be reached, in one of the ways in which that shows: names that are not found, refusals, silence,
connections that end at once, handshakes that stall, pages of a gateway.  Or the network flaps: it is there for minutes
and gone for minutes, another way each time.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

from glacier_purge.deletion.pacer import PacerSettings
from tests.reliability.campaign import Campaign
from tests.reliability.network.deleting import VAULT, Deleting
from tests.reliability.network.kinds import KINDS
from tests.reliability.network.living import Living
from tests.reliability.network.proxy import Certificates, Strikes
from tests.reliability.network.world import carry_out

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_simulator import SimulatedGlacier
    from tests.reliability.network.proxy import FaultProxy
    from tests.reliability.network.world import Case

WAYS = (
    "name-not-found-now",
    "name-unknown",
    "name-leads-nowhere",
    "name-leads-into-silence",
    "accept-then-close",
    "accept-then-reset",
    "accept-then-silence",
    "tls-handshake-cut",
    "plain-text-on-tls-port",
    "reset-before",
    "reset-after",
    "no-reply",
    "bad-gateway",
    "service-error",
)
ARCHIVES = 120
HOUR = 3600.0
_SLOWLY = PacerSettings(rate_per_second_first=0.5, rate_per_second_max=0.5, in_flight_max=8)
"""So that a run does not end while the network is there for a moment."""
_UNTIL_THE_BREAKER_SECONDS = 90.0
"""In which requests under way run out of time, names are forgotten, and the factor falls."""
_PROBES_A_MINUTE = 12
_LOOKS = 4
"""Requests of a run before its first delete: it has to have begun."""
_REQUESTS_OF_A_LIFECYCLE = 180
"""That many it has at least, with so many archives."""
_ENDS_WITH_THREE = {"not begun", "preflight"}
"""Before this process was answered: the command ends with 3, has changed nothing, and goes on when given again."""
_BACK_WITHIN_SECONDS = 1_200.0
"""A look at what protects the vault may come first, and is repeated every quarter of an hour."""


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """A partition in a run, and one in a lifecycle."""
    chance = random.Random(seed)
    transport = ("rest", "sdk")[seed // len(WAYS) % 2]
    seconds = HOUR * (6.0 if seed % 12 == 5 else chance.uniform(0.2, 1.0))
    flaps = chance.random() < 0.3
    way, other_way = WAYS[seed % len(WAYS)], chance.choice(WAYS)
    certificates = Certificates.made_in(folder)
    phases: list[str] = []
    cases = (
        (way, "run", _of_a_run(transport, seconds, chance, flaps=flaps)),
        (other_way, "lifecycle", _of_a_lifecycle(transport, seconds, chance, phases, flaps=flaps)),
    )
    for name, what, work in cases:
        kind = KINDS[name]
        place = folder / what
        place.mkdir()
        shown = certificates if kind.needs_tls or chance.random() < 0.5 else None
        strikes = Strikes(random.Random(seed), 1.0, 1)
        try:
            carry_out(work, kind, strikes, place, archives=ARCHIVES, certificates=shown)
        except BaseException as fault:
            fault.add_note(f"a {what} over {transport}, {name}, {seconds:.0f} s, {flaps=}, {phases=}")
            raise
    return Counter([f"in {phase}" for phase in phases] + ["flapping, in a run" if flaps else "in a run"])


def _of_a_run(transport: str, seconds: float, chance: random.Random, *, flaps: bool) -> Case:
    async def work(service: SimulatedGlacier, proxy: FaultProxy, place: Path) -> None:
        deleting = Deleting(place, service, proxy, transport, pace=_SLOWLY if flaps else None)
        loop = asyncio.get_running_loop()
        proxy.tells_at = _LOOKS + chance.randint(1, 60)
        network = asyncio.create_task(_go_away(proxy, seconds, chance, flaps=flaps))
        errors = await deleting.process(loop)
        assert not errors, f"I18: {errors}"
        away = await network
        deleting.check()
        deleting.check_done()
        for began, ended in away:
            probes = [at for at in deleting.sent_at if began + _UNTIL_THE_BREAKER_SECONDS <= at < ended]
            for first, one_too_many in zip(probes, probes[_PROBES_A_MINUTE:], strict=False):
                assert one_too_many - first >= 60.0, f"I18: from {first:.0f} s on more than a probe each five seconds"
        assert any(began <= at < ended for began, ended in away for at in deleting.sent_at), "nothing was tried"
        assert loop.time() - away[-1][1] <= _BACK_WITHIN_SECONDS, "it did not go on by itself"

    return work


def _of_a_lifecycle(transport: str, seconds: float, chance: random.Random, phases: list[str], *, flaps: bool) -> Case:
    async def work(service: SimulatedGlacier, proxy: FaultProxy, place: Path) -> None:
        living = Living(place, service, proxy, transport)
        proxy.tells_at = chance.randint(1, _REQUESTS_OF_A_LIFECYCLE)
        network = asyncio.create_task(_go_away(proxy, seconds, chance, living, phases, flaps=flaps))
        await living.carry_to_its_end()
        assert proxy.told.is_set(), f"it had {proxy.requests} requests, and was to lose the network at {proxy.tells_at}"
        await network
        ledger = service.ledger
        assert (ledger["archives_left"], ledger["operations"]["DeleteVault"] > 0) == (0, True)
        assert (ledger["unknown"], ledger["malformed"], ledger["wrong_vault"]) == (0, 0, 0)
        assert VAULT.name not in service.service.vault_names(), "the vault is said to be removed, and is there"
        if not _ENDS_WITH_THREE & set(phases):
            assert len(living.endings) == 1, f"it did not go on by itself: {living.endings[0].message}"

    return work


async def _go_away(
    proxy: FaultProxy,
    seconds: float,
    chance: random.Random,
    living: Living | None = None,
    phases: list[str] | None = None,
    *,
    flaps: bool,
) -> list[tuple[float, float]]:
    """Let the network go at a request; return from when to when it was away."""
    loop = asyncio.get_running_loop()
    await proxy.told.wait()
    if living is not None and phases is not None:
        phases.append(living.phase)
    away: list[tuple[float, float]] = []
    until = loop.time() + seconds
    while (now := loop.time()) < until:
        lasts = min(chance.uniform(20.0, 900.0), until - now) if flaps else seconds
        proxy.strikes.is_on = True
        proxy.cut_all()
        await asyncio.sleep(lasts)
        proxy.strikes.is_on = False
        away.append((now, loop.time()))
        if flaps:
            await asyncio.sleep(chance.uniform(1.0, 60.0))
    return away


CAMPAIGN = Campaign(
    name="partition",
    asks=(
        "The network goes away at any request of a run or of a lifecycle, for up to six hours or again and again, in "
        "one of fourteen ways. No more than a probe every five seconds is sent, no archive fails, and both go on to "
        "their end."
    ),
    programme=("T6",),
    invariants=("I16", "I18"),
    unit="partitions",
    wanted=40,
    try_seed=try_seed,
)
