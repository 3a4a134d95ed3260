"""The HTTP front: order, limits, streaming, and that nothing a client sends ends it or leaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import UsageError
from glacier_simulator import FaultRule, SimulatedGlacier
from glacier_simulator.protocol import HEAD_BYTES_MAX, URL_BYTES_MAX
from glacier_simulator.server import SimulatorServer
from tests.glacier_simulator.raw_client import RawClient, ask, request_bytes, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def glacier() -> AsyncIterator[SimulatedGlacier]:
    async with SimulatedGlacier(archives=300) as glacier:
        yield glacier


def archive_ids(glacier: SimulatedGlacier) -> list[str]:
    return [record["ArchiveId"] for record in json.loads(glacier.inventory_text())["ArchiveList"]]


async def test_a_delete_is_answered_with_204_a_request_id_and_a_date(glacier: SimulatedGlacier) -> None:
    reply = await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{archive_ids(glacier)[0]}")
    assert (reply.status, reply.body) == (204, b"")
    assert len(reply.headers["x-amzn-requestid"]) == 48
    assert reply.headers["date"].endswith("GMT")
    assert "content-length" not in reply.headers
    assert glacier.ledger["archives_left"] == 299


async def test_both_ways_of_a_delete_count_the_same(glacier: SimulatedGlacier) -> None:
    first, second = archive_ids(glacier)[:2]
    async with RawClient(glacier.endpoint_url) as client:
        await client.ask("DELETE", f"/-/vaults/photos/archives/{first}")
        await client.ask("DELETE", f"/123456789012/vaults/photos/archives/{second}?a=b")
        await client.ask("DELETE", f"/-/vaults/photos/archives/{second}")
    assert glacier.ledger["deletes_received"] == 3
    assert glacier.ledger["distinct_ids"] == 2
    assert glacier.ledger["already_gone"] == 1


async def test_pipelined_requests_are_answered_in_order_whatever_their_latency() -> None:
    async with SimulatedGlacier(archives=300, latency_ms=2) as glacier, RawClient(glacier.endpoint_url) as client:
        ids = archive_ids(glacier)
        client.writer.write(
            b"".join(request_bytes("DELETE", f"/-/vaults/photos/archives/{name}") for name in ids)
            + request_bytes("GET", "/-/vaults/photos")
        )
        replies = [await client.read() for _ in range(301)]
    numbers = [int(reply.headers["x-amzn-requestid"][-12:]) for reply in replies]
    assert numbers == sorted(numbers)
    assert [reply.status for reply in replies] == [204] * 300 + [200]


async def test_a_request_may_come_byte_by_byte_and_in_chunks(glacier: SimulatedGlacier) -> None:
    body = b'{"Type": "inventory-retrieval"}'
    chunked = b"".join(b"%x\r\n%b\r\n" % (1, body[i : i + 1]) for i in range(len(body))) + b"0\r\n\r\n"
    head = request_bytes("GET", "/-/vaults/photos/jobs", headers={"Transfer-Encoding": "chunked"})
    async with RawClient(glacier.endpoint_url) as client:
        for byte in (head + chunked).replace(b"GET", b"POST"):
            client.writer.write(bytes([byte]))
            await client.writer.drain()
        assert (await client.read()).status == 202


async def test_an_upload_that_expects_100_continue_gets_it(glacier: SimulatedGlacier) -> None:
    async with RawClient(glacier.endpoint_url) as client:
        client.send("PUT", "/-/vaults/other", headers={"Expect": "100-continue"})
        assert (await client.read()).status == 100
        assert (await client.read()).status == 201


async def test_connection_close_and_http_1_0_are_honoured(glacier: SimulatedGlacier) -> None:
    async with RawClient(glacier.endpoint_url) as client:
        reply = await client.ask("GET", "/-/vaults", headers={"Connection": "close"})
        assert reply.headers["connection"] == "close"
        assert await client.rest() == b""
    async with RawClient(glacier.endpoint_url) as client:
        client.writer.write(request_bytes("GET", "/-/vaults").replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await client.rest()).startswith(b"HTTP/1.1 200")


async def test_a_client_that_stops_sending_still_gets_its_replies() -> None:
    async with SimulatedGlacier(archives=5, latency_ms=1) as glacier, RawClient(glacier.endpoint_url) as client:
        client.send("GET", "/-/vaults/photos")
        client.writer.write_eof()
        assert (await client.read()).status == 200
        assert await client.rest() == b""


async def test_an_inventory_is_streamed_as_fast_as_it_is_read_and_no_faster() -> None:
    async with SimulatedGlacier(archives=60_000) as glacier, RawClient(glacier.endpoint_url) as client:
        client.send("GET", "/_simulator/vaults/photos/inventory?format=json")
        other = await ask(glacier.endpoint_url, "GET", "/-/vaults")
        assert other.status == 200
        reply = await client.read()
        assert len(reply.json["ArchiveList"]) == 60_000
        assert (await client.ask("GET", "/-/vaults")).status == 200


async def test_leaving_in_the_middle_of_a_stream_leaves_nothing_behind() -> None:
    async with SimulatedGlacier(archives=60_000) as glacier:
        async with RawClient(glacier.endpoint_url) as client:
            client.send("GET", "/_simulator/vaults/photos/inventory")
            await client.reader.readexactly(1000)
        await until(lambda: not glacier.open_connections)


BAD_INPUT = {
    "noise": b"\x00\x01\x02 nonsense\r\n\r\n",
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": b"GET /\r\n\r\n",
    "head without end": b"GET / HTTP/1.1\r\nx: " + b"a" * (6 * HEAD_BYTES_MAX),
    "huge head": b"GET / HTTP/1.1\r\nx: " + b"a" * HEAD_BYTES_MAX + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
    "long url": b"GET /" + b"a" * URL_BYTES_MAX + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "huge body": b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "negative length": b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "bad chunk": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "connect": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_INPUT)
async def test_what_is_not_a_request_is_refused_and_the_connection_closed(glacier: SimulatedGlacier, name: str) -> None:
    async with RawClient(glacier.endpoint_url) as client:
        client.writer.write(BAD_INPUT[name])
        reply = await client.rest()
    assert reply[:12] in {b"HTTP/1.1 %d" % status for status in (400, 404, 413, 414, 431, 505)}
    assert reply.count(b"x-amzn-RequestId") == 1
    assert (await ask(glacier.endpoint_url, "GET", "/-/vaults")).status == 200


BAD_REQUESTS = [
    ("DELETE", "/-/vaults/photos/archives/..", 400),
    ("DELETE", "/-/vaults/photos/archives/%2e%2e", 400),
    ("DELETE", "/-/vaults/photos/archives/%00", 400),
    ("DELETE", "/-/vaults/../archives/a", 404),
    ("GET", "/-/vaults/../../../../etc/passwd", 404),
    ("GET", "//", 404),
    ("GET", "/%ff%fe", 404),
    ("BREW", "/-/vaults", 400),
    ("OPTIONS", "*", 404),
    ("POST", "/-/vaults/photos/jobs", 400),
    ("GET", "/_simulator/nothing", 404),
    ("GET", "/_simulator/vaults/photos/inventory?format=xml", 400),
    ("GET", "/_simulator/vaults/nowhere/inventory", 404),
    ("GET", "/_simulator/vaults/../inventory", 404),
    ("POST", "/_simulator/clock", 400),
]


@pytest.mark.parametrize(("method", "path", "status"), BAD_REQUESTS)
async def test_a_senseless_request_is_refused(glacier: SimulatedGlacier, method: str, path: str, status: int) -> None:
    reply = await ask(glacier.endpoint_url, method, path, b"{" if method == "POST" else b"")
    assert reply.status == status
    assert reply.headers["x-amzn-requestid"]
    assert glacier.ledger["archives_left"] == 300


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_thousand_idle_connections_cost_nothing_and_are_ended(glacier: SimulatedGlacier) -> None:
    server = SimulatorServer(glacier.desk, idle_seconds=60)
    await server.start()
    descriptors = open_descriptors()
    clients = [RawClient(server.endpoint_url) for _ in range(1000)]
    for client in clients:
        await client.__aenter__()
    await until(lambda: server.open_connections == 1000)
    assert len(asyncio.all_tasks()) == 1
    assert (await ask(server.endpoint_url, "GET", "/-/vaults")).status == 200
    server.end_stale(asyncio.get_running_loop().time() + 61)
    for client in clients:
        assert await client.rest() == b""
        await client.__aexit__(None, None, None)
    await server.close()
    assert server.open_connections == 0
    assert open_descriptors() <= descriptors


async def test_a_request_that_never_ends_is_ended(glacier: SimulatedGlacier) -> None:
    server = SimulatorServer(glacier.desk, idle_seconds=3600, request_seconds=300)
    await server.start()
    async with RawClient(server.endpoint_url) as client:
        client.writer.write(b"GET / HTTP/1.1\r\n")
        await until(lambda: server.open_connections == 1)
        await asyncio.sleep(0.01)
        server.end_stale(asyncio.get_running_loop().time() + 301)
        assert await client.rest() == b""
    await server.close()


async def test_a_client_that_does_not_read_its_reply_is_ended() -> None:
    async with SimulatedGlacier(archives=60_000) as glacier:
        server = SimulatorServer(glacier.desk, request_seconds=300)
        await server.start()
        async with RawClient(server.endpoint_url) as client:
            client.send("GET", "/_simulator/vaults/photos/inventory")
            await client.reader.readexactly(100)
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can
            await asyncio.sleep(0.05)
            server.end_stale(asyncio.get_running_loop().time() + 301)
            await until(lambda: server.open_connections == 0)
            client.writer.transport.abort()
        await server.close()


async def test_a_thousand_broken_requests_neither_end_it_nor_leak(glacier: SimulatedGlacier) -> None:
    draw = random.Random(1)
    good = request_bytes("POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval", "Format": "CSV"}')
    for _ in range(1000):
        broken = bytearray(good)
        for _ in range(draw.randrange(1, 6)):
            place = draw.randrange(len(broken))
            broken[place : place + draw.randrange(3)] = draw.randbytes(draw.randrange(4))
        async with RawClient(glacier.endpoint_url) as client:
            client.writer.write(bytes(broken))
            client.writer.write_eof()
            with contextlib.suppress(ConnectionError):
                await client.rest()
    assert (await ask(glacier.endpoint_url, "GET", "/-/vaults")).status == 200
    await until(lambda: glacier.open_connections == 0)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.looptime
async def test_the_busiest_second_is_known(glacier: SimulatedGlacier) -> None:
    async with RawClient(glacier.endpoint_url) as client:
        for pause in (0.1, 0.1, 0.1, 1.5, 0.1, 0.1):
            await client.ask("DELETE", "/-/vaults/photos/archives/a")
            await asyncio.sleep(pause)
    assert glacier.ledger["peak_deletes_a_second"] == 4


async def test_closing_ends_open_connections_and_their_waiting_replies() -> None:
    async with SimulatedGlacier(archives=5, faults=[FaultRule("black-hole", operation="*")]) as glacier:
        async with RawClient(glacier.endpoint_url) as client:
            client.send("GET", "/-/vaults")
            await until(lambda: bool(glacier.ledger["faults"]))
            await glacier.__aexit__(None, None, None)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.read()
        assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
async def test_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(UsageError, match="loopback"):
        async with SimulatedGlacier(host=host):
            pass


async def test_a_port_that_is_taken_is_named(glacier: SimulatedGlacier) -> None:
    port = int(glacier.endpoint_url.rpartition(":")[2])
    with pytest.raises(UsageError, match=str(port)):
        async with SimulatedGlacier(port=port):
            pass


async def test_tls_serves_with_a_certificate_that_the_given_authority_signed() -> None:
    async with SimulatedGlacier(archives=5, tls=True) as glacier:
        trusting = ssl.create_default_context(cafile=str(glacier.ca_file))
        port = int(glacier.endpoint_url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.write(request_bytes("GET", "/-/vaults", headers={"Connection": "close"}))
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
    assert glacier.ca_file is not None
    assert not glacier.ca_file.exists()


async def test_limits_can_be_changed_while_it_runs(glacier: SimulatedGlacier) -> None:
    reply = await ask(glacier.endpoint_url, "POST", "/_simulator/limits", b'{"rate": 0.001, "burst": 2}')
    assert reply.json["rate"] == 0.001
    ids = archive_ids(glacier)
    async with RawClient(glacier.endpoint_url) as client:
        replies = [await client.ask("DELETE", f"/-/vaults/photos/archives/{name}") for name in ids[:4]]
        assert [reply.status for reply in replies] == [204, 204, 400, 400]
        assert replies[2].body == b'{"code":"ThrottlingException","message":"Rate exceeded","type":"Client"}'
        await client.ask("POST", "/_simulator/limits", b'{"rate": 0}')
        assert (await client.ask("DELETE", f"/-/vaults/photos/archives/{ids[4]}")).status == 204
    assert glacier.ledger["throttled"] == 2


async def test_the_clock_can_be_stepped_stopped_and_scaled(glacier: SimulatedGlacier) -> None:
    async with RawClient(glacier.endpoint_url) as client:
        before = (await client.ask("POST", "/_simulator/clock", b'{"time_scale": 0}')).json["now_seconds"]
        after = (await client.ask("POST", "/_simulator/clock", b'{"step_seconds": 86400}')).json["now_seconds"]
        assert after - before == 86400
        for nonsense in (b'{"step_seconds": -1}', b'{"time_scale": -1}', b'{"other": 1}', b"[]"):
            assert (await client.ask("POST", "/_simulator/clock", nonsense)).status == 400
        assert (await client.ask("GET", "/_simulator/clock")).json["now_seconds"] == after


async def test_an_inventory_job_completes_when_its_hours_have_passed(glacier: SimulatedGlacier) -> None:
    async with RawClient(glacier.endpoint_url) as client:
        job = await client.ask("POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval"}')
        output = f"/-/vaults/photos/jobs/{job.headers['x-amz-job-id']}/output"
        assert (await client.ask("GET", output)).status == 400
        await client.ask("POST", "/_simulator/clock", b'{"step_seconds": 21600}')
        whole = await client.ask("GET", output)
        part = await client.ask("GET", output, headers={"Range": "bytes=10-99"})
    assert len(whole.json["ArchiveList"]) == 300
    assert (part.status, part.body) == (206, whole.body[10:100])


async def test_a_signature_is_checked_when_keys_are_configured() -> None:
    async with SimulatedGlacier(secret_keys={"AKIDEXAMPLE": "secret"}) as glacier:
        assert (await ask(glacier.endpoint_url, "GET", "/-/vaults")).status == 400
        assert (await ask(glacier.endpoint_url, "GET", "/_simulator/ledger")).status == 200
