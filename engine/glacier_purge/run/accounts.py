"""Holds a run's figures against each other while it sends: pool and tally on one side, what is on disk on the other.

Looked at after each commit, in a dozen comparisons however many archives there are; see ``glacier_purge.invariants``.
"""

from __future__ import annotations

from glacier_purge.audit.journal import Journal
from glacier_purge.deletion.pool import Pool
from glacier_purge.deletion.tally import Tally
from glacier_purge.invariants import Invariant, check
from glacier_purge.plan.document import Plan


class Accounts:
    """The figures of one process's part of a run, from when it is made, before anything is sent.

    ``in_flight_max`` is how many requests may be under way at the most.
    """

    def __init__(self, *, plan: Plan, journal: Journal, pool: Pool, tally: Tally, in_flight_max: int) -> None:
        self._plan = plan
        self._journal = journal
        self._pool = pool
        self._tally = tally
        self._in_flight_max = in_flight_max
        self._deleted_before = journal.ledger.counts["deleted"]
        self._released_through = journal.ledger.released_through
        self._settled = sum(journal.ledger.counts.values())

    def look(self) -> None:
        """Raise ``InvariantBroken`` where two figures do not agree that always do."""
        ledger, tally, in_flight = self._journal.ledger, self._tally, self._pool.in_flight
        counts, released = ledger.counts, ledger.released_through
        settled = sum(counts.values())
        check(
            Invariant.WATERMARK,
            released >= self._released_through and self._settled <= settled <= ledger.records,
            released_through=released,
            before=self._released_through,
            settled=settled,
            settled_before=self._settled,
            records=ledger.records,
        )
        self._released_through, self._settled = released, settled
        check(
            Invariant.RELEASED, ledger.sent_through <= released, ordinal=ledger.sent_through, released_through=released
        )
        deleted, pending = counts["deleted"] - self._deleted_before, self._journal.pending
        check(
            Invariant.FIGURES,
            deleted <= tally.accepted <= deleted + pending,
            accepted=tally.accepted,
            on_disk=deleted,
            pending=pending,
        )
        answered = tally.accepted + sum(tally.refused.values())
        check(
            Invariant.REQUESTS,
            tally.sent == answered + in_flight,
            sent=tally.sent,
            answered=answered,
            in_flight=in_flight,
        )
        check(
            Invariant.IN_FLIGHT, 0 <= in_flight <= self._in_flight_max, in_flight=in_flight, limit=self._in_flight_max
        )

    def look_at_the_end(self) -> None:
        """Raise ``InvariantBroken`` unless all that was selected is accounted for. Everything taken is durable."""
        self.look()
        counts, planned = self._journal.ledger.counts, self._plan.counts
        unknown = len(self._pool.unknown())
        still_to_send = planned.selected - counts["deleted"] - counts["failed"] - unknown
        is_all = sum(counts.values()) == planned.inventory
        check(
            Invariant.ACCOUNTS,
            still_to_send == 0 if is_all else still_to_send >= 0,
            selected=planned.selected,
            deleted=counts["deleted"],
            failed=counts["failed"],
            unknown=unknown,
            still_to_send=still_to_send,
        )
