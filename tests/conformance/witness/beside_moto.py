"""The same life of a vault in the simulator and in moto's server: which replies differ, and in what.

Runs in an environment without this project: see ``witnesses``.  Prints a JSON list of differences,
each ``[operation or case, what]``, and the list of what was compared.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tests.conformance.witness.acting import step_clock
from tests.conformance.witness.by_boto3 import new_client

VAULT = "beside-moto"
BODY = b"the same bytes for both" * 1000
VARIES = frozenset(
    {"CreationDate", "LastInventoryDate", "CompletionDate", "JobId", "jobId", "archiveId", "ArchiveId", "InventoryDate"}
)


class Actor:
    """One of the two services, and what it answered."""

    def __init__(self, endpoint_url: str, *, steps_clock: bool) -> None:
        self.client = new_client(endpoint_url)
        self.endpoint_url = endpoint_url
        self.steps_clock = steps_clock
        self.said: dict[str, tuple[int, Any]] = {}

    def ask(self, case: str, method: str, **parameters: Any) -> dict[str, Any]:
        """One request; its status and reply are noted under ``case``."""
        try:
            reply: dict[str, Any] = getattr(self.client, method)(**parameters)
        except ClientError as error:
            self.said[case] = (
                error.response["ResponseMetadata"]["HTTPStatusCode"],
                {"code": error.response["Error"]["Code"]},
            )
            return {}
        status = reply.pop("ResponseMetadata")["HTTPStatusCode"]
        if "body" in reply:
            reply["body"] = reply["body"].read()
        self.said[case] = (status, reply)
        return reply

    def wait(self, job_id: str) -> None:
        """Until a job is done: by the clock in the simulator, by patience with moto."""
        if self.steps_clock:
            step_clock(self.endpoint_url, 86_400 / 2)
        for _ in range(200):
            if self.client.describe_job(vaultName=VAULT, jobId=job_id)["Completed"]:
                return
            time.sleep(0.1)
        raise TimeoutError(job_id)


def live(actor: Actor) -> None:
    """The life, as far as moto knows the service."""
    actor.ask("DescribeVault of none", "describe_vault", vaultName="none")
    actor.ask("DeleteVault of none", "delete_vault", vaultName="none")
    actor.ask("CreateVault", "create_vault", vaultName=VAULT)
    actor.ask("ListVaults", "list_vaults")
    actor.ask("DescribeVault", "describe_vault", vaultName=VAULT)
    archive_id = actor.ask("UploadArchive", "upload_archive", vaultName=VAULT, archiveDescription="it", body=BODY)[
        "archiveId"
    ]
    # Not Expedited, for which the service, and the simulator with it, turns some away.
    wanted = {"Type": "archive-retrieval", "ArchiveId": archive_id, "Tier": "Standard"}
    job_id = actor.ask("InitiateJob archive", "initiate_job", vaultName=VAULT, jobParameters=wanted)["jobId"]
    actor.ask("DescribeJob in progress", "describe_job", vaultName=VAULT, jobId=job_id)
    actor.ask("GetJobOutput too early", "get_job_output", vaultName=VAULT, jobId=job_id)
    actor.ask("ListJobs", "list_jobs", vaultName=VAULT)
    actor.wait(job_id)
    actor.ask("DescribeJob done", "describe_job", vaultName=VAULT, jobId=job_id)
    actor.ask("GetJobOutput archive", "get_job_output", vaultName=VAULT, jobId=job_id)
    actor.ask("GetJobOutput range", "get_job_output", vaultName=VAULT, jobId=job_id, range="bytes=0-9")
    wanted = {"Type": "inventory-retrieval", "Format": "JSON"}
    inventory_id = actor.ask("InitiateJob inventory", "initiate_job", vaultName=VAULT, jobParameters=wanted)["jobId"]
    actor.wait(inventory_id)
    actor.ask("DescribeJob inventory", "describe_job", vaultName=VAULT, jobId=inventory_id)
    output = actor.ask("GetJobOutput inventory", "get_job_output", vaultName=VAULT, jobId=inventory_id)
    actor.said["inventory"] = (0, json.loads(output["body"]))
    output["body"] = b""
    twin = actor.ask("UploadArchive of the same bytes", "upload_archive", vaultName=VAULT, body=BODY)["archiveId"]
    actor.said["two uploads, two ids"] = (0, {"distinct": archive_id != twin})
    actor.ask("DeleteArchive", "delete_archive", vaultName=VAULT, archiveId=archive_id)
    actor.ask("DeleteArchive again", "delete_archive", vaultName=VAULT, archiveId=archive_id)
    actor.ask("CreateVault again", "create_vault", vaultName=VAULT)
    actor.ask("DeleteVault in use", "delete_vault", vaultName=VAULT)


def differences(ours: Any, theirs: Any, where: str) -> list[str]:
    """In what two replies differ; values that cannot be the same are compared by type."""
    name = where.rpartition(".")[2]
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{where}.{key}: only here" for key in sorted(ours.keys() - theirs.keys())]
        found += [f"{where}.{key}: only in moto" for key in sorted(theirs.keys() - ours.keys())]
        return found + [
            p
            for key in sorted(ours.keys() & theirs.keys())
            for p in differences(ours[key], theirs[key], f"{where}.{key}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return [f"{where}: {len(ours)} here, {len(theirs)} in moto"]
        return [p for one, other in zip(ours, theirs, strict=True) for p in differences(one, other, f"{where}[]")]
    if type(ours) is not type(theirs):
        return [f"{where}: {type(ours).__name__} here, {type(theirs).__name__} in moto"]
    return [] if name in VARIES or ours == theirs else [f"{where}: another value"]


def main() -> None:
    """Compare."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    ours, theirs = Actor(sys.argv[1], steps_clock=True), Actor(f"http://{host}:{port}", steps_clock=False)
    ours.client.delete_vault(vaultName="photos")  # what ``simulate`` makes; moto begins with nothing
    for actor in (ours, theirs):
        live(actor)
    server.stop()
    found = []
    for case, (status, reply) in ours.said.items():
        other_status, other_reply = theirs.said[case]
        if status != other_status:
            found.append([case, f"status {status} here, {other_status} in moto"])
        else:
            found += [[case, what] for what in dict.fromkeys(differences(reply, other_reply, "reply"))]
    json.dump({"compared": list(ours.said), "differences": found}, sys.stdout)


if __name__ == "__main__":
    main()
