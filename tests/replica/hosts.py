"""Hosts with a run and a bucket between them, in virtual time: one is lost, another restores what it left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.audit.verification import verify
from glacier_purge.aws.bucket import BucketAway
from glacier_purge.aws.pretend_bucket import PretendBucket
from glacier_purge.replica.folder_replica import FolderReplica
from glacier_purge.replica.log_replica import LogKeeping, ReplicaSettings
from glacier_purge.replica.restoring import Restored, Restorer, restore
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.run.bench import START, at_once

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.aws.bucket import Bucket
    from tests.run.bench import Bench

KEY = "runs/photos/"
LOG = KEY + "log/"
SETTINGS = ReplicaSettings.of_lease(12.0)
"""A chunk a second, and six seconds of margin."""


class Weather:
    """What a bucket does: nothing, until a test says otherwise. ``loses`` counts down answers that are lost."""

    def __init__(self) -> None:
        self.away: BucketAway | None = None
        self.loses = 0
        self.calls: list[str] = []

    async def __call__(self, call: str, key: str, *, is_done: bool) -> None:
        if not is_done:
            self.calls.append(f"{call} {key}")
        if self.away is not None:
            raise self.away
        if is_done and call == "create" and self.loses:
            self.loses -= 1
            raise BucketAway("its answer was lost")


def kept(bench: Bench, bucket: Bucket, *, lease_epoch: int = 1, settings: ReplicaSettings = SETTINGS) -> None:
    """Have the bench's next process keep its log in the bucket."""
    files = FolderReplica(
        bucket,
        KEY,
        bench.folder.path,
        tool_version="1.0",
        lease_epoch=lambda: lease_epoch,
        elsewhere=at_once,
    )
    bench.replica = LogKeeping(
        bucket=bucket,
        folder=LOG,
        settings=settings,
        tool_version="1.0",
        files=files,
        lease_epoch=lambda: lease_epoch,
    )


async def killed(bench: Bench, objects: dict[str, bytes], seconds: float, **settings: Any) -> None:
    """Kill the bench's next process after some seconds: neither disk nor bucket sees anything of it afterwards."""
    run = bench.purge_run(**settings)
    on_disk, in_bucket = dict[str, bytes](), dict[str, bytes]()
    with anyio.CancelScope() as life:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.carry_out, approve_by_digest(bench.plan, bench.plan.digest, "tester@bench"))
            await anyio.sleep(seconds)
            on_disk, in_bucket = bench.disk.contents(), dict(objects)
            life.cancel()
    bench.disk = PretendDisk(on_disk)
    objects.clear()
    objects.update(in_bucket)
    bench.check()


async def restored(objects: dict[str, bytes], place: Path, key: str = KEY) -> Restored:
    """What another host makes in ``place`` of what lies in the bucket."""
    restorer = Restorer(by="erin@other", tool_version="1.0", wall_clock=lambda: START.timestamp() + 86_400)
    return await restore(PretendBucket(objects), key, RunFolder.create(place), restorer)


async def moved(bench: Bench, objects: dict[str, bytes], place: Path) -> Restored:
    """Restore to ``place``, which must be sound, and have the bench's next process work there."""
    made = await restored(objects, place)
    assert verify(place).faults == ()
    bench.folder = RunFolder(place)
    bench.disk = PretendDisk(contents(place))
    return made


def contents(place: Path) -> dict[str, bytes]:
    """The log in a folder, and its checkpoints, as a disk has them."""
    found = [*place.glob("audit/*"), *place.glob("checkpoint*")]
    return {str(file.relative_to(place)): file.read_bytes() for file in found}
