"""What ``--record-wire`` keeps: every exchange with Amazon Glacier, as it came, over every transport, and no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.archive import ArchiveId
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.errors import UsageError
from glacier_purge.glacier.control import ControlRefused
from glacier_purge.glacier.http.connection import Connection
from glacier_simulator import SimulatedGlacier
from tests.clients import HOUR, VAULT
from tests.glacier.one_delete import delete
from tests.glacier.raw_server import HangUpError, serving

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.api.transport import Transport
    from tests.glacier.raw_server import Answer, Exchange

TRANSPORTS: list[Transport] = ["rest", "sdk"]
ARCHIVE = ArchiveId("a" * 138)
ID = b"x-amzn-RequestId: AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdEfGhIj\r\n"

KEY, SECRET, TOKEN = "AKIDCANARYCANARYKEY", "canary/SECRET+key/0123456789abcdefghijkl", "canaryTOKEN" * 30
USER, TAG, PLACE = "canary-user", "canary-tag", "canary/place/of/a/file"
CANARIES = [KEY, SECRET, TOKEN, USER, TAG, PLACE, VAULT.account_id, "canary", "Signature=", "/aws4_request"]


def access(endpoint_url: str, record: Path | None) -> Access:
    keys = StaticCredentials(access_key_id=KEY, secret_access_key=SECRET, session_token=TOKEN)
    return Access(endpoint_url=endpoint_url, credentials=keys, request_timeout_seconds=0.5, record_wire=record)


def lines(record: Path) -> list[dict[str, Any]]:
    head, *exchanges = [json.loads(line) for line in record.read_bytes().splitlines()]
    assert (head["result"], head["format"]) == ("wire", 1)
    return exchanges


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_no_secret_and_nobodys_name_is_kept(transport: Transport, tmp_path: Path) -> None:
    record = tmp_path / "wire.jsonl"
    async with SimulatedGlacier(archives=20, time_scale=0) as glacier, Clients() as clients:
        reached = access(glacier.endpoint_url, record)
        control = await clients.control_for_anybody(VAULT, reached)
        stranger = replace(VAULT, account_id="999999999999")
        policy = {
            "Sid": USER,
            "Effect": "Deny",
            "Principal": {"AWS": f"arn:aws:iam::{VAULT.account_id}:user/{USER}"},
            "Action": "glacier:UploadArchive",
            "Resource": VAULT.arn,
        }
        await control.set_access_policy(json.dumps({"Version": "2012-10-17", "Statement": [policy]}))
        await control.access_policy()
        facts = glacier.service.vault(VAULT.name, glacier.clock.now()).facts
        facts.tags = {TAG: f"{TAG}-value"}
        facts.sns_topic, facts.sns_events = f"arn:aws:sns:us-east-1:{VAULT.account_id}:{USER}", []
        await control.tags()
        await control.notifications()
        await control.describe_vault()
        job_id = await control.initiate_inventory("glacier-purge")
        glacier.clock.step(6 * HOUR)
        job = await control.describe_job(job_id)
        assert job is not None
        assert job.size_bytes is not None
        inventory = b"".join([piece async for piece in control.job_output(job_id, 0, job.size_bytes - 1)])
        archive_ids = [each["ArchiveId"] for each in json.loads(inventory)["ArchiveList"]]
        denied = await clients.control_for_anybody(stranger, reached)
        with pytest.raises(ControlRefused, match="Access denied for account ID"):
            await denied.describe_vault()
        policy |= {"Action": "glacier:GetVaultLock", "Principal": "*"}
        await control.set_access_policy(json.dumps({"Version": "2012-10-17", "Statement": [policy]}))
        with pytest.raises(ControlRefused, match="is not authorized to perform"):
            await control.vault_lock()
        await control.delete_access_policy()
        async with clients.service_over(transport, VAULT, reached) as service:
            replies = [await delete(service, archive_id) for archive_id in archive_ids]
    assert {reply.status for reply in replies} == {204}
    text = record.read_text()
    for canary in [*CANARIES, "999999999999", "arn:aws:iam::123"]:
        assert canary not in text, canary
    kept = lines(record)
    asked = [f"{each['request']['method']} {each['request']['target']}" for each in kept]
    vault = "/000000000000/vaults/photos"
    assert asked[-20:] == [f"DELETE {vault}/archives/{archive_id}" for archive_id in archive_ids]
    assert f"GET {vault}/jobs/{job_id}/output" in asked
    described = next(each["reply"] for each in kept if each["request"]["target"] == vault)
    assert described["json"]["NumberOfArchives"] == 20
    assert described["json"]["VaultARN"] == "arn:aws:glacier:us-east-1:000000000000:vaults/photos"
    assert text.count('"SignedHeaders=') == len(kept)
    assert {each["reply"]["status"] for each in kept} == {200, 202, 204, 206, 403}
    strange, refused = (each["reply"]["json"] for each in kept if each["reply"]["status"] == 403)
    assert strange["message"] == "Access denied for account ID: 000000000000"
    assert refused["message"].startswith("User: arn:aws:iam::000000000000:[hidden] is not authorized to perform")
    assert refused["code"] == "AccessDeniedException"
    tags = next(each["reply"]["json"] for each in kept if each["request"]["target"].endswith("/tags"))
    assert tags == {"Tags": {"[hidden] 1": "[hidden]"}}


def sends(*pieces: bytes, hang_up: bool = False) -> Answer:
    async def answer(exchange: Exchange) -> None:
        for piece in pieces:
            await exchange.send_as_it_is(piece)
        if hang_up:
            raise HangUpError

    return answer


JSON_404 = b'{"code":"ResourceNotFoundException","message":"Vault not found for ARN: x","type":"Client"}'


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("answer", "status", "body", "ended"),
    [
        (sends(b"HTTP/1.1 204 No Content\r\n" + ID + b"\r\n"), 204, {"body_bytes": 0}, None),
        (
            sends(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 No Content\r\n" + ID + b"\r\n"),
            204,
            {"body_bytes": 0},
            None,
        ),
        (
            sends(b"HTTP/1.1 404 Not Found\r\n" + ID + b"Content-Length: %d\r\n\r\n" % len(JSON_404), JSON_404),
            404,
            {"body_bytes": len(JSON_404), "json": json.loads(JSON_404)},
            None,
        ),
        (
            sends(b"HTTP/1.1 302 Found\r\nLocation: x\r\nContent-Length: 22\r\n\r\n<a>token=canary123</a>"),
            302,
            {"body_bytes": 22},
            None,
        ),
        (
            sends(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            500,
            {"body_bytes": 3},
            None,
        ),
        (sends(b"HTTP/1.1 503 No\r\n\r\nto the end", hang_up=True), 503, {"body_bytes": 10}, None),
        (sends(b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nabc", hang_up=True), None, None, "before a whole reply"),
        (sends(hang_up=True), None, None, "the connection ended before a whole reply came"),
        (sends(), None, None, "the connection ended before a whole reply came"),
        (sends(b"\x00\x01 not HTTP at all\r\n\r\n"), None, None, "what came is not HTTP as it should be"),
        (
            sends(b"HTTP/1.1 204 No Content\r\n" + ID + b"\r\nHTTP/1.1 204 No Content\r\n\r\n"),
            204,
            {"body_bytes": 0},
            None,
        ),
    ],
    ids=["204", "interim", "refusal", "redirect", "chunks", "no length", "cut", "hung up", "late", "noise", "two"],
)
async def test_what_came_is_kept_as_it_came(
    transport: Transport, answer: Answer, status: int | None, body: dict[str, Any], ended: str | None, tmp_path: Path
) -> None:
    record = tmp_path / "wire.jsonl"
    async with serving(answer) as server, Clients() as clients:
        async with clients.service_over(transport, VAULT, access(server.endpoint_url, record)) as service:
            await delete(service, ARCHIVE)
        (kept,) = await _settled(record)
    assert kept["request"]["method"] == "DELETE"
    assert kept["took_seconds"] >= 0
    if status is None:
        assert kept["reply"] is None
        assert ended is not None
        assert ended in kept["ended"]
    else:
        assert kept["ended"] is None
        assert (kept["reply"].pop("status"), kept["reply"].pop("version")) == (status, "1.1")
        assert {name for name, _ in kept["reply"].pop("headers")} >= ({"x-amzn-RequestId"} if status < 300 else set())
        assert kept["reply"] == body
    assert "canary" not in record.read_text()


async def _settled(record: Path) -> list[dict[str, Any]]:
    """A connection's end is told a turn of the loop or two after it was closed."""
    import anyio

    for _ in range(200):
        if found := lines(record):
            return found
        await anyio.sleep(0.01)
    raise AssertionError("nothing was kept")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_two_clients_of_a_process_share_a_record_and_nobody_else_does(
    transport: Transport, tmp_path: Path
) -> None:
    record = tmp_path / "wire.jsonl"
    async with SimulatedGlacier(archives=1) as glacier:
        reached = access(glacier.endpoint_url, record)
        for _ in range(2):
            async with Clients() as clients, clients.service_over(transport, VAULT, reached) as service:
                assert (await delete(service, ARCHIVE)).status == 204
        assert len(lines(record)) == 2
        record.write_bytes(record.read_bytes().replace(b'"process":"', b'"process":"x'))
        before = record.read_bytes()
        requests = glacier.ledger["requests"]
        with pytest.raises(UsageError, match=r"wire\.jsonl exists already and is not written to"):
            async with Clients() as clients, clients.service_over(transport, VAULT, reached):
                pass
        assert (record.read_bytes(), glacier.ledger["requests"]) == (before, requests)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_goes_over_tls_is_recorded_in_the_clear(transport: Transport, tmp_path: Path) -> None:
    record = tmp_path / "wire.jsonl"
    async with SimulatedGlacier(archives=1, tls=True) as glacier, Clients() as clients:
        reached = replace(access(glacier.endpoint_url, record), ca_bundle=glacier.ca_file)
        async with clients.service_over(transport, VAULT, reached) as service:
            assert (await delete(service, ARCHIVE)).status == 204
    (kept,) = lines(record)
    assert kept["request"]["target"] == f"/000000000000/vaults/photos/archives/{ARCHIVE}"
    assert kept["reply"]["status"] == 204


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_record_that_cannot_be_written_ends_and_the_deletes_go_on(
    transport: Transport, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = tmp_path / "wire.jsonl"
    async with (
        SimulatedGlacier(archives=1) as glacier,
        Clients() as clients,
        clients.service_over(transport, VAULT, access(glacier.endpoint_url, record)) as service,
    ):
        await delete(service, ARCHIVE)
        record.rename(tmp_path / "moved")
        for _ in range(3):
            assert (await delete(service, ARCHIVE)).status == 204
    assert len(lines(tmp_path / "moved")) == 1
    assert not record.exists()
    assert caplog.text.count("wire.record_ended") == 1


async def test_where_nothing_is_recorded_connections_are_the_plain_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is not asked for costs nothing: there is no other class, and no other call for a byte."""
    made: list[type] = []
    plain = Connection.connection_made

    def noted(self: Connection, transport: Any) -> None:
        made.append(type(self))
        plain(self, transport)

    monkeypatch.setattr(Connection, "connection_made", noted)
    async with SimulatedGlacier(archives=1) as glacier, Clients() as clients:
        for record in (None, tmp_path / "wire.jsonl"):
            async with clients.service_over("rest", VAULT, access(glacier.endpoint_url, record)) as service:
                await delete(service, ARCHIVE)
    assert made[0] is Connection
    assert made[1] is not Connection
    assert issubclass(made[1], Connection)
