"""How many deletes a second does the simulator take, beside nginx saying 204, and what do 10 million archives cost?

    python -m benchmarks.bench_simulator [--seconds 3] [--rounds 3] [--archives 10000000] [--output json]

The server has one core and wrk the other, 64 connections, plain HTTP; rounds are interleaved and medians shown.  What
counts is the ratio to nginx in the same run, and the server's CPU per delete.  wrk and nginx are the
distribution's packages of these names; without them that part is left out, and says so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 64
IDS = 400_000
SERVER_CORE, CLIENT_CORE = "0", "1"
SIMULATE = [sys.executable, "-c", "import sys; from glacier_purge.cli import main; sys.exit(main())", "simulate"]
AT_ONCE = ["--rate", "0", "--error-rate", "0", "--latency-ms", "0"]
LUA = """
local ids = {}
for line in io.lines("IDS") do ids[#ids + 1] = line end
local n = 0
local headers = {
  ["x-amz-glacier-version"] = "2012-06-01",
  ["x-amz-date"] = "20261122T000000Z",
  ["Authorization"] = "AWS4-HMAC-SHA256 Credential=AKIDBENCHMARK/20261122/us-east-1/glacier/aws4_request, " ..
    "SignedHeaders=host;x-amz-date;x-amz-glacier-version, Signature=" .. string.rep("0", 64),
}
request = function()
  n = n % #ids + 1
  return wrk.format("DELETE", "/-/vaults/photos/archives/" .. ids[n], headers)
end
"""
NGINX = """
daemon off; worker_processes 1; pid FOLDER/nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000; client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi; uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
  server { listen 127.0.0.1:PORT; location / { return 204; } }
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--archives", type=int, default=10_000_000)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    arguments = parser.parse_args()
    speed = speeds(arguments.seconds, arguments.rounds)
    results = {"speed": speed, "size": size(arguments.archives)}
    print(json.dumps(results) if arguments.output == "json" else text(results))


def speeds(seconds: int, rounds: int) -> dict[str, dict[str, float]] | None:
    """Deletes a second and server CPU per delete, medians; None without wrk or nginx."""
    if not (shutil.which("wrk") and nginx_path()):
        print("LEFT OUT: deletes a second, since wrk or nginx is not installed.", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seen: dict[str, list[dict[str, float]]] = {"simulator": [], "nginx": []}
        with simulator(IDS, *AT_ONCE) as (simulator_pid, url, _), nginx(folder) as (nginx_pid, nginx_url):
            script = wrk_script(folder, url)
            for _ in range(rounds):
                seen["simulator"].append(hammer(script, url, simulator_pid, seconds))
                seen["nginx"].append(hammer(script, nginx_url, nginx_pid, seconds))
            ledger = fetch(url, "/_simulator/ledger")
        assert json.loads(ledger)["unknown"] == 0
    return {
        server: {figure: statistics.median(one[figure] for one in rounds_seen) for figure in rounds_seen[0]}
        for server, rounds_seen in seen.items()
    }


def size(archives: int) -> dict[str, float]:
    """What a vault of this size costs: time to the first line, memory then, and after an inventory was prepared."""
    with simulator(archives, *AT_ONCE) as (pid, url, start_seconds):
        at_start = resident_megabytes(pid)
        fetch(url, "/_simulator/clock", b'{"step_seconds": 86400}')
        began = time.perf_counter()
        job = request(url, "POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval"}')
        fetch(url, "/_simulator/clock", b'{"step_seconds": 86400}')
        with request(url, "GET", f"{job.headers['Location'].replace('/123456789012', '/-', 1)}/output") as output:
            head_seconds = time.perf_counter() - began
            began = time.perf_counter()
            megabytes = sum(len(output.read(2**20)) for _ in range(100)) / 1e6
        return {
            "archives": archives,
            "start_seconds": start_seconds,
            "resident_megabytes": at_start,
            "inventory_first_byte_seconds": head_seconds,
            "inventory_megabytes_per_second": megabytes / (time.perf_counter() - began),
            "resident_megabytes_after_inventory": resident_megabytes(pid),
        }


def hammer(script: Path, url: str, pid: int, seconds: int) -> dict[str, float]:
    """One round of wrk against one server."""
    cpu = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url]
    shown = subprocess.run(pinned(CLIENT_CORE, command), capture_output=True, text=True, check=True).stdout
    cpu = cpu_seconds(pid) - cpu
    found = re.search(r"(\d+) requests in .*?Requests/sec:\s+([\d.]+)", shown, re.DOTALL)
    if found is None or "Non-2xx" in shown or "Socket errors" in shown:
        raise RuntimeError(f"wrk was not answered as it should be:\n{shown}")
    return {"per_second": float(found[2]), "server_cpu_microseconds": cpu / int(found[1]) * 1e6}


@contextmanager
def simulator(archives: int, *options: str) -> Iterator[tuple[int, str, float]]:
    """A simulator on its core: process id, endpoint, and how long it took to say so."""
    began = time.perf_counter()
    with subprocess.Popen(
        pinned(SERVER_CORE, [*SIMULATE, "--archives", str(archives), *options]),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield process.pid, said["endpoint_url"], time.perf_counter() - began
        finally:
            process.terminate()


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[int, str]]:
    """nginx on the same core, which answers 204 to anything: the worker's process id and the address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.replace("FOLDER", str(folder)).replace("PORT", str(port)), encoding="utf-8")
    command = [nginx_path() or "nginx", "-p", str(folder), "-c", str(configuration)]
    with subprocess.Popen(pinned(SERVER_CORE, command)) as process:
        try:
            wait_for(port)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
            yield int(children[0]), f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def nginx_path() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("nginx did not come up")


def wrk_script(folder: Path, url: str) -> Path:
    """A script that deletes the vault's archives one after the other."""
    lines = fetch(url, "/_simulator/vaults/photos/inventory?format=csv").split(b"\n")[1:-1]
    ids = folder / "ids"
    ids.write_bytes(b"\n".join(line.partition(b",")[0] for line in lines))
    script = folder / "delete.lua"
    script.write_text(LUA.replace("IDS", str(ids)), encoding="ascii")
    return script


def pinned(core: str, command: list[str]) -> list[str]:
    """The command kept on one core, where there is more than one and a way to do it."""
    return (
        ["taskset", "-c", core, *command] if len(os.sched_getaffinity(0)) > 1 and shutil.which("taskset") else command
    )


def fetch(url: str, path: str, body: bytes | None = None) -> bytes:
    with request(url, "GET" if body is None else "POST", path, body) as reply:
        content = reply.read()
        assert isinstance(content, bytes)
        return content


def request(url: str, method: str, path: str, body: bytes | None = None) -> Any:
    asked = urllib.request.Request(url + path, body, {"x-amz-glacier-version": "2012-06-01"}, method=method)
    return urllib.request.urlopen(asked, timeout=120)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def text(results: dict[str, Any]) -> str:
    lines = []
    if results["speed"]:
        lines.append("| server | deletes/s | server CPU us | beside nginx |\n|---|---|---|---|")
        best = results["speed"]["nginx"]["per_second"]
        for server, found in results["speed"].items():
            share = found["per_second"] / best
            lines.append(
                f"| {server} | {found['per_second']:,.0f} | {found['server_cpu_microseconds']:.1f} | {share:.2f} |"
            )
        lines.append("")
    lines.append("| figure | value |\n|---|---|")
    lines += [f"| {name.replace('_', ' ')} | {value:,.2f} |" for name, value in results["size"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
