"""The pool against the simulator's state machine, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.archive import Archive
from glacier_purge.deletion.credentials import FRUITLESS_ROUNDS_MAX, Renewal
from glacier_purge.deletion.pacer import Pacer, PacerSettings
from glacier_purge.deletion.pauses import Side
from glacier_purge.deletion.pool import Pool
from glacier_purge.deletion.retry import RetryPolicy, RetryPolicySettings
from glacier_purge.deletion.tally import Tally
from glacier_purge.deletion.turns import Turns
from glacier_purge.errors import (
    CredentialsFailed,
    GlacierPurgeError,
    InvariantBroken,
    ServiceRefused,
    UsageError,
    each_error,
)
from glacier_purge.glacier.doubts import repeated
from glacier_purge.glacier.reply import ENDS_THE_RUN, Meaning, Reply
from tests.deletion.pretended import InProcessGlacier, Kept
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glacier_purge.audit.record import Outcome
    from glacier_purge.glacier.port import Addressed, Later

pytestmark = IN_PROCESS

SERVER_FAULT = Reply(Meaning.SERVER_FAULT, 500, "InternalFailure")
LOST = Reply(Meaning.NO_REPLY, None, "ConnectionReset")
THROTTLED = Reply(Meaning.THROTTLED, 400, "ThrottlingException")
UNKNOWN = Reply(Meaning.UNKNOWN, 400, "BadRequest")
EXPIRED = Reply(Meaning.CREDENTIALS, 403, "ExpiredTokenException")


class Work:
    """One pool over one pretended service."""

    def __init__(
        self,
        service: InProcessGlacier,
        *,
        in_flight_max: int = 16,
        first_per_second: float = 1000.0,
        recorder: Kept | None = None,
    ) -> None:
        clock = asyncio.get_running_loop().time
        chance = random.Random(3).random
        self.service = service
        self.kept = Kept() if recorder is None else recorder
        self.tally = Tally()
        self.renewal = Renewal(service.renew_credentials, clock=clock, patience_seconds=600)
        self.send, self.receive = anyio.create_memory_object_stream[list[Archive]](2)
        self.turns = Turns(self.receive, parked_max=200)
        settings = PacerSettings(rate_per_second_first=first_per_second, in_flight_max=in_flight_max)
        self.pool = Pool(
            service=service,
            turns=self.turns,
            pacer=Pacer(settings, now=clock(), random=chance),
            policy=RetryPolicy(RetryPolicySettings(), chance),
            recorder=self.kept,
            tally=self.tally,
            renewal=self.renewal,
            clock=clock,
            maybe_sent=lambda ordinal: ordinal == 3,
        )

    async def feed(self) -> None:
        archives = self.service.archives()
        async with self.send:
            for at in range(0, len(archives), 50):
                await self.send.send(archives[at : at + 50])

    async def delete_everything(self) -> None:
        async with self.receive, anyio.create_task_group() as tasks:
            tasks.start_soon(self.feed)
            await self.pool.run()
            tasks.cancel_scope.cancel()

    def check(self) -> None:
        """Each archive has exactly one outcome, `deleted` only where the server has deleted (I1, I4)."""
        per_ordinal = Counter(outcome.ordinal for outcome in self.kept.outcomes)
        assert per_ordinal == dict.fromkeys(range(len(self.service.stored.shelf)), 1)
        for outcome in self.kept.outcomes:
            if outcome.outcome == "deleted":
                assert self.service.sent[outcome.archive_id] > 0
        deleted = sum(outcome.outcome == "deleted" for outcome in self.kept.outcomes)
        assert self.service.pretended.ledger.archives_left <= len(self.kept.outcomes) - deleted


async def test_every_archive_is_deleted_once_when_nothing_goes_wrong() -> None:
    work = Work(InProcessGlacier(500))
    await work.delete_everything()
    work.check()
    assert work.service.requests == 500
    assert {outcome.attempts for outcome in work.kept.outcomes} == {1}
    assert [outcome.ordinal for outcome in work.kept.outcomes if outcome.redelete] == [3]


async def test_no_more_requests_are_in_flight_than_allowed() -> None:
    work = Work(InProcessGlacier(500), in_flight_max=7)
    await work.delete_everything()
    assert work.service.in_flight_max == 7


async def test_the_first_delete_goes_alone() -> None:
    work = Work(InProcessGlacier(100, latency_seconds=1.0), first_per_second=1e6)
    await work.delete_everything()
    first, second, third = work.service.sent_at[:3]
    assert second - first >= 0.5
    assert third - second < 0.01


async def test_a_throttled_delete_is_tried_again_and_never_fails() -> None:
    work = Work(InProcessGlacier(3000, rate_per_second=100), in_flight_max=64)
    await work.delete_everything()
    work.check()
    assert {outcome.outcome for outcome in work.kept.outcomes} == {"deleted"}
    assert work.tally.throttled > 0
    assert work.service.pretended.ledger.throttled == work.tally.throttled


async def test_faults_of_the_service_use_up_no_attempts() -> None:
    work = Work(InProcessGlacier(300, weather=lambda n: SERVER_FAULT if n % 3 == 0 else None))
    await work.delete_everything()
    work.check()
    assert {outcome.outcome for outcome in work.kept.outcomes} == {"deleted"}
    assert max(outcome.attempts for outcome in work.kept.outcomes) > 3


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize(("share", "seconds_max"), [(0.0, 12.0), (0.3, 20.0), (0.6, 32.0)])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_steady_share_of_faults_takes_little_longer(share: float, seconds_max: float, seed: int) -> None:
    """500 archives at 50/s are 10 s; at 60 % the stragglers of the end would wait 20 s each time."""
    chance = random.Random(seed)
    service = InProcessGlacier(
        500, rate_per_second=50, weather=lambda _: SERVER_FAULT if chance.random() < share else None
    )
    work = Work(service, first_per_second=10.0)
    await work.delete_everything()
    work.check()
    assert {outcome.outcome for outcome in work.kept.outcomes} == {"deleted"}
    assert asyncio.get_running_loop().time() <= seconds_max


async def test_an_archive_that_always_meets_a_fault_never_fails_and_is_only_probed_in_the_end() -> None:
    chance, service = random.Random(1), InProcessGlacier(500, rate_per_second=50)
    cursed = service.archives()[17].archive_id
    service.weather = lambda _: SERVER_FAULT if service.last_sent == cursed or chance.random() < 0.6 else None
    work = Work(service, first_per_second=10.0)
    with anyio.move_on_after(660.0):
        await work.delete_everything()
    assert {outcome.outcome for outcome in work.kept.outcomes} == {"deleted"}
    assert len(work.kept.outcomes) == 499
    assert [turn.archive.archive_id for turn in work.turns.waiting()] in ([], [cursed])
    assert sum(60.0 <= at < 660.0 for at in service.sent_at) <= 600 / 5 + 1
    assert work.pool.why().words == "the service is failing: one probe every 5 s until it answers"


async def test_a_lost_reply_is_sent_again_and_marked_as_a_redelete() -> None:
    work = Work(InProcessGlacier(200, weather=lambda n: LOST if n == 60 else None))
    await work.delete_everything()
    work.check()
    again = [archive_id for archive_id, times in work.service.sent.items() if times == 2]
    assert len(again) == 1
    assert {o.archive_id for o in work.kept.outcomes if o.redelete and o.ordinal != 3} == set(again)


async def test_an_outage_of_an_hour_fails_no_archive_and_is_only_probed() -> None:
    service = InProcessGlacier(1000, rate_per_second=100)
    service.weather = lambda _: SERVER_FAULT if 5 < asyncio.get_running_loop().time() < 3605 else None
    work = Work(service, first_per_second=50)
    await work.delete_everything()
    work.check()
    assert {outcome.outcome for outcome in work.kept.outcomes} == {"deleted"}
    assert work.tally.refused[Meaning.SERVER_FAULT] < 1500
    assert len(work.turns) == 0


async def test_an_archive_fails_after_three_replies_nobody_knows() -> None:
    service = InProcessGlacier(100)
    bad = service.archives()[17].archive_id
    service.weather = lambda _: UNKNOWN if service.last_sent == bad else None
    work = Work(service)
    await work.delete_everything()
    work.check()
    failed = [outcome for outcome in work.kept.outcomes if outcome.outcome == "failed"]
    assert [(outcome.ordinal, outcome.attempts, outcome.code) for outcome in failed] == [(17, 3, "BadRequest")]
    assert service.sent[bad] == 3


@pytest.mark.parametrize(
    "meaning",
    sorted(ENDS_THE_RUN, key=str),
)
async def test_a_refusal_of_the_first_delete_stops_the_run_after_one_request(meaning: Meaning) -> None:
    work = Work(InProcessGlacier(500, weather=lambda _: Reply(meaning, 403, "Some", "said so")), first_per_second=1e6)
    with pytest.raises(ExceptionGroup) as caught:
        await work.delete_everything()
    exit_codes = {Meaning.NOT_AWS: 3, Meaning.UNTRUSTED: 253}
    (error,) = each_error(caught.value)
    assert isinstance(error, GlacierPurgeError)
    assert error.exit_code == exit_codes.get(meaning, 254)
    assert work.service.requests == 1
    assert work.kept.outcomes == []


async def test_a_delete_that_somebody_else_answered_is_in_doubt_when_the_run_stops() -> None:
    page = Reply(Meaning.NOT_AWS, 200)
    work = Work(InProcessGlacier(500, weather=lambda n: page if n == 200 else None))
    with pytest.raises(ExceptionGroup):
        await work.delete_everything()
    (ordinal,) = work.pool.unknown()
    assert work.service.archives()[ordinal].archive_id not in {outcome.archive_id for outcome in work.kept.outcomes}


@pytest.mark.parametrize(
    ("meaning", "is_in_doubt"),
    [(Meaning.NO_REPLY, True), (Meaning.SERVER_FAULT, True), (Meaning.THROTTLED, False), (Meaning.UNKNOWN, False)],
)
async def test_an_outcome_says_whether_the_delete_may_have_been_carried_out_before(
    meaning: Meaning, is_in_doubt: bool
) -> None:
    work = Work(InProcessGlacier(20, weather=lambda n: Reply(meaning, 500, "x") if n == 5 else None))
    await work.delete_everything()
    said_so = {outcome.ordinal for outcome in work.kept.outcomes if outcome.redelete}
    assert said_so - {3} == ({4} if is_in_doubt else set())


async def test_a_refusal_in_the_middle_settles_what_is_in_flight_and_fails_nothing() -> None:
    work = Work(InProcessGlacier(500, weather=lambda n: Reply(Meaning.REFUSED, 403, "x") if n == 200 else None))
    with pytest.raises(ExceptionGroup) as caught:
        await work.delete_everything()
    assert caught.group_contains(ServiceRefused)
    assert work.pool.unknown() == []
    assert {outcome.outcome for outcome in work.kept.outcomes} == {"deleted"}
    assert len(work.kept.outcomes) == work.service.requests - 1 >= 199


async def test_expired_credentials_pause_the_run_until_they_are_renewed() -> None:
    service = InProcessGlacier(400)
    service.weather = lambda n: EXPIRED if n > 100 and not service.renewals else None
    work = Work(service)
    await work.delete_everything()
    work.check()
    assert service.renewals == 1
    assert {outcome.outcome for outcome in work.kept.outcomes} == {"deleted"}


async def test_credentials_that_stay_refused_end_the_run_and_fail_no_archive() -> None:
    service = InProcessGlacier(400)
    service.weather = lambda n: EXPIRED if n > 100 else None
    work = Work(service)
    with pytest.raises(ExceptionGroup) as caught:
        await work.delete_everything()
    assert caught.group_contains(CredentialsFailed)
    assert FRUITLESS_ROUNDS_MAX <= service.renewals <= 2 * FRUITLESS_ROUNDS_MAX  # late accepted replies give hope
    assert {outcome.outcome for outcome in work.kept.outcomes} == {"deleted"}


async def test_a_run_whose_replies_are_all_repeated_says_so_and_knocks_instead_of_hammering() -> None:
    service = InProcessGlacier(400)
    service.weather = lambda n: repeated("r") if n > 100 else None
    work = Work(service)
    with anyio.move_on_after(600):
        await work.delete_everything()
    doubted = work.tally.refused[Meaning.NO_REPLY]
    assert work.tally.doubted == doubted > 0
    assert work.pool.why().words == (
        "the service is failing: one probe every 5 s until it answers; not believed so far: "
        f"{doubted:,} replies, as a box in between repeats or makes them up (those deletes are sent again)"
    )
    assert service.requests < 3_000, "ten seconds at the pace of before, then a request every 5 s"
    assert len(work.kept.outcomes) <= 100


async def test_a_drained_pool_sends_nothing_new_and_settles_what_is_in_flight() -> None:
    work = Work(InProcessGlacier(5000))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.delete_everything)
        await anyio.sleep(1)
        sent = work.service.requests
        work.pool.drain("test")
    assert work.service.requests == sent
    assert len(work.kept.outcomes) == sent
    assert work.pool.unknown() == []
    assert work.pool.stop_reason == "test"


async def test_what_a_cancelled_pool_had_in_flight_is_known() -> None:
    work = Work(InProcessGlacier(5000, latency_seconds=5))
    with anyio.move_on_after(20):
        await work.delete_everything()
    recorded = {outcome.archive_id for outcome in work.kept.outcomes}
    in_doubt = {work.service.archives()[ordinal].archive_id for ordinal in work.pool.unknown()}
    assert in_doubt == set(work.service.sent) - recorded
    assert in_doubt


async def test_a_pause_sends_nothing_and_reads_no_further_ahead() -> None:
    work = Work(InProcessGlacier(2000))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.delete_everything)
        await anyio.sleep(1)
        work.pool.pause(Side.OPERATOR, "held on request")
        await anyio.sleep(1)
        sent, buffered = work.service.requests, work.send.statistics().current_buffer_used
        await anyio.sleep(3600)
        assert (work.service.requests, work.send.statistics().current_buffer_used) == (sent, buffered)
        assert work.pool.why().words == "held on request"
        work.pool.resume(Side.OPERATOR)
    work.check()


async def test_the_end_of_one_pause_does_not_lift_another() -> None:
    work = Work(InProcessGlacier(2000))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.delete_everything)
        await anyio.sleep(1)
        work.pool.pause(Side.WINDOW, "closed until six")
        work.pool.pause(Side.OPERATOR, "held on request")
        await anyio.sleep(1)
        sent = work.service.requests
        assert work.pool.why().words == "held on request; and closed until six"
        work.pool.resume(Side.WINDOW)
        await anyio.sleep(3600)
        assert work.service.requests == sent
        assert work.pool.paused_by == [Side.OPERATOR]
        work.pool.resume(Side.OPERATOR)
    work.check()


async def test_renewed_credentials_do_not_lift_an_operators_pause() -> None:
    service = InProcessGlacier(400)
    service.renewal_seconds = 30.0
    service.weather = lambda n: EXPIRED if n > 100 and not service.renewals else None
    work = Work(service)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.delete_everything)
        await anyio.sleep(10)
        assert work.pool.paused_by == [Side.CREDENTIALS]
        assert work.pool.why().words.endswith("paused until they are renewed, 600 s at most")
        work.pool.pause(Side.OPERATOR, "held on request")
        await anyio.sleep(3600)
        assert service.renewals == 1
        assert work.pool.paused_by == [Side.OPERATOR]
        assert len(work.kept.outcomes) < 400
        work.pool.resume(Side.OPERATOR)
    work.check()


async def test_a_pause_while_the_first_delete_is_under_way_holds_the_second() -> None:
    work = Work(InProcessGlacier(50, latency_seconds=1.0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.delete_everything)
        await anyio.sleep(0.1)
        work.pool.pause(Side.OPERATOR, "held on request")
        await anyio.sleep(60)
        assert work.service.requests == len(work.kept.outcomes) == 1
        work.pool.resume(Side.OPERATOR)
    work.check()


async def test_a_paused_pool_can_be_drained() -> None:
    work = Work(InProcessGlacier(2000))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.delete_everything)
        await anyio.sleep(1)
        work.pool.pause(Side.OPERATOR, "held on request")
        await anyio.sleep(60)
        work.pool.drain("stop")
    assert len(work.kept.outcomes) == work.service.requests < 2000


async def test_memory_stays_bounded_while_everything_is_refused() -> None:
    service = InProcessGlacier(3000)
    service.weather = lambda n: SERVER_FAULT if n > 1 and asyncio.get_running_loop().time() < 100 else None
    work = Work(service)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work.delete_everything)
        for _ in range(90):
            await anyio.sleep(1)
            assert work.pool.waiting + work.pool.in_flight <= 200 + 16
    work.check()


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("seed", range(20))
async def test_no_archive_is_lost_or_doubled_in_any_weather(seed: int) -> None:
    chance = random.Random(seed)
    kinds = [SERVER_FAULT, LOST, EXPIRED, Reply(Meaning.THROTTLED, 400, "ThrottlingException"), None, None, None, None]
    work = Work(InProcessGlacier(400, rate_per_second=150, weather=lambda _: chance.choice(kinds)), in_flight_max=24)
    await work.delete_everything()
    work.check()
    assert work.service.pretended.ledger.archives_left == 0


def remembered(service: InProcessGlacier) -> list[Callable[[], object]]:
    """A list that will have, for each delete that is sent, what gives it a reply."""
    replies: list[Callable[[], object]] = []
    send = service.delete_archives

    def remember(archives: Sequence[Addressed]) -> Sequence[Later]:
        for archive in archives:
            remembered = Reply(Meaning.DELETED, 204, request_id="remembered")
            replies.append(partial(service.settle, [(archive, remembered)]))
        return send(archives)

    service.delete_archives = remember  # type: ignore[method-assign]  # to give replies when the test wants them
    return replies


class Full(Kept):
    """A recorder that breaks after so many outcomes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self.tally = Tally()
        self.sent_before = 0
        self.replies: list[Callable[[], object]] = []

    def record(self, outcomes: Sequence[Outcome], /) -> None:
        super().record(outcomes)
        if len(self.outcomes) >= self._most:
            self.sent_before = self.sent_before or self.tally.sent
            asyncio.get_running_loop().call_soon(self.replies[-1])
            raise ValueError("a second terminal outcome")


async def test_an_error_where_nobody_listens_ends_the_run() -> None:
    """Replies and records are calls of the event loop, which would log an exception and go on.

    A reply that comes before the dispatcher has heard of the error must not send the next delete.
    """
    full = Full(50)
    work = Work(InProcessGlacier(500), recorder=full)
    full.tally, full.replies = work.tally, remembered(work.service)
    with pytest.raises(ExceptionGroup) as caught:
        await work.delete_everything()
    assert caught.group_contains(ValueError, match="a second terminal outcome")
    assert work.tally.sent == full.sent_before, "something was sent after the error"


async def test_replies_that_come_together_are_each_settled_as_they_are() -> None:
    """One call with a deletion, a throttle, a lost reply, and two that the policy gives up in the end."""
    service = InProcessGlacier(200, latency_seconds=0.0)
    fates = dict(enumerate([None, LOST, UNKNOWN, UNKNOWN, THROTTLED] * 8))
    rounds: Counter[int] = Counter()

    def all_at_once(archives: Sequence[Archive]) -> Sequence[Later]:
        replies = []
        for archive in archives:
            rounds[archive.ordinal] += 1
            fate = fates.get(archive.ordinal)
            again = fate is None or (fate is not UNKNOWN and rounds[archive.ordinal] > 1)
            replies.append((archive, Reply(Meaning.DELETED, 204, request_id="r") if again or fate is None else fate))
        asyncio.get_running_loop().call_later(0.05, service.settle, replies)
        return ()

    service.delete_archives = all_at_once  # type: ignore[assignment]  # a transport that answers in whole batches
    work = Work(service)
    await work.delete_everything()
    outcomes = {outcome.ordinal: outcome for outcome in work.kept.outcomes}
    assert len(work.kept.outcomes) == len(outcomes) == 200
    for ordinal, outcome in outcomes.items():
        fate = fates.get(ordinal)
        assert outcome.outcome == ("failed" if fate is UNKNOWN else "deleted")
        assert outcome.redelete == (fate is LOST or ordinal == 3)
        assert outcome.attempts == rounds[ordinal]
    assert work.tally.accepted == 200 - 16
    assert work.tally.throttled == 8


async def test_what_was_accepted_is_recorded_though_another_reply_of_its_turn_breaks_the_run() -> None:
    service = InProcessGlacier(100, latency_seconds=0.0)

    def all_at_once(archives: Sequence[Archive]) -> Sequence[Later]:
        replies = [(archive, Reply(Meaning.DELETED, 204, request_id="r")) for archive in archives]
        if work.tally.accepted >= 20:
            replies.insert(len(replies) // 2, (replies[0][0], replies[0][1]))  # a second reply to one delete
        asyncio.get_running_loop().call_later(0.05, service.settle, replies)
        return ()

    service.delete_archives = all_at_once  # type: ignore[assignment]  # a transport that answers in whole batches
    work = Work(service)
    with pytest.raises(ExceptionGroup) as caught:
        await work.delete_everything()
    assert caught.group_contains(InvariantBroken, match="a reply is that of a request under way")
    assert len(work.kept.outcomes) == work.tally.accepted
    assert len(work.kept.outcomes) + len(work.pool.unknown()) == work.tally.sent


async def test_an_id_that_must_not_be_sent_ends_the_run() -> None:
    service = InProcessGlacier(100)
    bad = service.archives()[40].archive_id

    def refuse(archive_id: str) -> None:
        if archive_id == bad:
            raise UsageError("not an archive id. It was not sent.")

    service.before_send = refuse
    work = Work(service)
    with pytest.raises(ExceptionGroup) as caught:
        await work.delete_everything()
    assert caught.group_contains(UsageError)
    assert service.requests <= 100
    assert bad not in {outcome.archive_id for outcome in work.kept.outcomes}


async def test_replies_that_are_here_when_a_pool_is_cancelled_are_kept_and_nothing_follows_them() -> None:
    """A turn's replies are delivered at its end, and the cancellation may come first."""
    service = InProcessGlacier(500, latency_seconds=0.0)
    sent: list[int] = []

    def never_answered(archives: Sequence[Archive]) -> Sequence[Later]:
        sent.extend(archive.ordinal for archive in archives)
        if len(sent) == 1:  # the first goes alone: let the others follow it
            asyncio.get_running_loop().call_soon(deliver, list(archives))
        return ()

    def deliver(archives: Sequence[Archive]) -> None:
        service.settle([(archive, Reply(Meaning.DELETED, 204, request_id="r")) for archive in archives])

    service.delete_archives = never_answered  # type: ignore[assignment]  # replies are given when the test wants them
    work = Work(service, first_per_second=1e6)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work.delete_everything)
            await anyio.sleep(1.0)
            in_flight = work.service.archives()[1:17]
            assert sorted(sent) == list(range(17))
            scope.cancel()
            asyncio.get_running_loop().call_soon(deliver, in_flight[:10])
    assert len(sent) == 17, "something was sent by a cancelled pool"
    assert sorted(outcome.ordinal for outcome in work.kept.outcomes) == list(range(11))
    assert work.pool.unknown() == list(range(11, 17))
    deliver(in_flight[10:])
    assert len(work.kept.outcomes) == 11


async def test_a_cancelled_pool_keeps_what_was_settled_and_takes_no_later_reply() -> None:
    work = Work(InProcessGlacier(5000))
    late = remembered(work.service)
    with anyio.move_on_after(2):
        await work.delete_everything()
    kept, in_doubt = list(work.kept.outcomes), work.pool.unknown()
    assert len(kept) + len(in_doubt) == work.service.requests
    late[-1]()
    assert (work.kept.outcomes, work.pool.unknown()) == (kept, in_doubt)
