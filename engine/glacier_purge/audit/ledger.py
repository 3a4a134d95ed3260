"""The state of a run, computed from its audit records and from nothing else.

The journal applies records only once they are fsynced (I6), and a new process applies the same records read back, so
live state and replayed state are the same thing computed by the same code.  An archive is known by its ordinal: what
is done is one bit each.  What an earlier process may have sent without an outcome reaching the disk is bounded by
the ranges released before it died, or, if it stopped in good order, by the few it named itself.
It never guesses: a second outcome for one ordinal, or an ordinal the plan does not have, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from glacier_purge.audit.record import OUTCOMES, Note, Outcome
from glacier_purge.audit.timeline import Timeline, Totals, seconds_between

_OPENING = frozenset({"opened", "approvers", "approval", "approved"})


class RefusedRecordError(Exception):
    """A record that can't follow the ones before it. ``index`` is its place in what was given to ``apply``."""

    def __init__(self, reason: str, index: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index


class EpochCounters(msgspec.Struct, omit_defaults=True):
    """What one process counted: its own last word, or what its records add up to, whichever is more."""

    told_attempts: int = 0
    summed_attempts: int = 0
    throttled: int = 0
    server_faults: int = 0
    active_seconds: float = 0.0


class LedgerState(msgspec.Struct, omit_defaults=True):
    """Everything a ledger knows but for the bitmap: what a checkpoint keeps."""

    counts: dict[str, int]
    bytes_deleted: int = 0
    redeleted: int = 0
    released_through: int = -1
    epoch: int = 0
    drained: bool = False
    """The current epoch ended with nothing in flight but what it named."""
    maybe_through: int = -1
    """An earlier process may have sent any ordinal up to this one that has no outcome."""
    unknown: list[int] = []
    """Ordinals that earlier processes named as sent with no reply known."""
    past: EpochCounters = msgspec.field(default_factory=EpochCounters)
    current: EpochCounters = msgspec.field(default_factory=EpochCounters)
    approved_digest: str | None = None
    approved_by: str | None = None
    run_sha256: str | None = None
    """Of the ``run.json`` that lay beside the plan when it was approved."""
    lease_epoch: int = 0
    """The highest number of a lease that a process held; 0 where none did."""
    approvers: dict[str, Any] | None = None
    """Who may approve, where documents do, as the log said last."""
    approvals: list[dict[str, Any]] = []
    """The documents that counted, each as it was when it did."""
    finished: dict[str, Any] | None = None
    stop_reason: str | None = None
    last_telemetry: dict[str, Any] | None = None
    first_deletion_ts: str | None = None
    last_deletion_ts: str | None = None
    worked_until_ts: str | None = None
    """When the current epoch's ``active_seconds`` were told."""
    saved_tails: list[str] = []
    """Names of the torn tails that "recovered" records account for."""
    timeline: Timeline | None = None
    """None in the checkpoint of a version that kept none, which is why none of those is begun at."""


class Ledger:
    """What the durable audit records of one run say. ``records`` is the number of records in its inventory.

    A ``bitmap`` may lack zeros at its end.
    """

    def __init__(self, records: int, state: LedgerState | None = None, bitmap: bytes | None = None) -> None:
        self._records = records
        self._state = state if state is not None else LedgerState(_none_yet(), timeline=Timeline())
        self._bitmap = bytearray((bitmap or b"").ljust((records + 7) // 8, b"\0"))
        self._unknown = set(self._state.unknown)
        self.sent_through = -1
        """The highest ordinal of which this ledger was told that it was deleted; a checkpoint does not keep it."""

    @property
    def records(self) -> int:
        """How many records the inventory has; ordinals run from 0 to one less."""
        return self._records

    @property
    def counts(self) -> dict[str, int]:
        """Terminal outcomes by kind; every kind is there."""
        return dict(self._state.counts)

    @property
    def bytes_deleted(self) -> int:
        """Sizes of the deleted archives, added up."""
        return self._state.bytes_deleted

    @property
    def redeleted(self) -> int:
        """Outcomes of archives that an earlier process may have deleted already."""
        return self._state.redeleted

    @property
    def released_through(self) -> int:
        """The highest ordinal released for sending; -1 before the first release."""
        return self._state.released_through

    @property
    def epoch(self) -> int:
        """Which process start, counted from 1, the last record is of; 0 before the first."""
        return self._state.epoch

    @property
    def attempts(self) -> int:
        """Requests sent, over all processes, as far as they reached the log."""
        past, now = self._state.past, self._state.current
        return past.told_attempts + max(now.told_attempts, now.summed_attempts)

    @property
    def throttled(self) -> int:
        """Requests the service refused for rate, over all processes."""
        return self._state.past.throttled + self._state.current.throttled

    @property
    def server_faults(self) -> int:
        """Requests the service failed (5xx), over all processes."""
        return self._state.past.server_faults + self._state.current.server_faults

    @property
    def active_seconds(self) -> float:
        """How long processes worked on the run: as they last said, and on to the last deletion after that.

        A process says so every so often; what it deleted since, or before it died, took time as well.
        """
        return self._state.past.active_seconds + self._worked_seconds()

    @property
    def approved_digest(self) -> str | None:
        """The plan digest that somebody approved; None before that."""
        return self._state.approved_digest

    @property
    def approved_by(self) -> str | None:
        """Who approved the plan, and how, in words; None before that."""
        return self._state.approved_by

    @property
    def run_sha256(self) -> str | None:
        """SHA-256 of the ``run.json`` beside the plan that was approved first; None where the log does not tell."""
        return self._state.run_sha256

    @property
    def lease_epoch(self) -> int:
        """The number of the vault's lease that the last process had which held one; 0 where none did."""
        return self._state.lease_epoch

    @property
    def approvers(self) -> dict[str, Any] | None:
        """Who may approve the plan; None where somebody's typed yes did, or nobody's yet."""
        return self._state.approvers

    @property
    def approvals(self) -> list[dict[str, Any]]:
        """The approvals that counted: ``who``, ``key``, when each ``counted``, and its ``document``."""
        return list(self._state.approvals)

    @property
    def finished(self) -> dict[str, Any] | None:
        """The facts of the "finished" record; None while the run is not over."""
        return self._state.finished

    @property
    def stop_reason(self) -> str | None:
        """Why the last process stopped; None while one works or when the last one died."""
        return self._state.stop_reason

    @property
    def is_settled(self) -> bool:
        """Whether the last process ended with nothing in flight but what it named."""
        return self._state.drained

    @property
    def last_telemetry(self) -> dict[str, Any] | None:
        """The facts of the last telemetry record."""
        return self._state.last_telemetry

    @property
    def first_deletion_ts(self) -> str | None:
        """When the first deletion was committed: ISO 8601, UTC, milliseconds."""
        return self._state.first_deletion_ts

    @property
    def last_deletion_ts(self) -> str | None:
        """When the last deletion was committed."""
        return self._state.last_deletion_ts

    @property
    def saved_tails(self) -> frozenset[str]:
        """Files with torn tails that the log accounts for."""
        return frozenset(self._state.saved_tails)

    @property
    def timeline(self) -> Timeline:
        """The run over its days."""
        assert self._state.timeline is not None
        return self._state.timeline

    def done(self, ordinal: int) -> bool:
        """Tell whether the record has its terminal outcome."""
        return bool(self._bitmap[ordinal >> 3] & (1 << (ordinal & 7)))

    def maybe_sent(self, ordinal: int) -> bool:
        """Tell whether an earlier process may have sent this delete without an outcome on disk."""
        return (ordinal <= self._state.maybe_through or ordinal in self._unknown) and not self.done(ordinal)

    def begin(self, epoch: int) -> None:
        """Enter the epoch of a new process. What the one before left open may have been sent."""
        state = self._state
        if state.epoch and not state.drained:
            state.maybe_through = max(state.maybe_through, state.released_through)  # a replica knew of more, perhaps
        past, now = state.past, state.current
        past.told_attempts += max(now.told_attempts, now.summed_attempts)
        past.throttled += now.throttled
        past.server_faults += now.server_faults
        past.active_seconds += self._worked_seconds()
        state.current = EpochCounters()
        state.worked_until_ts = None
        state.drained = False
        state.stop_reason = None
        state.epoch = epoch

    def apply(self, records: Iterable[Outcome | Note], *, ts: str, epoch: int) -> None:
        """Take in durable records in order, all of one commit. Raises ``RefusedRecordError``."""
        if epoch != self._state.epoch:
            if epoch < self._state.epoch:
                raise RefusedRecordError(f"epoch {epoch} after epoch {self._state.epoch}", 0)
            self.begin(epoch)
        state = self._state
        deleted_before, told_before = state.counts["deleted"], state.current.active_seconds
        self._take(records, ts)
        if state.counts["deleted"] > deleted_before:
            state.first_deletion_ts = state.first_deletion_ts or ts
            state.last_deletion_ts = ts
        if state.current.active_seconds > told_before:
            state.worked_until_ts = ts

    def _worked_seconds(self) -> float:
        """How long the current epoch's process worked."""
        state = self._state
        told, last = state.worked_until_ts, state.last_deletion_ts
        since = seconds_between(told, last) if told is not None and last is not None else 0.0
        return state.current.active_seconds + since

    def _take(self, records: Iterable[Outcome | Note], ts: str) -> None:
        state, counts = self._state, self._state.counts
        bitmap, limit = self._bitmap, self._records
        attempts = deleted = bytes_deleted = redeleted = 0
        sent_through = self.sent_through
        for index, record in enumerate(records):
            if type(record) is not Outcome:
                assert isinstance(record, Note)
                self._take_note(record, index)
                self._show_note(record, ts, deleted)
                continue
            ordinal, outcome = record.ordinal, record.outcome
            if not 0 <= ordinal < limit or outcome not in counts:
                raise RefusedRecordError(f"outcome {outcome!r} for ordinal {ordinal} of {limit} records", index)
            byte, bit = ordinal >> 3, 1 << (ordinal & 7)
            if bitmap[byte] & bit:
                raise RefusedRecordError(f"a second terminal outcome for ordinal {ordinal}", index)
            bitmap[byte] |= bit
            attempts += record.attempts
            if outcome == "deleted":
                deleted += 1
                bytes_deleted += record.size
                if ordinal > sent_through:  # noqa: PLR1730 - max() would cost four times as much, a million times
                    sent_through = ordinal
            else:
                counts[outcome] += 1
                if outcome == "failed":
                    self.timeline.failed_archive(record)
            redeleted += record.redelete
        self.sent_through = sent_through
        counts["deleted"] += deleted
        state.current.summed_attempts += attempts
        state.bytes_deleted += bytes_deleted
        state.redeleted += redeleted

    def _show_note(self, note: Note, ts: str, deleted_more: int) -> None:
        """Let the timeline know, with the deletions of a commit that is not counted to its end."""
        deleted = self._state.counts["deleted"] + deleted_more
        # As told, and not as worked out since: that hangs on the commit's end, which a reader may not have come to.
        told_seconds = self._state.past.active_seconds + self._state.current.active_seconds
        now = Totals(self.epoch, deleted, self.throttled, self.server_faults, told_seconds)
        self.timeline.note(note, ts, now)

    def _take_note(self, note: Note, index: int) -> None:
        state, facts = self._state, note.facts
        try:
            if note.event == "released":
                self._release(int(facts["first"]), int(facts["last"]))
            elif note.event in {"recovered", "restored"}:
                self._mend(note)
            elif note.event in _OPENING:
                self._begin_work(note.event, facts)
            elif note.event == "telemetry":
                state.last_telemetry = facts
                self._count(facts)
            elif note.event == "stopped":
                state.stop_reason = str(facts["reason"])
                state.drained = bool(facts.get("drained", False))
                self._unknown.update(map(int, facts.get("unknown", ())))
                self._count(facts)
            elif note.event == "finished":
                state.finished, state.drained = facts, True
                self._count(facts)
        except (ArithmeticError, KeyError, TypeError, ValueError) as wrong:
            raise RefusedRecordError(f"a record {note.event!r} that says {wrong}", index) from wrong

    def _mend(self, note: Note) -> None:
        """Take in that the log lost its end: what is known of that, and what may have been sent by it."""
        state, facts = self._state, note.facts
        if note.event == "recovered":
            state.saved_tails += [str(facts["saved_as"])] if "saved_as" in facts else []
            return
        may_reach = int(facts["may_reach"])
        if not -1 <= may_reach < self._records:
            raise ValueError(f"ordinal {may_reach} of {self._records}")
        state.maybe_through = max(state.maybe_through, may_reach)
        state.drained = True  # who restores sends nothing

    def _approve(self, event: str, facts: dict[str, Any]) -> None:
        state = self._state
        if event == "approved":
            state.approved_digest = str(facts["digest"])
            if facts.get("how") != "resumed":
                state.approved_by = f"{facts.get('by')} ({facts.get('how')})"
            state.run_sha256 = state.run_sha256 or (str(facts["run_sha256"]) if "run_sha256" in facts else None)
        elif event == "approvers":
            _check_kinds(facts, needed=int, allowed_signers=str, not_the_planner=bool, revoked=list)
            state.approvers = facts
        else:
            _check_kinds(facts, who=str, key=str, counted=str, document=str)
            datetime.fromisoformat(facts["counted"]).astimezone()
            facts["document"].encode("ascii")
            state.approvals.append(facts)

    def _release(self, first: int, last: int) -> None:
        if not 0 <= first <= last < self._records:
            raise ValueError(f"ordinals {first} to {last} of {self._records}")
        self._state.released_through = max(self._state.released_through, last)

    def _begin_work(self, event: str, facts: dict[str, Any]) -> None:
        """Who has a lower number of the lease than one before sent while another host might."""
        state = self._state
        if event != "opened":
            self._approve(event, facts)
            return
        epoch = int(facts.get("lease_epoch", 0))
        if 0 < epoch < state.lease_epoch:
            raise ValueError(f"lease epoch {epoch} after lease epoch {state.lease_epoch}")
        state.lease_epoch = max(state.lease_epoch, epoch)

    def _count(self, facts: dict[str, Any]) -> None:
        """Take over an epoch's cumulative counters; they only ever grow."""
        now = self._state.current
        now.told_attempts = max(now.told_attempts, int(facts.get("attempts") or 0))
        now.throttled = max(now.throttled, int(facts.get("throttled") or 0))
        now.server_faults = max(now.server_faults, int(facts.get("server_faults") or 0))
        now.active_seconds = max(now.active_seconds, float(facts.get("active_seconds") or 0.0))

    def state(self) -> LedgerState:
        """What a checkpoint has to keep beside ``bitmap``. Not to be changed by the caller."""
        self._state.unknown = sorted(self._unknown)
        return self._state

    def bitmap(self) -> bytes:
        """One bit per ordinal, least significant first: set when it has its outcome."""
        return bytes(self._bitmap)


def _check_kinds(facts: dict[str, Any], **kinds: type) -> None:
    for name, kind in kinds.items():
        if type(facts[name]) is not kind:
            raise TypeError(f"{name} is no {kind.__name__}")


def _none_yet() -> dict[str, int]:
    return dict.fromkeys(sorted(OUTCOMES), 0)
