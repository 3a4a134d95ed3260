"""Any sequence of uploads, deletes, jobs and days, held against a model that is written the other way round.

The service moves its state along as time passes.  The model keeps only the list of changes and works out from it, each
time anew, what the inventories must have been, and from those what jobs and DeleteVault must answer.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from glacier_simulator import dates
from glacier_simulator.vault import PretendGlacier
from tests.at_length import examples
from tests.glacier_simulator.asking import DAY, HOUR, Asker, header, parsed, refused, whole


class Inventory(NamedTuple):
    date: float
    archives: frozenset[str]


class Change(NamedTuple):
    moment: float
    archives: frozenset[str]


class StartedJob(NamedTuple):
    job_id: str
    started: float
    archive_id: str | None
    was_gone: bool


class Model:
    """One vault, by its changes alone."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.deleted_at: dict[str, float] = {}

    @property
    def archives(self) -> frozenset[str]:
        return self.changes[-1].archives if self.changes else frozenset()

    def inventories(self, now: float) -> list[Inventory]:
        """On a daily grid from half a day after the first change; none for a day without change."""
        found: list[Inventory] = []
        date = self.changes[0].moment + 12 * HOUR if self.changes else now + 1
        while date <= now:
            since = found[-1].date if found else 0.0
            before = [change for change in self.changes if change.moment < date]
            if before[-1].moment >= since:
                found.append(Inventory(date, before[-1].archives))
            date += DAY
        return found

    def deletable(self, now: float) -> bool:
        inventories = self.inventories(now)
        if not self.changes:
            return True
        return bool(inventories) and not inventories[-1].archives and self.changes[-1].moment < inventories[-1].date


class VaultMachine(RuleBasedStateMachine):
    archives = Bundle("archives")

    def __init__(self) -> None:
        super().__init__()
        self.asker = Asker(PretendGlacier())
        self.asker.ask("PUT", "/vaults/v")
        self.model = Model()
        self.deletes = 0
        self.jobs: list[StartedJob] = []
        self.outcomes: dict[str, str] = {}

    @rule(target=archives, body=st.binary(min_size=1, max_size=5))
    def upload(self, body: bytes) -> str:
        archive_id = self.asker.upload("v", body)
        assert archive_id not in self.model.deleted_at
        self.model.changes.append(Change(self.asker.now, self.model.archives | {archive_id}))
        return archive_id

    @rule(archive_id=archives, short=st.booleans())
    def delete(self, archive_id: str, short: bool) -> None:
        if short:
            assert self.asker.glacier.delete_archive("v", archive_id, self.asker.now) is None
        else:
            assert self.asker.delete("v", archive_id) == 204
        self.deletes += 1
        if archive_id in self.model.archives:
            self.model.changes.append(Change(self.asker.now, self.model.archives - {archive_id}))
            self.model.deleted_at[archive_id] = self.asker.now

    @rule(seconds=st.sampled_from([1.0, 600.0, HOUR, 3 * HOUR, 5 * HOUR, 12 * HOUR, DAY, 3 * DAY]))
    def wait(self, seconds: float) -> None:
        self.asker.now += seconds

    @rule()
    def start_inventory(self) -> None:
        response = self.asker.ask("POST", "/vaults/v/jobs", {"Type": "inventory-retrieval"})
        if not self.model.inventories(self.asker.now):
            assert refused(response)[:2] == (404, "ResourceNotFoundException")
            return
        self.jobs.append(StartedJob(header(response, "x-amz-job-id"), self.asker.now, None, was_gone=False))

    @rule(archive_id=archives)
    def start_retrieval(self, archive_id: str) -> None:
        job_id = self.asker.start_job("v", Type="archive-retrieval", ArchiveId=archive_id)
        gone = archive_id in self.model.deleted_at
        self.jobs.append(StartedJob(job_id, self.asker.now, archive_id, was_gone=gone))

    @invariant()
    def jobs_are_as_old_as_they_look(self) -> None:
        for job in self.jobs:
            self.look_at(job)

    def look_at(self, job: StartedJob) -> None:
        age = self.asker.now - job.started
        response = self.asker.ask("GET", f"/vaults/v/jobs/{job.job_id}")
        if response.status == 404:
            assert age >= 27 * HOUR
            return
        assert age <= 29 * HOUR
        described = parsed(response)
        if not described["Completed"]:
            assert age < 5 * HOUR
            return
        assert age >= 3 * HOUR
        completed = dates.read(described["CompletionDate"])
        assert completed is not None
        assert self.asker.now - 24 * HOUR < completed + 0.001
        self.check_outcome(job, described["StatusCode"], completed)

    def check_outcome(self, job: StartedJob, status: str, completed: float) -> None:
        assert self.outcomes.setdefault(job.job_id, status) == status
        output = self.asker.ask("GET", f"/vaults/v/jobs/{job.job_id}/output")
        assert (output.status == 200) is (status == "Succeeded")
        if job.archive_id is None:
            shown = json.loads(whole(output))
            last = [one for one in self.model.inventories(self.asker.now) if one.date <= completed][-1]
            assert {one["ArchiveId"] for one in shown["ArchiveList"]} == last.archives
            assert dates.read(shown["InventoryDate"]) == int(last.date)
        elif job.was_gone:
            assert status == "Failed"
        elif self.model.deleted_at.get(job.archive_id, completed) >= completed:
            assert status == "Succeeded"

    @precondition(lambda self: not self.model.deletable(self.asker.now))
    @rule()
    def try_to_delete_the_vault(self) -> None:
        assert refused(self.asker.ask("DELETE", "/vaults/v"))[2].startswith("Vault not empty or recently written to")

    @precondition(lambda self: self.model.deletable(self.asker.now) and not self.model.deleted_at)
    @rule()
    def delete_the_vault_and_make_it_again(self) -> None:
        assert self.asker.ask("DELETE", "/vaults/v").status == 204
        assert self.asker.ask("GET", "/vaults/v").status == 404
        assert self.asker.ask("PUT", "/vaults/v").status == 201

    @precondition(lambda self: bool(self.model.changes))
    @rule()
    def purge(self) -> None:
        for archive_id in list(self.model.archives):
            self.delete(archive_id, short=True)

    @invariant()
    def the_description_is_the_last_inventory(self) -> None:
        described = parsed(self.asker.ask("GET", "/vaults/v"))
        inventories = self.model.inventories(self.asker.now)
        expected = (
            (dates.with_milliseconds(inventories[-1].date), len(inventories[-1].archives)) if inventories else (None, 0)
        )
        assert (described["LastInventoryDate"], described["NumberOfArchives"]) == expected

    @invariant()
    def the_ledger_adds_up(self) -> None:
        ledger = self.asker.glacier.ledger
        assert ledger.archives_left == len(self.model.archives)
        assert ledger.deletes_received == self.deletes
        assert ledger.distinct_ids == len(self.model.deleted_at)

    def teardown(self) -> None:
        """In the end every vault can be emptied and deleted."""
        for archive_id in list(self.model.archives):
            self.delete(archive_id, short=False)
        self.asker.now += DAY
        assert self.asker.ask("DELETE", "/vaults/v").status == 204


VaultMachine.TestCase.settings = settings(max_examples=examples(500), stateful_step_count=15, deadline=None)
TestVault = VaultMachine.TestCase
