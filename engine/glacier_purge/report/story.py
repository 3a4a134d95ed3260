"""One archive's whole story, from a folder's files: what listed it, what was decided, sent, and shown later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from glacier_purge.audit.checking import check_watched
from glacier_purge.audit.record import Note, Outcome
from glacier_purge.audit.stream_document import read_stream
from glacier_purge.audit.verification import verify_run, verify_script
from glacier_purge.errors import GlacierPurgeError, UsageError
from glacier_purge.fleet.roster import ROSTER_FILE
from glacier_purge.inventory.description import readable
from glacier_purge.lifecycle.state import is_lifecycle
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.plan.decisions import DECISIONS_FILE
from glacier_purge.plan.document import Plan, read_plan
from glacier_purge.proof.certificate import read_certificate
from glacier_purge.proof.reconcile import VERIFICATION_FOLDER
from glacier_purge.proof.search import Listed, Recorded, inventory_in, search_inventory, search_log
from glacier_purge.report.results.result import UNSET
from glacier_purge.report.results.telling import (
    Certified,
    Inventory,
    InventoryRecord,
    LogRecord,
    RunStory,
    TakenStep,
    Told,
)
from glacier_purge.report.terminal import safe
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.folder import AUDIT_FOLDER, LIFECYCLE_FILE, RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_T = TypeVar("_T")


def told(folder: RunFolder, archive_id: str) -> Told:
    """Look for an archive in everything a folder holds: a run, a lifecycle's rounds, a fleet's members, a script's log.

    What can't be read is said, and the rest is looked into. Raises ``UsageError`` for a folder of none of them.
    """
    if not (_is_run(folder.path) or is_lifecycle(folder.path) or (folder.path / ROSTER_FILE).exists()):
        raise UsageError(f"{folder.path} is not the folder of a run, a script's log, a lifecycle or a fleet.")
    looked = [_Looking(RunFolder(place), archive_id) for place in _runs(folder.path)]
    runs = [looking.story() for looking in looked if looking.is_found]
    unreadable = [fault for looking in looked for fault in looking.unreadable]
    return Told(
        archive_id=archive_id,
        found=bool(runs),
        runs=runs,
        looked_in=[place for looking in looked for place in looking.looked_in],
        run_dir=str(folder.path),
        unreadable=unreadable or UNSET,
    )


def _runs(folder: Path) -> Iterator[Path]:
    """The folders of runs in a folder, itself among them."""
    if _is_run(folder):
        yield folder
    elif is_lifecycle(folder):
        yield from filter(_is_run, sorted(folder.glob("round-*")))
    elif (folder / ROSTER_FILE).exists():
        for member in filter(is_lifecycle, sorted(folder.iterdir())):
            yield from _runs(member)


def _is_run(folder: Path) -> bool:
    return inventory_in(folder) is not None or (folder / AUDIT_FOLDER).exists()


class _Looking:
    """What one run's files have of an archive. ``unreadable`` are those that could not be read, and why."""

    def __init__(self, folder: RunFolder, archive_id: str) -> None:
        self._folder = folder
        self._archive_id = archive_id
        self.unreadable: list[str] = []
        self._plan = self._tried(self._read_plan)
        self._listed = self._tried(lambda: self._search(folder.path))
        self._log = self._tried(self._search_log) or []
        self.looked_in = [] if self._listed is None else [f"{self._listed.file} ({self._listed.records:,} records)"]
        self.looked_in += [str(folder.audit)] if folder.audit.exists() else []

    def _tried(self, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except (GlacierPurgeError, OSError) as fault:
            self.unreadable.append(f"{self._folder.path}: {fault}")
            return None

    def _read_plan(self) -> Plan | None:
        return read_plan(self._folder.plan_file) if self._folder.plan_file.exists() else None

    @property
    def is_found(self) -> bool:
        """Whether the inventory or the log names it."""
        named = any(not isinstance(one.line.record, Note) or one.line.record.event == "released" for one in self._log)
        return named or bool(self._listed and self._listed.archives)

    def story(self) -> RunStory:
        """All of it, told."""
        folder, plan = self._folder, self._plan
        later = self._tried(lambda: self._search(folder.path / VERIFICATION_FOLDER))
        certificate = self._tried(lambda: read_certificate(folder))
        stream = self._tried(lambda: read_stream(folder.path))
        with check_watched(folder.path):
            verified = verify_run(folder.path) if stream is None else verify_script(folder.path)
        vault = plan.vault.arn if plan else None
        return RunStory(
            run_dir=str(folder.path),
            vault=stream[0].vault_arn if stream else vault,
            plan_digest=plan.digest if plan else None,
            whole=not verified.faults,
            inventory=_inventory(self._listed),
            records=self._tried(lambda: list(self._records(plan))) or [],
            steps=self._tried(lambda: list(self._steps())) or [],
            log=[_log_record(one) for one in self._log],
            later_inventory=_inventory(later),
            certificate=None
            if certificate is None
            else Certified(
                digest=certificate.digest,
                at=certificate.at,
                by=certificate.by,
                anchor=certificate.audit_anchor,
                signed_with=certificate.anchor_signed_with or None,
            ),
        )

    def _search_log(self) -> list[Recorded]:
        if self._listed is not None:
            ordinals = frozenset(archive.ordinal for archive in self._listed.archives)
        else:  # then the log itself says which it is
            told = search_log(self._folder.path, self._archive_id, frozenset())
            ordinals = frozenset(one.line.record.ordinal for one in told if isinstance(one.line.record, Outcome))
        return list(search_log(self._folder.path, self._archive_id, ordinals))

    def _search(self, place: Path) -> Listed | None:
        file = inventory_in(place)
        return None if file is None else search_inventory(file, self._archive_id)

    def _records(self, plan: Plan | None) -> Iterator[InventoryRecord]:
        codes = {} if plan is None else {reason.decision: reason.code for reason in plan.reasons}
        files = FolderFiles(self._folder.path)
        for archive in self._listed.archives if self._listed else ():
            decision = files.read(DECISIONS_FILE, archive.ordinal, 1) if plan else b""
            yield InventoryRecord(
                ordinal=archive.ordinal,
                uploaded=archive.created,
                description=archive.description,
                size_bytes=archive.size_bytes,
                tree_hash=archive.tree_hash,
                decision=codes.get(decision[0]) if decision else None,
            )

    def _steps(self) -> Iterator[TakenStep]:
        lifecycle = self._folder.path.resolve().parent
        if not (lifecycle / LIFECYCLE_FILE).exists():
            return
        for step in read_steps(lifecycle):
            if f"round-{step.round}" == self._folder.path.name:
                yield TakenStep(at=step.at, phase=step.phase.value, event=step.event.value)


def _inventory(listed: Listed | None) -> Inventory | None:
    if listed is None:
        return None
    return Inventory(
        file=str(listed.file),
        date=listed.date,
        sha256=listed.sha256,
        records=listed.records,
        times_listed=len(listed.archives),
    )


def _log_record(recorded: Recorded) -> LogRecord:
    line, record = recorded.line, recorded.line.record
    if isinstance(record, Note):
        event, facts = record.event, {name: value for name, value in record.facts.items() if name != "ids"}
    else:
        event, facts = "outcome", msgspec.structs.asdict(record)
    return LogRecord(
        at=line.ts,
        event=event,
        facts=facts,
        epoch=line.epoch,
        record=line.seq,
        file=recorded.file,
        byte=recorded.offset_bytes,
    )


# -- for people -------------------------------------------------------------------------------------------------------


def as_lines(told: Told) -> list[str]:
    """The story for people, made safe, a paragraph a run."""
    lines = [f"archive      {safe(told.archive_id)}"]
    for run in told.runs:
        lines += ["", *(f"{label:<13}{safe(text)}" for label, text in _told_of(run))]
    for fault in told.unreadable or ():
        lines += ["", f"unreadable   {safe(fault)}"]
    if not told.found:
        where = ", ".join(told.looked_in) or "no inventory and no log: there is none"
        lines += ["", f"not found    in {safe(where)}"]
    return lines


def _told_of(run: RunStory) -> Iterator[tuple[str, str]]:
    whole = "every file is as it was written" if run.whole else "NOT as it was written: see audit verify"
    yield "run", f"{run.run_dir} ({whole})"
    yield "vault", run.vault or "-"
    if run.inventory is not None:
        yield "inventory", f"{_of(run.inventory)}, SHA-256 {run.inventory.sha256}"
    for one in run.records:
        yield "listed", f"as record {one.ordinal:,}, {one.size_bytes:,} bytes, uploaded {one.uploaded}"
        yield "description", one.description or "-"
        if (name := readable(one.description)) != one.description:
            yield "file", name
        yield "tree hash", one.tree_hash
        yield "decided", "no plan yet" if one.decision is None else f"{one.decision}, by plan {run.plan_digest}"
    for step in run.steps:
        yield "step", f"{step.at}  {step.phase}: {step.event}"
    for record in run.log:
        yield (
            record.event,
            f"{record.at}  {_said(record)} ({record.file}, byte {record.byte:,}, record {record.record:,})",
        )
    if run.later_inventory is not None:
        times = run.later_inventory.times_listed
        yield "later", f"{'still listed' if times else 'not listed any more'} by {_of(run.later_inventory)}"
    if (it := run.certificate) is not None:
        signed = "" if it.signed_with is None else f", anchor signed with {it.signed_with}"
        yield "certificate", f"{it.at}  by {it.by}, digest {it.digest}{signed}"


def _of(inventory: Inventory) -> str:
    return f"{inventory.file} of {inventory.date or 'no date that it tells'}, {inventory.records:,} records"


def _said(record: LogRecord) -> str:
    facts: dict[str, Any] = record.facts
    match record.event:
        case "opened":
            return f"process {record.epoch} began, by {facts.get('by')}"
        case "approved":
            return f"by {facts.get('by')}, {facts.get('how')}: digest {facts.get('digest')}"
        case "released":
            return f"records {facts.get('first'):,} to {facts.get('last'):,} may be sent from now on"
        case "stopped":
            return f"process {record.epoch} stopped ({facts.get('reason')}), and what became of this was not known"
    parts = [f"{facts['outcome']}: {facts['attempts']:,} attempts"]
    parts += [f"HTTP {facts['http_status']}"] if facts["http_status"] is not None else []
    parts += [f"code {facts['code']}"] if facts["code"] is not None else []
    parts += [f"request id {facts['request_id']}"] if facts["request_id"] is not None else []
    parts += [f"{facts['ms']:,.0f} ms"] if facts["ms"] is not None else []
    parts += ["it may have been sent before"] if facts["redelete"] else []
    return ", ".join(parts)
