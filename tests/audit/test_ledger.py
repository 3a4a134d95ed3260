from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.audit.ledger import Ledger, RefusedRecordError
from glacier_purge.audit.record import Outcome, Record, make_note
from tests.audit.logs import outcome

TS = "2026-11-22T15:14:03.123Z"


APPROVERS = {"needed": 2, "allowed_signers": "", "not_the_planner": False, "revoked": [], "planner": None}
APPROVAL = {"who": "anna", "key": "ED25519 key SHA256:x", "counted": "2026-11-22T15:14:03Z", "document": "yes"}


def ledger_of(*records: Record, size: int = 100, epoch: int = 1) -> Ledger:
    ledger = Ledger(size)
    ledger.apply(records, ts=TS, epoch=epoch)
    return ledger


def test_a_new_ledger_knows_every_kind_of_outcome_and_has_none() -> None:
    ledger = Ledger(3)
    assert ledger.counts == {"deleted": 0, "duplicate": 0, "failed": 0, "invalid": 0, "skipped": 0}
    assert (ledger.released_through, ledger.epoch, ledger.finished, ledger.stop_reason) == (-1, 0, None, None)


def test_outcomes_are_counted_by_kind_with_bytes_and_attempts() -> None:
    ledger = ledger_of(
        outcome(0, attempts=2), outcome(1, "failed", attempts=3), outcome(2, "skipped"), outcome(3, redelete=True)
    )
    assert ledger.counts == {"deleted": 2, "duplicate": 0, "failed": 1, "invalid": 0, "skipped": 1}
    assert ledger.bytes_deleted == 1000 + 1003
    assert (ledger.attempts, ledger.redeleted) == (6, 1)
    assert [ledger.done(ordinal) for ordinal in range(5)] == [True, True, True, True, False]
    assert ledger.first_deletion_ts == ledger.last_deletion_ts == TS


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (outcome(7), "second terminal outcome"),
        (outcome(100), "ordinal 100 of 100"),
        (outcome(-1), "ordinal -1 of 100"),
        (Outcome(8, "x", 1, "vanished"), "vanished"),
        (make_note("released", {"first": 0, "last": 100}), "released"),
        (make_note("released", {"first": 9, "last": 8}), "released"),
        (make_note("released", {}), "released"),
        (make_note("stopped", {}), "stopped"),
        (make_note("opened", {"lease_epoch": 4}), "lease epoch 4 after lease epoch 5"),
        (make_note("opened", {"lease_epoch": "many"}), "opened"),
        (make_note("approvers", {**APPROVERS, "needed": "2"}), "needed is no int"),
        (make_note("approvers", {**APPROVERS, "needed": True}), "needed is no int"),
        (make_note("approvers", {"needed": 2}), "allowed_signers"),
        (make_note("approval", {**APPROVAL, "document": None}), "document is no str"),
        (make_note("approval", {**APPROVAL, "document": "n\u00e4"}), "approval"),
        (make_note("approval", {**APPROVAL, "counted": "soon"}), "approval"),
        (make_note("approved", {"how": "signed"}), "digest"),
        (make_note("restored", {}), "restored"),
        (make_note("restored", {"may_reach": 100}), "ordinal 100 of 100"),
        (make_note("restored", {"may_reach": -2}), "ordinal -2 of 100"),
    ],
)
def test_what_cannot_follow_is_refused_with_its_place(record: Record, reason: str) -> None:
    ledger = ledger_of(make_note("opened", {"lease_epoch": 5}), outcome(7))
    with pytest.raises(RefusedRecordError, match=reason) as refused:
        ledger.apply([outcome(50), record], ts=TS, epoch=1)
    assert refused.value.index == 1


def test_the_number_of_the_lease_is_the_last_processs_that_held_one() -> None:
    assert ledger_of(make_note("opened", {})).lease_epoch == 0
    held = ledger_of(make_note("opened", {"lease_epoch": 5}), make_note("opened", {"lease_epoch": 5}))
    assert held.lease_epoch == 5
    held.apply([make_note("opened", {})], ts=TS, epoch=2)
    assert Ledger(100, held.state(), held.bitmap()).lease_epoch == 5
    held.apply([make_note("opened", {"lease_epoch": 9})], ts=TS, epoch=3)
    assert held.lease_epoch == 9


def test_what_was_restored_may_have_been_sent_as_far_as_its_replica_says() -> None:
    ledger = ledger_of(outcome(3), make_note("released", {"first": 0, "last": 9}))
    assert not ledger.is_settled
    ledger.apply([make_note("restored", {"may_reach": 40})], ts=TS, epoch=1)
    assert ledger.is_settled
    ledger.begin(2)
    assert [n for n in range(100) if ledger.maybe_sent(n)] == [n for n in range(41) if n != 3]
    ledger.apply([make_note("restored", {"may_reach": -1})], ts=TS, epoch=2)
    assert ledger.maybe_sent(40)


def test_who_approved_is_who_did_and_not_who_went_on() -> None:
    typed = make_note("approved", {"digest": "d" * 64, "how": "typed", "by": "me@here"})
    resumed = make_note("approved", {"digest": "d" * 64, "how": "resumed", "by": "you@there"})
    ledger = ledger_of(typed, resumed)
    assert (ledger.approved_by, ledger.approvers, ledger.approvals) == ("me@here (typed)", None, [])
    signed = make_note("approved", {"digest": "d" * 64, "how": "signed", "by": "anna"})
    ledger.apply([make_note("approvers", APPROVERS), make_note("approval", APPROVAL), signed], ts=TS, epoch=2)
    assert (ledger.approved_by, ledger.approvers, ledger.approvals) == ("anna (signed)", APPROVERS, [APPROVAL])


def test_an_earlier_epoch_cannot_follow_a_later_one() -> None:
    ledger = ledger_of(epoch=2)
    with pytest.raises(RefusedRecordError, match="epoch 1 after epoch 2"):
        ledger.apply([outcome(1)], ts=TS, epoch=1)


def released(first: int, last: int) -> Record:
    return make_note("released", {"first": first, "last": last})


def stopped(*unknown: int, drained: bool = True) -> Record:
    return make_note("stopped", {"reason": "asked to", "drained": drained, "unknown": list(unknown)})


@pytest.mark.parametrize(
    ("epochs", "maybe"),
    [
        ([[released(0, 4), outcome(0)]], set()),
        ([[released(0, 4), outcome(0)], []], {1, 2, 3, 4}),
        ([[released(0, 4), outcome(0), stopped()], []], set()),
        ([[released(0, 4), outcome(0), stopped(3)], []], {3}),
        ([[released(0, 4), outcome(0), stopped(3, drained=False)], []], {1, 2, 3, 4}),
        ([[released(0, 4), stopped(3)], [outcome(3)], []], {0, 1, 2, 4}),
        ([[released(0, 4)], [released(5, 7), stopped(6)], []], {0, 1, 2, 3, 4, 6}),
        ([[released(0, 4), stopped()], [released(5, 7)], []], {0, 1, 2, 3, 4, 5, 6, 7}),
        ([[released(0, 4), make_note("finished", {"counts": {}})], []], set()),
    ],
    ids=[
        "released by this process",
        "the earlier one died",
        "it drained",
        "it drained but for one",
        "it stopped without draining",
        "the next died, and may have sent all that was released before",
        "a drained stop does not clear what an earlier death left",
        "the later one died",
        "it finished",
    ],
)
def test_what_an_earlier_process_may_have_sent(epochs: list[list[Record]], maybe: set[int]) -> None:
    ledger = Ledger(10)
    for epoch, records in enumerate(epochs, start=1):
        ledger.apply(records, ts=TS, epoch=epoch)
    assert {ordinal for ordinal in range(10) if ledger.maybe_sent(ordinal)} == maybe


def test_counters_of_an_epoch_are_cumulative_and_add_up_over_epochs() -> None:
    ledger = Ledger(10)
    told = {"attempts": 5, "throttled": 2, "server_faults": 1, "active_seconds": 10.0}
    ledger.apply([outcome(0), make_note("telemetry", told)], ts=TS, epoch=1)
    ledger.apply([make_note("stopped", {"reason": "x", **told, "attempts": 7, "throttled": 3})], ts=TS, epoch=1)
    assert (ledger.attempts, ledger.throttled, ledger.server_faults, ledger.active_seconds) == (7, 3, 1, 10.0)
    ledger.apply([make_note("telemetry", told), outcome(1, attempts=9)], ts=TS, epoch=2)
    assert (ledger.attempts, ledger.throttled, ledger.server_faults, ledger.active_seconds) == (16, 5, 2, 20.0)
    assert ledger.last_telemetry == told


def test_a_stop_reason_is_gone_when_the_next_process_works() -> None:
    ledger = ledger_of(stopped())
    assert ledger.stop_reason == "asked to"
    ledger.begin(2)
    assert ledger.stop_reason is None


notes = st.one_of(
    st.integers(0, 39).map(lambda last: released(0, last)),
    st.lists(st.integers(0, 39), max_size=3).map(lambda unknown: stopped(*unknown)),
    st.integers(0, 99).map(lambda n: make_note("telemetry", {"attempts": n, "throttled": n, "active_seconds": n / 2})),
    st.just(make_note("opened", {"pid": 1})),
)
batches = st.lists(st.lists(notes | st.none(), min_size=1, max_size=6), max_size=8)


@settings(deadline=None)
@given(batches, st.permutations(range(40)), st.data())
def test_state_saved_anywhere_and_continued_is_the_state(
    commits: list[list[Record | None]], ordinals: list[int], data: st.DataObject
) -> None:
    """A checkpoint in the middle changes nothing: state and bitmap are all there is."""
    words = st.sampled_from(["deleted", "failed", "skipped"])
    ledger = Ledger(40)
    saved_at = data.draw(st.integers(0, len(commits)))
    twin: Ledger | None = None
    for number, commit in enumerate(commits):
        if number == saved_at:
            twin = Ledger(40, copy.deepcopy(ledger.state()), ledger.bitmap())
        records = [
            outcome(ordinals.pop(), data.draw(words)) if record is None and ordinals else record for record in commit
        ]
        given_records = [record for record in records if record is not None]
        for each in (ledger, twin):
            if each is not None:
                each.apply(given_records, ts=TS, epoch=1 + number // 3)
    if twin is not None:
        assert twin.state() == ledger.state()
        assert twin.bitmap() == ledger.bitmap()
        assert [twin.maybe_sent(o) for o in range(40)] == [ledger.maybe_sent(o) for o in range(40)]
