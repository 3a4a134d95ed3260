"""A bucket over HTTP: what is asked with which condition, whose a refused write is, and what is no bucket at all."""

from __future__ import annotations

import gzip
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import botocore
import pytest
from botocore.endpoint_provider import RuleSet

from glacier_purge.api.clients import Clients
from glacier_purge.aws.access import Access
from glacier_purge.aws.bucket import BucketAccess, BucketAddress, BucketAway, ObjectTaken
from glacier_purge.aws.session import KEYS_OF_RULES
from glacier_purge.errors import ConfigurationFailed
from tests.clients import KEYS, VAULT
from tests.glacier.raw_server import HangUpError, answers, reply, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glacier_purge.aws.bucket import Bucket
    from tests.glacier.raw_server import Answer, Exchange, RawServer

_S3_DATA = Path(botocore.__file__).parent / "data" / "s3" / "2006-03-01"
ADDRESS = BucketAddress("purges", "photos")
WRITTEN = reply("200 OK", 'ETag: "new"')
HELD = reply("200 OK", 'ETag: "held"', body=b"ours")


def refused(status: str, code: str) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return reply(status, "Content-Type: application/xml", body=body)


CHANGED = refused("412 Precondition Failed", "PreconditionFailed")
BUSY = refused("409 Conflict", "ConditionalRequestConflict")


@asynccontextmanager
async def bucket(answer: Answer, *, timeout_seconds: float = 5.0) -> AsyncIterator[tuple[Bucket, RawServer]]:
    access = Access(credentials=KEYS, request_timeout_seconds=timeout_seconds, connect_timeout_seconds=timeout_seconds)
    async with serving(answer) as s3, Clients() as clients:
        yield await clients.bucket(BucketAccess(ADDRESS, None, s3.endpoint_url), access, VAULT.region), s3


def asked(s3: RawServer) -> list[str]:
    """The requests' first lines, without the version of HTTP, but for what bodies left before them."""
    lines = [request.partition(b"\r\n")[0].decode().rpartition(" HTTP/")[0] for request in s3.requests]
    return [line[max(line.find(method) for method in ("GET ", "PUT ")) :] for line in lines]


async def test_an_object_is_created_only_where_there_is_none_and_replaced_as_it_was_seen() -> None:
    async with bucket(answers(WRITTEN)) as (there, s3):
        assert await there.create("lease", b"1") == '"new"'
        assert await there.replace("lease", b"2", '"seen"') == '"new"'
    first, second = (request.lower() for request in s3.requests)
    assert b"\r\nif-none-match: *\r\n" in first
    assert b"if-match" not in first
    assert b'\r\nif-match: "seen"\r\n' in second
    assert asked(s3) == ["PUT /purges/photos/lease"] * 2
    assert there.place("lease") == "s3://purges/photos/lease"


async def test_a_write_whose_answer_was_lost_finds_its_own_bytes() -> None:
    async def lost(exchange: Exchange) -> None:
        if exchange.number == 1:
            raise HangUpError
        await exchange.send(CHANGED if exchange.number == 2 else HELD)

    async with bucket(lost) as (there, s3):
        assert await there.create("lease", b"ours") == '"held"'
    assert [line.split()[0] for line in asked(s3)] == ["PUT", "PUT", "GET"]


@pytest.mark.parametrize("read_back", [HELD, refused("404 Not Found", "NoSuchKey")], ids=["another", "gone"])
async def test_what_somebody_else_wrote_is_theirs(read_back: bytes) -> None:
    async with bucket(answers(CHANGED, read_back)) as (there, _):
        with pytest.raises(ObjectTaken, match=r"^s3://purges/photos/lease was written by somebody else") as taken:
            await there.replace("lease", b"mine", '"seen"')
    assert taken.value.key == "s3://purges/photos/lease"


async def test_an_object_that_is_gone_is_not_replaced() -> None:
    gone = refused("404 Not Found", "NoSuchKey")
    async with bucket(answers(gone)) as (there, _):
        with pytest.raises(ObjectTaken):
            await there.replace("lease", b"mine", '"seen"')
        assert await there.read("lease") is None


@pytest.mark.parametrize(
    "weather",
    [BUSY, refused("503 Slow Down", "SlowDown"), refused("500 Oh", "InternalError"), reply("502 Bad Gateway")],
    ids=["409", "503", "500", "502"],
)
async def test_what_passes_is_tried_again(weather: bytes) -> None:
    async with bucket(answers(weather, weather, WRITTEN)) as (there, s3):
        assert await there.create("lease", b"1") == '"new"'
    assert len(s3.requests) == 3


async def test_what_does_not_pass_is_a_bucket_that_is_away_and_nobody_denied_it() -> None:
    async with bucket(answers(BUSY)) as (there, s3):
        with pytest.raises(BucketAway, match=r"^s3://purges/photos/lease could not be written") as away:
            await there.create("lease", b"1")
    assert not away.value.is_denied
    assert len(s3.requests) == 3


async def test_one_that_does_not_answer_is_away_in_time() -> None:
    async def silent(_exchange: Exchange) -> None:
        return

    async with bucket(silent, timeout_seconds=0.1) as (there, s3):
        with pytest.raises(BucketAway, match="could not be read") as away:
            await there.read("lease")
    assert not away.value.is_denied
    assert len(s3.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [
        refused("403 Forbidden", "AccessDenied"),
        refused("403 Forbidden", "InvalidAccessKeyId"),
        refused("403 Forbidden", "RequestTimeTooSkewed"),
        refused("404 Not Found", "NoSuchBucket"),
        reply("403 Forbidden", "Content-Type: text/html", body=b"<html>a proxy's page</html>"),
    ],
    ids=["denied", "no such key", "clock", "no bucket", "page"],
)
async def test_what_is_denied_is_said_so_once(answer: bytes) -> None:
    async with bucket(answers(answer)) as (there, s3):
        for act in (there.create("lease", b"1"), there.read("lease"), there.keys("")):
            with pytest.raises(BucketAway, match=r"It takes the rights of config/iam/replica\.json") as away:
                await act
            assert away.value.is_denied
    assert len(s3.requests) == 3


async def test_a_login_page_is_no_object() -> None:
    page = reply("200 OK", "Content-Type: text/html", body=b"<html>Log in</html>")
    async with bucket(answers(page)) as (there, _):
        for act in (there.read("lease"), there.create("lease", b"1")):
            with pytest.raises(BucketAway, match="does not answer as S3 does"):
                await act


async def test_keys_are_below_the_prefix_and_come_page_by_page() -> None:
    def page(keys: list[str], more: str) -> bytes:
        inside = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys)
        body = f"<ListBucketResult>{inside}{more}</ListBucketResult>".encode()
        return reply("200 OK", "Content-Type: application/xml", body=body)

    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>two</NextContinuationToken>"
    pages = (page(["photos/log/10", "photos/log/9"], more), page(["photos/log/11"], "<IsTruncated>false</IsTruncated>"))
    async with bucket(answers(*pages)) as (there, s3):
        assert await there.keys("log/") == ["log/10", "log/11", "log/9"]
    assert "prefix=photos%2Flog%2F" in asked(s3)[0]
    assert "continuation-token=two" in asked(s3)[1]


async def test_a_bucket_is_s3s_or_on_loopback_also_beside_a_real_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Clients() as clients:
        wanted = BucketAccess(ADDRESS, None, "https://minio.company.example")
        with pytest.raises(ConfigurationFailed, match=r"^replica\.endpoint_url sends what is asked of S3 to"):
            await clients.bucket(wanted, Access(credentials=KEYS), VAULT.region)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://minio.company.example")
        with pytest.raises(ConfigurationFailed, match=r"^AWS_ENDPOINT_URL_S3 sends what is asked of S3 to"):
            await clients.bucket(BucketAccess(ADDRESS), Access(credentials=KEYS), VAULT.region)
        async with serving(answers(HELD)) as s3:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint_url)
            there = await clients.bucket(BucketAccess(ADDRESS), Access(credentials=KEYS), VAULT.region)
            held = await there.read("lease")
    assert held is not None
    assert held.content == b"ours"


async def test_one_evaluation_of_s3s_rules_serves_all_objects_which_they_do_not_look_at() -> None:
    rules = gzip.decompress((_S3_DATA / "endpoint-rule-set-1.json.gz").read_bytes()).decode()
    for name in KEYS_OF_RULES:
        assert f'"{name}"' in rules, "it is told to the rules no more, and needs not be forgotten"
        assert f'"ref": "{name}"' not in rules.replace('"ref":"', '"ref": "'), "the rules go by it"
        assert f"{{{name}}}" not in rules
    evaluate, evaluated = RuleSet.evaluate, list[object]()

    def counted(rule_set: RuleSet, given: dict[str, object]) -> object:
        evaluated.append(given)
        return evaluate(rule_set, given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(RuleSet, "evaluate", counted)
        async with bucket(answers(WRITTEN)) as (there, _):
            for number in range(5):
                await there.create(f"log/{number:08}", b"1")
    assert len(evaluated) == 1
