"""One vault and the passing of its time: when inventories appear, jobs end, outputs and locks expire; and a job as the
service describes it, in DescribeJob and ListJobs, and word for word in the message that it is done.

Inventories follow changes.  The first appears half a day after the first upload; then one a day at the same
hour, but only on days since whose predecessor something was added or deleted, so LastInventoryDate stands still
in a vault at rest.  Everything due is worked out in order of time by ``advance`` before anybody looks, which
gives the same state as if a clock had ticked.

Sources: Developer Guide, "Vault inventory" (about daily; the first half a day to a day after the first upload),
"DescribeJob", "Configuring vault notifications".
"""

from __future__ import annotations

import math

import msgspec

from glacier_simulator import dates, policy
from glacier_simulator.archives import Record, Shelf
from glacier_simulator.identifiers import Identifiers
from glacier_simulator.inventory import InventoryFormat, InventoryText, Snapshot
from glacier_simulator.jobs import HOUR, ArchiveRequest, InventoryRequest, Job
from glacier_simulator.selection import select
from glacier_simulator.treehash import range_hash

FIRST_INVENTORY_SECONDS = 12 * HOUR
INVENTORY_EVERY_SECONDS = 24 * HOUR
LOCK_IN_PROGRESS_SECONDS = 24 * HOUR
"""An unfinished vault lock is removed after 24 hours; until then it is enforced in full ("InitiateVaultLock")."""
UPLOAD_LASTS_SECONDS = 24 * HOUR
"""An idle multipart upload is kept for at least 24 hours ("Uploading large archives in parts"); here exactly."""

_NEVER = math.inf


class Lock(msgspec.Struct):
    """A lock policy. ``expires`` is None once it is locked for ever."""

    lock_id: str
    policy: str
    created: float
    expires: float | None


class Part(msgspec.Struct):
    """Bytes of a multipart upload."""

    start: int
    body: bytes
    tree_hash: str


class Upload(msgspec.Struct):
    """A multipart upload under way. ``active`` is when something last came."""

    upload_id: str
    description: str
    part_size_bytes: int
    created: float
    active: float
    parts: dict[int, Part] = {}
    aborted: bool = False


class Facts(msgspec.Struct):
    """All of a vault that is kept over a restart, except its shelf and its snapshots."""

    name: str
    arn: str
    created: float
    inventory_due: float | None = None
    last_snapshot: int | None = None
    jobs: dict[str, Job] = {}
    uploads: dict[str, Upload] = {}
    lock: Lock | None = None
    access_policy: str | None = None
    sns_topic: str | None = None
    sns_events: list[str] = []
    tags: dict[str, str] = {}


class StoredVault:
    """A vault: its facts, its shelf of archives, its snapshots. ``advance`` to now before looking at anything."""

    __slots__ = ("_identifiers", "_texts", "facts", "next_event", "rules", "shelf", "snapshots")

    def __init__(
        self,
        facts: Facts,
        shelf: Shelf,
        identifiers: Identifiers,
        snapshots: dict[int, Snapshot] | None = None,
    ) -> None:
        self.facts = facts
        self.shelf = shelf
        self.snapshots = snapshots or {}
        self._identifiers = identifiers
        self._texts: dict[str, InventoryText] = {}
        self.rules: list[policy.Statement] = []
        self.next_event = _NEVER
        self.settle()

    @property
    def last_inventory(self) -> Snapshot | None:
        """The newest snapshot, as Describe operations report it."""
        number = self.facts.last_snapshot
        return None if number is None else self.snapshots[number]

    @property
    def deletable(self) -> bool:
        """Tell whether the last inventory says zero and nothing was written since (or ever)."""
        last = self.last_inventory
        if last is None:
            return len(self.shelf) == 0
        return last.live == 0 and self.facts.inventory_due is None

    def settle(self) -> None:
        """Work out again what is due next and which rules hold, after ``facts`` were changed."""
        facts = self.facts
        texts = [text for text in (facts.lock and facts.lock.policy, facts.access_policy) if text]
        self.rules = [statement for text in texts for statement in policy.parse(text)]
        self.next_event = min(
            [
                _NEVER if facts.inventory_due is None else facts.inventory_due,
                _NEVER if facts.lock is None or facts.lock.expires is None else facts.lock.expires,
                *(job.expires if job.completed else job.completes for job in facts.jobs.values()),
                *(upload.active + UPLOAD_LASTS_SECONDS for upload in facts.uploads.values()),
            ]
        )

    def changed(self, now: float) -> None:
        """Note that an archive was added or deleted: an inventory will follow."""
        facts = self.facts
        if facts.inventory_due is not None:
            return
        last = self.last_inventory
        if last is None:
            facts.inventory_due = now + FIRST_INVENTORY_SECONDS
        else:
            days = max(0.0, now - last.date) // INVENTORY_EVERY_SECONDS + 1
            facts.inventory_due = last.date + days * INVENTORY_EVERY_SECONDS
        self.next_event = min(self.next_event, facts.inventory_due)

    def advance(self, now: float) -> None:
        """Let happen all that is due until ``now``, in order."""
        while self.next_event <= now:
            moment = self.next_event
            if self.facts.inventory_due is not None and self.facts.inventory_due <= moment:
                self.take_inventory(moment)
            self._advance_jobs(moment)
            self._expire(moment)
            self.settle()

    def take_inventory(self, moment: float) -> None:
        """Make the shelf as it is the vault's last inventory."""
        number = 1 + max(self.snapshots, default=0)
        self.snapshots[number] = self.freeze(moment)
        self.facts.last_snapshot, self.facts.inventory_due = number, None
        self._drop_unused_snapshots()

    def freeze(self, moment: float) -> Snapshot:
        """The shelf as it is."""
        return Snapshot(moment, bytes(self.shelf.gone), self.shelf.live, self.shelf.live_bytes)

    def forget_job(self, job_id: str) -> None:
        """Drop a job with its output; ``settle`` is the caller's."""
        del self.facts.jobs[job_id]
        self._texts.pop(job_id, None)
        self._drop_unused_snapshots()

    def text(self, job: Job) -> InventoryText:
        """The output of a succeeded inventory job."""
        text = self._texts.get(job.job_id)
        if text is None:
            assert job.inventory is not None
            assert job.snapshot is not None
            snapshot = self.snapshots[job.snapshot]
            selection, _ = select(self.shelf, snapshot, job.inventory)
            text = InventoryText(self.shelf, snapshot, self.facts.arn, job.inventory.format, selection)
            self._texts[job.job_id] = text
        return text

    def inventory_bytes(self, inventory_format: InventoryFormat) -> int:
        """How long the text of the last inventory is; 0 when there is none."""
        last = self.last_inventory
        return 0 if last is None else InventoryText(self.shelf, last, self.facts.arn, inventory_format).length_bytes

    def _advance_jobs(self, moment: float) -> None:
        for job in list(self.facts.jobs.values()):
            if not job.completed and job.completes <= moment:
                self._complete(job)
            elif job.completed and job.expires <= moment:
                self.forget_job(job.job_id)

    def _complete(self, job: Job) -> None:
        if job.doomed is not None:
            job.fail(job.doomed)
        elif job.archive is not None:
            gone = bool(self.shelf.gone[job.archive.index])
            if job.archive.was_gone or (gone and self._identifiers.chance("deleted under", job.job_id) < 0.5):
                job.fail("The archive was deleted.")
            else:
                job.succeed()
        elif job.inventory is not None:
            job.snapshot = self.facts.last_snapshot
            _, job.next_marker = select(self.shelf, self.snapshots[job.snapshot or 0], job.inventory)
            job.succeed()

    def _expire(self, moment: float) -> None:
        facts = self.facts
        if facts.lock is not None and facts.lock.expires is not None and facts.lock.expires <= moment:
            facts.lock = None
        for upload in list(facts.uploads.values()):
            if upload.active + UPLOAD_LASTS_SECONDS <= moment:
                del facts.uploads[upload.upload_id]

    def _drop_unused_snapshots(self) -> None:
        used = {job.snapshot for job in self.facts.jobs.values()} | {self.facts.last_snapshot}
        for number in [number for number in self.snapshots if number not in used]:
            del self.snapshots[number]


def job_description(vault: StoredVault, job: Job) -> dict[str, object]:
    """All a job description has, with null for what does not apply."""
    return {
        "Action": job.action,
        "ArchiveId": None,
        "ArchiveSHA256TreeHash": None,
        "ArchiveSizeInBytes": None,
        "Completed": job.completed,
        "CompletionDate": dates.with_milliseconds(job.completes) if job.completed else None,
        "CreationDate": dates.with_milliseconds(job.created),
        "InventoryRetrievalParameters": None,
        "InventorySizeInBytes": None,
        "JobDescription": job.description,
        "JobId": job.job_id,
        "RetrievalByteRange": None,
        "SHA256TreeHash": None,
        "SNSTopic": job.sns_topic,
        "StatusCode": job.status,
        "StatusMessage": job.status_message,
        "Tier": job.tier,
        "VaultARN": vault.facts.arn,
        **(_of_archive(vault, job.archive) if job.archive else {}),
        **(_of_inventory(vault, job, job.inventory) if job.inventory else {}),
    }


def checksum_of(record: Record, start: int, stop: int) -> str | None:
    """The tree hash of bytes ``start`` to ``stop`` of an archive, if they are aligned to the tree."""
    if (start, stop) == (0, record.size_bytes):
        return record.tree_hash
    return None if record.body is None else range_hash(record.body, start, stop)


def _of_archive(vault: StoredVault, asked: ArchiveRequest) -> dict[str, object]:
    record = vault.shelf.record(asked.index)
    return {
        "ArchiveId": asked.archive_id,
        "ArchiveSHA256TreeHash": record.tree_hash,
        "ArchiveSizeInBytes": record.size_bytes,
        "RetrievalByteRange": f"{asked.start}-{asked.stop - 1}",
        "SHA256TreeHash": checksum_of(record, asked.start, asked.stop),
    }


def _of_inventory(vault: StoredVault, job: Job, asked: InventoryRequest) -> dict[str, object]:
    parameters = {
        "EndDate": asked.end_date,
        "Format": asked.format,
        "Limit": None if asked.limit is None else str(asked.limit),
        "Marker": job.next_marker if job.completed else asked.marker,
        "StartDate": asked.start_date,
    }
    size_bytes = vault.text(job).length_bytes if job.status == "Succeeded" else None
    return {"InventoryRetrievalParameters": parameters, "InventorySizeInBytes": size_bytes}
