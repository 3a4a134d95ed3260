"""The network between a run and the service, failing in every way the fault proxy (``reliability.network``) knows.

A seed is one kind of fault at one intensity: a whole purge over each transport, every question of a control client, and
the download of a job's output, with or without TLS.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.reliability.campaign import Campaign
from tests.reliability.network.asking import Asking, control_at
from tests.reliability.network.deleting import ARCHIVES, Deleting
from tests.reliability.network.kinds import KINDS, Of, Right
from tests.reliability.network.proxy import Certificates, FaultProxy, Strikes
from tests.reliability.network.world import carry_out

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from glacier_simulator import SimulatedGlacier
    from tests.reliability.network.world import Case

NAMES = sorted(KINDS)
_EACH_KIND_ONCE = sum(2 + 2 * (kind.of is Of.ALL) for kind in KINDS.values()) + len(KINDS) // 3
"""In how many cases, with those in real time."""
DELETES = {"one in a hundred": 0.01, "one in ten": 0.1, "one in two": 0.5}
QUESTIONS = {"once": 0.0, "often": 0.3, "always": 1.0}
_IN_REAL_TIME = 0.3
"""Of the kinds that do not last: so many are tried on the loop that commands run on, too."""
_SPARED_DELETES = 5
"""So many pass before the first is struck: a run begins in good weather."""


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One kind at one intensity, over both transports, for all that is asked."""
    chance = random.Random(seed)
    name = NAMES[seed % len(NAMES)]
    kind = KINDS[name]
    share, asked_share = chance.choice(list(DELETES.values())), chance.choice(list(QUESTIONS.values()))
    tls = kind.needs_tls or chance.random() < 0.5
    certificates = Certificates.made_in(folder) if tls else None
    cases: dict[str, tuple[float, Case]] = {}
    if kind.of is not Of.QUESTIONS:
        cases |= {f"deletes over {each}": (share, _deletes_over(each)) for each in ("rest", "sdk")}
    if kind.of is not Of.DELETES:
        cases |= {"questions": (asked_share, _questions), "job output": (asked_share, _job_output)}
    if kind.of is not Of.QUESTIONS and not kind.lasts and not kind.names and chance.random() < _IN_REAL_TIME:
        cases["deletes in real time"] = (min(share, 0.1), _deletes_over(chance.choice(("rest", "sdk"))))
    tried: Counter[str] = Counter()
    for case, (strikes_share, work) in cases.items():
        place = folder / case.replace(" ", "-")
        place.mkdir()
        strikes = Strikes(random.Random(seed), strikes_share, chance.randint(1, 10 if kind.request else 1))
        try:
            carry_out(
                work,
                kind,
                strikes,
                place,
                archives=ARCHIVES,
                certificates=certificates,
                in_real_time=case == "deletes in real time",
            )
        except BaseException as fault:
            fault.add_note(f"{name} ({kind.about}), {case}, share {strikes_share}, {'TLS' if tls else 'plain'}")
            raise
        tried[case] += 1
    return tried


def _deletes_over(transport: str) -> Case:
    async def work(service: SimulatedGlacier, proxy: FaultProxy, place: Path) -> None:
        proxy.strikes_after_deletes = _SPARED_DELETES
        deleting = Deleting(place, service, proxy, transport)
        await _carried_to_its_end(deleting, proxy)
        deleting.check(whose_reply=proxy.kind is not KINDS["swapped-replies"])
        deleting.check_done()
        assert proxy.strikes.done, "nothing was struck"

    return work


async def _carried_to_its_end(deleting: Deleting, proxy: FaultProxy) -> None:
    """What passes is waited out by the run itself; what does not ends it with the right code, and it goes on after."""
    loop, right = asyncio.get_running_loop(), proxy.kind.right
    errors = await deleting.process(loop)
    if right in {Right.BELIEVED, Right.WEATHER}:
        assert not errors, f"it was to be waited out: {errors}"
        return
    (error,) = errors
    assert error.exit_code == (253 if right is Right.INTERCEPTED else 3), error
    assert "Dispatch stopped; nothing is marked failed." in str(error)
    assert ("certificate" if right is Right.INTERCEPTED else "in between") in str(error)
    deleting.check()
    proxy.strikes.is_on = False
    assert not await deleting.process(loop)


async def _questions(service: SimulatedGlacier, proxy: FaultProxy, place: Path) -> None:
    del place
    async with _asking(service, proxy) as asking:
        await asking.every_question()
        asking.check_refused(always=proxy.strikes.share == 1.0)


async def _job_output(service: SimulatedGlacier, proxy: FaultProxy, place: Path) -> None:
    async with _asking(service, proxy) as asking:
        await asking.output(place)
        asking.check_refused(always=proxy.strikes.share == 1.0)


@asynccontextmanager
async def _asking(service: SimulatedGlacier, proxy: FaultProxy) -> AsyncIterator[Asking]:
    trusted = None if proxy.certificates is None else proxy.certificates.ca_file
    proxy.strikes.is_on = True
    async with control_at(proxy.endpoint_url, trusted) as struck, control_at(service.endpoint_url) as direct:
        yield Asking(service, proxy, struck, direct)
    assert proxy.strikes.done, "nothing was struck"


CAMPAIGN = Campaign(
    name="network",
    asks=(
        "A purge, every question of a control client and the download of a job's output go through a proxy that fails "
        "in one way after the other, over both transports, with TLS and without. The server's ledger and the proxy's "
        "books agree with the log, no archive fails, and the run ends once the faults do; what does not pass ends "
        "everything with its own exit code."
    ),
    programme=("T6",),
    invariants=("I1", "I2", "I4", "I16"),
    unit="cases",
    wanted=_EACH_KIND_ONCE,
    try_seed=try_seed,
)
