"""Servers and clients of others: moto's Glacier is purged by the engine, the AWS CLI fills a vault of the simulator."""

from __future__ import annotations

import json
import re
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Bench, Here, environment
from tests.e2e.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.witness

ARCHIVES = 40

FILL = """
import json, sys
import boto3
glacier = boto3.client("glacier", endpoint_url=sys.argv[1], region_name="us-east-1")
glacier.create_vault(vaultName="photos")
records = []
for number in range(int(sys.argv[2])):
    kept = glacier.upload_archive(vaultName="photos", archiveDescription=f"number {number}", body=b"%d" % number)
    records.append({"ArchiveId": kept["archiveId"], "ArchiveDescription": f"number {number}",
                    "CreationDate": "2020-01-01T00:00:00Z", "Size": 1, "SHA256TreeHash": kept["checksum"]})
vault = glacier.describe_vault(vaultName="photos")
print(json.dumps({"VaultARN": vault["VaultARN"], "InventoryDate": vault["LastInventoryDate"],
                  "ArchiveList": records}))
"""
"""moto takes its time over an inventory job, so the inventory is written from the uploads."""

LEFT = """
import sys
import boto3
glacier = boto3.client("glacier", endpoint_url=sys.argv[1], region_name="us-east-1")
print(glacier.describe_vault(vaultName="photos")["NumberOfArchives"])
"""


@pytest.fixture
def moto(witness: Path, tmp_path: Path) -> Iterator[Simulator]:
    """moto's server, in a process of its own."""
    log = tmp_path / "moto.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [witness / "moto_server", "-H", "127.0.0.1", "-p", "0"],
            stdout=subprocess.DEVNULL,
            stderr=written,
            env=environment(),
        )
    try:
        while (found := re.search(r"http://127\.0\.0\.1:[0-9]+", log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield Simulator(found[0], account_id="123456789012", vault="photos", archives=ARCHIVES)
    finally:
        process.kill()
        process.wait()


def by_boto3(witness: Path, script: str, *arguments: str) -> bytes:
    return subprocess.run(
        [str(witness / "python"), "-I", "-c", script, *arguments],
        capture_output=True,
        env=environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_ACCOUNT_ID="123456789012"),
        check=True,
    ).stdout


class _WhatMotoLacks(BaseHTTPRequestHandler):
    """Passes requests on to moto, and says what the service says where moto has only a page: nothing protects it.

    A page is no answer to "is this vault protected?", and the engine sends nothing on one.
    """

    moto: str
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        if self.path.endswith(("/lock-policy", "/access-policy")):
            none = b'{"code":"ResourceNotFoundException","message":"No policy is set","type":"Client"}'
            self._send(404, {"x-amzn-RequestId": str(uuid4())}, none)
        elif self.path.endswith("/tags"):
            self._send(200, {"x-amzn-RequestId": str(uuid4())}, b'{"Tags":{}}')
        else:
            self._send(*self._asked())

    def _asked(self) -> tuple[int, dict[str, str], bytes]:
        host = self.moto.removeprefix("http://")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        link = HTTPConnection(host, timeout=30)
        with closing(link):
            link.request(self.command, self.path, body, dict(self.headers))
            reply = link.getresponse()
            framing = {"connection", "content-length", "transfer-encoding"}
            kept = {name: text for name, text in reply.getheaders() if name.lower() not in framing}
            return reply.status, kept, reply.read()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, text in headers.items():
            self.send_header(name, text)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_DELETE = do_POST = do_PUT = _answer  # noqa: N815 - the names the base class looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def completed_moto(moto: Simulator) -> Iterator[Simulator]:
    """moto's server behind the little it lacks."""
    handler = type("Front", (_WhatMotoLacks,), {"moto": moto.endpoint_url})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as front:
        thread = Thread(target=front.serve_forever)
        thread.start()
        yield replace(moto, endpoint_url=f"http://127.0.0.1:{front.server_address[1]}")
        front.shutdown()
        thread.join()


@pytest.mark.slow
def test_a_vault_of_motos_server_is_purged(witness: Path, completed_moto: Simulator, tmp_path: Path) -> None:
    # moto_server; glacier-purge plan photos --inventory FILE --any-id-length; glacier-purge apply DIR
    bench = Here(tmp_path, completed_moto)
    inventory = tmp_path / "inventory.json"
    inventory.write_bytes(by_boto3(witness, FILL, completed_moto.endpoint_url, str(ARCHIVES)))
    strict = bench.run(
        *("plan", "photos", "--inventory", str(inventory), "--run-dir", str(bench.run_dir)),
        *("--endpoint-url", completed_moto.endpoint_url),
        exit_code=2,
    )
    assert "ArchiveId is not 138 of the characters" in strict.stderr
    plan = bench.plan("--any-id-length", inventory=inventory)
    assert plan["selected"] == ARCHIVES
    result = bench.json(*bench.apply_arguments(plan["digest"]))
    assert (result["deleted"], result["failed"], result["attempts"]) == (ARCHIVES, 0, ARCHIVES)
    assert by_boto3(witness, LEFT, completed_moto.endpoint_url).split() == [b"0"]
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"


@pytest.mark.in_process
@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"archives": 0, "vault": "empty"}], indirect=True)
def test_a_vault_the_aws_cli_filled_is_purged(witness: Path, bench: Bench) -> None:
    # aws glacier create-vault, upload-archive, delete-archive, ...; glacier-purge purge; aws glacier list-vaults
    address = ("--endpoint-url", bench.simulator.endpoint_url)

    def aws(*arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [*(str(witness / "aws"), "glacier", "--region", "us-east-1"), *address, *arguments, "--account-id", "-"],
            capture_output=True,
            text=True,
            cwd=bench.folder,
            env=bench.environment(),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout or "{}")
        return answer

    (bench.folder / "body").write_bytes(b"a photo" * 1000)
    aws("create-vault", "--vault-name", "holiday")
    uploaded = [
        aws("upload-archive", "--vault-name", "holiday", "--body", "body", "--archive-description", text)["archiveId"]
        for text in ("one", 'with "quotes", and a comma', "three")
    ]
    aws("delete-archive", "--vault-name", "holiday", f"--archive-id={uploaded[2]}")
    bench.simulator.post("clock", step_seconds=2 * 86_400)  # a vault's inventory is made once a day
    job = aws("initiate-job", "--vault-name", "holiday", "--job-parameters", '{"Type": "inventory-retrieval"}')
    bench.simulator.post("clock", step_seconds=86_400)
    aws("get-job-output", "--vault-name", "holiday", f"--job-id={job['jobId']}", "inventory.json")
    bench.simulator.vault = "holiday"
    plan = bench.plan(inventory=bench.folder / "inventory.json")
    assert (plan["selected"], plan["bytes"]) == (2, 14_000)
    assert bench.json(*bench.apply_arguments(plan["digest"]))["deleted"] == 2
    outcomes = bench.check_invariants()
    assert {record["archive_id"] for record in outcomes.values()} == set(uploaded[:2])
    vaults = {vault["VaultName"] for vault in aws("list-vaults")["VaultList"]}
    assert vaults == {"holiday", "empty"}
