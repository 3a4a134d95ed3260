"""Which of several hosts may send to a vault: what one of them does next, from what it read and when it asked. Pure.

A lease is an object in a bucket, one for each account, region and vault, replaced only as it was last seen.  No two
clocks are compared.  Who holds it counts its term from before it asked, by its own monotonic clock, and sends nothing
in the last quarter.  Who wants it waits a whole term, by a clock of its own, counted from when it had the answer that
showed the object as it is; if it is the same object still, its holder's term is over, and one of those who wait
replaces it.  Each renewal is another object, so that it can be told from the one before.

Nobody waits for a holder that is known to be dead: one that had a lock of this very host, which this process has now.
Whatever it wrote last, and whatever of that comes late, is replaced at once, by a higher number.

A write whose answer was lost may have been done.  So what was refused is looked into: an object with this holder's
nonce is this holder's, and is renewed once more before anything counts from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import msgspec

from glacier_purge.archive import Vault
from glacier_purge.aws.bucket import Stored
from glacier_purge.errors import HostFailed, RunLocked
from glacier_purge.storage.documents import DocumentUnreadable, decoded, encoded

FORMAT: Final = "glacier-purge-lease-1"
TERM_SECONDS_MAX = 3_600.0
"""A term that is longer is none of ours, and nobody waits for it."""


class LeaseUnreadable(HostFailed):
    """What lies in a lease's place is none that this version knows. Nothing is sent while nobody knows who may."""


class LeaseLost(RunLocked):
    """The lease that was held is another's now: what this process knows of the vault may be old."""


class Holder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who holds a lease, for people; ``nonce`` and ``host_lock`` alone are compared.

    ``host_lock`` stands for a lock of its host's that one process there can have, and has as long as it may hold the
    lease; empty where there is none.
    """

    host: str
    process: int
    run: str
    tool_version: str
    nonce: str
    host_lock: str

    def __str__(self) -> str:
        place = f", in {self.run}" if self.run else ""
        return f"process {self.process} on {self.host}{place} (glacier-purge {self.tool_version})"


class LeaseDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the object says. ``chain_head`` is ``SEQ:HASH`` of the holder's log, as far as it had one."""

    format: Literal["glacier-purge-lease-1"]
    vault_arn: str
    lease_epoch: int
    holder: Holder
    renewal: int
    term_seconds: float
    let_go: bool
    chain_head: str | None


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """All times of a lease, which are parts of its term."""

    term_seconds: float

    @property
    def margin_seconds(self) -> float:
        """So long before the end nothing is sent any more."""
        return self.term_seconds / 4

    @property
    def renew_seconds(self) -> float:
        """So long after it was asked for it is renewed, and an object is looked at that somebody else holds."""
        return self.term_seconds / 6

    @property
    def question_seconds(self) -> float:
        """A question to the bucket that takes longer is asked anew."""
        return self.term_seconds / 6

    @property
    def look_seconds(self) -> float:
        """How often the clocks are looked at, and about how long it is waited before a bucket is asked again."""
        return self.term_seconds / 60


class Read(NamedTuple):
    """Read the object."""


class Write(NamedTuple):
    """Replace the object as it was last seen; ``etag`` None: where there is none."""

    content: bytes
    etag: str | None


class Wait(NamedTuple):
    """Do nothing for so long."""

    seconds: float


Step = Read | Write | Wait


@dataclass(slots=True)
class _Watched:
    """An object that somebody else wrote, or that there is none."""

    etag: str | None
    document: LeaseDocument | None
    since: float
    """When it was first known to be as it is."""
    read_at: float


class Lease:
    """One holder's part. ``step`` says what to do, the methods that follow take what came of it.

    ``place`` is what the object is called before people.  ``epoch_known`` is the highest that this run's log tells of,
    of which none is taken again.
    """

    def __init__(self, vault: Vault, holder: Holder, times: LeaseTimes, place: str, *, epoch_known: int = 0) -> None:
        self._vault = vault
        self._holder = holder
        self._times = times
        self._place = place
        self._epoch_known = epoch_known
        self._watched: _Watched | None = None
        self._lost_race = False
        self._again_at = -math.inf
        self._etag: str | None = None
        self._renewal = 0
        self._counts_from = -math.inf
        self._is_doubted = False
        self.chain_head: str | None = None
        """Head of the log, written down with each renewal."""
        self.epoch = 0
        """The lease's, once it is held; 0 before."""
        self.lost: RunLocked | LeaseUnreadable | None = None
        """Why it is not to be had any more; None while it is, or may be."""

    @property
    def sends_until(self) -> float:
        """By the clock that it is asked with, when sending has to have stopped; in the past where nothing is held."""
        return self._counts_from + self._times.term_seconds - self._times.margin_seconds

    def step(self, now: float, random: float) -> Step:
        """What to do next. ``random`` (0 to 1) keeps several who wait from asking in step."""
        if now < self._again_at:
            return Wait(self._again_at - now)
        if self.epoch and not self._is_doubted:
            due = self._counts_from + self._times.renew_seconds
            return Wait(due - now) if now < due else self._write(let_go=False)
        watched = self._watched
        if self._is_doubted or watched is None:
            return Read()
        free_at = self._free_at(watched)
        if now >= free_at:
            self._renewal = 0
            return self._write(let_go=False)
        look_at = watched.read_at + self._times.renew_seconds * (0.75 + random / 2)
        return Read() if now >= look_at else Wait(min(look_at, free_at) - now)

    def was_read(self, answered: float, stored: Stored | None) -> None:
        """Take what was found, which was known at ``answered``."""
        try:
            document = None if stored is None else self._document(stored.content)
        except LeaseUnreadable as fault:
            self.lost = fault
            return
        etag = None if stored is None else stored.etag
        if document is not None and document.holder.nonce == self._holder.nonce:
            self._take_as_ours(document, etag)
        elif self.epoch:
            self._lose_to(document)
        else:
            self._watch(document, etag, answered)

    def was_written(self, asked: float, etag: str) -> None:
        """It is ours, counted from ``asked``, which was before it was asked for."""
        self.epoch = self.epoch or self._epoch_next
        self._etag, self._counts_from = etag, asked
        self._watched, self._is_doubted, self._lost_race = None, False, False

    def was_taken(self) -> None:
        """Somebody else wrote it meanwhile, or we ourselves did and never heard."""
        self._watched, self._is_doubted, self._lost_race = None, True, True

    def was_away(self, now: float, random: float) -> None:
        """The bucket gave no answer; what was asked may have been done."""
        self._again_at = now + self._times.look_seconds * (0.5 + random)

    def skipped(self, seconds: float) -> None:
        """More time has passed than the clock tells that it is asked with: the host slept, for all one knows.

        What is held ends so much earlier.  Who waits for another's end still counts by that clock alone.
        """
        self._counts_from -= seconds

    def let_go(self) -> Write | None:
        """Hold nothing from now on. What is left to be written so that nobody has to wait; None where nothing is."""
        is_held = self.epoch > 0 and self.lost is None
        written = self._write(let_go=True) if is_held else None
        self._counts_from = -math.inf
        return written

    # -- inside -------------------------------------------------------------------------------------------------------

    @property
    def _epoch_next(self) -> int:
        known = self._watched.document.lease_epoch if self._watched is not None and self._watched.document else 0
        return max(known, self._epoch_known) + 1

    def _free_at(self, watched: _Watched) -> float:
        """When whoever wrote it holds nothing any more."""
        document = watched.document
        is_free = document is None or document.let_go or self._is_dead(document)
        return watched.since if document is None or is_free else watched.since + document.term_seconds

    def _is_dead(self, document: LeaseDocument) -> bool:
        """Whether the process that wrote it is known to be gone: it had the lock that this one has."""
        return bool(self._holder.host_lock) and document.holder.host_lock == self._holder.host_lock

    def _write(self, *, let_go: bool) -> Write:
        self._renewal += 1
        document = LeaseDocument(
            format=FORMAT,
            vault_arn=self._vault.arn,
            lease_epoch=self.epoch or self._epoch_next,
            holder=self._holder,
            renewal=self._renewal,
            term_seconds=self._times.term_seconds,
            let_go=let_go,
            chain_head=self.chain_head,
        )
        etag = self._etag if self.epoch else self._watched.etag if self._watched is not None else None
        return Write(encoded(document), etag)

    def _take_as_ours(self, document: LeaseDocument, etag: str | None) -> None:
        """It was written by us, at a time that nobody knows: held, but to be renewed before anything counts from it."""
        self.epoch, self._etag = document.lease_epoch, etag
        self._renewal = max(self._renewal, document.renewal)
        self._watched, self._is_doubted, self._lost_race = None, False, False

    def _lose_to(self, document: LeaseDocument | None) -> None:
        what = (
            "its lease was removed from the bucket"
            if document is None
            else f"its lease was taken by {document.holder}, as number {document.lease_epoch}"
        )
        self.lost = LeaseLost(
            f"{self._vault.arn} is not this process's any more: {what} ({self._place}). Nothing more is sent from "
            "here. What was sent is on record, and the same command goes on when nobody else works on the vault."
        )

    def _watch(self, document: LeaseDocument | None, etag: str | None, answered: float) -> None:
        seen = self._watched
        is_same = seen is not None and seen.etag == etag
        was_seen = seen is not None or self._lost_race
        self._watched = _Watched(etag, document, seen.since if is_same and seen else answered, answered)
        self._is_doubted = self._lost_race = False
        is_alive = document is not None and not document.let_go and not self._is_dead(document)
        if document is not None and is_alive and was_seen and not is_same:
            self.lost = RunLocked(
                f"another host works on {self._vault.arn}: {document.holder}, by lease number {document.lease_epoch} "
                f"({self._place}). Nothing was sent. Try again when it has ended."
            )

    def _document(self, content: bytes) -> LeaseDocument:
        """Read an object. Raises ``LeaseUnreadable``."""
        try:
            document = decoded(content, LeaseDocument)
        except DocumentUnreadable as fault:
            raise self._unreadable(str(fault)) from fault
        if document.vault_arn != self._vault.arn:
            raise self._unreadable(f"it is the lease of {document.vault_arn}")
        if not (0 < document.term_seconds <= TERM_SECONDS_MAX and document.lease_epoch > 0):
            raise self._unreadable(f"a term of {document.term_seconds} s, number {document.lease_epoch}")
        return document

    def _unreadable(self, why: str) -> LeaseUnreadable:
        return LeaseUnreadable(
            f"{self._place} is no lease of {self._vault.arn} that this version can read: {why}. Nothing is sent while "
            "nobody knows who may. If another version of glacier-purge works on the vault, let it end, or go on with "
            "that one. Otherwise find out who wrote it, and remove it when no host works on the vault."
        )
