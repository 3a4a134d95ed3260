"""A whole run through the fault proxy, over one of the two transports, held against the server's ledger afterwards."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from glacier_purge.api.clients import Clients
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.archive import Vault
from glacier_purge.audit.verification import verify
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.errors import GlacierPurgeError, each_error
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.plan.first_reading import Target
from glacier_purge.plan.making import Selection
from glacier_purge.plan.reasons import DELETE, TOO_SMALL
from glacier_purge.plan.selection import Filter
from glacier_purge.run.host import Host
from glacier_purge.run.planned import keep_plan
from glacier_purge.run.purge import PurgeRun
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import dump, log_bytes
from tests.plan.archives import plan_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from glacier_purge.aws.credentials import CredentialSource
    from glacier_purge.glacier.port import Addressed, Glacier, Later
    from glacier_purge.plan.document import Plan
    from glacier_simulator import SimulatedGlacier
    from tests.reliability.network.proxy import FaultProxy

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
KEYS = StaticCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret")
ARCHIVES = 80
KEPT_EVERY = 8
"""Each of so many archives stays, so that there is something that must not be touched."""
BRISK = PacerSettings(rate_per_second_first=50.0, rate_per_second_max=100.0, in_flight_max=8)
LEISURELY = PacerSettings(rate_per_second_first=2.0, rate_per_second_max=2.0, in_flight_max=8)
"""So that names are looked up more than once in a run, for which they are remembered 5 to 10 s."""
ENDS_WITHIN_SECONDS = 24 * 3600.0


class Watched:
    """A service whose deletes are counted as they are sent, by when, also those that never reach anybody."""

    def __init__(self, service: Glacier, sent_at: list[float], now: Callable[[], float]) -> None:
        self._service = service
        self._sent_at = sent_at
        self._now = now

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        self._sent_at += [self._now()] * len(archives)
        return self._service.delete_archives(archives)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)


@dataclass
class Deleting:
    """One plan for one vault, and the processes that carry it out."""

    place: Path
    service: SimulatedGlacier
    proxy: FaultProxy
    transport: str
    source_of: Callable[[], CredentialSource] | None = None
    """Gives a process its credentials; None where any will do."""
    pace: PacerSettings | None = None

    def __post_init__(self) -> None:
        self.disk = PretendDisk()
        self.sent_at: list[float] = []
        """When deletes were sent, on the loop's clock."""
        self.asked_before: Counter[str] = Counter()
        """How often each delete was asked for by earlier processes."""
        self.folder = RunFolder.create(self.place / "run")
        (self.place / "inventory.json").write_bytes(self.service.inventory_text())
        listed = json.loads((self.place / "inventory.json").read_bytes())["ArchiveList"]
        self.ids = [record["ArchiveId"] for record in listed]
        kept = set(self.ids[::KEPT_EVERY])
        self.planned = set(self.ids) - kept
        keeps = Filter(lambda archive: TOO_SMALL if archive.archive_id in kept else DELETE, {TOO_SMALL: "1"})
        self.plan = self._planned(Selection(filters=[keeps]))

    def _planned(self, selection: Selection) -> Plan:
        target = Target(
            vault=VAULT, endpoint_url=self.proxy.endpoint_url, tool_version="1.0", inventory_name="inventory.json"
        )
        with Source(str(self.place / "inventory.json")) as source:
            plan = plan_of(spool(source, self.folder.path), target, selection)
        keep_plan(self.folder, plan, retrievals_looked_at=False)
        return plan

    @property
    def access(self) -> Access:
        trusted = None if self.proxy.certificates is None else self.proxy.certificates.ca_file
        return Access(endpoint_url=self.proxy.endpoint_url, credentials=KEYS, ca_bundle=trusted, max_in_flight=8)

    async def process(self, loop: asyncio.AbstractEventLoop) -> list[GlacierPurgeError]:
        """One process's part; what it raised."""
        self.asked_before = self.proxy.asked.copy()
        host = Host(clock=loop.time, random=random.Random(1).random, elsewhere=_in_place)
        with anyio.fail_after(ENDS_WITHIN_SECONDS):
            async with (
                self._clients() as clients,
                clients.service_over(self.transport, VAULT, self.access) as service,  # type: ignore[arg-type]  # one of two
            ):
                control = await clients.control(VAULT, self.access)
                pace = LEISURELY if self.proxy.kind.names is not None else BRISK
                chosen = PurgeSettings(pace=self.pace or pace, telemetry_seconds=600.0)
                watched: Any = Watched(service, self.sent_at, loop.time)
                run = PurgeRun(self.folder, self.plan, watched, chosen, self.disk, host, guarded=control)
                try:
                    with clients.telling_renewals(self.access, VAULT.region, run.credentials_renewed):
                        await run.carry_out(approve_by_digest(self.plan, self.plan.digest, "tester@network"))
                except (GlacierPurgeError, ExceptionGroup) as raised:
                    return _ours(raised)
        return []

    def _clients(self) -> Clients:
        clients: Any = Clients()
        if self.source_of is not None:
            source = self.source_of()
            clients._source = lambda *_: source
        return clients  # type: ignore[no-any-return]  # with another source it is one

    def log(self) -> list[dict[str, Any]]:
        lines = log_bytes(self.disk.contents()).splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def outcomes(self) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == "outcome"]

    def is_finished(self) -> bool:
        return any(line["event"] == "finished" for line in self.log())

    def check(self, *, whose_reply: bool = True) -> None:
        """I1, I2 and I4 against the ledger, the books of the proxy, and the log itself.

        ``whose_reply`` also holds each request id on record against the archive that the service gave it to.
        """
        left, ledger = set(_left(self.service)), self.service.service.ledger
        per_ordinal: Counter[int] = Counter()
        for line in self.outcomes():
            per_ordinal[line["ordinal"]] += 1
            if line["outcome"] != "deleted":
                assert line["outcome"] == "skipped", f"failed by a fault that passes: {line}"
                continue
            archive_id = line["archive_id"]
            assert archive_id not in left, f"I4: on record as deleted, and still there: {line}"
            assert line["http_status"] == 204, f"I4: {line}"
            asked = self.proxy.asked[archive_id] - self.asked_before[archive_id]
            assert asked <= line["attempts"], f"sent behind our back: {line}"
            assert ledger.times_received(archive_id) == 1 or line.get("redelete"), f"I5: twice, and not said so: {line}"
            if whose_reply:
                given_to = self.proxy.accepted.get(line["request_id"])
                assert given_to == archive_id, f"I4: by the reply to another delete ({given_to}): {line}"
        assert max(per_ordinal.values(), default=1) == 1, "I1: two outcomes for one record"
        assert set(self.proxy.asked) <= self.planned, "I2: asked for what is not planned"
        assert all(ledger.times_received(each) == 0 for each in set(self.ids) - self.planned), "I2: reached the service"
        assert verify(dump(self.disk.contents(), self.place / "disk")).faults == ()

    def check_done(self) -> None:
        """I16: everything planned is gone, and on record as that."""
        assert self.is_finished(), "I16: faults have stopped, and the run is not finished"
        deleted = {line["archive_id"] for line in self.outcomes() if line["outcome"] == "deleted"}
        assert deleted == self.planned, f"I1: {len(self.planned - deleted)} archives without their outcome"
        assert set(_left(self.service)) == set(self.ids) - self.planned, "I4: gone is what was planned"


async def _in_place(work: Callable[[], Any]) -> Any:
    return work()


def _left(service: SimulatedGlacier) -> list[str]:
    return [record["ArchiveId"] for record in json.loads(service.inventory_text())["ArchiveList"]]


def _ours(raised: BaseException) -> list[GlacierPurgeError]:
    """The errors of the project, and nothing but those."""
    found = list(each_error(raised))
    for each in found:
        if not isinstance(each, GlacierPurgeError):
            raise raised
    return found  # type: ignore[return-value]  # as was just looked at
