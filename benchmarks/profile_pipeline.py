"""Where does the time of a delete go? The ten functions that the audited pipeline spends most of it in.

    python -m benchmarks.profile_pipeline [--deletes 40000] [--in-flight 64] [--transport rest] [--output json]

cProfile over the run without the planning, against nginx over TLS.  Its own cost makes small functions look larger than
they are, and what uvloop and OpenSSL do between callbacks shows as the event loop's; the order is what to look at.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import uvloop

from benchmarks import inventories
from benchmarks.bench_pipeline import our_order
from benchmarks.machine import CLIENT_CORE, pinned
from benchmarks.servers import tls_server
from benchmarks.tables import Table
from glacier_purge.api.clients import Clients
from glacier_purge.api.planning import plan_in_new_folder
from glacier_purge.cli.benching.round import carry_out, settings_for

if TYPE_CHECKING:
    from types import CodeType

    from benchmarks.bench_pipeline import Transport
    from glacier_purge.cli.benching.round import RoundOrder
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

TOP = 10


class Row(TypedDict):
    """One function: microseconds a delete in itself, its share of all, and calls a delete."""

    function: str
    own_us: float
    share: float
    calls: float


def measure(*, deletes: int = 40_000, in_flight: int = 64, transport: Transport = "rest") -> list[Row]:
    """Profile one run; the functions with the most time of their own, most first."""
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as name, pinned(CLIENT_CORE):
        folder = Path(name)
        with tls_server(folder) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            order = our_order(server, inventories.write(folder / "inventory.json", deletes), in_flight, transport)
            settings = settings_for(order)
            run_folder, plan = runner.run(_planned(order, settings, folder / "run"))
            with profile:
                runner.run(carry_out(order, settings, run_folder, plan))
    return _top(profile, deletes)


async def _planned(order: RoundOrder, settings: Settings, run_dir: Path) -> tuple[RunFolder, Plan]:
    async with Clients() as clients:
        return await plan_in_new_folder(
            order.vault, order.inventory, settings, clients, run_dir=run_dir, set_aside_defects=False
        )


def _top(profile: cProfile.Profile, deletes: int) -> list[Row]:
    entries = sorted(profile.getstats(), key=lambda entry: entry.inlinetime, reverse=True)
    all_seconds = sum(entry.inlinetime for entry in entries)
    return [
        {
            "function": _named(entry.code),
            "own_us": round(entry.inlinetime / deletes * 1e6, 2),
            "share": round(entry.inlinetime / all_seconds, 3),
            "calls": round(entry.callcount / deletes, 2),
        }
        for entry in entries[:TOP]
    ]


def _named(code: CodeType | str) -> str:
    """A function and its module, without saying where on this machine; what is built in says itself."""
    if isinstance(code, str):
        return re.sub(r" at 0x[0-9a-f]+", "", code)
    path = Path(code.co_filename)
    return f"{path.parent.name}/{path.stem}: {code.co_qualname}"


def tables(rows: list[Row]) -> list[Table]:
    """The rows as a table."""
    return [
        Table(
            title="Profile of the pipeline, ten functions with the most time of their own",
            about="cProfile, over TLS, 64 in flight; it inflates small functions.",
            columns=("function", "us/delete", "share %", "calls/delete"),
            rows=[(row["function"], row["own_us"], round(100 * row["share"], 1), row["calls"]) for row in rows],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deletes", type=int, default=40_000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--transport", choices=["sdk", "rest"], default="rest")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    rows = measure(deletes=asked.deletes, in_flight=asked.in_flight, transport=asked.transport)
    print(json.dumps(rows) if asked.output == "json" else "\n\n".join(table.text() for table in tables(rows)))


if __name__ == "__main__":
    main()
