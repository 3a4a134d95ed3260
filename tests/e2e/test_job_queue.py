"""Hearing of a finished job through a queue, by the installed command; days are stepped, so nobody waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import Bench, start_simulator
from tests.e2e.test_fleet import ask
from tests.e2e.test_foreign import by_boto3
from tests.e2e.test_least_privilege import filled_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600.0
TOPIC = "arn:aws:sns:us-east-1:123456789012:jobs"
NOTIFY = json.dumps({"SNSTopic": TOPIC, "Events": ["InventoryRetrievalCompleted"]}).encode()
SMALL = {"archives": 20}


def queue_url(bench: Bench, name: str = "jobs") -> str:
    return f"{bench.simulator.endpoint_url}/123456789012/{name}"


def subscribed(bench: Bench) -> Bench:
    """A bench whose vault announces its jobs to a topic that a queue is subscribed to."""
    bench.simulator.post("queues", name="jobs", topics=[TOPIC])
    ask(bench, "PUT", "/-/vaults/photos/notification-configuration", NOTIFY)
    return bench


def queue(bench: Bench) -> dict[str, Any]:
    (found,) = json.loads(bench.simulator.get("queues"))["queues"]
    facts: dict[str, Any] = found
    return facts


def fetch(bench: Bench, *options: str) -> tuple[str, ...]:
    return ("inventory", "fetch", "photos", "--endpoint-url", bench.simulator.endpoint_url, "--no-wait", *options)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("bench", [SMALL], indirect=True)
def test_a_vault_is_fetched_run_and_verified_with_a_queue_and_its_messages_are_taken_away(bench: Bench) -> None:
    # glacier-purge run photos --job-queue URL --no-wait
    subscribed(bench)
    here = ("--run-dir", str(bench.run_dir), "--endpoint-url", bench.simulator.endpoint_url)
    run = ("run", "photos", *here, "--no-wait", "--job-queue", queue_url(bench))
    pending = bench.json(*run, exit_code=75)
    assert pending["waiting_for"].endswith("such jobs take 3 to 5 hours, and queue jobs is listened to")
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    told = bench.json(*run, exit_code=75)["waiting_for"]
    assert (queue(bench)["sent"], queue(bench)["deleted"], queue(bench)["messages"]) == (1, 1, [])
    digest = told.rpartition(" ")[2]
    assert bench.json(*run, "--confirm-digest", digest, exit_code=75)["waiting_for"].startswith("an inventory of")
    bench.simulator.post("clock", step_seconds=24 * HOUR)
    assert "queue jobs is listened to" in bench.json(*run, exit_code=75)["waiting_for"]
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    assert bench.json(*run)["state"] == "done"
    assert (queue(bench)["sent"], queue(bench)["deleted"], queue(bench)["messages"]) == (2, 2, [])


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("bench", [SMALL], indirect=True)
def test_verify_listens_too(bench: Bench) -> None:
    # glacier-purge verify run --job-queue URL --no-wait
    subscribed(bench)
    bench.json(*bench.apply_arguments(bench.plan()["digest"]))
    bench.simulator.post("clock", step_seconds=24 * HOUR)
    verify = ("verify", str(bench.run_dir), "--no-wait", "--job-queue", queue_url(bench))
    assert "queue jobs is listened to" in bench.json(*verify, exit_code=75)["waiting_for"]
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    assert bench.json(*verify)["state"] == "proven"
    assert queue(bench)["deleted"] == 1


@pytest.mark.parametrize("bench", [SMALL], indirect=True)
def test_the_vaults_of_a_fleet_share_a_queue_named_in_its_file_or_in_the_settings(bench: Bench) -> None:
    # glacier-purge fleet fleet.toml --run-dir fleet --no-wait
    subscribed(bench)
    ask(bench, "PUT", "/-/vaults/films")
    ask(bench, "POST", "/-/vaults/films/archives", b"film")
    ask(bench, "PUT", "/-/vaults/films/notification-configuration", NOTIFY)
    bench.simulator.post("clock", step_seconds=24 * HOUR)
    bench.variables["GLACIER_PURGE_INVENTORY__JOB_QUEUE"] = queue_url(bench)
    fleet_file = bench.folder / "fleet.toml"
    fleet_file.write_text(
        f'[[vaults]]\nname = "photos"\n[[vaults]]\nname = "films"\njob_queue = "{queue_url(bench)}"\n', "utf-8"
    )
    here = ("--run-dir", str(bench.folder / "fleet"), "--endpoint-url", bench.simulator.endpoint_url)
    fleet = ("fleet", str(fleet_file), *here, "--no-wait")
    pending = bench.json(*fleet, exit_code=75)
    assert all("queue jobs is listened to" in vault["message"] for vault in pending["vaults"])
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    planned = bench.json(*fleet, exit_code=75)
    assert {vault["phase"] for vault in planned["vaults"]} == {"approval"}
    assert (queue(bench)["deleted"], queue(bench)["messages"]) == (2, [])


@pytest.mark.parametrize("bench", [SMALL], indirect=True)
def test_while_it_waits_it_says_what_it_listens_to(bench: Bench) -> None:
    # glacier-purge inventory fetch photos --job-queue URL
    subscribed(bench)
    arguments = [option for option in fetch(bench, "--job-queue", queue_url(bench)) if option != "--no-wait"]
    process = bench.start(*arguments)
    assert process.stderr is not None
    assert "and queue jobs is listened to; next look at 20" in process.stderr.readline()
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    process.communicate(timeout=30)
    assert process.returncode == 0


ELSEWHERE = [
    ("https://evil.example/123456789012/jobs", "is refused: it has to be https://sqs.REGION.amazonaws.com"),
    ("https://sqs.us-east-1.amazonaws.com/123456789012/jobs", "do not belong together"),
]


@pytest.mark.parametrize(("url", "why"), ELSEWHERE)
@pytest.mark.parametrize("bench", [SMALL], indirect=True)
def test_a_queue_elsewhere_is_refused_and_nothing_asked_for(bench: Bench, url: str, why: str) -> None:
    # glacier-purge inventory fetch photos --job-queue https://evil.example/123456789012/jobs
    refused = bench.run(*fetch(bench, "--account-id", "123456789012", "--job-queue", url), exit_code=2)
    assert why in refused.stderr
    assert "--job-queue" in refused.stderr
    assert bench.simulator.ledger()["requests"] == 0


@pytest.mark.parametrize("bench", [SMALL], indirect=True)
def test_a_queue_that_is_not_there_is_told_and_the_job_asked_for_all_the_same(bench: Bench) -> None:
    # glacier-purge inventory fetch photos --job-queue URL --no-wait
    told = bench.run(*fetch(bench, "--job-queue", queue_url(bench, "nobody")), exit_code=75).stderr
    assert "The specified queue does not exist" in told
    assert "asked for the job every few minutes" in told
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    assert bench.json(*fetch(bench, "--job-queue", queue_url(bench, "nobody")))["records"] == 20


@pytest.fixture
def guarded(tmp_path: Path, repository: Path) -> Iterator[Bench]:
    """A service that knows two keys: one that may plan and listen, and one that may only plan."""
    roles = {
        name: filled_in(repository / f"config/iam/{name}.json", tmp_path) for name in ("plan-and-verify", "job-queue")
    }
    text = roles["job-queue"].read_text("utf-8").replace("QUEUE", "jobs")
    both = json.loads(roles["plan-and-verify"].read_text("utf-8"))
    both["Statement"] += json.loads(text)["Statement"]
    (tmp_path / "both.json").write_text(json.dumps(both), "utf-8")
    auth = ("--auth", f"both:secret:{tmp_path / 'both.json'}", "--auth", f"deaf:secret:{roles['plan-and-verify']}")
    simulator = start_simulator("--rate", "0", "--latency-ms", "1", "--error-rate", "0", *auth, archives=20)
    bench = Bench(tmp_path, simulator)
    try:
        yield bench
    finally:
        for process in bench.started:
            process.kill()
            process.communicate()
        simulator.process.terminate()
        simulator.process.communicate(timeout=20)


@pytest.mark.parametrize(("key", "is_heard"), [("both", True), ("deaf", False)])
def test_listening_takes_the_optional_policy_and_its_absence_only_costs_time(
    guarded: Bench, key: str, is_heard: bool
) -> None:
    guarded.variables = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "secret"}
    guarded.simulator.post("queues", name="jobs", topics=[])
    arguments = fetch(guarded, "--region", "us-east-1", "--job-queue", queue_url(guarded))
    told = guarded.run(*arguments, exit_code=75).stderr
    assert ("not authorized to perform: sqs:receivemessage" in told) is not is_heard
    assert ("config/iam/job-queue.json" in told) is not is_heard
    guarded.simulator.post("clock", step_seconds=6 * HOUR)
    assert guarded.json(*arguments)["records"] == 20


READ = """
import json, sys
import boto3
sqs = boto3.client("sqs", endpoint_url=sys.argv[1], region_name="us-east-1")
asked = {"QueueUrl": sys.argv[2], "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
(first,) = sqs.receive_message(**asked)["Messages"]
sqs.change_message_visibility(QueueUrl=sys.argv[2], ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
(second,) = sqs.receive_message(**asked)["Messages"]
sqs.delete_message(QueueUrl=sys.argv[2], ReceiptHandle=second["ReceiptHandle"])
assert "Messages" not in sqs.receive_message(**asked)
assert first["MessageId"] == second["MessageId"]
print(json.dumps({"told": json.loads(json.loads(first["Body"])["Message"])}))
"""


@pytest.mark.witness
@pytest.mark.parametrize("bench", [SMALL], indirect=True)
def test_the_pretended_queue_is_one_to_boto3(bench: Bench, witness: Path) -> None:
    subscribed(bench)
    bench.json(*fetch(bench), exit_code=75)
    bench.simulator.post("clock", step_seconds=6 * HOUR)
    told = json.loads(by_boto3(witness, READ, bench.simulator.endpoint_url, queue_url(bench)))["told"]
    assert (told["Action"], told["StatusCode"], told["Completed"]) == ("InventoryRetrieval", "Succeeded", True)
    assert told["VaultARN"] == "arn:aws:glacier:us-east-1:123456789012:vaults/photos"
    assert (queue(bench)["deleted"], queue(bench)["messages"]) == (1, [])
