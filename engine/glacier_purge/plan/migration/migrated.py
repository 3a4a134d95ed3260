"""Only what is proven migrated goes: a claim counts when size and tree hash are the inventory's and the copy is there.

An archive may have several claims (a transfer that was run twice); one that holds is enough, and of those that do not,
the one that came furthest is the reason written down.  Archives without proof stay, each with its reason, and are
listed in ``unproven.csv``.  What was uploaded after the migration is in no manifest, so it stays.

Nothing here asks S3: whether copies are there was looked at before (``copies``), or stands in a listing, or was not
looked at, which the plan then says.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Protocol

import msgspec

from glacier_purge.archive import Archive
from glacier_purge.plan.migration.manifest import Claim
from glacier_purge.plan.migration.manifest_files import ListedObject, key_name
from glacier_purge.plan.reasons import (
    COPY_DIFFERS,
    COPY_MISSING,
    COPY_NOT_SEEN,
    DELETE,
    NOT_COPIED,
    NOT_IN_MANIFEST,
    REASONS,
    SIZE_DIFFERS,
    TREE_HASH_DIFFERS,
)
from glacier_purge.plan.rows import Rows
from glacier_purge.plan.selection import Filter
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import begun_file
from glacier_purge.text import inert

UNPROVEN_FILE = "unproven.csv"
COPIES_NOT_LOOKED_AT = "copies_not_looked_at"

_COLUMNS = ("ordinal", "archive_id", "size", "created", "reason", "manifest_size", "manifest_tree_hash", "copy")
_decode_claim = msgspec.msgpack.Decoder(Claim).decode
_decode_listed = msgspec.msgpack.Decoder(ListedObject).decode


class Copies(Protocol):
    """What is known of the copies in S3."""

    def judge(self, position: int, claim: Claim) -> int:
        """Give ``DELETE`` when the copy of the claim at ``position`` is there, else one of the ``COPY_`` decisions."""


class UnseenCopies:
    """Nobody looked: the manifest's word is taken for it."""

    def judge(self, position: int, claim: Claim) -> int:
        """Let all go."""
        del position, claim
        return DELETE


class ListedCopies:
    """Copies as a listing of S3 has them: there when it was made, with that size."""

    def __init__(self, objects: Rows) -> None:
        self._objects = objects

    def judge(self, position: int, claim: Claim) -> int:
        """Look the claim's key up."""
        del position
        if claim.key is None:
            return COPY_NOT_SEEN
        objects = (_decode_listed(self._objects.row(at)) for at in self._objects.positions(key_name(claim.key)))
        listed = [one for one in objects if claim.bucket is None or one.bucket in {None, claim.bucket}]
        if not listed:
            return COPY_MISSING
        return DELETE if any(one.size_bytes == claim.size_bytes for one in listed) else COPY_DIFFERS


class Migration:
    """The claims of all manifests given, and what is known of the copies."""

    def __init__(self, claims: Rows) -> None:
        self._claims = claims

    def claims(self, archive: Archive) -> list[tuple[int, Claim]]:
        """What is claimed of an archive, each with its position."""
        found = self._claims.positions(archive.archive_id)
        return [(position, _decode_claim(self._claims.row(position))) for position in found]

    def judge(self, archive: Archive, copies: Copies) -> tuple[int, Claim | None]:
        """Decide about one archive, with the claim that decided."""
        best: tuple[int, Claim | None] = (NOT_IN_MANIFEST, None)
        for position, claim in self.claims(archive):
            decision = self.worth(archive, claim) or copies.judge(position, claim)
            if decision == DELETE:
                return DELETE, claim
            if best[1] is None or decision > best[0]:
                best = (decision, claim)
        return best

    @staticmethod
    def worth(archive: Archive, claim: Claim) -> int:
        """Hold a claim against the inventory: ``DELETE``, or why it does not hold."""
        if not claim.copied:
            return NOT_COPIED
        if claim.size_bytes != archive.size_bytes:
            return SIZE_DIFFERS
        if claim.tree_hash is None or claim.tree_hash.lower() != archive.tree_hash.lower():
            return TREE_HASH_DIFFERS
        return DELETE


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What is claimed to be migrated, and what is known of the copies."""

    migration: Migration
    copies: Copies


class Unproven:
    """Lets go what is proven and lists the rest in ``unproven.csv``. Use as ``with Unproven(...) as unproven``."""

    def __init__(self, proofs: Proofs, folder: Path) -> None:
        self._migration = proofs.migration
        self._copies = proofs.copies
        self._files = FolderFiles(folder)
        self._file: IO[str] | None = None

    def __enter__(self) -> Unproven:
        begun = begun_file(self._files, UNPROVEN_FILE)
        self._file = TextIOWrapper(begun, encoding="utf-8", errors="backslashreplace", newline="")
        self._write = csv.writer(self._file, lineterminator="\n").writerow
        self._write(_COLUMNS)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()
        self._files.sync(UNPROVEN_FILE)

    def filter(self) -> Filter:
        """The filter; it writes, so it is good for one pass."""
        about_copies = () if isinstance(self._copies, UnseenCopies) else (COPY_MISSING, COPY_DIFFERS, COPY_NOT_SEEN)
        return Filter(
            self._judge,
            dict.fromkeys((NOT_IN_MANIFEST, NOT_COPIED, SIZE_DIFFERS, TREE_HASH_DIFFERS, *about_copies)),
        )

    def _judge(self, archive: Archive) -> int:
        decision, claim = self._migration.judge(archive, self._copies)
        if decision != DELETE:
            said = ("", "", "")
            if claim is not None:
                said = ("" if claim.size_bytes is None else str(claim.size_bytes), claim.tree_hash or "", claim.copy)
            size, tree_hash, copy = said
            about = (archive.ordinal, inert(archive.archive_id), archive.size_bytes, inert(archive.created))
            self._write((*about, REASONS[decision], size, inert(tree_hash), inert(copy)))
        return decision
