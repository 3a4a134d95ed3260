"""Archives somebody is retrieving: held back, waited for or deleted, by the jobs the service tells of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from glacier_purge.errors import CredentialsFailed, Pending
from glacier_purge.glacier.control import OUTPUT_LASTS, Job, JobAction, JobState
from glacier_purge.glacier.waiting import NoWait, SleepingWaiter
from glacier_purge.plan.choices import Choices
from glacier_purge.plan.choosing import PlanContext, open_selection
from glacier_purge.plan.in_retrieval import held_back, retrievals
from tests.plan.archives import TARGET, archive, plan_of, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.plan.choices import InRetrieval
    from glacier_purge.plan.document import Plan

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def job(archive_id: str | None = "one", state: JobState = JobState.IN_PROGRESS, **facts: Any) -> Job:
    known: dict[str, Any] = {
        "job_id": "job",
        "action": JobAction.ARCHIVE,
        "state": state,
        "created": NOW - 5 * HOUR,
        "archive_id": archive_id,
    }
    return Job(**(known | facts))


def done(hours_ago: float) -> dict[str, Any]:
    return {"state": JobState.SUCCEEDED, "completed": NOW - hours_ago * HOUR}


@pytest.mark.parametrize(
    ("one", "held"),
    [
        (job(), True),
        (job(**done(1)), True),
        (job(**done(23.9)), True),
        (job(**done(24)), False),
        (job(**done(-1)), True),
        (job(state=JobState.SUCCEEDED), True),
        (job(state=JobState.FAILED, completed=NOW - HOUR), False),
        (job(None, action=JobAction.INVENTORY), False),
        (job("one", action=JobAction.SELECT), False),
    ],
)
def test_an_archive_is_held_while_its_job_needs_it(one: Job, held: bool) -> None:
    found = retrievals([one], NOW)
    assert found.archive_ids == (frozenset({"one"}) if held else frozenset())
    assert (found.look_again is not None) is held


def test_it_is_looked_again_when_the_last_output_is_gone() -> None:
    assert retrievals([job("a", **done(3)), job("b", **done(1))], NOW).look_again == NOW - HOUR + OUTPUT_LASTS
    assert retrievals([], NOW).look_again is None


@dataclass
class Service:
    """A service that knows of jobs, and a clock that waiting moves on."""

    jobs: list[Job]
    time: datetime = NOW
    asked: int = 0
    waited: list[str] = field(default_factory=list)
    refusal: Exception | None = None

    async def open(self) -> GlacierControl:
        return cast("GlacierControl", self)

    async def list_jobs(self) -> AsyncIterator[Job]:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        for one in self.jobs:
            yield one

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def held_back(self, choice: InRetrieval | None) -> frozenset[str] | None:
        waiter = SleepingWaiter(
            tell=lambda told: self.waited.append(told.what), clock=lambda: self.time, sleep=self.sleep
        )
        return await held_back(choice, self.open, waiter)


@pytest.mark.parametrize("choice", [None, "hold"])
async def test_archives_in_retrieval_are_held_back(choice: InRetrieval | None) -> None:
    service = Service([job("one"), job("two", **done(2)), job("three", **done(30))])
    assert await service.held_back(choice) == frozenset({"one", "two"})


async def test_archives_in_retrieval_are_waited_for_until_their_output_is_gone() -> None:
    service = Service([job("one", **done(2)), job("two", **done(20))])
    assert await service.held_back("wait") == frozenset()
    assert service.time == NOW + 22 * HOUR
    assert service.waited == ["2 archives that are being retrieved"]


async def test_who_does_not_wait_is_told_until_when() -> None:
    service = Service([job("one", **done(2))])
    with pytest.raises(Pending) as pending:
        await held_back("wait", service.open, NoWait(clock=lambda: NOW))
    assert pending.value.until == NOW + 22 * HOUR


async def test_archives_in_retrieval_are_deleted_without_asking() -> None:
    service = Service([job("one")])
    assert await service.held_back("delete") is None
    assert service.asked == 0


async def test_a_service_that_does_not_tell_matters_only_to_who_asked() -> None:
    service = Service([], refusal=CredentialsFailed("none"))
    assert await service.held_back(None) is None
    with pytest.raises(CredentialsFailed):
        await service.held_back("hold")


def planned(tmp_path: Path, choices: Choices, held: frozenset[str]) -> Plan:
    folder = tmp_path / "run"
    spooled = snapshot(folder, [archive(number) for number in range(3)])
    with open_selection(choices, PlanContext(now=NOW, held=held), folder) as selection:
        return plan_of(spooled, TARGET, selection)


@pytest.mark.parametrize(
    ("choice", "held", "reasons", "findings"),
    [
        (None, frozenset({archive(1).archive_id}), {"delete": 2, "in_retrieval": 1}, []),
        (None, frozenset({archive(7).archive_id}), {"delete": 3}, []),
        (None, frozenset(), {"delete": 3}, []),
        ("delete", frozenset(), {"delete": 3}, ["retrieval_jobs_ignored"]),
    ],
)
def test_the_plan_says_what_is_held_back_and_what_was_asked_for(
    tmp_path: Path, choice: InRetrieval | None, held: frozenset[str], reasons: dict[str, int], findings: list[str]
) -> None:
    plan = planned(tmp_path, Choices(in_retrieval=choice), held)
    told = {reason.name: reason.records for reason in plan.reasons if reason.name not in {"invalid", "duplicate"}}
    assert told == reasons
    assert [finding.name for finding in plan.findings] == findings


def test_plans_differ_by_what_is_held_back_and_by_nothing_else_of_it(tmp_path: Path) -> None:
    held = {"none": (), "one": (1,), "another": (2,), "elsewhere": (7,)}
    digests = {}
    for name, numbers in held.items():
        (tmp_path / name).mkdir()
        ids = frozenset(archive(number).archive_id for number in numbers)
        digests[name] = planned(tmp_path / name, Choices(), ids).digest
    assert digests["none"] == digests["elsewhere"]
    assert len({digests[name] for name in ("none", "one", "another")}) == 3
