"""What does one delete cost the client, from the inventory to the durable audit line, beside what others need for less?

    python -m benchmarks.bench_pipeline [--rounds 3] [--deletes 40000] [--only NAME,NAME] [--output json]

Ours is a round of ``glacier-purge bench``, a plan made before and carried out: it parses the inventory, paces, signs,
sends over TLS with certificates checked, and writes every outcome into the chained log on disk.  The others do what
their rows say.
All speak to the same nginx on the other core, answer for answer the same, certificates checked by all but wrk.

Each client is run twice in each round, with few and with many deletes, and what is reported is the difference, for the
deletes that the longer run did more: CPU time (user and system, all threads) and wall-clock time.  The others' CPU time
is what the kernel booked on the finished command (``wait4``), ours what it booked on the run.  So nobody's start-up,
imports and first connections count, and everything that grows with the number of deletes does.  Rounds are interleaved;
ratios are taken within rounds; medians are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from benchmarks import inventories
from benchmarks.machine import CLIENT_CORE, Cost, pinned, run
from benchmarks.servers import Server, tls_server
from benchmarks.tables import Table
from glacier_purge.cli.benching.round import RoundOrder, in_own_process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Transport = Literal["sdk", "rest"]
PYTHON = sys.executable
ROOT = Path(__file__).parents[1]
OURS = "glacier-purge"
GO = "Go net/http (deletes only)"
GO_UNSIGNED = "Go net/http (deletes only and unsigned)"
NAIVE = "naive aioboto3 pipeline"
PLAIN = "plain engine (examples/plain_engine.py)"


class Row(TypedDict):
    """One client: medians over rounds, and our CPU time and throughput as ratios to its."""

    client: str
    in_flight: int
    deletes: int
    cpu_us: float
    per_second: float
    our_cpu_to_this: float
    our_throughput_to_this: float
    peak_rss_mb: float


@dataclass
class Arena:
    """The server, and a folder with the inventories the clients are given."""

    folder: Path
    server: Server
    runs: int = 0
    sizes: set[int] = field(default_factory=set)

    def inventory(self, archives: int) -> Path:
        """An inventory of this many archives; beside it, its ids, one a line."""
        path = self.folder / f"inventory-{archives}.json"
        if archives not in self.sizes:
            inventories.write(path, archives)
            ids = "\n".join(map(inventories.archive_id, range(archives))) + "\n"
            path.with_suffix(".ids").write_text(ids, "ascii")
            self.sizes.add(archives)
        return path

    def new_folder(self) -> Path:
        """A place for one run's files."""
        self.runs += 1
        path = self.folder / f"run-{self.runs}"
        path.mkdir()
        return path

    def environment(self, **more: str) -> dict[str, str]:
        """Nothing of the user's AWS account, the server's authority trusted by every SDK."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GLACIER_PURGE_"))}
        nowhere = str(self.folder / "none")
        return (
            clean
            | more
            | {
                "AWS_ACCESS_KEY_ID": "AKIDBENCHMARK",
                "AWS_SECRET_ACCESS_KEY": "s" * 40,
                "AWS_DEFAULT_REGION": inventories.REGION,
                "AWS_CA_BUNDLE": str(self.server.ca_file),
                "AWS_CONFIG_FILE": nowhere,
                "AWS_SHARED_CREDENTIALS_FILE": nowhere,
                "AWS_EC2_METADATA_DISABLED": "true",
                "XDG_STATE_HOME": str(self.folder),
                "PYTHONPATH": str(ROOT),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A client and how many deletes tell something about it; ``few`` is 0 where start-up is part of every delete."""

    name: str
    in_flight: int
    few: int
    many: int
    delete: Callable[[Arena, int, int], Cost]


def our_order(server: Server, inventory: Path, in_flight: int, transport: Transport) -> RoundOrder:
    """What ``glacier-purge bench`` is to delete from ``server``."""
    return RoundOrder(
        inventory=str(inventory),
        vault=inventories.VAULT,
        account_id=inventories.ACCOUNT,
        region=inventories.REGION,
        endpoint_url=server.url,
        ca_file=str(server.ca_file),
        transport=transport,
        in_flight=in_flight,
    )


def ours(transport: Transport) -> Callable[[Arena, int, int], Cost]:
    def delete(arena: Arena, archives: int, in_flight: int) -> Cost:
        order = our_order(arena.server, arena.inventory(archives), in_flight, transport)
        round_ = in_own_process(order, arena.environment())
        assert round_.deleted == archives
        return Cost(cpu_seconds=round_.cpu_seconds, seconds=round_.seconds, peak_rss_mb=round_.peak_rss_mb, output="")

    return delete


def python_client(module: str, *, logs: bool, tells_in_flight: bool = True) -> Callable[[Arena, int, int], Cost]:
    def delete(arena: Arena, archives: int, in_flight: int) -> Cost:
        log = [str(arena.new_folder() / "log.jsonl")] if logs else []
        command = [PYTHON, "-m", f"benchmarks.clients.{module}", arena.server.url, str(arena.inventory(archives)), *log]
        return run([*command, *([str(in_flight)] if tells_in_flight else [])], arena.environment())

    return delete


def plain_engine(arena: Arena, archives: int, in_flight: int) -> Cost:
    example, log = ROOT / "examples/plain_engine.py", arena.new_folder() / "log.jsonl"
    command = [PYTHON, str(example), str(arena.inventory(archives)), str(log), "--endpoint-url", arena.server.url]
    return run([*command, "--workers", str(in_flight)], arena.environment())


def aws_cli(program: str) -> Callable[[Arena, int, int], Cost]:
    def delete(arena: Arena, archives: int, in_flight: int) -> Cost:
        command = ["xargs", "-P", str(in_flight), "-I{}", program, "glacier", "delete-archive"]
        command += ["--endpoint-url", arena.server.url, "--account-id", inventories.ACCOUNT]
        command += ["--vault-name", inventories.VAULT, "--archive-id={}"]
        ids = arena.inventory(archives).with_suffix(".ids").read_text("ascii")
        return run(command, arena.environment(), ids)

    return delete


def go(program: Path, *options: str) -> Callable[[Arena, int, int], Cost]:
    def delete(arena: Arena, archives: int, in_flight: int) -> Cost:
        ids = arena.inventory(archives).with_suffix(".ids")
        command = [str(program), "-url", arena.server.url, "-ca", str(arena.server.ca_file), "-ids", str(ids)]
        return run([*command, "-in-flight", str(in_flight), *options], arena.environment())

    return delete


def settled(in_flight: int) -> int:
    """So many deletes that by the end of them every connection has been opened, whatever the client.

    Ours opens its last of a thousand after some 20,000 deletes: those that are open are busy meanwhile.
    """
    return 40 * in_flight


def contestants(folder: Path, deletes: int) -> list[Contestant]:
    """Everybody who can take part on this machine; says aloud who can't and why."""
    fast = 4 * deletes  # two runs' start-up differs by some 30 ms, which has to be little beside what is measured
    slow = max(200, deletes // 20)
    naive = max(400, deletes // 8)  # its cost grows with what it holds at once, so few would flatter it
    field: list[Contestant] = []
    for name, in_flight, few_deletes, many, delete in (
        (OURS, 64, settled(64), fast + settled(64), ours("rest")),
        (OURS, 1_000, settled(1_000), fast + settled(1_000), ours("rest")),
        (f"{OURS} over the SDK", 64, 100, slow, ours("sdk")),
        (NAIVE, 10, 100, naive, python_client("naive_aioboto3", logs=True, tells_in_flight=False)),
        (PLAIN, 10, 100, slow, plain_engine),
        ("tuned aioboto3", 64, 100, slow, python_client("tuned_aioboto3", logs=True)),
        ("boto3 (threads)", 10, 100, slow, python_client("boto3_threads", logs=False)),
    ):
        field.append(Contestant(name=name, in_flight=in_flight, few=few_deletes, many=many, delete=delete))
    if aws := _aws():
        field.append(Contestant(name="AWS CLI (xargs -P)", in_flight=4, few=0, many=4, delete=aws_cli(aws)))
    if program := _built_go_client(folder):
        for name, in_flight, options in ((GO, 64, ()), (GO, 1_000, ()), (GO_UNSIGNED, 64, ("-sign=false",))):
            least = settled(in_flight)
            client = go(program, *options)
            field.append(Contestant(name=name, in_flight=in_flight, few=least, many=fast + least, delete=client))
    return field


def _aws() -> str | None:
    program = ROOT / ".venv-witness/bin/aws"
    found = str(program) if program.exists() else shutil.which("aws")
    if found is None:
        print("LEFT OUT: the AWS CLI is not installed (make witness)", file=sys.stderr)
    return found


def _built_go_client(folder: Path) -> Path | None:
    if shutil.which("go") is None:
        print("LEFT OUT: the Go client, since Go is not installed (golang in Debian and Ubuntu)", file=sys.stderr)
        return None
    program = folder / "go_client"
    source = ROOT / "benchmarks/go_client/main.go"
    run(["go", "build", "-o", str(program), str(source)], dict(os.environ) | {"GO111MODULE": "off", "GOFLAGS": ""})
    return program


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """One client in one round."""

    cpu_us: float
    per_second: float
    peak_rss_mb: float


def measure(*, rounds: int = 3, deletes: int = 40_000, only: Sequence[str] = ()) -> list[Row]:
    """Run every client in interleaved rounds; a row each, ours at 64 in flight first, the server's own ceiling last."""
    with tempfile.TemporaryDirectory() as name, pinned(CLIENT_CORE):
        folder = Path(name)
        with tls_server(folder) as server:
            arena = Arena(folder, server)
            taking_part = [each for each in contestants(folder, deletes) if not only or each.name in {OURS, *only}]
            seen = []
            for _ in range(rounds):
                seen.append([_one(arena, each) for each in taking_part])
                if shutil.which("wrk"):
                    seen[-1].append(_ceiling(arena))
    rows = [_row(each, index, taking_part, seen) for index, each in enumerate(taking_part)]
    if len(seen[0]) > len(taking_part):
        ceiling = Contestant(name=f"{server.name}'s ceiling (wrk)", in_flight=64, few=0, many=0, delete=go(folder))
        rows.append(_row(ceiling, len(taking_part), taking_part, seen))
    return rows


def _one(arena: Arena, each: Contestant) -> _Seen:
    much = each.delete(arena, each.many, each.in_flight)
    cpu_seconds, seconds = much.cpu_seconds, much.seconds
    if each.few:
        little = each.delete(arena, each.few, each.in_flight)
        cpu_seconds, seconds = cpu_seconds - little.cpu_seconds, seconds - little.seconds
    deletes = each.many - each.few
    return _Seen(
        cpu_us=cpu_seconds / deletes * 1e6,
        per_second=deletes / max(seconds, 1e-9),
        peak_rss_mb=much.peak_rss_mb,
    )


def _ceiling(arena: Arena) -> _Seen:
    """What the server gives a client that does next to nothing: wrk, one request over and over, nothing signed."""
    path = f"/{inventories.ACCOUNT}/vaults/{inventories.VAULT}/archives/{inventories.archive_id(0)}"
    script = arena.folder / "delete.lua"
    script.write_text(f'wrk.method = "DELETE"\nwrk.path = "{path}"\n', "ascii")
    cost = run(["wrk", "-t1", "-c64", "-d1s", "-s", str(script), arena.server.url])
    requests = int(re.findall(r"(\d+) requests in", cost.output)[0])
    return _Seen(
        cpu_us=cost.cpu_seconds / requests * 1e6, per_second=requests / cost.seconds, peak_rss_mb=cost.peak_rss_mb
    )


def _row(each: Contestant, index: int, taking_part: list[Contestant], rounds: list[list[_Seen]]) -> Row:
    alike = (at for at, one in enumerate(taking_part) if one.name == OURS and one.in_flight == each.in_flight)
    mine = next(alike, 0)
    seen = [one_round[index] for one_round in rounds]
    pairs = [(one_round[mine], one_round[index]) for one_round in rounds]
    return {
        "client": each.name,
        "in_flight": each.in_flight,
        "deletes": each.many - each.few,
        "cpu_us": round(statistics.median(one.cpu_us for one in seen), 2),
        "per_second": round(statistics.median(one.per_second for one in seen), 1),
        "our_cpu_to_this": round(statistics.median(ours.cpu_us / one.cpu_us for ours, one in pairs), 4),
        "our_throughput_to_this": round(statistics.median(ours.per_second / one.per_second for ours, one in pairs), 3),
        "peak_rss_mb": round(max(one.peak_rss_mb for one in seen), 1),
    }


def tables(rows: list[Row]) -> list[Table]:
    """The rows as a table."""
    return [
        Table(
            title="The whole pipeline, from inventory to durable audit line, over TLS on one core",
            about="Medians of interleaved rounds. The last two columns are ours as a ratio to the row's client, at the "
            "same number in flight where we were run with it, else at 64.",
            columns=("client", "in flight", "CPU us/delete", "deletes/s", "our CPU / its", "our deletes/s / its"),
            rows=[
                (
                    row["client"],
                    row["in_flight"],
                    row["cpu_us"],
                    row["per_second"],
                    row["our_cpu_to_this"],
                    row["our_throughput_to_this"],
                )
                for row in rows
            ],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--deletes", type=int, default=40_000, help="the fast clients do four times as many, the others a twentieth"
    )
    parser.add_argument("--only", default="", help="names of clients, separated by commas; ours is always one")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    only = [name for name in asked.only.split(",") if name]
    rows = measure(rounds=asked.rounds, deletes=asked.deletes, only=only)
    print(json.dumps(rows) if asked.output == "json" else "\n\n".join(table.text() for table in tables(rows)))


if __name__ == "__main__":
    main()
