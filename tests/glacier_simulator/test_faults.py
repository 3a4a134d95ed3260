"""Faults: who is struck (by seed, whatever the order), and what each kind looks like from the other end of the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random

import pytest

from glacier_simulator import FaultRule, SimulatedGlacier
from glacier_simulator.fault_kinds import KINDS
from glacier_simulator.faults import Fault, FaultPlan
from tests.glacier_simulator.raw_client import RawClient, Reply, ask

KEYS = [f"archive-{number}".encode() for number in range(20_000)]


def struck(plan: FaultPlan, keys: list[bytes], operation: str = "DeleteArchive", at: float = 0.0) -> dict[bytes, Fault]:
    decided = {key: plan.decide(operation, key, at, "us-east-1") for key in keys}
    return {key: fault for key, fault in decided.items() if fault is not None}


def test_there_are_at_least_thirty_kinds() -> None:
    assert len(KINDS) >= 30


@pytest.mark.parametrize("share", [0.0, 0.003, 0.1, 0.5, 1.0])
def test_the_share_that_is_struck_is_the_share_asked_for(share: float) -> None:
    found = len(struck(FaultPlan([FaultRule("throttle", share)], seed=7), KEYS)) / len(KEYS)
    assert abs(found - share) <= 4 * (share * (1 - share) / len(KEYS)) ** 0.5


def test_who_is_struck_does_not_depend_on_the_order_of_requests() -> None:
    rules = [FaultRule("throttle", 0.1), FaultRule("garbage", 0.1)]
    shuffled = random.Random(3).sample(KEYS, len(KEYS))
    assert struck(FaultPlan(rules, seed=5), KEYS) == struck(FaultPlan(rules, seed=5), shuffled)


def test_another_seed_strikes_others() -> None:
    rules = [FaultRule("throttle", 0.1)]
    first, second = (set(struck(FaultPlan(rules, seed=seed), KEYS)) for seed in (1, 2))
    assert 0.05 < len(first & second) / len(first) < 0.2


def test_whoever_was_struck_has_the_same_chance_as_others_the_next_time() -> None:
    plan = FaultPlan([FaultRule("throttle", 0.1)], seed=9)
    first = struck(plan, KEYS)
    again = struck(plan, list(first))
    assert 0.05 < len(again) / len(first) < 0.15


def test_the_draw_covers_all_of_its_range() -> None:
    draws = [fault.draw for fault in struck(FaultPlan([FaultRule("reset-in-body", 0.05)]), KEYS).values()]
    assert min(draws) < 0.05
    assert 0.95 < max(draws) < 1


def test_a_rule_strikes_its_operation_its_time_and_its_count_only() -> None:
    rule = FaultRule("throttle", operation="InitiateJob", from_seconds=10, until_seconds=20, count=2)
    plan = FaultPlan([rule])
    assert not struck(plan, KEYS[:5], "DeleteArchive", at=15)
    assert not struck(plan, KEYS[:5], "InitiateJob", at=9.9)
    assert not struck(plan, KEYS[:5], "InitiateJob", at=20)
    assert len(struck(plan, KEYS[:5], "InitiateJob", at=19.9)) == 2
    assert plan.counts == {"throttle": 2}


def test_a_rule_can_count_its_time_from_the_first_request_of_an_operation() -> None:
    plan = FaultPlan([FaultRule("throttle", operation="*", after="DeleteArchive", from_seconds=10, until_seconds=20)])
    assert not struck(plan, KEYS[:5], "ListVaults", at=15)
    assert not struck(plan, KEYS[:5], "DeleteArchive", at=1000)
    assert not struck(plan, KEYS[:5], "DeleteArchive", at=1009.9)
    assert len(struck(plan, KEYS[:5], "ListVaults", at=1010)) == 5
    assert not struck(plan, KEYS[:5], "DeleteArchive", at=1020)
    plan.replace([FaultRule("garbage", after="DeleteArchive", from_seconds=30)])
    assert not struck(plan, KEYS[:5], at=1029.9)
    assert len(struck(plan, KEYS[:5], at=1030)) == 5


def test_the_first_rule_that_strikes_wins_and_rules_can_be_replaced() -> None:
    plan = FaultPlan([FaultRule("throttle"), FaultRule("garbage", operation="*")])
    assert {fault.kind for fault in struck(plan, KEYS[:9]).values()} == {"throttle"}
    plan.replace([FaultRule("garbage", operation="*", seconds=3)])
    assert {fault.kind for fault in struck(plan, KEYS[:9], "ListVaults").values()} == {"garbage"}
    assert {fault.seconds for fault in struck(plan, KEYS[:9]).values()} == {3}


@pytest.mark.parametrize(
    "arguments", [{"kind": "earthquake"}, {"kind": "garbage", "share": 1.1}, {"kind": "garbage", "seconds": -1}]
)
def test_a_rule_that_cannot_be_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="fault"):
        FaultRule(**arguments)  # type: ignore[arg-type]  # wrong on purpose


# On the wire.

STATUSES = {
    "internal-error": (500, "ServiceUnavailableException"),
    "internal-error-after": (500, "ServiceUnavailableException"),
    "internal-failure": (500, "InternalFailure"),
    "insufficient-capacity": (503, "InsufficientCapacityException"),
    "request-timeout": (408, "RequestTimeoutException"),
    "throttle": (400, "ThrottlingException"),
    "too-many-requests": (429, "TooManyRequestsException"),
    "slow-down": (503, "SlowDown"),
    "retry-after": (503, "SlowDown"),
    "retry-after-nonsense": (503, "SlowDown"),
    "amz-retry-after": (400, "ThrottlingException"),
    "expired-token": (403, "ExpiredTokenException"),
    "invalid-signature": (403, "InvalidSignatureException"),
    "unknown-client": (400, "UnrecognizedClientException"),
    "access-denied": (403, "AccessDeniedException"),
    "not-supported": (400, "NoLongerSupportedException"),
    "vault-missing": (404, "ResourceNotFoundException"),
    "wrong-vault": (400, "InvalidParameterValueException"),
}
PAGES = {
    "bad-gateway": 502,
    "gateway-timeout": 504,
    "captive-portal": 200,
    "redirect": 302,
    "redirect-permanent": 308,
    "proxy-page-with-id": 503,
}
NO_WHOLE_REPLY = {
    "refuse", "reset-after", "reset-in-head", "reset-in-body", "close-before", "close-after", "half-close",
    "truncated-head", "truncated-body", "black-hole", "no-reply", "garbage", "length-too-long",
    "output-cut", "output-stalled",
}  # fmt: skip
UNREADABLE = {"length-nonsense", "broken-chunks", "bad-status-line"}
GOOD_204 = {
    "keep-alive-race", "connection-close", "late-reply", "slow-reply", "slow-loris", "byte-a-second",
    "garbage-after-reply", "duplicate-reply", "huge-head", "output-truncated", "output-corrupted", "job-failed",
    "job-expired",
}  # fmt: skip
FALSE_204 = {
    "repeated-here", "repeated-anywhere", "stray-reply", "204-without-id", "204-with-empty-id", "204-with-error-type",
    "204-with-body", "204-with-length", "204-in-chunks", "204-of-http-2",
}  # fmt: skip
OTHERS = {"length-too-short", "interim-reply", "empty-error", "broken-json"}


def test_every_kind_is_looked_at_below() -> None:
    assert set(KINDS) == {*STATUSES, *PAGES, *NO_WHOLE_REPLY, *UNREADABLE, *GOOD_204, *FALSE_204, *OTHERS}


async def delete_one(kind: str, seconds: float | None = None) -> tuple[Reply | Exception, dict[str, object]]:
    """Delete one archive under a fault; what came back, and the ledger."""
    rule = FaultRule(kind, seconds=seconds, count=1)
    async with SimulatedGlacier(archives=3, faults=[rule]) as glacier:
        archive_id = json.loads(glacier.inventory_text())["ArchiveList"][0]["ArchiveId"]
        path = f"/-/vaults/photos/archives/{archive_id}"
        result: Reply | Exception
        async with RawClient(glacier.endpoint_url, head_bytes_max=200_000) as client:
            try:
                result = await client.ask("DELETE", path)
            except (OSError, EOFError, ValueError) as error:
                result = error
        ledger = glacier.ledger
        assert (await ask(glacier.endpoint_url, "DELETE", path)).status == 204
    return result, ledger


@pytest.mark.looptime
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("job")])
async def test_a_fault_takes_effect_or_not_as_it_says(kind: str) -> None:
    _, ledger = await delete_one(kind)
    assert ledger["archives_left"] == (2 if KINDS[kind].reaches_service else 3)
    assert ledger["faults"] == {kind: 1}


@pytest.mark.parametrize("kind", STATUSES)
async def test_an_error_of_the_service_has_its_status_its_code_and_a_request_id(kind: str) -> None:
    reply, _ = await delete_one(kind)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.json["code"]) == STATUSES[kind]
    assert reply.headers["x-amzn-requestid"]


@pytest.mark.parametrize("kind", PAGES)
async def test_a_page_of_something_in_between_is_html_without_a_request_id(kind: str) -> None:
    reply, _ = await delete_one(kind)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.headers["content-type"]) == (PAGES[kind], "text/html")
    assert ("x-amzn-requestid" in reply.headers) == (kind == "proxy-page-with-id")
    assert ("location" in reply.headers) == (300 <= PAGES[kind] < 400)


@pytest.mark.looptime
@pytest.mark.parametrize("kind", sorted(NO_WHOLE_REPLY))
async def test_no_whole_reply_ever_comes(kind: str) -> None:
    result, _ = await delete_one(kind)
    assert isinstance(result, (ConnectionResetError, asyncio.IncompleteReadError))


@pytest.mark.parametrize("kind", sorted(UNREADABLE))
async def test_a_reply_that_is_not_http_cannot_be_read(kind: str) -> None:
    result, _ = await delete_one(kind)
    assert isinstance(result, (ValueError, EOFError))


@pytest.mark.looptime
@pytest.mark.parametrize("kind", sorted(GOOD_204))
async def test_a_good_reply_comes_in_a_bad_way(kind: str) -> None:
    reply, _ = await delete_one(kind)
    assert isinstance(reply, Reply)
    assert reply.status == 204


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("kind", "at_least"), [("late-reply", 90), ("slow-reply", 2), ("slow-loris", 60), ("no-reply", 600)]
)
async def test_a_fault_that_waits_waits(kind: str, at_least: float) -> None:
    began = asyncio.get_running_loop().time()
    await delete_one(kind)
    assert asyncio.get_running_loop().time() - began >= at_least


@pytest.mark.parametrize(
    ("kind", "header", "value"),
    [("retry-after", "retry-after", "7"), ("amz-retry-after", "x-amz-retry-after", "7000")],
)
async def test_how_long_to_stay_away_is_in_the_headers_own_unit(kind: str, header: str, value: str) -> None:
    reply, _ = await delete_one(kind, seconds=7)
    assert isinstance(reply, Reply)
    assert reply.headers[header] == value


async def test_an_early_reply_comes_before_the_reply_and_errors_may_say_nothing() -> None:
    interim, _ = await delete_one("interim-reply")
    empty, _ = await delete_one("empty-error")
    broken, _ = await delete_one("broken-json")
    short, _ = await delete_one("length-too-short")
    assert [reply.status for reply in (interim, empty, broken, short) if isinstance(reply, Reply)] == [
        103,
        500,
        500,
        200,
    ]
    assert isinstance(empty, Reply)
    assert empty.body == b""
    assert isinstance(broken, Reply)
    with pytest.raises(ValueError, match="Unterminated"):
        broken.json  # noqa: B018 - it is the reading that fails


async def output_under(kind: str) -> tuple[bytes, bytes | None]:
    """The right output of an inventory job, and what a client gets of it."""
    rule = FaultRule(kind, operation="GetJobOutput", count=1)
    async with SimulatedGlacier(archives=5_000, faults=[rule]) as glacier:
        job = await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval"}')
        glacier.clock.step(21_600)
        path = f"/-/vaults/photos/jobs/{job.headers['x-amz-job-id']}/output"
        got: bytes | None = None
        with contextlib.suppress(OSError, EOFError):
            got = (await ask(glacier.endpoint_url, "GET", path)).body
        return (await ask(glacier.endpoint_url, "GET", path)).body, got


@pytest.mark.looptime
@pytest.mark.parametrize("kind", ["output-cut", "output-stalled", "truncated-body"])
async def test_an_output_that_is_cut_is_seen_to_be_cut(kind: str) -> None:
    assert (await output_under(kind))[1] is None


async def test_an_output_can_be_short_or_wrong_without_http_showing_it() -> None:
    right, short = await output_under("output-truncated")
    assert short is not None
    assert right.startswith(short)
    assert len(short) < len(right)
    right, wrong = await output_under("output-corrupted")
    assert wrong is not None
    assert sum(one != other for one, other in zip(right, wrong, strict=True)) == 1


async def test_a_job_can_be_accepted_and_fail_in_the_end() -> None:
    rule = FaultRule("job-failed", operation="InitiateJob", count=1)
    async with SimulatedGlacier(archives=5, faults=[rule]) as glacier:
        statuses = []
        for _ in range(2):
            job = await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval"}')
            glacier.clock.step(21_600)
            described = await ask(glacier.endpoint_url, "GET", f"/-/vaults/photos/jobs/{job.headers['x-amz-job-id']}")
            statuses.append((described.json["StatusCode"], described.json["Completed"]))
    assert statuses == [("Failed", True), ("Succeeded", True)]


@pytest.mark.parametrize("page", ["", "/output"], ids=["DescribeJob", "GetJobOutput"])
async def test_a_finished_job_can_expire_before_its_time_and_others_do_not(page: str) -> None:
    rule = FaultRule("job-expired", operation="GetJobOutput" if page else "DescribeJob", count=1)
    async with SimulatedGlacier(archives=5, faults=[rule]) as glacier:
        jobs = [
            await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval"}')
            for _ in range(2)
        ]
        glacier.clock.step(21_600)
        expired, other = (f"/-/vaults/photos/jobs/{job.headers['x-amz-job-id']}" for job in jobs)
        gone = [await ask(glacier.endpoint_url, "GET", path) for path in (expired + page, expired, expired + "/output")]
        there = [await ask(glacier.endpoint_url, "GET", path) for path in (other, other + "/output")]
        listed = await ask(glacier.endpoint_url, "GET", "/-/vaults/photos/jobs")
    assert [(reply.status, reply.json["code"]) for reply in gone] == [(404, "ResourceNotFoundException")] * 3
    assert [reply.status for reply in there] == [200, 200]
    assert len(there[1].json["ArchiveList"]) == 5
    assert [job["JobId"] for job in listed.json["JobList"]] == [jobs[1].headers["x-amz-job-id"]]


async def test_an_unfinished_job_and_a_path_that_leads_nowhere_do_not_expire() -> None:
    async with SimulatedGlacier(archives=5, faults=[FaultRule("job-expired", operation="*")]) as glacier:
        job = await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval"}')
        path = f"/-/vaults/photos/jobs/{job.headers['x-amz-job-id']}"
        assert (await ask(glacier.endpoint_url, "GET", path)).status == 200
        assert (await ask(glacier.endpoint_url, "GET", "/nowhere")).json["code"] == "UnknownOperationException"


async def test_faults_can_be_set_while_it_runs() -> None:
    async with SimulatedGlacier(archives=3) as glacier:
        order = b'{"rules": [{"kind": "throttle", "operation": "ListVaults", "count": 1}]}'
        reply = await ask(glacier.endpoint_url, "POST", "/_simulator/faults", order)
        assert reply.json["rules"][0]["kind"] == "throttle"
        assert (await ask(glacier.endpoint_url, "GET", "/-/vaults")).status == 400
        assert (await ask(glacier.endpoint_url, "GET", "/-/vaults")).status == 200
        for nonsense in (
            b'{"rules": [{"kind": "earthquake"}]}',
            b'{"rules": 1}',
            b'{"rules": [{"kind": "throttle", "share": 2}]}',
        ):
            assert (await ask(glacier.endpoint_url, "POST", "/_simulator/faults", nonsense)).status == 400
        listed = await ask(glacier.endpoint_url, "GET", "/_simulator/faults")
        assert listed.json["struck"] == {"throttle": 1}
        assert set(listed.json["kinds"]) == set(KINDS)
