"""Waiting: announced, slept, or refused; never in real time here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from glacier_purge.errors import Pending
from glacier_purge.glacier.waiting import NoWait, SleepingWaiter, Waiting

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(("hours", "slept_seconds"), [(2, 7200.0), (0, 0.0), (-1, 0.0)])
async def test_the_patient_tell_and_then_sleep_until_the_time_has_come(hours: float, slept_seconds: float) -> None:
    told: list[Waiting] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        assert told, "told before slept"
        slept.append(seconds)

    waiting = Waiting(what="tea", until=NOON + timedelta(hours=hours))
    await SleepingWaiter(tell=told.append, clock=lambda: NOON, sleep=sleep).wait(waiting)
    assert (told, slept) == ([waiting], [slept_seconds])


async def test_the_impatient_say_what_for_and_until_when_instead() -> None:
    until = NOON + timedelta(hours=4)
    with pytest.raises(Pending, match=r"waiting for tea\. Look again at 2026-11-20T16:00:00Z") as pending:
        await NoWait(clock=lambda: NOON).wait(Waiting(what="tea", until=until))
    assert (pending.value.exit_code, pending.value.what, pending.value.until) == (75, "tea", until)
