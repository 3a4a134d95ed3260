"""A record of the wire is held against the simulator: one made of it agrees, and each thing that differs is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.archive import ArchiveId
from glacier_purge.aws.access import Access
from glacier_purge.errors import GlacierPurgeError
from glacier_simulator import SimulatedGlacier
from tests.clients import HOUR, KEYS, VAULT
from tests.conformance.replay import differences, main, read
from tests.glacier.one_delete import delete
from tests.glacier_simulator.raw_client import ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.api.transport import Transport

Exchange = dict[str, Any]

THROTTLED = {"code": "ThrottlingException", "message": "Rate exceeded", "type": "Client"}


async def recorded(record: Path, transport: Transport, archives: int = 12) -> None:
    """All that the engine ever asks, of a simulator whose days pass when they are due."""
    async with SimulatedGlacier(archives=archives, time_scale=0) as glacier, Clients() as clients:
        access = Access(endpoint_url=glacier.endpoint_url, credentials=KEYS, record_wire=record)
        control = await clients.control_for_anybody(VAULT, access)
        await clients.find_vault(VAULT.name, access, VAULT.region)
        await clients.list_vaults(access, VAULT.region, VAULT.account_id)
        await control.describe_vault()
        for question in (control.vault_lock, control.access_policy, control.notifications, control.tags):
            await question()
        await control.set_access_policy(
            '{"Statement":[{"Effect":"Allow","Action":"*","Principal":"*","Resource":"*"}]}'
        )
        assert await control.access_policy()
        await control.delete_access_policy()
        job_id = await control.initiate_inventory("glacier-purge")
        assert await control.describe_job(job_id)
        assert await control.describe_job("j" * 92) is None
        glacier.clock.step(6 * HOUR)
        job = await control.describe_job(job_id)
        assert job is not None
        assert job.size_bytes is not None
        inventory = b"".join([piece async for piece in control.job_output(job_id, 0, job.size_bytes - 1)])
        assert [each.job_id async for each in control.list_jobs()] == [job_id]
        assert [each async for each in control.multipart_uploads()] == []
        await control.delete_vault()
        async with clients.service_over(transport, VAULT, access) as service:
            for archive in json.loads(inventory)["ArchiveList"]:
                await delete(service, archive["ArchiveId"])
        glacier.clock.step(48 * HOUR)
        await control.delete_vault()
        with pytest.raises(GlacierPurgeError, match="Vault not found"):
            await control.describe_vault()


@pytest.mark.parametrize("transport", ["rest", "sdk"])
async def test_a_record_of_the_simulator_agrees_with_it(transport: Transport, tmp_path: Path) -> None:
    record = tmp_path / "wire.jsonl"
    await recorded(record, transport)
    lines = read(record)
    assert len(lines) > 30
    assert differences(lines) == []


def _in(member: str, change: Callable[[Exchange], object]) -> Callable[[Exchange], bool]:
    """Change the first exchange whose reply has a member."""

    def changed(exchange: Exchange) -> bool:
        if member not in (exchange["reply"].get("json") or {}):
            return False
        change(exchange["reply"])
        return True

    return changed


def _of(method: str, status: int, change: Callable[[Exchange], object]) -> Callable[[Exchange], bool]:
    """Change the first reply of that status to a request by that method."""

    def changed(exchange: Exchange) -> bool:
        if (exchange["request"]["method"], exchange["reply"]["status"]) != (method, status):
            return False
        change(exchange["reply"])
        return True

    return changed


def _header(reply: Exchange, name: str) -> list[str]:
    return next(header for header in reply["headers"] if header[0] == name)


def _body(**members: object) -> Callable[[Exchange], object]:
    return lambda reply: reply["json"].update(members)


def _without(member: str) -> Callable[[Exchange], object]:
    return lambda reply: reply["json"].pop(member)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_of("DELETE", 204, lambda reply: reply.update(status=200)), "status 200, and 204 in the simulator"),
        (_of("DELETE", 204, lambda reply: reply.update(version="2.0")), "HTTP/2.0, and 1.1 in the simulator"),
        (
            _of("DELETE", 204, lambda reply: reply["headers"].append(["x-amzn-New", "[hidden]"])),
            "header x-amzn-new is not in the simulator",
        ),
        (
            _of("POST", 202, lambda reply: reply["headers"].remove(_header(reply, "Location"))),
            "header location is only in the simulator",
        ),
        (_of("POST", 202, lambda reply: reply.update(status=201)), "status 201, and 202 in the simulator"),
        (_in("VaultName", _without("LastInventoryDate")), "body.LastInventoryDate is only in the simulator"),
        (_in("VaultName", _body(Region="x")), "body.Region is not in the simulator"),
        (_in("VaultName", _body(SizeInBytes="1")), "body.SizeInBytes is a str, and a int in the simulator"),
        (
            _in("VaultName", _body(CreationDate="2012-02-20T17:01:45Z")),
            "body.CreationDate is written 0000-00-00T00:00:00Z, and 0000-00-00T00:00:00.000Z in the simulator",
        ),
        (
            _in("ArchiveList", lambda reply: reply["json"]["ArchiveList"][0].pop("SHA256TreeHash")),
            "body.ArchiveList[].SHA256TreeHash is only in the simulator",
        ),
        (_in("code", _body(code="NotFound")), "code NotFound, and ResourceNotFoundException in the simulator"),
        (_in("code", _body(type="Unknown")), "type Unknown, and Client in the simulator"),
        (
            _of("DELETE", 204, lambda reply: reply.update(status=429, json=THROTTLED, body_bytes=72)),
            "status 429, and 400 in the simulator",
        ),
    ],
)
async def test_whatever_differs_is_told_with_its_line(
    change: Callable[[Exchange], bool], told: str, tmp_path: Path, sample: bytes
) -> None:
    head, *exchanges = sample.splitlines()
    read_ones = [json.loads(line) for line in exchanges]
    number = next(number for number, each in enumerate(read_ones, 2) if change(each))
    record = tmp_path / "wire.jsonl"
    record.write_text("\n".join([head.decode(), *map(json.dumps, read_ones)]), "utf-8")
    (found,) = differences(read(record))
    assert found.startswith(f"line {number}, ")
    assert found.endswith(f": {told}")


@pytest.mark.parametrize(
    "reply",
    [
        {"status": 400, "json": THROTTLED, "body_bytes": 72},
        {"status": 403, "json": {"code": "AccessDeniedException", "message": "User", "type": "Client"}},
        {"status": 502, "body_bytes": 20},
        None,
    ],
    ids=["throttled", "denied", "gateway", "none"],
)
async def test_weather_is_no_difference(reply: Exchange | None, tmp_path: Path, sample: bytes) -> None:
    head, *exchanges = sample.splitlines()
    read_ones = [json.loads(line) for line in exchanges]
    first = next(each for each in read_ones if each["request"]["method"] == "DELETE")
    of_all = {"version": "1.1", "headers": first["reply"]["headers"]}
    first["reply"] = None if reply is None else of_all | reply
    record = tmp_path / "wire.jsonl"
    record.write_text("\n".join([head.decode(), *map(json.dumps, read_ones)]), "utf-8")
    assert differences(read(record)) == []


async def test_the_id_of_another_vault_and_an_upload_of_others_can_be_met_again(tmp_path: Path) -> None:
    record = tmp_path / "wire.jsonl"
    async with SimulatedGlacier(archives=3, time_scale=0) as glacier, Clients() as clients:
        now = glacier.clock.now()
        foreign = ArchiveId(glacier.service.generate_vault("films", 1, now).shelf.archive_id(0))
        begin = {"x-amz-glacier-version": "2012-06-01", "x-amz-part-size": str(2**20)}
        await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/multipart-uploads", b"", **begin)
        access = Access(endpoint_url=glacier.endpoint_url, credentials=KEYS, record_wire=record)
        control = await clients.control_for_anybody(VAULT, access)
        async with clients.service_over("rest", VAULT, access) as service:
            assert (await delete(service, foreign)).message.startswith("Invalid vault name")
        (upload,) = [each async for each in control.multipart_uploads()]
        await control.abort_multipart_upload(upload.upload_id)
    lines = read(record)
    assert [line.reply["status"] for line in lines] == [400, 200, 204]
    assert differences(lines) == []


async def test_what_was_there_before_the_record_began_is_put_there(tmp_path: Path, sample: bytes) -> None:
    """A record may begin with a job of yesterday's, a lock and a topic."""
    head, *exchanges = sample.splitlines()
    kept = [json.loads(line) for line in exchanges if b'"x-amz-job-id"' not in line]
    lock = {"Policy": "[hidden]", "State": "Locked", "ExpirationDate": None, "CreationDate": "2012-02-20T17:01:45.198Z"}
    for each in kept:
        if each["request"]["target"].endswith("/lock-policy"):
            each["reply"].update(status=200, json=lock)
        if each["request"]["target"].endswith("/notification-configuration"):
            topic = {"SNSTopic": "[hidden]", "Events": ["InventoryRetrievalCompleted"]}
            each["reply"].update(status=200, json=topic)
    record = tmp_path / "wire.jsonl"
    record.write_text("\n".join([head.decode(), *map(json.dumps, kept)]), "utf-8")
    assert differences(read(record)) == []


async def test_the_command_says_what_differs(
    tmp_path: Path, sample: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "wire.jsonl"
    record.write_bytes(sample)
    monkeypatch.setattr("sys.argv", ["replay", str(record)])
    assert main() == 0
    record.write_bytes(sample.replace(b'"version":"1.1"', b'"version":"2"', 1))
    assert main() == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith(" exchanges, 1 differences")
    record.write_bytes(sample.replace(b'"format":1', b'"format":9', 1))
    with pytest.raises(ValueError, match="no record of the wire of format 1"):
        main()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A record of the simulator."""
    import anyio

    record = tmp_path_factory.mktemp("record") / "wire.jsonl"
    anyio.run(recorded, record, "rest")
    return record.read_bytes()
