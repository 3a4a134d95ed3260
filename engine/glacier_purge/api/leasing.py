"""The one place that puts a vault's lease together: the bucket that keeps it, who holds it, and by which clock."""

from __future__ import annotations

import os
import random
import secrets
import socket
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio

from glacier_purge.api.values import replica_bucket
from glacier_purge.audit.recovery import replay
from glacier_purge.clock import awake_or_asleep_seconds, wall_seconds
from glacier_purge.errors import one_error
from glacier_purge.replica.holder import LeaseHolder, lease_key
from glacier_purge.replica.lease import Holder, LeaseTimes
from glacier_purge.storage.locks import lease_locked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import TaskGroup

    from glacier_purge.api.clients import Clients
    from glacier_purge.archive import Vault
    from glacier_purge.aws.access import Access
    from glacier_purge.aws.bucket import Bucket
    from glacier_purge.run.host import Host
    from glacier_purge.settings import Settings


class VaultLease:
    """A vault's lease, taken when something is first to be changed there, and kept until ``leasing`` is left.

    Without a bucket there is none: this host's locks hold, and other hosts are not kept out.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        locks: ExitStack,
        bucket: Bucket | None,
        vault: Vault,
        settings: Settings,
        run: Path | None,
    ) -> None:
        self._tasks = tasks
        self._locks = locks
        self._bucket = bucket
        self._vault = vault
        self._times = LeaseTimes(settings.replica.lease_seconds)
        self._pretended_at = settings.replica.endpoint_url
        self._run = run
        self._holder: LeaseHolder | None = None

    @property
    def epoch(self) -> int:
        """The lease's number; 0 while there is none."""
        return 0 if self._holder is None else self._holder.epoch

    async def hold(self, log: Path | None = None) -> None:
        """Keep other hosts out from now on; wait until it is known that they are. ``log`` is the run folder's.

        What has no log, as a change of the policy alone, goes by the bucket's number.

        Raises ``RunLocked`` where another host works on the vault (``LeaseLost`` where it took this very lease),
        ``LeaseUnreadable``, and ``BucketAway``.
        """
        if self._bucket is None:
            return
        if self._holder is not None:
            await self._holder.settled()
            return
        with ExitStack() as until_taken:
            place = self._bucket.place(lease_key(self._vault))
            if self._pretended_at is not None:  # there may be several of that name
                place += f" at {self._pretended_at}"
            host_lock = until_taken.enter_context(lease_locked(place, self._vault, self._run))
            holder = LeaseHolder(
                self._bucket,
                self._vault,
                Holder(
                    host=socket.gethostname(),
                    process=os.getpid(),
                    run="" if self._run is None else str(self._run.absolute()),
                    tool_version=version("glacier-purge"),
                    nonce=secrets.token_hex(16),
                    host_lock=host_lock,
                ),
                self._times,
                clock=awake_or_asleep_seconds,
                wall_clock=wall_seconds,
                random=random.random,
                epoch_known=0 if log is None else replay(log).lease_epoch,
            )
            await holder.take()
            self._locks.enter_context(until_taken.pop_all())
        self._holder = holder
        self._tasks.start_soon(holder.keep)

    def on(self, host: Host) -> Host:
        """The host as a run gets it: with the lease, and with its clock, which goes on while the machine sleeps."""
        return host if self._holder is None else replace(host, clock=awake_or_asleep_seconds, lease=self._holder)

    async def let_go(self) -> None:
        """Say that it is held no more, where it was."""
        if self._holder is not None:
            await self._holder.let_go()


@asynccontextmanager
async def leasing(
    vault: Vault, settings: Settings, clients: Clients, reached: Access, run: Path | None
) -> AsyncIterator[VaultLease]:
    """Have a lease at hand for the work in ``run``, if it is one's; what of it is held at the end is let go.

    Sends nothing by itself.

    Raises ``ConfigurationFailed`` for a bucket that is nowhere objects may be sent to.
    """
    wanted = replica_bucket(settings)
    bucket = None if wanted is None else await clients.bucket(wanted, reached, vault.region)
    lease: VaultLease | None = None
    with ExitStack() as locks:
        try:
            with one_error():
                async with anyio.create_task_group() as tasks:
                    lease = VaultLease(tasks, locks, bucket, vault, settings, run)
                    yield lease
                    tasks.cancel_scope.cancel()
        finally:
            if lease is not None:
                await lease.let_go()
