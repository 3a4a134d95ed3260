"""The service in process, on the test's own clock: the simulator's state machine behind the port, with latency."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import anyio

from glacier_purge.archive import Archive, ArchiveId, Vault
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.glacier.reply import Meaning, Reply, interpret
from glacier_simulator.throttle import Limit
from glacier_simulator.vault import PretendGlacier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glacier_purge.audit.record import Outcome
    from glacier_purge.glacier.port import Addressed, Later, Settle

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")


class InProcessGlacier:
    """Implements ``glacier.port.Glacier`` over the simulator; ``weather(n)`` may answer request ``n`` instead of it.

    A weather reply of meaning NO_REPLY is given after the delete took effect.  ``before_send`` is told each id before
    anything happens to it; ``found`` is the vault that DescribeVault finds.
    """

    endpoint_url = "http://127.0.0.1:1"
    vault = VAULT

    def __init__(
        self,
        archives: int,
        *,
        rate_per_second: float | None = None,
        latency_seconds: float = 0.04,
        weather: Callable[[int], Reply | None] = lambda _: None,
        seed: int = 7,
    ) -> None:
        limit = None if rate_per_second is None else Limit(rate_per_second, rate_per_second)
        self.pretended = PretendGlacier(limit=limit)
        self.stored = self.pretended.generate_vault("photos", archives, 1_000_000_000.0)
        self.latency_seconds = latency_seconds
        self.weather = weather
        self.before_send: Callable[[ArchiveId], None] = lambda _: None
        self.found = VAULT
        self.settle: Settle = lambda _: None
        self._random = random.Random(seed)
        self.requests = 0
        self.in_flight = 0
        self.in_flight_max = 0
        self.renewals = 0
        self.renewal_seconds = 0.0
        self.described = 0
        self.sent: Counter[str] = Counter()
        self.sent_at: list[float] = []
        self.last_sent: ArchiveId | None = None

    def deliver_to(self, settle: Settle) -> None:
        self.settle = settle

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        return [partial(self._delete, archive) for archive in archives]

    async def _delete(self, archive: Addressed) -> None:
        reply = await self._reply_to(archive.archive_id)
        self.settle([(archive, reply)])

    async def _reply_to(self, archive_id: ArchiveId) -> Reply:
        self.before_send(archive_id)
        self.requests += 1
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        self.sent[archive_id] += 1
        self.last_sent = archive_id
        self.sent_at.append(asyncio.get_running_loop().time())
        weather = self.weather(self.requests)
        try:
            if weather is not None and weather.meaning is not Meaning.NO_REPLY:
                await anyio.sleep(self.latency_seconds / 2)
                return weather
            refusal = self.pretended.delete_archive("photos", archive_id, 1_000_000_000.0 + self.sent_at[-1])
            await anyio.sleep(self.latency_seconds * self._random.uniform(0.5, 2.0))
        finally:
            self.in_flight -= 1
        if weather is not None:
            return weather
        if refusal is None:
            return Reply(Meaning.DELETED, 204, request_id="r")
        assert refusal.status == 400
        return Reply(interpret(400, "ThrottlingException", "Rate exceeded", from_aws=True), 400, "ThrottlingException")

    async def describe_vault(self) -> VaultDescription:
        self.described += 1
        return VaultDescription(arn=self.found.arn, last_inventory=None, archives=None, size_bytes=None)

    async def renew_credentials(self) -> None:
        await anyio.sleep(self.renewal_seconds)
        self.renewals += 1

    def archives(self) -> list[Archive]:
        """Every archive of the vault, as an inventory would list it."""
        ids = self.stored.shelf
        return [
            Archive(ArchiveId(ids.archive_id(index)), "", "2020-01-01T00:00:00Z", 1, "0" * 64, index)
            for index in range(len(ids))
        ]


class Kept:
    """A recorder that keeps outcomes."""

    pending = 0

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def record(self, outcomes: Sequence[Outcome], /) -> None:
        self.outcomes.extend(outcomes)

    async def room(self) -> None:
        raise AssertionError("there is always room")
