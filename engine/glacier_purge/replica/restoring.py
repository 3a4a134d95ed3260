"""Makes a folder again from what a bucket keeps of it, so that another host goes on as if it had been there.

All that is written comes by its hash, is of one run by its plan's digest, and is read through once more as any log is;
what does not hold together is refused by name, and the folder is taken away again.  What the lost host may have sent
behind the last line that reached the bucket is known from the last chunk and noted in the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from glacier_purge.audit.journal import Journal
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.recovery import LogIdentity
from glacier_purge.audit.segments import FOLDER, segment_name
from glacier_purge.aws.bucket import Bucket, BucketAway
from glacier_purge.errors import UsageError, one_error
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.identity import read_identity
from glacier_purge.replica.chunk import Chunk, End, beginning, read_chunk, why_not_next
from glacier_purge.replica.folder_replica import CONTENT, FILES, PART_BYTES, FileEntry, last_list
from glacier_purge.replica.places import missing, number_of, numbered, round_of
from glacier_purge.replica.sealed import damaged, unpacked
from glacier_purge.storage.disk import FileDisk, FolderFiles, writing
from glacier_purge.storage.folder import PLAN_FILE, RunFolder

_READ_TOGETHER = 8
"""Chunks under way: a run of a week has a hundred thousand, and each takes a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredLog:
    """What came back of one run's log. ``in_doubt`` is how many records without an outcome may have been sent."""

    run: str
    place: str
    chunks: int
    records: int
    last_ts: str
    in_doubt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came back of one folder; ``path`` is where it lies now."""

    path: Path
    files: int
    logs: tuple[RestoredLog, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorer:
    """Who restores, when and with what version: for the log."""

    by: str
    tool_version: str
    wall_clock: Callable[[], float]


async def restore(bucket: Bucket, key: str, folder: RunFolder, restorer: Restorer) -> Restored:
    """Make in ``folder``, which is new, what lies below ``key``, which ends with a slash.

    Raises ``UsageError`` where no replica lies there, ``AuditDamaged`` and ``PlanRefused``, which name the object, for
    one that does not hold together or that this version can't read, ``BucketAway`` and ``DiskFailed``.
    """
    with one_error():
        return await _restored(bucket, key, folder, restorer)


async def _restored(bucket: Bucket, key: str, folder: RunFolder, restorer: Restorer) -> Restored:
    keys = await bucket.keys(key)
    lists = [number_of(one, key + FILES) for one in keys if one.startswith(key + FILES)]
    numbers = sorted(number for number in lists if number is not None)
    if not numbers:
        raise UsageError(
            f"{bucket.place(key.removesuffix('/'))} holds no replica: there is no list of files in it. Nothing was "
            "made."
        )
    there = await last_list(bucket, key, numbers)
    files = FolderFiles(folder.path)
    for entry in there.files:
        await _restore_file(bucket, key, files, entry)
    logs: list[RestoredLog] = []
    for below in sorted({found for one in keys if (found := round_of(one.removeprefix(key))) is not None}):
        place = RunFolder(folder.path / below) if below else folder
        logs.append(await _restore_log(bucket, f"{key}{below}log/", keys, place, restorer))
    return Restored(path=folder.path, files=len(there.files), logs=tuple(logs))


async def replicas_below(bucket: Bucket, prefix: str) -> list[str]:
    """The keys of the folders that have a replica at or below a prefix, each with a slash behind it."""
    keys = await bucket.keys(prefix)
    return sorted({one.rpartition(FILES)[0] for one in keys if number_of(one, one.rpartition(FILES)[0] + FILES)})


async def _restore_file(bucket: Bucket, key: str, files: FolderFiles, entry: FileEntry) -> None:
    whole, size = hashlib.sha256(), 0
    folders = entry.name.split("/")[:-1]

    def begin() -> None:
        with writing(files, entry.name):
            for depth in range(len(folders)):
                files.make_folder("/".join(folders[: depth + 1]))
            files.create(entry.name)

    await anyio.to_thread.run_sync(begin)
    for part in entry.parts:
        part_key = key + CONTENT + part
        stored = await bucket.read(part_key)
        if stored is None:
            raise damaged(bucket.place(part_key), f"it is missing, and {entry.name} is made of it")
        plain = await anyio.to_thread.run_sync(unpacked, stored.content, bucket.place(part_key), PART_BYTES)
        if hashlib.sha256(plain).hexdigest() != part:
            raise damaged(bucket.place(part_key), "it does not hold what it is named for")
        whole.update(plain)
        size += len(plain)
        await anyio.to_thread.run_sync(_append, files, entry.name, plain)
    if (size, whole.hexdigest()) != (entry.size_bytes, entry.sha256):
        raise damaged(bucket.place(key + FILES), f"what it lists of {entry.name} does not make up that file")
    await anyio.to_thread.run_sync(_make_durable, files, entry.name)


def _append(files: FolderFiles, name: str, plain: bytes) -> None:
    with writing(files, name):
        files.append(name, plain)


def _make_durable(files: FolderFiles, name: str) -> None:
    with writing(files, name):
        files.sync(name)
        folder = name
        while folder != ".":
            folder = folder.rpartition("/")[0] or "."
            files.sync_folder(folder)


async def _restore_log(
    bucket: Bucket, log_key: str, keys: Sequence[str], place: RunFolder, restorer: Restorer
) -> RestoredLog:
    if not place.plan_file.exists():
        raise damaged(bucket.place(log_key), f"there is a log, and the list of files has no {PLAN_FILE} beside it")
    plan = read_plan(place.plan_file)
    identity = LogIdentity(read_identity(place, plan).run, plan.digest, plan.counts.inventory)
    numbers = sorted(n for one in keys if (n := number_of(one, log_key)) is not None)
    if (gap := missing(numbers)) is not None:
        raise damaged(bucket.place(numbered(log_key, gap)), "it is missing, and later ones are there")
    disk = FileDisk(place.path)
    try:
        last = await _write_log(bucket, log_key, len(numbers), identity, disk)
    finally:
        await disk.aclose()
    return await _note_restored(place, identity, last, bucket.place(log_key), restorer)


async def _write_log(bucket: Bucket, log_key: str, chunks: int, identity: LogIdentity, disk: FileDisk) -> Chunk:
    """Write the chunks' bytes as the segments they are of; return the last chunk."""
    end, previous, last = beginning(identity), "", None
    await disk.in_writer(lambda: _begin_log(disk))
    async for number, content in _in_order(bucket, log_key, chunks):
        where = bucket.place(numbered(log_key, number))
        chunk = await disk.aside(lambda content=content, where=where: read_chunk(content, where))  # type: ignore[misc]  # bound per loop
        if (why := why_not_next(chunk, number, identity, end, previous)) is not None:
            raise damaged(where, why)
        await disk.in_writer(lambda chunk=chunk: _append_log(disk, chunk))  # type: ignore[misc]  # bound per loop
        end, previous, last = chunk.end, chunk.sha256, chunk
    assert last is not None, "there is a log where there is a chunk"
    await disk.in_writer(lambda: _end_log(disk, end))
    return last


async def _in_order(bucket: Bucket, log_key: str, chunks: int) -> AsyncIterator[tuple[int, bytes]]:
    """The chunks in order, some of them asked for together."""
    for first in range(1, chunks + 1, _READ_TOGETHER):
        found: dict[int, bytes] = {}

        async def read(number: int, found: dict[int, bytes] = found) -> None:
            stored = await bucket.read(numbered(log_key, number))
            if stored is None:
                raise BucketAway(f"{bucket.place(numbered(log_key, number))} is listed and can't be read")
            found[number] = stored.content

        async with anyio.create_task_group() as tasks:
            for number in range(first, min(first + _READ_TOGETHER, chunks + 1)):
                tasks.start_soon(read, number)
        for number in sorted(found):
            yield number, found[number]


def _begin_log(disk: FileDisk) -> None:
    with writing(disk, FOLDER):
        disk.make_folder(FOLDER)
        disk.sync_folder(".")


def _append_log(disk: FileDisk, chunk: Chunk) -> None:
    if not chunk.log:
        return
    name = segment_name(chunk.head.segment)
    with writing(disk, name):
        if disk.size(name) is None:
            disk.create(name)
        disk.append(name, chunk.log)


def _end_log(disk: FileDisk, end: End) -> None:
    for number in range(1, end.segment + 1):
        with writing(disk, segment_name(number)):
            disk.sync(segment_name(number))
    with writing(disk, FOLDER):
        disk.sync_folder(FOLDER)


async def _note_restored(
    place: RunFolder, identity: LogIdentity, last: Chunk, origin: str, restorer: Restorer
) -> RestoredLog:
    """Read the log through, as every start does, and note in it where it comes from and what may have been sent."""
    head = last.head
    journal = await Journal.open(
        FileDisk(place.path),
        run=identity.run,
        plan_digest=identity.plan_digest,
        records=identity.records,
        wall_clock=restorer.wall_clock,
    )
    try:
        if journal.position.seq != head.next_seq:
            raise damaged(origin, f"of its {head.next_seq:,} lines {journal.position.seq:,} can be read")
        last_ts = journal.position.ts
        if journal.ledger.finished is None:
            journal.note(
                "restored",
                origin=origin,
                chunks=head.chunk,
                lines=head.next_seq,
                may_reach=head.may_reach,
                of_epoch=head.epoch,
                of_lease=head.lease_epoch,
                by=restorer.by,
                tool_version=restorer.tool_version,
            )
        in_doubt = _without_outcome(journal.ledger, head.may_reach)
    finally:
        await journal.aclose()
    return RestoredLog(
        run=identity.run,
        place=origin,
        chunks=head.chunk,
        records=head.next_seq,
        last_ts=last_ts,
        in_doubt=in_doubt,
    )


def _without_outcome(ledger: Ledger, through: int) -> int:
    """How many ordinals up to one have no outcome."""
    done = int.from_bytes(ledger.bitmap(), "little") & ((1 << through + 1) - 1)
    return through + 1 - done.bit_count()
