"""What always holds is looked at while a run sends: broken on purpose, it stops, and the end says which it was."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from glacier_purge.deletion.pacer import Pacer, PacerSettings
from glacier_purge.deletion.pauses import Side
from glacier_purge.deletion.pool import Pool
from glacier_purge.errors import InvariantBroken, one_error
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.invariants import Invariant
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import BRISK, Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.run.purge import PurgeRun

ARCHIVES = 500
SENT_UNTIL_SEEN = 60
"""What is sent in the tenth of a second until the next commit, and what may be under way."""


@dataclass
class Broken:
    """A run at work, to be damaged."""

    run: PurgeRun
    bench: Bench
    patch: pytest.MonkeyPatch

    @property
    def sending(self) -> Any:
        return self.run._sending

    @property
    def ledger(self) -> Any:
        return self.run.ledger


def shown_more_than_there_is(broken: Broken) -> None:
    broken.sending._tally.accepted += 2_000
    broken.sending._tally.sent += 2_000


def shown_less_than_there_is(broken: Broken) -> None:
    broken.sending._tally.accepted -= 1
    broken.sending._tally.sent -= 1


def a_request_without_an_answer(broken: Broken) -> None:
    broken.sending._tally.sent += 1


def an_answer_without_a_request(broken: Broken) -> None:
    broken.sending._tally.refused[Meaning.THROTTLED] += 1


def more_in_flight_than_may_be(broken: Broken) -> None:
    broken.patch.setattr(Pacer, "in_flight_cap", lambda *_: 50)
    broken.sending._pacer._settings = PacerSettings(rate_per_second_first=1e4, in_flight_max=50)
    broken.bench.service.latency_seconds = 5.0


def a_watermark_that_goes_back(broken: Broken) -> None:
    broken.ledger._state.released_through -= 1
    broken.sending._accounts._released_through = broken.ledger._state.released_through + 1_000


def an_outcome_that_is_gone(broken: Broken) -> None:
    broken.sending._accounts._settled = ARCHIVES


def an_outcome_before_its_release(broken: Broken) -> None:
    broken.ledger.sent_through = ARCHIVES + 1


def a_reply_to_nothing(broken: Broken) -> None:
    settled = next(archive for archive in broken.bench.service.archives() if broken.ledger.done(archive.ordinal))
    broken.bench.service.settle([(settled, Reply(Meaning.DELETED, 204, request_id="again"))])


def archives_nobody_accounts_for(broken: Broken) -> None:
    broken.patch.setattr(Pool, "unknown", lambda _: list(range(ARCHIVES)))


BREAKS: dict[Callable[[Broken], None], Invariant] = {
    shown_more_than_there_is: Invariant.FIGURES,
    shown_less_than_there_is: Invariant.FIGURES,
    a_request_without_an_answer: Invariant.REQUESTS,
    an_answer_without_a_request: Invariant.REQUESTS,
    more_in_flight_than_may_be: Invariant.IN_FLIGHT,
    a_watermark_that_goes_back: Invariant.WATERMARK,
    an_outcome_that_is_gone: Invariant.WATERMARK,
    an_outcome_before_its_release: Invariant.RELEASED,
    a_reply_to_nothing: Invariant.REPLIES,
    archives_nobody_accounts_for: Invariant.ACCOUNTS,
}


@IN_PROCESS
@pytest.mark.parametrize("damage", BREAKS, ids=lambda damage: damage.__name__)
async def test_a_broken_invariant_stops_dispatch_and_is_named(
    damage: Callable[[Broken], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    sent_before = 0

    async def damaged_on_its_way() -> None:
        nonlocal sent_before
        async with bench.process(pace=BRISK) as run:
            await anyio.sleep(2.0)
            assert run.ledger is not None
            assert 0 < sum(run.ledger.counts.values()) < ARCHIVES
            sent_before = bench.service.requests
            damage(Broken(run, bench, monkeypatch))

    with pytest.raises(InvariantBroken) as caught, one_error():
        await damaged_on_its_way()
    broken, invariant = caught.value, BREAKS[damage].value
    assert (broken.invariant, broken.exit_code) == (invariant, 4)
    assert broken.found
    assert invariant in str(broken)
    if damage is not archives_nobody_accounts_for:  # which shows at the end
        assert bench.service.requests - sent_before < SENT_UNTIL_SEEN
        last = bench.log()[-1]
        assert last["event"] == "stopped"
        assert invariant in last["reason"]


@IN_PROCESS
@pytest.mark.parametrize("by", [*Side, None], ids=str)
async def test_nothing_is_sent_while_something_stands_against_it(
    by: Side | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the dispatcher believed: it is looked at once more where requests leave."""
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))

    async def deceived() -> None:
        async with bench.process(pace=BRISK) as run:
            await anyio.sleep(1.0)
            pool = Broken(run, bench, monkeypatch).sending._pool
            monkeypatch.setattr(pool, "_room", lambda _: 1)
            if by is None:
                pool.drain("the test says so")
            else:
                pool.pause(by, "the test says so")

    with pytest.raises(InvariantBroken) as caught, one_error():
        await deceived()
    assert caught.value.invariant == Invariant.MAY_SEND.value


@IN_PROCESS
async def test_whole_runs_break_none(tmp_path: Path) -> None:
    """In weather, throttled, and gone on with by another process."""
    weather = {7: Meaning.SERVER_FAULT, 11: Meaning.NO_REPLY, 13: Meaning.THROTTLED, 17: Meaning.UNKNOWN}
    service = InProcessGlacier(
        ARCHIVES, rate_per_second=80.0, weather=lambda n: Reply(weather[n % 19]) if n % 19 in weather else None
    )
    bench = Bench(tmp_path, service)
    async with bench.process() as run:
        await anyio.sleep(2.0)
        run.drain("enough for a day")
    await bench.finish()


def test_nothing_begins_where_asserts_are_left_out() -> None:
    def told(*code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-O", *code], capture_output=True, text=True, check=False)

    command = told("-m", "glacier_purge", "doctor", "photos")
    assert command.returncode == 253
    assert "Python was told to leave assertions out" in command.stderr
    library = told("-c", "from glacier_purge.api.clients import Clients; Clients()")
    assert "ConfigurationFailed: Python was told to leave assertions out" in library.stderr
