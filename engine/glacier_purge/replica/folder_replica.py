"""Keeps the files of a folder in a bucket: their bytes by their hash, and numbered lists of which file is what.

A list is written once, like a chunk, and names all files as they were together at a moment; so a folder comes back as
it was between two steps, never half.  Bytes that are there already are not written again.  Who finds that somebody
else wrote the next list was superseded.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import anyio.to_thread
import msgspec
import structlog

from glacier_purge.aws.bucket import Bucket, BucketAway, ObjectTaken
from glacier_purge.errors import AuditDamaged, NotOurs, Superseded
from glacier_purge.plan.files import Elsewhere
from glacier_purge.replica.places import FOLDERS, is_given, is_kept, is_of_vault, missing, number_of, numbered
from glacier_purge.replica.sealed import FORMAT, damaged, packed, seal, unpacked, unsealed
from glacier_purge.storage.documents import DocumentUnreadable, decoded
from glacier_purge.storage.folder import IDENTITY_FILE, LIFECYCLE_FILE, PLAN_FILE, TERMS_FILE
from glacier_purge.storage.ownership import open_own

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

FILES, CONTENT = "files/", "content/"
PART_BYTES = 1 << 22
"""A part is in the bucket within the time that one answer may take, also over a slow line."""
LIST_BYTES_MAX = 1 << 26
_BOUND = (TERMS_FILE, PLAN_FILE, IDENTITY_FILE, "fleet.json", "fleet.toml")
"""Files that never change: a replica with others is another run's."""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: its name in the folder, and the hashes of the parts that make it up."""

    name: str
    size_bytes: int
    sha256: str
    parts: list[str]


class FilesHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a list of files says of itself; ``previous`` is the hash of the list before."""

    format: int = FORMAT
    tool_version: str
    list: int
    lease_epoch: int
    writer: str
    previous: str


class FolderReplica:
    """The files of the folder at ``path``, below ``key`` in ``bucket``, as this process keeps them there."""

    def __init__(
        self,
        bucket: Bucket,
        key: str,
        path: Path,
        *,
        tool_version: str,
        lease_epoch: Callable[[], int] = lambda: 0,
        elsewhere: Elsewhere = anyio.to_thread.run_sync,
    ) -> None:
        self.bucket = bucket
        self.key = key
        self.path = path
        self.lease_epoch = lease_epoch
        self.tool_version = tool_version
        self._elsewhere = elsewhere
        self._writer = token_hex(8)
        self._number, self._previous = -1, ""
        self._kept: list[FileEntry] = []
        self._there: set[str] = set()
        self._seen: dict[str, tuple[tuple[int, ...], FileEntry | None]] = {}
        self._under_way: tuple[int, bytes, list[FileEntry], str] | None = None

    @property
    def place(self) -> str:
        """What it is called when people are told of it."""
        return self.bucket.place(self.key.removesuffix("/"))

    async def keep(self) -> None:
        """Have the files in the bucket as they are now.

        Raises ``Superseded`` where somebody else went on with the folder, ``AuditDamaged`` where another's files lie
        there, and ``BucketAway``.
        """
        if self._number < 0:
            await self._go_on_from_what_is_there()
        if self._under_way is not None:
            await self._put(*self._under_way)
        entries = await self._elsewhere(lambda: sorted(self._entries(), key=lambda entry: entry.name))
        while (
            entries := self._with_others_vaults(entries)
        ) != self._kept or self._number == 0:  # until ours is the last
            for entry in entries:
                await self._upload(entry)
            head = FilesHead(
                tool_version=self.tool_version,
                list=self._number + 1,
                lease_epoch=self.lease_epoch(),
                writer=self._writer,
                previous=self._previous,
            )
            sealed = seal(head, msgspec.json.encode(entries))
            self._under_way = (head.list, sealed.content, entries, sealed.sha256)
            await self._put(*self._under_way)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _with_others_vaults(self, mine: list[FileEntry]) -> list[FileEntry]:
        """Our files, and of a fleet what the bucket has of vaults that were begun on another host and not here."""
        names = {entry.name for entry in mine}
        theirs = [entry for entry in self._kept if is_of_vault(entry.name) and entry.name not in names]
        return sorted(mine + theirs, key=lambda entry: entry.name)

    async def _put(self, number: int, content: bytes, entries: list[FileEntry], sha256: str) -> None:
        key = numbered(self.key + FILES, number)
        try:
            await self.bucket.create(key, content)
        except ObjectTaken:
            self._under_way = None
            await self._take_ours(number)
            return
        self._under_way = None
        self._number, self._previous, self._kept = number, sha256, entries

    async def _take_ours(self, number: int) -> None:
        """Take the list that is in the way for one of an earlier process of this folder: killed, with that under way.

        Raises ``Superseded`` where it is another host's: it follows something else, is of a later lease, or has steps
        that are not here.  Ours comes behind it.
        """
        found = await read_list(self.bucket, self.key, number)
        if found.previous != self._previous or found.lease_epoch > self.lease_epoch():
            raise Superseded(
                f"another process went on with what lies in {self.path}: it wrote {found.place} (lease "
                f"{found.lease_epoch}). Nothing more is done from here. Keep this folder; to go on on this host, give "
                "`take` a new folder."
            )
        await self._elsewhere(lambda: self._check_ours(found))
        self._number, self._previous, self._kept = number, found.sha256, found.files
        self._there |= {part for entry in found.files for part in entry.parts}  # before the list that names them

    async def _go_on_from_what_is_there(self) -> None:
        folder = self.key + FILES
        found = [number_of(key, folder) for key in await self.bucket.keys(folder)]
        numbers = sorted(number for number in found if number is not None)
        if numbers:
            last = await last_list(self.bucket, self.key, numbers)
            await self._elsewhere(lambda: self._check_ours(last))
            self._number, self._previous, self._kept = last.number, last.sha256, last.files
        else:
            self._number = 0
        content = self.key + CONTENT
        self._there = {key.removeprefix(content) for key in await self.bucket.keys(content)}
        if not {part for entry in self._kept for part in entry.parts} <= self._there:
            self._kept = []  # the bucket lost some: what is here is written anew

    def _check_ours(self, there: FileList) -> None:
        """Raise unless what the bucket has is an earlier state of this very folder."""
        for entry in there.files:
            name = entry.name.rpartition("/")[2]
            if name not in (*_BOUND, LIFECYCLE_FILE) or is_of_vault(entry.name):
                continue
            mine = self._sha256_of_beginning(entry)
            if mine == entry.sha256:
                continue
            if name == LIFECYCLE_FILE:
                raise Superseded(
                    f"another process went on with this lifecycle: {there.place} has steps that are not in "
                    f"{self.path / entry.name}. Nothing was sent from here. Keep this folder; to go on on this host, "
                    "give `take` a new folder."
                )
            raise AuditDamaged(
                f"its {entry.name} is not the one in {self.path}: it is the replica of another run or lifecycle. "
                "Nothing was sent. Give another prefix.",
                file=there.place,
                offset_bytes=0,
            )

    def _sha256_of_beginning(self, entry: FileEntry) -> str | None:
        """The hash of as much of our file as the bucket has; None where there is no such file."""
        size = None if entry.name.endswith(LIFECYCLE_FILE) else -1
        try:
            with os.fdopen(open_own(self.path / entry.name), "rb") as file:
                return hashlib.sha256(file.read(entry.size_bytes if size is None else size)).hexdigest()
        except FileNotFoundError:
            return None

    def _entries(self) -> Iterator[FileEntry]:
        for name in _names(self.path, ""):
            if not is_kept(name):
                continue
            try:
                facts = (self.path / name).lstat()
            except FileNotFoundError:  # taken away since it was found
                continue
            state = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
            seen = self._seen.get(name)
            if seen is None or seen[0] != state:
                entry = _entry(self.path, name) if not is_given(name) else self._given(name)
                seen = self._seen[name] = (state, entry)
            if seen[1] is not None:
                yield seen[1]

    def _given(self, name: str) -> FileEntry | None:
        """A file that people may have put there; None for one in which others have a hand, or that can't be read.

        Nobody goes by such a file (``approval``), so no other host needs it.  It is looked at anew once it was changed.
        """
        try:
            return _entry(self.path, name)
        except (NotOurs, OSError) as strange:
            because = strange if isinstance(strange, NotOurs) else f"it can't be read: {strange.strerror}"
            _log.warning("replica.left_out", file=str(self.path / name), because=str(because))
            return None

    async def _upload(self, entry: FileEntry) -> None:
        for index, part in enumerate(entry.parts):
            if part in self._there:
                continue
            plain = await self._elsewhere(lambda index=index: self._part(entry.name, index))  # type: ignore[misc]  # bound per loop
            if plain is None or hashlib.sha256(plain).hexdigest() != part:
                raise BucketAway(f"{self.path / entry.name} is being written; its replica is made when it is whole")
            await self._upload_part(self.key + CONTENT + part, plain)
            self._there.add(part)

    def _part(self, name: str, index: int) -> bytes | None:
        """A part of a file; None where somebody has had a hand in it, or taken it away, since it was looked at."""
        try:
            with os.fdopen(open_own(self.path / name), "rb") as opened:
                opened.seek(index * PART_BYTES)
                return opened.read(PART_BYTES)
        except (NotOurs, FileNotFoundError):
            if not is_given(name):
                raise
            return None

    async def _upload_part(self, key: str, plain: bytes) -> None:
        try:
            await self.bucket.create(key, await self._elsewhere(lambda: packed(plain)))
        except ObjectTaken:  # the same bytes, compressed by another version, are as good
            stored = await self.bucket.read(key)
            if stored is None or unpacked(stored.content, self.bucket.place(key), PART_BYTES) != plain:
                raise


class FileList(msgspec.Struct, frozen=True, kw_only=True):
    """A list of files that was read."""

    number: int
    place: str
    files: list[FileEntry]
    lease_epoch: int
    previous: str
    sha256: str


async def last_list(bucket: Bucket, key: str, numbers: list[int]) -> FileList:
    """The newest of the lists with these numbers. Raises as ``read_list`` does, and for one that is missing."""
    if (gap := missing(numbers)) is not None:
        raise damaged(bucket.place(numbered(key + FILES, gap)), "it is missing, and later ones are there")
    return await read_list(bucket, key, max(numbers))


async def read_list(bucket: Bucket, key: str, number: int) -> FileList:
    """One of the lists. Raises ``AuditDamaged`` and ``PlanRefused``, which name it."""
    folder = key + FILES
    place, stored = bucket.place(numbered(folder, number)), await bucket.read(numbered(folder, number))
    if stored is None:
        raise BucketAway(f"{place} is listed and can't be read")
    head, plain, sha256 = unsealed(stored.content, FilesHead, place, plain_bytes_max=LIST_BYTES_MAX)
    try:
        files = decoded(plain, list[FileEntry])
    except DocumentUnreadable as bad:
        raise damaged(place, f"the list in it can't be read ({bad})") from bad
    if head.list != number or not all(map(is_kept, (entry.name for entry in files))):
        raise damaged(place, "it names what no replica holds")
    return FileList(
        number=number,
        place=place,
        files=files,
        lease_epoch=head.lease_epoch,
        previous=head.previous,
        sha256=sha256,
    )


def _names(path: Path, below: str) -> Iterator[str]:
    """The regular files of a folder and of its folders of ours, by their names in it."""
    with os.scandir(path / below) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = below + entry.name
        if entry.is_dir(follow_symlinks=False) and FOLDERS.fullmatch(name):
            yield from _names(path, name + "/")
        elif entry.is_file(follow_symlinks=False):
            yield name


def _entry(path: Path, name: str) -> FileEntry:
    whole, parts, size = hashlib.sha256(), list[str](), 0
    with os.fdopen(open_own(path / name), "rb") as file:
        while part := file.read(PART_BYTES):
            whole.update(part)
            parts.append(hashlib.sha256(part).hexdigest())
            size += len(part)
    return FileEntry(name=name, size_bytes=size, sha256=whole.hexdigest(), parts=parts)
