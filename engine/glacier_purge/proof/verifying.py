"""Proves a finished run: waits for an inventory made after its last deletion, and holds it against the audit log.

The service makes inventories about once a day, and only after a change, so this takes hours to days; what is reached
is on disk, and a later call goes on.  An archive that was deleted and is still listed makes the inventory a stale one,
at first: a newer one is waited for.  Only so many hours after the last deletion, when by all experience a newer
inventory would have come, is the last one there is taken as the truth, whatever it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import anyio.to_thread
import msgspec
from msgspec import UNSET
from msgspec.structs import replace as with_fields

from glacier_purge.audit.anchor import NAMESPACE, Anchor, notes_bytes
from glacier_purge.audit.ledger import Ledger
from glacier_purge.errors import UsageError
from glacier_purge.glacier.control import GlacierControl
from glacier_purge.glacier.waiting import Waiter, Waiting, outlasting
from glacier_purge.inventory.dates import creation_time
from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob
from glacier_purge.inventory.fetching.progress import read_progress
from glacier_purge.inventory.fetching.retrieval import Retrieval, RetrievalSettings, drop_inventory, inventory_time
from glacier_purge.inventory.snapshot import Snapshot
from glacier_purge.long_work import counted
from glacier_purge.plan.document import Plan
from glacier_purge.plan.files import plan_files
from glacier_purge.plan.identity import read_identity
from glacier_purge.proof.certificate import Certificate, read_certificate, write_certificate
from glacier_purge.proof.outcomes import read_outcomes
from glacier_purge.proof.reconcile import VERIFICATION_FOLDER, KeptEarlier, Reconciliation, reconcile
from glacier_purge.proof.soundness import sound_ledger
from glacier_purge.run.anchor_file import signed
from glacier_purge.storage.disk import writing
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.ssh_signature import key_of, sign

SETTLED_AFTER = timedelta(hours=72)
"""So long after the last deletion no newer inventory is waited for: it comes within a day or two (AWS's own guidance is
24 to 48 hours), and not at all when the deletions changed nothing."""
_LOOK_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the later inventory says; ``certificate`` is None unless the run is proven."""

    found: Reconciliation
    inventory_date: str
    certificate: Certificate | None


class Verifying:
    """One verification of one finished run. ``by`` is who asks for it; ``wanted`` is the inventory job to prove it by,
    where not any will do; ``earlier`` is of the run before in the vault's
    lifecycle, if there was one; ``sign_key`` signs the log's anchor; ``say`` is told what ``Retrieval`` says."""

    def __init__(
        self,
        control: GlacierControl,
        folder: RunFolder,
        plan: Plan,
        waiter: Waiter,
        say: Callable[[str], None],
        *,
        by: str,
        wanted: WantedJob = ANY_JOB,
        earlier: KeptEarlier | None = None,
        sign_key: Path | None = None,
    ) -> None:
        self._control = control
        self._folder = folder
        self._plan = plan
        self._waiter = waiter
        self._say = say
        self._by = by
        self._wanted = wanted
        self._earlier = earlier
        self._sign_key = sign_key
        self._place = folder.path / VERIFICATION_FOLDER

    async def verify(self) -> Verdict:
        """Wait for what there is to wait for, compare, and write the certificate when the run is proven.

        Raises ``PlanRefused`` for a run not finished or changed, ``AuditDamaged``, what ``Retrieval`` raises, and
        ``UsageError`` for a key that can't sign, before anything is waited for.
        """
        if self._sign_key is not None:
            await anyio.to_thread.run_sync(sign, b"", self._sign_key, NAMESPACE)
        ledger, anchor = await anyio.to_thread.run_sync(sound_ledger, self._folder.path, self._plan)
        existing = read_certificate(self._folder)
        if existing is not None and existing.found.vault_is_empty and existing.audit_anchor == anchor:
            if self._sign_key is not None and existing.anchor_note is UNSET:
                existing = await anyio.to_thread.run_sync(self._signed, existing, self._sign_key)
                write_certificate(self._folder, existing)
            return Verdict(found=existing.found, inventory_date=existing.inventory_date, certificate=existing)
        last_deletion = _to_the_second(ledger.last_deletion_ts or read_identity(self._folder, self._plan).created)
        not_before, settled_at = last_deletion, last_deletion + SETTLED_AFTER
        while True:
            snapshot, job_id = await self._inventory_from(not_before, settled_at)
            taken = inventory_time(snapshot) or not_before
            found = await anyio.to_thread.run_sync(self._compare, snapshot)
            named = self._wanted.job_id is not None
            if named or not found.still_listed or self._waiter.now() >= settled_at:
                break
            not_before = taken + timedelta(seconds=1)
        certificate = None
        if found.is_proven and taken > self._planned_with():
            certificate = self._certificate(ledger, anchor, snapshot, job_id, found)
            if self._sign_key is not None:
                certificate = await anyio.to_thread.run_sync(self._signed, certificate, self._sign_key)
            write_certificate(self._folder, certificate)
        return Verdict(found=found, inventory_date=snapshot.inventory_date or "", certificate=certificate)

    def _planned_with(self) -> datetime:
        """When the inventory of the plan was made, or a moment after that where it does not say.

        A newer inventory without an archive that this one listed is proof that the archive is gone.  It need not be
        newer than the last 204: a lost reply makes the same delete be sent twice, and the second one changes nothing,
        so the service may never make an inventory after it.
        """
        stated = creation_time(self._plan.snapshot.inventory_date or "")
        return stated or datetime.fromisoformat(read_identity(self._folder, self._plan).created)

    # -- the inventory ----------------------------------------------------------------------------------------------

    async def _inventory_from(self, not_before: datetime, settled_at: datetime) -> tuple[Snapshot, str]:
        """Fetch the vault's last inventory once it is from ``not_before`` or later, or ``settled_at`` has come."""
        if self._wanted.job_id is not None:
            return await self._named(self._wanted, not_before)
        last = await self._last_inventory(not_before, settled_at)
        while True:
            wanted, self._wanted = self._wanted, ANY_JOB  # an order for a new one is carried out once
            if read_progress(self._place) is None:
                wanted = replace(wanted, created_from=last)
            snapshot, job_id = await self._fetched(wanted)
            taken = inventory_time(snapshot)
            if taken is not None and taken >= last:
                return snapshot, job_id
            drop_inventory(self._place)  # an earlier verification's

    async def _named(self, wanted: WantedJob, not_before: datetime) -> tuple[Snapshot, str]:
        """Fetch the job that was named. Raises ``UsageError`` for an inventory that can't prove anything."""
        snapshot, job_id = await self._fetched(wanted)
        taken = inventory_time(snapshot)
        if taken is None or taken < not_before:
            raise UsageError(
                f"inventory job {job_id} will not do: its inventory is of {snapshot.inventory_date}, and one of "
                f"{not_before:%Y-%m-%dT%H:%M:%SZ} or later is needed, when the run made its last deletion. Without "
                "--job-id one is looked for, or waited for."
            )
        return snapshot, job_id

    async def _fetched(self, wanted: WantedJob) -> tuple[Snapshot, str]:
        with writing(self._folder.files, VERIFICATION_FOLDER):
            self._folder.files.make_folder(VERIFICATION_FOLDER)
            self._folder.files.sync_folder(".")
        how = RetrievalSettings(id_rule=self._plan.snapshot.id_rule)
        return await Retrieval(self._control, self._place, wanted, self._waiter, self._say, how).fetch()

    async def _last_inventory(self, not_before: datetime, settled_at: datetime) -> datetime:
        described = await self._control.describe_vault()
        while True:
            last, now = described.last_inventory, self._waiter.now()
            if last is not None:
                last = last.replace(microsecond=0)
                says_empty = described.archives == 0 and last > self._planned_with()
                if last >= not_before or says_empty or now >= settled_at:
                    return last
            newest = "there is none yet" if last is None else f"the last is of {last:%Y-%m-%dT%H:%M:%SZ}"
            what = (
                f"an inventory of {self._control.vault.name} made after {not_before:%Y-%m-%dT%H:%M:%SZ} ({newest}; one "
                "comes about once a day after a change)"
            )
            await self._waiter.wait(Waiting(what=what, until=now + _LOOK_EVERY))
            described = await outlasting(self._waiter, self._control.describe_vault)

    # -- the comparison ---------------------------------------------------------------------------------------------

    def _compare(self, snapshot: Snapshot) -> Reconciliation:
        with plan_files(self._folder.path, self._plan) as files:
            return reconcile(
                lambda: counted(
                    "comparing with the later inventory",
                    files.records(),
                    lambda batch: batch.records,
                    total=self._plan.counts.inventory,
                ),
                snapshot.batches,
                read_outcomes(self._folder.path, self._plan.counts.inventory),
                self._place,
                self._earlier,
            )

    def _signed(self, certificate: Certificate, key: Path) -> Certificate:
        head = Anchor.of(
            certificate.audit_anchor,
            run=certificate.run,
            plan_digest=certificate.plan_digest,
            at=self._waiter.now(),
        )
        note = signed(head, key)
        return with_fields(
            certificate,
            anchor_note=notes_bytes([note]).decode("ascii"),
            anchor_signed_with=key_of(note.text, note.signature, NAMESPACE),
        )

    def _certificate(
        self, ledger: Ledger, anchor: str, snapshot: Snapshot, job_id: str, found: Reconciliation
    ) -> Certificate:
        identity = read_identity(self._folder, self._plan)
        return Certificate(
            run=identity.run,
            vault_arn=self._plan.vault.arn,
            endpoint_url=self._plan.endpoint_url,
            plan_digest=self._plan.digest,
            tool_version=version("glacier-purge"),
            audit_anchor=anchor,
            planned=self._plan.counts.selected,
            kept_because={one.code: one.records for one in self._plan.reasons if one.records and one.keeps},
            deleted=ledger.counts["deleted"],
            bytes_deleted=ledger.bytes_deleted,
            first_deletion=ledger.first_deletion_ts,
            last_deletion=ledger.last_deletion_ts,
            inventory_job=job_id,
            inventory_date=snapshot.inventory_date or "",
            inventory_sha256=snapshot.sha256,
            found=found,
            by=self._by,
            approved_by=ledger.approved_by or msgspec.UNSET,
            at=f"{self._waiter.now():%Y-%m-%dT%H:%M:%SZ}",
        )


def _to_the_second(ts: str) -> datetime:
    return datetime.fromisoformat(ts).replace(microsecond=0)
