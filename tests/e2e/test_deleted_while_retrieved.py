"""The three cases of AWS's page on deleting an archive that is being retrieved, under each of ``--in-retrieval``.

An archive may be deleted while a job prepares it (the job may fail or succeed), while a finished job's output can be
downloaded (it stays so), and before anybody asks for it (the job is accepted, and fails).  The third is met where an
older inventory still lists what an earlier run deleted.

Source: Developer Guide, "DELETE archive".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process

HOUR = 3600.0
ARCHIVES = 6
_DIRECT = build_opener(ProxyHandler({}))


class Retriever:
    """Somebody else, who retrieves archives from the vault."""

    def __init__(self, bench: Bench) -> None:
        self._vault = f"{bench.simulator.endpoint_url}/-/vaults/photos"

    def ask_for(self, archive_id: str) -> str:
        """Start a job and give its id: it is accepted whatever became of the archive."""
        body = json.dumps({"Type": "archive-retrieval", "ArchiveId": archive_id}).encode()
        status, headers, _ = self._ask("POST", "/jobs", body)
        assert status == 202
        return str(headers["x-amz-job-id"])

    def state(self, job_id: str) -> str:
        status, _, body = self._ask("GET", f"/jobs/{job_id}")
        return str(json.loads(body)["StatusCode"]) if status == 200 else "forgotten"

    def has_output(self, job_id: str) -> bool:
        return self._ask("GET", f"/jobs/{job_id}/output")[0] == 200

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, bytes]:
        headers = {"x-amz-glacier-version": "2012-06-01"}
        try:
            with _DIRECT.open(Request(f"{self._vault}{path}", body, headers, method=method), timeout=30) as reply:
                return reply.status, reply.headers, reply.read()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.headers, refused.read()


@dataclass(frozen=True)
class Becomes:
    """What becomes of one case: whether its archive is in the plan, gone, and how its job ends."""

    planned: bool
    gone: bool
    job: frozenset[str]
    has_output: bool | None = None
    """Whether the job's output can be downloaded a few hours after the purge; None where AWS leaves it open."""


SUCCEEDED, FAILED, EITHER = frozenset({"Succeeded"}), frozenset({"Failed"}), frozenset({"Succeeded", "Failed"})
FORGOTTEN = frozenset({"forgotten"})

#                preparing                             downloadable                           asked for after the delete
TABLE = {
    "hold": (
        Becomes(planned=False, gone=False, job=SUCCEEDED, has_output=True),
        Becomes(planned=False, gone=False, job=SUCCEEDED, has_output=True),
        Becomes(planned=False, gone=True, job=FAILED, has_output=False),
    ),
    "wait": (
        Becomes(planned=True, gone=True, job=FORGOTTEN, has_output=False),
        Becomes(planned=True, gone=True, job=FORGOTTEN, has_output=False),
        Becomes(planned=True, gone=True, job=FORGOTTEN, has_output=False),
    ),
    "delete": (
        Becomes(planned=True, gone=True, job=EITHER),
        Becomes(planned=True, gone=True, job=SUCCEEDED, has_output=True),
        Becomes(planned=True, gone=True, job=FAILED, has_output=False),
    ),
}
WAITED = {"hold": [], "wait": [3, 2], "delete": []}
"""How many archives ``--in-retrieval`` waited for: at once, and when the job asked for after the delete had failed."""


def purge(bench: Bench, name: str, inventory: Path, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plan in a folder of its own and apply; give both results."""
    run = str(bench.folder / name)
    here = ("--inventory", str(inventory), "--run-dir", run, "--endpoint-url", bench.simulator.endpoint_url)
    plan = bench.json("plan", "photos", *here, *options)
    return plan, bench.json("apply", run, "--confirm-digest", plan["digest"])


def reasons(plan: dict[str, Any]) -> dict[str, int]:
    return {reason["name"]: reason["records"] for reason in plan["reasons"] if reason["records"]}


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("bench", [{"archives": ARCHIVES}], indirect=True)
@pytest.mark.parametrize("choice", TABLE)
def test_what_becomes_of_archives_and_jobs_in_each_case(bench: Bench, choice: str) -> None:
    # glacier-purge plan photos --inventory FILE --in-retrieval hold|wait|delete; glacier-purge apply run
    inventory, retriever = bench.simulator.inventory(bench.folder / "inventory.json"), Retriever(bench)
    cases = [record["ArchiveId"] for record in json.loads(inventory.read_bytes())["ArchiveList"]][:3]
    preparing, downloadable, deleted = cases
    (bench.folder / "ids").write_text(f"{deleted}\n", "ascii")
    purge(bench, "before", inventory, "--ids", str(bench.folder / "ids"))
    finished = retriever.ask_for(downloadable)
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    jobs = [retriever.ask_for(preparing), finished, retriever.ask_for(deleted)]
    assert [retriever.state(job_id) for job_id in jobs] == ["InProgress", "Succeeded", "InProgress"]

    waiting = ("plan", "photos", "--inventory", str(inventory), "--endpoint-url", bench.simulator.endpoint_url)
    for count, step_hours in zip(WAITED[choice], (6, 24), strict=False):
        pending = bench.json(*waiting, "--in-retrieval", choice, "--no-wait", exit_code=75)
        assert pending["waiting_for"] == f"{count} archives that are being retrieved"
        bench.simulator.post("clock", step_seconds=step_hours * HOUR)

    plan, result = purge(bench, "run", inventory, "--in-retrieval", choice)
    expected = TABLE[choice]
    held = sum(not case.planned for case in expected)
    assert reasons(plan) == ({"delete": ARCHIVES - held, "in_retrieval": held} if held else {"delete": ARCHIVES})
    assert (result["deleted"], result["failed"], result["skipped"]) == (ARCHIVES - held, 0, held)
    assert bench.simulator.ids_left() == {one for one, case in zip(cases, expected, strict=True) if not case.gone}

    bench.simulator.post("clock", step_seconds=6 * HOUR)
    for job_id, case in zip(jobs, expected, strict=True):
        assert retriever.state(job_id) in case.job
        if case.has_output is not None:
            assert retriever.has_output(job_id) is case.has_output


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("bench", [{"archives": ARCHIVES}], indirect=True)
def test_neither_verification_nor_a_next_round_is_confused_by_a_job_asked_for_after_the_delete(bench: Bench) -> None:
    # glacier-purge verify run; glacier-purge plan photos --inventory OLD
    inventory, retriever = bench.simulator.inventory(bench.folder / "inventory.json"), Retriever(bench)
    wanted = json.loads(inventory.read_bytes())["ArchiveList"][0]["ArchiveId"]
    plan, _ = purge(bench, "run", inventory)
    assert plan["selected"] == ARCHIVES
    verify = ("verify", str(bench.folder / "run"), "--no-wait")
    bench.simulator.post("clock", step_seconds=24 * HOUR)
    job_id = retriever.ask_for(wanted)
    assert bench.json(*verify, exit_code=75)["waiting_for"].startswith("inventory job"), "not the archive's job"

    again, _ = purge(bench, "again", inventory)
    assert reasons(again) == {"delete": ARCHIVES - 1, "in_retrieval": 1}, "held back while its job is in progress"
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    assert retriever.state(job_id) == "Failed"
    later, result = purge(bench, "later", inventory)
    assert reasons(later) == {"delete": ARCHIVES}, "a job that failed needs no archive"
    assert (result["deleted"], result["failed"]) == (ARCHIVES, 0)

    proven = bench.json(*verify)
    assert (proven["state"], proven["gone"], proven["listed"]) == ("proven", ARCHIVES, 0)
    assert bench.simulator.ledger()["archives_left"] == 0
