"""The service of a whole company on loopback, and what its doorkeeper saw of every delete: whose, under what lease.

Each host has keys of its own, so that the service knows who sent what.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import anyio.from_thread
import msgspec

from glacier_purge.archive import Vault
from glacier_simulator.account import Credential
from glacier_simulator.clock import SimulatorClock, wall_seconds
from glacier_simulator.desk import ServiceDesk
from glacier_simulator.estate import Estate
from glacier_simulator.faults import FaultPlan
from glacier_simulator.generated import Generated
from glacier_simulator.latency import Latency
from glacier_simulator.scenario import Limits, Scenario
from glacier_simulator.server import SimulatorServer
from glacier_simulator.vault import PretendGlacier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from glacier_simulator.exchange import Request, Response
    from glacier_simulator.outbox import Outgoing

_T = TypeVar("_T")
REGIONS = (
    *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "sa-east-1", "us-east-1", "us-west-2"),
)
ACCOUNTS = ("111111111111", "222222222222", "333333333333", "444444444444")
DENIED = "legal-hold"
"""A vault that the fleet file denies, in each account."""
_VAULTS_IN_A_PAIR = 7
LEASES = "purges/company/leases"
_SIGNED = re.compile(r"Credential=(?P<key>[^/]+)/[0-9]{8}/(?P<region>[^/]+)/")
_DAY_SECONDS = 86_400.0


class Delete(NamedTuple):
    """A delete that came: when (monotonic seconds), who sent it, and who held the vault's lease then."""

    at: float
    host: str
    pair: str
    vault: str
    archive_id: str
    holder: str


def pairs_of(vaults: int) -> list[tuple[str, str]]:
    """The accounts and regions that so many vaults are spread over."""
    whole = [(account_id, region) for region in REGIONS for account_id in ACCOUNTS]
    return whole[: -(-vaults // _VAULTS_IN_A_PAIR)]


def key_of(host: str, account_id: str) -> str:
    """The access key that a host has in an account."""
    return f"KEY{host.upper()}OF{account_id}"


class Doorkeeper:
    """Stands before the desk. Of each delete it notes whose it is, and whose lease the bucket has at that moment."""

    def __init__(self, desk: ServiceDesk, credentials: Mapping[str, str], leases: Mapping[str, bytes]) -> None:
        self.body_bytes_max = desk.body_bytes_max
        self.deletes: list[Delete] = []
        self._desk = desk
        self._accounts = credentials
        self._leases = leases

    def answer_delete(self, url: bytes, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> Outgoing | None:
        """See ``glacier_simulator.protocol.Desk``."""
        return self._desk.answer_delete(url, headers, keep_alive=keep_alive)

    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        """See ``glacier_simulator.protocol.Desk``."""
        signed = _SIGNED.search(request.headers.get("authorization", ""))
        if signed is None:
            return self._desk.answer(request, keep_alive=keep_alive)
        account_id, region = self._accounts.get(signed["key"], ""), signed["region"]
        pair = f"{account_id}/{region}"
        parts = request.path.split("/")
        if request.method == "DELETE" and parts[-2] == "archives":
            host, vault = signed["key"][3:].partition("OF")[0].lower(), parts[3]
            holder = self._holder(account_id, region, vault)
            self.deletes.append(Delete(time.monotonic(), host, pair, vault, parts[-1], holder))
        return self._desk.answer(request, keep_alive=keep_alive)

    def refuse(self, response: Response) -> bytes:
        """See ``glacier_simulator.protocol.Desk``."""
        return self._desk.refuse(response)

    def _holder(self, account_id: str, region: str, vault: str) -> str:
        """The host that holds the lease; what is there instead, where none does."""
        content = self._leases.get(f"{LEASES}/{account_id}/{region}/{vault}.json")
        if content is None:
            return "nobody"
        lease = msgspec.json.decode(content)
        return "let go" if lease["let_go"] else lease["holder"]["run"].partition("/hosts/")[2].partition("/")[0]


@dataclass
class Company:
    """The service as the rehearsal sees it; everything of it happens in its own thread."""

    endpoint_url: str
    vaults: list[Vault]
    archives: int
    estate: Estate
    door: Doorkeeper
    clock: SimulatorClock
    _portal: anyio.from_thread.BlockingPortal = field(repr=False)

    def do(self, act: Callable[[], _T]) -> _T:
        """Do something in the service's thread."""
        return self._portal.call(act)

    def deletes(self) -> list[Delete]:
        """The deletes that came, in order."""
        return self.do(self.door.deletes.copy)

    def let_pass(self, seconds: float) -> None:
        """Let the service's time go on at once."""
        self.do(lambda: self.clock.step(seconds))


@contextmanager
def company(vaults: int, archives: int, hosts: Sequence[str], leases: Mapping[str, bytes]) -> Iterator[Company]:
    """Serve so many vaults with so many archives each, spread over accounts and regions."""
    with (
        anyio.from_thread.start_blocking_portal(backend_options={"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(_served(portal, vaults, archives, hosts, leases)) as serving,
    ):
        yield serving


@asynccontextmanager
async def _served(
    portal: anyio.from_thread.BlockingPortal,
    vaults: int,
    archives: int,
    hosts: Sequence[str],
    leases: Mapping[str, bytes],
) -> AsyncIterator[Company]:
    clock = SimulatorClock(asyncio.get_running_loop().time, start=wall_seconds(), scale=1.0)
    estate = Estate(1, None)
    placed = _placed(estate, vaults, archives, clock.now())
    accounts = {key_of(host, account_id): account_id for host in hosts for account_id in ACCOUNTS}
    credentials = {
        key: Credential("rehearsal", account_id, f"arn:aws:iam::{account_id}:user/rehearsal")
        for key, account_id in accounts.items()
    }
    glacier = PretendGlacier(region=REGIONS[0], account_id=ACCOUNTS[0], credentials=credentials, estate=estate)
    desk = ServiceDesk(
        glacier,
        clock,
        vault=placed[0].name,
        limits=Limits(rate=0.0),
        latency=Latency(0.02, 1),
        faults=FaultPlan([], seed=1),
        scenario=Scenario(about="a company"),
    )
    server = SimulatorServer(door := Doorkeeper(desk, accounts, leases))
    await server.start()
    try:
        yield Company(server.endpoint_url, placed, archives, estate, door, clock, portal)
    finally:
        await server.close()


def _placed(estate: Estate, vaults: int, archives: int, now: float) -> list[Vault]:
    pairs = pairs_of(vaults)
    wanted = [(*pairs[number % len(pairs)], f"photos-{number:03d}") for number in range(vaults)]
    wanted += [(account_id, REGIONS[0], DENIED) for account_id in sorted({account_id for account_id, _ in pairs})]
    for seed, (account_id, region, name) in enumerate(wanted, 1):
        oldest, youngest = now - 900 * _DAY_SECONDS, now - 100 * _DAY_SECONDS
        content = Generated(seed, archives, oldest, youngest)
        vault = estate.place(estate.account(account_id, region), name, oldest - _DAY_SECONDS, content)
        vault.take_inventory(now - _DAY_SECONDS / 2)
    return [Vault(account_id=account_id, region=region, name=name) for account_id, region, name in wanted]
