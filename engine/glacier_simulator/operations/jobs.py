"""DescribeJob and ListJobs: what is known of jobs until they are forgotten, a day after completion."""

from __future__ import annotations

from glacier_simulator import refusal
from glacier_simulator.call import Call, reply_json
from glacier_simulator.exchange import Response
from glacier_simulator.jobs import Job
from glacier_simulator.stored import StoredVault, job_description

_LIST_MAX = 50
_STATUS_CODES = frozenset({"InProgress", "Succeeded", "Failed"})


def describe_job(call: Call) -> Response:
    """Answer DescribeJob."""
    vault = call.vault()
    return reply_json(job_description(vault, find_job(call, vault)))


def list_jobs(call: Call) -> Response:
    """Answer ListJobs: in order of initiation; the marker is the id of the next job."""
    query = call.request.query
    completed, status = query.get("completed"), query.get("statuscode")
    if completed not in {None, "true", "false"}:
        raise refusal.invalid(f"Invalid completed: {completed}")
    if status is not None and status not in _STATUS_CODES:
        raise refusal.invalid(f"The job status code is not valid: {status}")
    limit, vault = call.page_limit(_LIST_MAX), call.vault()
    jobs = list(vault.facts.jobs.values())
    marker = query.get("marker")
    if marker:
        ids = list(vault.facts.jobs)
        if marker not in ids:
            raise refusal.invalid(f"Invalid marker: {marker}")
        jobs = jobs[ids.index(marker) :]
    jobs = [
        job
        for job in jobs
        if (completed is None or job.completed is (completed == "true")) and status in {None, job.status}
    ]
    more = jobs[limit].job_id if len(jobs) > limit else None
    return reply_json({"JobList": [job_description(vault, job) for job in jobs[:limit]], "Marker": more})


def find_job(call: Call, vault: StoredVault) -> Job:
    """The job the path names. Raises ``Refusal`` for one unknown or forgotten."""
    job = vault.facts.jobs.get(call.names[1])
    if job is None:
        raise refusal.not_found(f"The job ID was not found: {call.names[1]}")
    return job
