"""The reader of the simulator's time, against the simulator in process and against what is none."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from glacier_purge.aws.access import Access
from glacier_purge.cli import rehearsal
from glacier_purge.cli.rehearsal import rehearsal_time
from glacier_purge.cli.waiting import simulated_time
from glacier_simulator import SimulatedGlacier

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000.25
HOUR = 3600.0


async def test_it_is_the_services_own_time_also_when_that_stands_still() -> None:
    async with SimulatedGlacier(starts_at=NOW, time_scale=0) as glacier:
        found = await anyio.to_thread.run_sync(rehearsal_time, glacier.endpoint_url + "/")
        assert found is not None
        clock, _ = found
        assert clock().timestamp() == NOW
        assert clock().isoformat() == "2027-01-15T08:00:00.250000+00:00"


async def test_days_are_slept_through_as_fast_as_the_service_lives_them() -> None:
    async with SimulatedGlacier(starts_at=NOW, time_scale=1e6) as glacier:
        found = await anyio.to_thread.run_sync(rehearsal_time, glacier.endpoint_url)
        assert found is not None
        clock, sleep = found
        began = clock()
        await sleep(6 * HOUR)
        assert (clock() - began).total_seconds() >= 6 * HOUR
        assert glacier.clock.now() >= NOW + 6 * HOUR


async def test_a_clock_that_is_stepped_ends_a_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glacier_purge.cli.rehearsal._LOOK_AGAIN_SECONDS", 0.001)
    async with SimulatedGlacier(starts_at=NOW, time_scale=0) as glacier:
        found = await anyio.to_thread.run_sync(rehearsal_time, glacier.endpoint_url)
        assert found is not None
        clock, sleep = found
        async with anyio.create_task_group() as tasks:

            async def asleep() -> None:
                await sleep(6 * HOUR)

            tasks.start_soon(asleep)
            await anyio.lowlevel.checkpoint()
            glacier.clock.step(7 * HOUR)
        assert clock().timestamp() == NOW + 7 * HOUR


async def test_two_hundred_who_sleep_by_one_clock_look_at_it_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[rehearsal._SimulatedTime] = []

    def counted(clock: rehearsal._SimulatedTime) -> None:
        looks.append(clock)

    monkeypatch.setattr(rehearsal._SimulatedTime, "_look_again", counted)
    async with SimulatedGlacier(starts_at=NOW, time_scale=1e6) as glacier:
        found = await anyio.to_thread.run_sync(rehearsal_time, glacier.endpoint_url)
        assert found is not None
        _, sleep = found

        async def asleep() -> None:
            await sleep(300 * HOUR)  # 1.08 s

        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(asleep)
    assert 1 <= len(looks) <= 2


async def test_a_simulator_that_ends_does_not_end_a_sleep() -> None:
    async with SimulatedGlacier(starts_at=NOW, time_scale=1e6) as glacier:
        found = await anyio.to_thread.run_sync(rehearsal_time, glacier.endpoint_url)
    assert found is not None
    clock, sleep = found
    began = clock()
    await sleep(HOUR)
    assert (clock() - began).total_seconds() >= HOUR


async def test_over_tls_the_authority_has_to_be_given() -> None:
    async with SimulatedGlacier(starts_at=NOW, time_scale=0, tls=True) as glacier:
        assert await anyio.to_thread.run_sync(rehearsal_time, glacier.endpoint_url) is None
        found = await anyio.to_thread.run_sync(
            simulated_time, Access(endpoint_url=glacier.endpoint_url, ca_bundle=glacier.ca_file)
        )
    assert found is not None
    assert found[0]().timestamp() == NOW


ANSWERS = [
    b"HTTP/1.0 404 Not Found\r\n\r\n",
    b'HTTP/1.0 503 Service Unavailable\r\n\r\n{"now_seconds": 5, "time_scale": 1}',
    b"HTTP/1.0 200 OK\r\n\r\nhello",
    b'HTTP/1.0 200 OK\r\n\r\n{"now_seconds": 5}',
    b'HTTP/1.0 200 OK\r\n\r\n{"now_seconds": 5, "time_scale": -1}',
    b'HTTP/1.0 200 OK\r\n\r\n{"now_seconds": 1e300, "time_scale": 1}',
    b"HTTP/1.0 302 Found\r\nLocation: /elsewhere\r\n\r\n",
    b"noise\r\n\r\n",
    b"",
]


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that is no simulator; it answers every path but the page's with a good clock."""

    class Answering(BaseHTTPRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline()
            while self.rfile.readline() not in {b"", b"\r\n"}:
                pass
            good = b'HTTP/1.0 200 OK\r\n\r\n{"now_seconds": 5, "time_scale": 1}'
            self.wfile.write(request.param if b"/_simulator/clock" in line else good)

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("other", ANSWERS, ids=repr, indirect=True)
def test_whatever_does_not_answer_like_a_simulator_has_no_time_of_its_own(other: str) -> None:
    assert rehearsal_time(other) is None


def test_where_nobody_listens_there_is_none() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert rehearsal_time(f"http://127.0.0.1:{unused.getsockname()[1]}") is None


@pytest.mark.parametrize("endpoint_url", ["https://glacier.us-east-1.amazonaws.com", "http://192.0.2.1:80", ""])
def test_only_this_machine_is_asked(endpoint_url: str) -> None:
    assert rehearsal_time(endpoint_url) is None


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as proxy:
        proxy.bind(("127.0.0.1", 0))
        proxy.listen()
        proxy.setblocking(False)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert rehearsal_time("http://127.0.0.1:9") is None
        with pytest.raises(BlockingIOError):
            proxy.accept()
