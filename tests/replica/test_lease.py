"""What one of several hosts does about a lease, as a function of what it read and when: nothing here waits."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.archive import Vault
from glacier_purge.aws.bucket import Stored
from glacier_purge.errors import Needs, RunLocked
from glacier_purge.replica.lease import (
    Holder,
    Lease,
    LeaseDocument,
    LeaseTimes,
    LeaseUnreadable,
    Read,
    Step,
    Wait,
    Write,
)

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
TIMES = LeaseTimes(60.0)
PLACE = "s3://purges/leases/photos.json"


def holder(name: str, host_lock: str = "") -> Holder:
    return Holder(
        host=name,
        process=7,
        run="/runs/photos",
        tool_version="0.2.0",
        nonce=f"{name}'s nonce",
        host_lock=host_lock,
    )


def lease(name: str = "one", epoch_known: int = 0) -> Lease:
    return Lease(VAULT, holder(name), TIMES, PLACE, epoch_known=epoch_known)


def document(name: str = "two", epoch: int = 4, renewal: int = 1, *, let_go: bool = False) -> LeaseDocument:
    return LeaseDocument(
        format="glacier-purge-lease-1",
        vault_arn=VAULT.arn,
        lease_epoch=epoch,
        holder=holder(name),
        renewal=renewal,
        term_seconds=60.0,
        let_go=let_go,
        chain_head=None,
    )


def stored(said: LeaseDocument, etag: str = "4") -> Stored:
    return Stored(msgspec.json.encode(said), etag)


def written(step: Step) -> LeaseDocument:
    assert isinstance(step, Write)
    return msgspec.json.decode(step.content, type=LeaseDocument)


def held(now: float = 0.0) -> Lease:
    """One that was taken where there was none, asked for at ``now``."""
    mine = lease()
    assert mine.step(now, 0.5) == Read()
    mine.was_read(now, None)
    step = mine.step(now, 0.5)
    assert isinstance(step, Write)
    assert step.etag is None
    mine.was_written(now, "1")
    return mine


def test_where_there_is_none_it_is_made_and_counted_from_before_it_was_asked_for() -> None:
    mine = held(100.0)
    assert mine.epoch == 1
    assert mine.sends_until == 100.0 + 45.0
    assert mine.step(100.0, 0.5) == Wait(10.0)


def test_one_that_was_let_go_is_taken_at_once_by_a_higher_number() -> None:
    mine = lease()
    mine.was_read(5.0, stored(document(let_go=True)))
    step = mine.step(5.0, 0.5)
    assert isinstance(step, Write)
    assert (step.etag, written(step).lease_epoch) == ("4", 5)


def test_one_that_is_held_is_waited_for_a_whole_term_from_when_it_was_known() -> None:
    mine = lease()
    mine.was_read(100.0, stored(document()))
    for now in (100.0, 110.0, 130.0, 159.9):
        step = mine.step(now, 0.0)
        assert not isinstance(step, Write)
        mine.was_read(now, stored(document()))
    assert mine.lost is None
    step = mine.step(160.0, 0.5)
    assert isinstance(step, Write)
    assert (step.etag, written(step).lease_epoch) == ("4", 5)


def test_the_term_that_counts_is_its_holders() -> None:
    mine = lease()
    mine.was_read(0.0, stored(msgspec.structs.replace(document(), term_seconds=300.0)))
    assert not isinstance(mine.step(299.0, 0.0), Write)
    assert isinstance(mine.step(300.0, 0.0), Write)


def test_one_that_is_renewed_is_anothers_who_is_named() -> None:
    mine = lease()
    mine.was_read(0.0, stored(document()))
    mine.was_read(10.0, stored(document(renewal=2), "5"))
    assert isinstance(mine.lost, RunLocked)
    assert "another host works on" in str(mine.lost)
    assert "process 7 on two, in /runs/photos (glacier-purge 0.2.0), by lease number 4" in str(mine.lost)
    assert mine.lost.exit_code == 75


HERE = "this boot's lock"


def of_a_process_here(said: LeaseDocument, host_lock: str = HERE) -> LeaseDocument:
    return msgspec.structs.replace(said, holder=msgspec.structs.replace(said.holder, host_lock=host_lock))


def test_one_whose_process_is_dead_on_this_very_host_is_taken_at_once_by_a_higher_number() -> None:
    mine = Lease(VAULT, holder("one", HERE), TIMES, PLACE)
    mine.step(0.0, 0.5)
    mine.was_read(0.0, stored(of_a_process_here(document(epoch=4))))
    step = mine.step(0.0, 0.5)
    assert isinstance(step, Write)
    assert (step.etag, written(step).lease_epoch, written(step).holder.nonce) == ("4", 5, "one's nonce")


def test_a_dead_processs_renewal_that_comes_late_is_no_sign_of_life() -> None:
    mine = Lease(VAULT, holder("one", HERE), TIMES, PLACE)
    mine.was_read(0.0, stored(of_a_process_here(document(epoch=4, renewal=1)), "4"))
    mine.step(0.0, 0.5)
    mine.was_taken()
    assert mine.step(0.1, 0.5) == Read()
    mine.was_read(0.1, stored(of_a_process_here(document(epoch=4, renewal=2)), "5"))
    assert mine.lost is None
    step = mine.step(0.1, 0.5)
    assert isinstance(step, Write)
    assert (step.etag, written(step).lease_epoch) == ("5", 5)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("", ""), ("", HERE), (HERE, ""), (HERE, "another boot's"), (HERE, HERE + " ")],
    ids=["no locks", "mine has none", "theirs has none", "other boot", "nearly"],
)
def test_without_the_same_lock_nobody_is_known_to_be_dead(mine: str, theirs: str) -> None:
    one = Lease(VAULT, holder("one", mine), TIMES, PLACE)
    one.was_read(0.0, stored(of_a_process_here(document(), theirs)))
    assert not isinstance(one.step(59.9, 0.0), Write)


def test_who_loses_the_race_for_a_free_one_is_told_who_won() -> None:
    mine = lease()
    mine.was_read(0.0, stored(document(let_go=True)))
    assert isinstance(mine.step(0.0, 0.5), Write)
    mine.was_taken()
    assert mine.step(0.0, 0.5) == Read()
    mine.was_read(0.0, stored(document("three", 5), "5"))
    assert isinstance(mine.lost, RunLocked)
    assert "on three" in str(mine.lost)


def test_one_that_was_let_go_while_it_was_waited_for_is_taken() -> None:
    mine = lease()
    mine.was_read(0.0, stored(document()))
    mine.was_read(10.0, stored(document(renewal=2, let_go=True), "5"))
    assert mine.lost is None
    step = mine.step(10.0, 0.5)
    assert isinstance(step, Write)
    assert step.etag == "5"


def test_a_taking_whose_answer_was_lost_is_found_and_counts_only_once_it_was_renewed() -> None:
    mine = lease()
    mine.was_read(0.0, stored(document(let_go=True)))
    mine.step(0.0, 0.5)
    mine.was_away(9.0, 0.5)
    assert mine.step(9.0, 0.5) == Wait(1.0)
    step = mine.step(10.0, 0.5)
    assert isinstance(step, Write)
    mine.was_taken()
    mine.was_read(11.0, stored(document("one", 5), "5"))
    assert (mine.lost, mine.epoch, mine.sends_until) == (None, 5, -math.inf)
    step = mine.step(11.0, 0.5)
    assert isinstance(step, Write)
    assert step.etag == "5"
    mine.was_written(11.0, "6")
    assert mine.sends_until == 56.0


def test_it_is_renewed_at_a_sixth_of_its_term_and_each_renewal_is_another_object() -> None:
    mine, contents = held(), set[bytes]()
    for number in range(1, 50):
        now = number * 10.0
        assert isinstance(mine.step(now - 0.1, 0.5), Wait)
        step = mine.step(now, 0.5)
        assert isinstance(step, Write)
        assert step.etag == str(number)
        contents.add(step.content)
        mine.was_written(now, str(number + 1))
        assert mine.sends_until == now + 45.0
    assert len(contents) == 49
    assert mine.epoch == 1


def test_a_renewal_whose_answer_was_lost_does_not_count_and_is_made_up_for() -> None:
    mine = held()
    assert isinstance(mine.step(10.0, 0.5), Write)
    mine.was_away(20.0, 0.5)
    step = mine.step(21.0, 0.5)
    assert isinstance(step, Write)
    assert step.etag == "1"
    mine.was_taken()
    assert mine.step(21.0, 0.5) == Read()
    mine.was_read(21.0, stored(document("one", 1, renewal=2), "2"))
    assert mine.sends_until == 45.0
    step = mine.step(21.0, 0.5)
    assert isinstance(step, Write)
    assert (step.etag, written(step).renewal) == ("2", 4)


def test_one_that_ran_out_is_renewed_by_the_same_number_where_nobody_took_it() -> None:
    mine = held()
    mine.was_away(20.0, 0.5)
    step = mine.step(500.0, 0.5)
    assert isinstance(step, Write)
    assert step.etag == "1"
    mine.was_written(500.0, "2")
    assert (mine.epoch, mine.sends_until) == (1, 545.0)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (stored(document("two", 2), "9"), "its lease was taken by process 7 on two, in /runs/photos"),
        (stored(document("two", 2, let_go=True), "9"), "its lease was taken by process 7 on two"),
        (None, "its lease was removed from the bucket"),
    ],
    ids=["taken", "taken and let go", "removed"],
)
def test_who_was_superseded_stops_and_says_by_whom(found: Stored | None, why: str) -> None:
    mine = held()
    mine.step(10.0, 0.5)
    mine.was_taken()
    mine.was_read(10.0, found)
    assert isinstance(mine.lost, RunLocked)
    assert why in str(mine.lost)
    assert (mine.lost.exit_code, mine.lost.needs) == (75, Needs.TIME)


@pytest.mark.parametrize("is_held", [False, True], ids=["wanted", "held"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Log in</html>",
        b'{"format":"glacier-purge-lease-2"}',
        b"[" * 100_000,
        b"\xff\xfe",
        msgspec.json.encode(msgspec.structs.replace(document(), vault_arn=VAULT.arn[:-1])),
        msgspec.json.encode(msgspec.structs.replace(document(), term_seconds=1e9)),
        msgspec.json.encode(msgspec.structs.replace(document(), term_seconds=-1.0)),
        msgspec.json.encode(msgspec.structs.replace(document(), lease_epoch=0)),
        msgspec.json.encode(document())[:-1] + b',"more":1}',
        msgspec.json.encode(document())[:-20],
    ],
    ids=["nothing", "page", "version", "deep", "binary", "vault", "long", "short", "zero", "more", "half"],
)
def test_what_is_no_lease_is_nobodys_and_nothing_is_sent(content: bytes, *, is_held: bool) -> None:
    mine = held() if is_held else lease()
    mine.was_taken() if is_held else None
    assert mine.step(10.0, 0.5) == Read()
    mine.was_read(10.0, Stored(content, "9"))
    assert isinstance(mine.lost, LeaseUnreadable)
    assert str(mine.lost).startswith(f"{PLACE} is no lease of {VAULT.arn} that this version can read: ")
    assert (mine.lost.exit_code, mine.lost.needs) == (3, Needs.OPERATOR)


def test_a_number_that_the_log_knows_is_never_taken_again() -> None:
    mine = lease(epoch_known=9)
    mine.was_read(0.0, None)
    assert written(mine.step(0.0, 0.5)).lease_epoch == 10
    mine = lease(epoch_known=9)
    mine.was_read(0.0, stored(document(epoch=3, let_go=True)))
    assert written(mine.step(0.0, 0.5)).lease_epoch == 10


def test_a_host_that_slept_holds_for_so_much_less() -> None:
    mine = held()
    mine.skipped(30.0)
    assert mine.sends_until == 15.0
    assert isinstance(mine.step(1.0, 0.5), Write)


def test_who_waits_for_another_does_not_wait_less_because_its_wall_clock_was_set() -> None:
    mine = lease()
    mine.was_read(0.0, stored(document()))
    mine.skipped(3_600.0)
    assert not isinstance(mine.step(59.0, 0.0), Write)


def test_what_is_let_go_is_not_sent_by_any_more() -> None:
    mine = held()
    last = mine.let_go()
    assert last is not None
    assert (written(last).let_go, last.etag, mine.sends_until) == (True, "1", -math.inf)
    assert lease().let_go() is None


@given(asked=st.floats(0, 1e6), term=st.floats(1, 3600), random=st.floats(0, 1))
def test_all_times_are_parts_of_the_term(asked: float, term: float, random: float) -> None:
    """Two tries at least come before sending ends, and sending ends before anybody else may begin."""
    times = LeaseTimes(term)
    mine = Lease(VAULT, holder("one"), times, PLACE)
    mine.was_read(asked, None)
    mine.step(asked, random)
    mine.was_written(asked, "1")
    assert mine.sends_until < asked + term
    two_tries = times.renew_seconds + 2 * times.question_seconds + 1.5 * times.look_seconds
    assert two_tries < term - times.margin_seconds
