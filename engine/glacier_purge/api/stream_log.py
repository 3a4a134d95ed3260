"""The audit log of ``delete_archives``: a folder as a run's, for ids that no plan lists.

The lines, segments, checkpoints and their reader are a run's.  What differs is what stands for the plan:
``stream.json``, written once, says whose archives these are, and its SHA-256 is the first line's ``prev``.  An ordinal
is an id's number in this log, given in order of arrival and kept for ever; "released" records name the ids, since no
inventory does.  So the log alone tells which archives a crash left in doubt, and given again they are sent under the
number they had.

A log without a plan has no end: more ids may always come, so none of its processes says "finished".
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio

from glacier_purge.audit.given_ids import History, cut, name_of
from glacier_purge.audit.journal import Journal
from glacier_purge.audit.record import Outcome
from glacier_purge.audit.stream_document import STREAM_FILE, StreamDocument, read_stream
from glacier_purge.clock import utc_now
from glacier_purge.deletion.pacer import PacerState
from glacier_purge.errors import DiskFailed, UsageError
from glacier_purge.run.feed import RELEASE_MAX
from glacier_purge.run.host import package_sha256, who
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.documents import encoded
from glacier_purge.storage.file_system import PROBE_FILE
from glacier_purge.storage.folder import PLAN_FILE, RunFolder, run_name
from glacier_purge.storage.locks import LOCK_FILE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from glacier_purge.archive import Archive, Vault
    from glacier_purge.run.host import Host
    from glacier_purge.run.settings import PurgeSettings

RECORDS_MAX = 1 << 26
"""Ids that one log can hold, 67 million: a bit for each is in memory twice and in the checkpoint, 8 MB."""

RECORDED_EARLIER = "recorded earlier"
"""``Outcome.code`` of an id whose outcome an earlier call wrote down."""

_LAST_WORDS_SECONDS = 2.0
_BESIDE = (
    "{folder} holds {file} and is no audit log of delete_archives. Give a folder that is new or empty, or the one an "
    "earlier call wrote. Nothing was sent."
)


@contextmanager
def stream_folder(path: Path, vault: Vault, endpoint_url: str) -> Iterator[RunFolder]:
    """Make or take the folder of a log for this vault, and keep everybody else out of it and of the vault.

    Raises ``UsageError`` for a folder that holds something else or is another vault's, ``RunLocked``, ``AuditDamaged``.
    """
    folder = RunFolder.open_or_create(path)
    with folder.locked(vault, endpoint_url):
        if folder.plan_file.exists():
            raise UsageError(_BESIDE.format(folder=path, file=PLAN_FILE))
        found = read_stream(path)
        if found is None:
            _begin(folder, vault, endpoint_url)
        elif (found[0].vault_arn, found[0].endpoint_url) != (vault.arn, endpoint_url):
            raise UsageError(
                f"{path} is the audit log of {found[0].vault_arn} at {found[0].endpoint_url}, and not of "
                f"{vault.arn} at {endpoint_url}. Give each vault a folder of its own. Nothing was sent."
            )
        yield folder


def _begin(folder: RunFolder, vault: Vault, endpoint_url: str) -> None:
    """Write down whose log it is, unless the folder is something else's; what a crash in here leaves is no matter."""
    others = {entry.name for entry in folder.path.iterdir()} - {LOCK_FILE, PROBE_FILE, f".{STREAM_FILE}.new"}
    if others:
        raise UsageError(_BESIDE.format(folder=folder.path, file=min(others)))
    now = utc_now()
    document = StreamDocument(
        run=run_name(vault.name, now),
        vault_arn=vault.arn,
        endpoint_url=endpoint_url,
        records=RECORDS_MAX,
        by=who(),
        tool_version=version("glacier-purge"),
        package_sha256=package_sha256(),
        created=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    folder.write_once(STREAM_FILE, encoded(document))


@asynccontextmanager
async def open_stream_log(
    folder: RunFolder, deliver: Callable[[Sequence[Outcome]], None], settings: PurgeSettings, host: Host
) -> AsyncIterator[StreamLog]:
    """Open the log for one process's part; at the end everything taken is durable, unless the disk failed.

    ``deliver`` gets outcomes once they are durable.  Raises ``AuditDamaged`` and ``DiskFailed`` (in exception groups).
    """
    found = read_stream(folder.path)
    assert found is not None, "stream_folder wrote it"
    document, plan_digest = found
    disk, history = FileDisk(folder.path), History()
    try:
        journal = await _open_journal(disk, document, plan_digest, settings, host)
        await host.elsewhere(lambda: history.read(folder.path, plan_digest))
    except BaseException as failure:
        await disk.aclose()
        if isinstance(failure, OSError):
            raise _disk_failed(folder, failure) from failure
        raise
    try:
        log = StreamLog(journal, history, deliver)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.run)
            tasks.start_soon(log.hand_over)
            lease = {} if host.lease is None else {"lease_epoch": host.lease.epoch}
            log.note(
                "opened",
                vault_arn=document.vault_arn,
                endpoint_url=document.endpoint_url,
                by=who(),
                pid=os.getpid(),
                **lease,
            )
            try:
                yield log
            finally:
                with anyio.move_on_after(_LAST_WORDS_SECONDS, shield=True), suppress(DiskFailed):
                    await log.durable()
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), suppress(DiskFailed):
            await journal.aclose()


async def _open_journal(
    disk: FileDisk, document: StreamDocument, plan_digest: str, settings: PurgeSettings, host: Host
) -> Journal:
    return await Journal.open(
        disk,
        run=document.run,
        plan_digest=plan_digest,
        records=document.records,
        wall_clock=host.wall_clock,
        commit_seconds=settings.commit_seconds,
        commit_records=settings.commit_records,
        segment_records=settings.segment_records,
    )


def _disk_failed(folder: RunFolder, failure: OSError) -> DiskFailed:
    return DiskFailed(
        f"the audit log in {folder.path} can't be used: {failure.strerror or failure}. Nothing was sent. Mend the disk "
        "and start again."
    )


class StreamLog:
    """Numbers ids, writes down what is sent and what came of it, and hands outcomes on once they are durable.

    The pool's recorder.
    """

    released_together_max = RELEASE_MAX
    """As many as a run's: a release is a record and an fsync."""

    def __init__(self, journal: Journal, history: History, deliver: Callable[[Sequence[Outcome]], None]) -> None:
        self._journal = journal
        self._given = history.given
        self._in_doubt = history.in_doubt
        self._next = history.next_ordinal
        self._earlier_end = history.next_ordinal
        self._deliver = deliver
        self._taken: deque[Outcome | None] = deque()
        """What the journal was given and has not made durable, in the same order; None is a note."""
        self.maybe_sent = journal.ledger.maybe_sent if journal.epoch > 1 else None

    @property
    def pacer_state(self) -> PacerState | None:
        """What an earlier process learnt about the pace."""
        kept = self._journal.pacer_state
        return PacerState(**kept) if kept else None

    # -- ids -----------------------------------------------------------------------------------------------------------

    def enter(self, text: str, *, is_id: bool) -> int | Outcome:
        """The ordinal under which an id needs its request: the one it had when a crash left it in doubt, or the next.

        Or its outcome, where it needs none: it is written down already, or was given before in this call.  Raises
        ``UsageError`` when the log holds as many ids as it can.
        """
        place = self._given.place(name_of(text, is_id=is_id))
        found = self._given.find(place)
        if found is None:
            ordinal = self._in_doubt.pop(text, None) if is_id else None
            if ordinal is None:
                ordinal = self._next_ordinal()
            self._given.add(place, ordinal)
            return ordinal
        ordinal, word = found
        if not is_id:
            return Outcome(ordinal=ordinal, archive_id=cut(text), size=0, outcome="invalid", code=RECORDED_EARLIER)
        code = RECORDED_EARLIER if word else f"duplicate_of:{ordinal}"
        return Outcome(ordinal=ordinal, archive_id=text, size=0, outcome=word or "duplicate", code=code)

    def _next_ordinal(self) -> int:
        ordinal = self._next
        if ordinal >= self._journal.ledger.records:
            raise UsageError(
                f"the audit log holds {ordinal:,} ids, as many as one can. Give the ids that are left with another "
                "folder for audit_log."
            )
        self._next += 1
        return ordinal

    async def release(self, archives: Sequence[Archive]) -> None:
        """Make durable that these may be sent from now on (I3), by ordinal and id."""
        fresh = {archive.ordinal: archive.archive_id for archive in archives if archive.ordinal >= self._earlier_end}
        if fresh:
            self.note("released", first=min(fresh), last=max(fresh), ids=fresh)
            await self._journal.durable()

    # -- the log -------------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Outcomes taken and not durable yet."""
        return len(self._taken)

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes down."""
        self._journal.record(outcomes)
        self._taken.extend(outcomes)

    def note(self, event: str, **facts: object) -> None:
        """Write an event down."""
        self._journal.note(event, **facts)
        self._taken.append(None)

    async def hand_over(self) -> None:
        """Hand outcomes on after each commit, for ever; a failed commit is told by the journal."""
        with suppress(DiskFailed):
            while True:
                self._hand_over_durable()
                await self._journal.committed()

    async def durable(self) -> None:
        """Return when all that was taken is on disk and handed on. Raises ``DiskFailed``."""
        await self._journal.durable()
        self._hand_over_durable()

    async def checkpoint(self, pacer: PacerState) -> None:
        """Write a checkpoint of what is durable."""
        await self._journal.checkpoint(asdict(pacer))

    def _hand_over_durable(self) -> None:
        durable = [self._taken.popleft() for _ in range(len(self._taken) - self._journal.pending)]
        if durable:
            self._deliver([outcome for outcome in durable if outcome is not None])
