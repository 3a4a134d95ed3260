"""The simulator with its time standing still, our clients of it, and a waiter that lets its days pass at once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from glacier_purge.api.clients import Clients
from glacier_purge.archive import Vault
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.aws.chain import Chain
from glacier_purge.aws.credentials import CredentialSource
from glacier_purge.aws.session import AwsSession
from glacier_purge.clock import utc_now
from glacier_purge.glacier.request_ids import SeenRequestIds
from glacier_purge.glacier.sdk.control_client import ControlClient
from glacier_purge.glacier.sdk.patience import ControlRetry
from glacier_purge.glacier.sdk.wire import scrutiny
from glacier_purge.glacier.service_clock import ServiceClock
from glacier_simulator import SimulatedGlacier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glacier_purge.aws.credentials import Caller
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.port import Glacier
    from glacier_purge.glacier.waiting import Waiting

KEYS = StaticCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret")
HOUR = 3600.0


async def no_sleep(_seconds: float) -> None:
    """Wait for nothing between two tries."""


VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")


@asynccontextmanager
async def control(
    endpoint_url: str, vault: Vault = VAULT, slept: list[float] | None = None
) -> AsyncIterator[ControlClient]:
    """The adapter, whose waits between tries only get written down."""

    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)

    access = Access(endpoint_url=endpoint_url, credentials=KEYS, request_timeout_seconds=5.0)
    source = CredentialSource(Chain(access, vault.region).begin)
    session = AwsSession(access, vault.region, scrutiny(None, SeenRequestIds(), ServiceClock(utc_now)), source)
    async with session.client("glacier") as client:
        yield ControlClient(client, vault, session, ControlRetry(attempts_max=4, sleep=sleep))


@asynccontextmanager
async def open_sdk(vault: Vault, access: Access) -> AsyncIterator[Glacier]:
    """Deletes through the SDK."""
    async with Clients() as clients, clients.service_over("sdk", vault, access) as service:
        yield service


@asynccontextmanager
async def open_rest(vault: Vault, access: Access) -> AsyncIterator[Glacier]:
    """Deletes over connections of our own."""
    async with Clients() as clients, clients.service_over("rest", vault, access) as service:
        yield service


async def caller_identity(access: Access, region: str = VAULT.region) -> Caller:
    """Whose credentials these are."""
    async with Clients(sleep=no_sleep) as clients:
        return await clients.caller(access, region)


@asynccontextmanager
async def simulated(archives: int = 100, **more: object) -> AsyncIterator[tuple[SimulatedGlacier, GlacierControl]]:
    """A simulator whose time stands still, and a client of its vault."""
    async with (
        SimulatedGlacier(archives=archives, time_scale=0, **more) as glacier,  # type: ignore[arg-type]  # tests vary one setting
        control(glacier.endpoint_url) as client,
    ):
        yield glacier, client


@dataclass
class Stepping:
    """Waits by stepping the simulator's clock, and keeps what was waited for."""

    glacier: SimulatedGlacier
    waited: list[Waiting] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.glacier.clock.now(), UTC)

    async def wait(self, waiting: Waiting) -> None:
        self.waited.append(waiting)
        assert len(self.waited) < 1000, "waits for ever"
        self.glacier.clock.step(max(0.0, (waiting.until - self.now()).total_seconds()))
