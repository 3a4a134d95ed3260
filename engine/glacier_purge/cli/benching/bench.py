"""``bench``: time the whole audited pipeline against a simulator, and against nothing else.

A benchmark deletes without asking anybody, so it only speaks to this project's simulator: one it starts itself, or one
on loopback that shows its ledger.  Rounds are interleaved over the transports compared, each in a process of its own
(``round``) and on another core than the simulator where there is one; what is printed is the median over rounds.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, validators

from glacier_purge.cli.benching.result import Benched, Compared, as_table, compared
from glacier_purge.cli.benching.round import RoundOrder, in_own_process
from glacier_purge.cli.options import Hyphened, LogOptions, Logs, Output, Whole
from glacier_purge.cli.output import OutputFormat, print_result, print_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.cli.benching.round import Measured
    from glacier_purge.cli.simulated import StartedSimulator

Transport = Literal["auto", "sdk", "rest"]
_Positive = Annotated[float, Parameter(validator=validators.Number(gt=0))]
_Rate = Annotated[float, Parameter(validator=validators.Number(gt=0, lte=1_000_000))]
_Count = Annotated[Whole, Parameter(validator=validators.Number(gte=1, lte=10_000_000))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """What every round has in common."""

    archives: int
    in_flight: int
    per_second: float | None
    cores: tuple[int | None, int | None]
    """For the client and for the simulator; None where there is only one core, or no say in it."""


def bench(
    *,
    archives: _Count = 20_000,
    in_flight: Annotated[Whole, Parameter(validator=validators.Number(gte=1, lte=10_000))] = 64,
    rate: _Rate | None = None,
    limit: _Positive | None = None,
    latency_ms: Annotated[float | None, Parameter(validator=validators.Number(gte=0))] = None,
    tls: bool = False,
    transport: Transport = "auto",
    compare: str | None = None,
    rounds: Annotated[Whole, Parameter(validator=validators.Number(gte=1, lte=1000))] = 1,
    endpoint_url: str | None = None,
    vault: Hyphened = "photos",
    ca_bundle: Path | None = None,
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Measure throughput, latency, CPU and memory of the whole purge against a simulator.

    Plans, deletes and records as a real purge does, in a temporary folder. Latency is given as measured and with
    coordinated omission corrected: from the moment a request was due at a fixed --rate, else by the interval at which a
    worker sends. CPU time is the client's alone, user and system, around the run without the planning.

    Parameters
    ----------
    archives
        Deletes in each round.
    in_flight
        Most requests under way at once.
    rate
        Fixed requests a second; without it as fast as replies come.
    limit
        Requests a second the simulator takes before it throttles; without it, it never does.
    latency_ms
        Median time until the simulator's reply leaves; 0 unless given.
    tls
        Speak HTTPS, certificates checked.
    transport
        How deletes travel: rest, sdk or auto.
    compare
        Several transports, as in sdk,rest: interleaved rounds of each, and their ratios.
    rounds
        Rounds of each transport; medians are printed.
    endpoint_url
        A running simulator to use instead of one of our own; the archives deleted there are gone.
    vault
        The running simulator's vault.
    ca_bundle
        Authority to trust, for a running simulator that serves HTTPS.

    Examples
    --------
    glacier-purge bench
    glacier-purge bench --archives 50000 --compare sdk,rest --rounds 3
    """
    from glacier_purge.errors import UsageError

    transports = _transports(transport, compare)
    load = _Load(archives=archives, in_flight=in_flight, per_second=rate, cores=_cores())
    if endpoint_url is None:
        if ca_bundle is not None:
            raise UsageError("--ca-bundle goes with --endpoint-url; with --tls the simulator brings its own authority.")
        options = ["--archives", str(archives), "--rate", f"{limit or 0:g}", "--burst", f"{limit or 1:g}"]
        options += ["--latency-ms", f"{latency_ms or 0:g}", "--error-rate", "0", *(["--tls"] if tls else [])]
        measured = [_on_our_own(options, name, load) for _ in range(rounds) for name in transports]
    else:
        if limit is not None or latency_ms is not None or tls:
            raise UsageError(
                "--limit, --latency-ms and --tls are for a simulator that bench starts itself; the one at "
                f"{endpoint_url} was started with its own. Leave them away."
            )
        measured = list(_on_running(endpoint_url, vault, ca_bundle, [*transports] * rounds, load))
    conditions: dict[str, Any] = {
        "endpoint": endpoint_url or "a simulator of its own",
        "archives": archives,
        "in_flight": in_flight,
        "rate_per_second": rate,
        "rounds": rounds,
    }
    rows = compared(measured)
    if output is OutputFormat.JSON:
        print_result(Benched(**conditions, results=[Compared(**row) for row in rows]), output)
    else:
        print_text(as_table(conditions, rows))
    return 0 if all(each.deleted == archives for each in measured) else 1


def _transports(transport: Transport, compare: str | None) -> list[Transport]:
    from glacier_purge.errors import UsageError

    if compare is None:
        return [transport]
    known: dict[str, Transport] = {"sdk": "sdk", "rest": "rest", "auto": "auto"}
    names = [name.strip() for name in compare.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"--compare takes transports separated by commas, as in sdk,rest; {unknown[0]!r} is none.")
    return [known[name] for name in dict.fromkeys(names)]


def _cores() -> tuple[int | None, int | None]:
    """A core for the client and another for the simulator, of those this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[-1]) if len(usable) > 1 else (None, None)


def _on_our_own(options: list[str], transport: Transport, load: _Load) -> Measured:
    from glacier_purge.cli.simulated import started_simulator

    with started_simulator(*options) as glacier, _folder() as folder:
        if load.cores[1] is not None and glacier.process_id is not None:
            os.sched_setaffinity(glacier.process_id, {load.cores[1]})
        inventory = folder / "inventory.json"
        glacier.save_inventory(inventory)
        return _round(glacier, inventory, transport, load)


def _on_running(
    endpoint_url: str, vault: str, ca_bundle: Path | None, transports: list[Transport], load: _Load
) -> Iterator[Measured]:
    from glacier_purge.cli.simulated import running_simulator
    from glacier_purge.errors import UsageError

    glacier, inventory = running_simulator(endpoint_url, vault, None if ca_bundle is None else str(ca_bundle))
    records = inventory["ArchiveList"]
    if len(records) < (needed := load.archives * len(transports)):
        raise UsageError(
            f"{needed:,} archives are needed and vault {vault} at {endpoint_url} has {len(records):,} left. "
            f"Start it afresh with: glacier-purge simulate --archives {needed}"
        )
    for number, transport in enumerate(transports):
        part = inventory | {"ArchiveList": records[number * load.archives : (number + 1) * load.archives]}
        with _folder() as folder:
            file = folder / "inventory.json"
            file.write_text(json.dumps(part, separators=(",", ":")), "utf-8")
            yield _round(glacier, file, transport, load)


def _round(glacier: StartedSimulator, inventory: Path, transport: Transport, load: _Load) -> Measured:
    address = glacier.address()
    order = RoundOrder(
        inventory=str(inventory),
        vault=glacier.vault,
        account_id=address["account_id"],
        region=address["region"],
        endpoint_url=address["endpoint_url"],
        transport=transport,
        in_flight=load.in_flight,
        ca_file=glacier.ca_file,
        per_second=load.per_second,
        core=load.cores[0],
    )
    return in_own_process(order, os.environ)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="glacier-purge-bench-") as name:
        yield Path(name)
