"""One round of ``bench`` and of the benchmarks: the whole audited pipeline over one inventory, and what it cost.

``python -m`` this module with a ``RoundOrder`` as JSON on stdin; a ``Measured`` as JSON comes on stdout.  A process of
its own (``in_own_process``), so that its CPU time and peak memory are the round's and nobody else's.  Nothing is left
out to look faster: the plan is made and approved by digest, ranges are released, outcomes are chained and
fsynced.  CPU time is user and system time of all threads from the first check of the plan to the last line of the log
(planning is not in it), latency is that of a delete as the worker pool sees it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from array import array
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from glacier_purge.errors import GlacierPurgeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glacier_purge.archive import ArchiveId, Vault
    from glacier_purge.glacier.port import Addressed, Glacier, Later, Settle, VaultDescription
    from glacier_purge.glacier.reply import Reply
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

UNPACED_PER_SECOND = 1_000_000.0
"""Where the pacer begins when nobody asked for a rate: so high that it never holds anything back."""


class RoundOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to delete, from where and how. ``core`` is the processor to stay on; None leaves it to the system."""

    inventory: str
    vault: str
    account_id: str
    region: str
    endpoint_url: str
    transport: Literal["auto", "sdk", "rest"]
    in_flight: int
    ca_file: str | None = None
    per_second: float | None = None
    core: int | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one round came to. ``limit_per_second`` is what the pacer believes the service allows; None: never met one.

    ``seconds`` and ``cpu_seconds`` are of all of it, ``deletes_per_second`` counts from the first request to the last
    reply.
    Latencies are in milliseconds; ``corrected_latency_ms`` has coordinated omission put right (``report.latency``).
    """

    transport: str
    deleted: int
    failed: int
    seconds: float
    cpu_seconds: float
    deletes_per_second: float
    cpu_us_per_delete: float
    throttled_share: float
    limit_per_second: float | None
    peak_rss_mb: float
    latency_ms: dict[str, float] | None
    corrected_latency_ms: dict[str, float] | None


class Stopwatch:
    """``glacier.port.Glacier`` around another one, taking the time of each delete (16 bytes and 0.15 us each)."""

    _service: Glacier

    def __init__(self) -> None:
        self._settle: Settle | None = None
        self._began: dict[ArchiveId, float] = {}
        self.sent_at = array("d")
        self.took_seconds = array("d")

    def around(self, service: Glacier) -> Stopwatch:
        """Take the time of that one's deletes."""
        self._service = service
        return self

    def elapsed_seconds(self) -> float:
        """From the first request to the last reply; 0.0 while there is none."""
        replied_at = max(map(add, self.sent_at, self.took_seconds), default=0.0)
        return replied_at - min(self.sent_at, default=0.0)

    @property
    def vault(self) -> Vault:
        """See ``Glacier``."""
        return self._service.vault

    @property
    def endpoint_url(self) -> str:
        """See ``Glacier``."""
        return self._service.endpoint_url

    def deliver_to(self, settle: Settle) -> None:
        """See ``Glacier``."""
        self._settle = settle
        self._service.deliver_to(self._replied)

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        """See ``Glacier``."""
        began = time.perf_counter()
        for archive in archives:
            self._began[archive.archive_id] = began
        return self._service.delete_archives(archives)

    def _replied(self, replies: Sequence[tuple[Addressed, Reply]]) -> None:
        now = time.perf_counter()
        for archive, _ in replies:
            began = self._began.pop(archive.archive_id)
            self.sent_at.append(began)
            self.took_seconds.append(now - began)
        assert self._settle is not None
        self._settle(replies)

    async def describe_vault(self) -> VaultDescription:
        """See ``Glacier``."""
        return await self._service.describe_vault()

    async def renew_credentials(self) -> None:
        """See ``Glacier``."""
        await self._service.renew_credentials()


def in_own_process(order: RoundOrder, environment: Mapping[str, str]) -> Measured:
    """Do one round in a process with this environment, and nothing learnt from it for later runs.

    Raises ``GlacierPurgeError`` when it fails; its message went to stderr.
    """
    with tempfile.TemporaryDirectory(prefix="glacier-purge-bench-") as state:
        done = subprocess.run(
            [sys.executable, "-m", "glacier_purge.cli.benching.round"],
            input=msgspec.json.encode(order),
            capture_output=True,
            env={**environment, "XDG_STATE_HOME": state},
            check=False,
        )
    sys.stderr.write(done.stderr.decode(errors="replace"))  # in whatever form stderr has here
    if done.returncode:
        raise GlacierPurgeError(f"a round ended with exit code {done.returncode}; its message is above.")
    return msgspec.json.decode(done.stdout, type=Measured)


async def measure(order: RoundOrder) -> Measured:
    """Plan and carry out a purge as ordered, in a temporary folder that is gone afterwards."""
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.planning import plan_in_new_folder

    settings = settings_for(order)
    with tempfile.TemporaryDirectory(prefix="glacier-purge-bench-") as path:
        async with Clients() as clients:
            folder, plan = await plan_in_new_folder(
                order.vault, order.inventory, settings, clients, run_dir=Path(path) / "run", set_aside_defects=False
            )
        return await carry_out(order, settings, folder, plan)


async def carry_out(order: RoundOrder, settings: Settings, folder: RunFolder, plan: Plan) -> Measured:
    """Carry out a plan that was made before, and measure that."""
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.purging import opened_run
    from glacier_purge.approval.typed import approve_by_digest
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.run.host import Host, who

    keys = StaticCredentials(access_key_id="SIMULATED", secret_access_key="simulated")  # noqa: S106 - no secret
    watched = Stopwatch()
    async with (
        Clients() as clients,
        opened_run(folder, plan, settings, clients, Host(), credentials=keys, around=watched.around) as run,
    ):
        cpu_began, began = _cpu_seconds(), time.perf_counter()
        ledger = await run.carry_out(approve_by_digest(plan, plan.digest, who()))
        seconds, cpu_seconds = time.perf_counter() - began, _cpu_seconds() - cpu_began
        facts = run.telemetry()
    deleted, attempts = ledger.counts["deleted"], max(1, ledger.attempts)
    limit = facts["limit_per_second"]
    raw, corrected = _latencies(watched, order)
    return Measured(
        transport=order.transport,
        deleted=deleted,
        failed=ledger.counts["failed"],
        seconds=round(seconds, 3),
        cpu_seconds=round(cpu_seconds, 6),
        deletes_per_second=round(deleted / max(watched.elapsed_seconds(), 1e-9), 1),
        cpu_us_per_delete=round(cpu_seconds / max(1, deleted) * 1e6, 2),
        throttled_share=round(ledger.throttled / attempts, 5),
        limit_per_second=limit if isinstance(limit, float) else None,
        peak_rss_mb=round(_peak_rss_bytes() / 1e6, 1),
        latency_ms=raw,
        corrected_latency_ms=corrected,
    )


def settings_for(order: RoundOrder) -> Settings:
    """The settings of an ordered round."""
    from glacier_purge.settings import Settings

    aws: dict[str, object] = {
        "endpoint_url": order.endpoint_url,
        "account_id": order.account_id,
        "region": order.region,
        "transport": order.transport,
        "ca_bundle": order.ca_file,
    }
    pace = {
        "first_per_second": order.per_second or UNPACED_PER_SECOND,
        "max_rate": order.per_second,
        "max_in_flight": order.in_flight,
    }
    return Settings.model_validate({"aws": aws, "pace": pace})


def _latencies(watched: Stopwatch, order: RoundOrder) -> tuple[dict[str, float] | None, dict[str, float] | None]:
    """Raw and corrected percentiles. The first delete goes alone and opens the first connection: it is left out."""
    from glacier_purge.report.latency import percentiles_ms, since_due, with_requests_not_sent

    sent_at, took = watched.sent_at[1:], watched.took_seconds[1:]
    if not took:
        return None, None
    if order.per_second is not None:
        return percentiles_ms(took), percentiles_ms(since_due(sent_at, took, order.per_second))
    interval_seconds = watched.elapsed_seconds() * min(order.in_flight, len(took)) / len(took)
    return percentiles_ms(took), percentiles_ms(with_requests_not_sent(took, interval_seconds))


def _cpu_seconds() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_rss_bytes() -> int:
    """The most memory this process has held. Linux keeps ru_maxrss over exec, so its own account goes first."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def main() -> int:
    """Do one round as stdin orders."""
    from glacier_purge.cli.event_loop import in_event_loop

    order = msgspec.json.decode(sys.stdin.buffer.read(), type=RoundOrder)
    if order.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {order.core})

    async def once() -> int:
        sys.stdout.buffer.write(msgspec.json.encode(await measure(order)) + b"\n")
        sys.stdout.flush()
        return 0

    exit_code = 0
    try:
        in_event_loop(once)
    except* GlacierPurgeError as errors:
        exit_code = 1
        for error in errors.exceptions:
            sys.stderr.write(f"glacier-purge: {error}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
