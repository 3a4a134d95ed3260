"""What is no answer is never "none", never "not allowed" and never a success: every question, over real HTTP."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.aws.access import Access
from glacier_purge.errors import RunStopped
from glacier_purge.glacier.control import NoAnswer
from glacier_purge.glacier.promises import read_promised
from glacier_purge.glacier.reply import Meaning
from tests.clients import KEYS, VAULT, caller_identity, control, no_sleep, open_rest, open_sdk
from tests.glacier.garbled import ALL, NONE, SUCCESSES, UNSIGNED
from tests.glacier.raw_server import answers, refusal, reply, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from glacier_purge.glacier.control import GlacierControl
    from tests.glacier.raw_server import Exchange

    Ask = Callable[[Any], Awaitable[object]]

JOB = "j" * 92
POLICY = '{"Version":"2012-10-17","Statement":[]}'


async def every(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


QUESTIONS: dict[str, Ask] = {
    "GetVaultLock": lambda client: client.vault_lock(),
    "GetVaultAccessPolicy": lambda client: client.access_policy(),
    "ListTagsForVault": lambda client: client.tags(),
    "DescribeVault": lambda client: client.describe_vault(),
    "ListJobs": lambda client: every(client.list_jobs()),
    "DescribeJob": lambda client: client.describe_job(JOB),
    "InitiateJob": lambda client: client.initiate_inventory("glacier-purge"),
    "GetJobOutput": lambda client: every(client.job_output(JOB, 0, 9)),
    "GetVaultNotifications": lambda client: client.notifications(),
    "ListMultipartUploads": lambda client: every(client.multipart_uploads()),
    "ListVaults": lambda client: every(client.list_vaults()),
    "SetVaultAccessPolicy": lambda client: client.set_access_policy(POLICY),
    "DeleteVaultAccessPolicy": lambda client: client.delete_access_policy(),
    "DeleteVault": lambda client: client.delete_vault(),
    "AbortMultipartUpload": lambda client: client.abort_multipart_upload("u" * 92),
}


@asynccontextmanager
async def garbling() -> AsyncIterator[tuple[str, Callable[[bytes], None]]]:
    """A server that gives the answer it was told last."""
    now = b""

    def tell(answer: bytes) -> None:
        nonlocal now
        now = answer

    async def give(exchange: Exchange) -> None:
        await exchange.send(now)

    async with serving(give) as server:
        yield server.endpoint_url, tell


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("question", QUESTIONS)
async def test_no_question_takes_what_is_no_answer_for_one(question: str) -> None:
    taken: dict[str, object] = {}
    async with garbling() as (endpoint_url, tell), control(endpoint_url) as client:
        for name, answer in ALL.items():
            tell(answer)
            try:
                taken[name] = await QUESTIONS[question](client)
            except NoAnswer as error:
                assert error.exit_code == 3  # noqa: PT017
                assert VAULT.arn in str(error)  # noqa: PT017
    assert taken == {}


@pytest.mark.parametrize("opener", [open_sdk, open_rest], ids=["sdk", "rest"])
async def test_no_transport_takes_what_is_no_answer_for_the_vault(opener: Any) -> None:
    taken: dict[str, object] = {}
    async with (
        garbling() as (endpoint_url, tell),
        opener(VAULT, Access(endpoint_url=endpoint_url, credentials=KEYS)) as glacier,
    ):
        for name, answer in ALL.items():
            tell(answer)
            with suppress(NoAnswer):
                taken[name] = await glacier.describe_vault()
    assert taken == {}


@pytest.mark.parametrize(
    "ask",
    [
        lambda clients, access: clients.find_vault("photos", access, "us-east-1"),
        lambda clients, access: clients.list_vaults(access, "us-east-1", None),
    ],
)
async def test_no_vault_is_found_by_what_is_no_answer(ask: Callable[[Clients, Access], Awaitable[object]]) -> None:
    taken: dict[str, object] = {}
    async with garbling() as (endpoint_url, tell), Clients(sleep=no_sleep) as clients:
        for name, answer in ALL.items():
            tell(answer)
            with suppress(NoAnswer):
                taken[name] = await ask(clients, Access(endpoint_url=endpoint_url, credentials=KEYS))
    assert taken == {}


XML = "Content-Type: text/xml"
STRANGERS: dict[str, bytes] = {
    "no account": reply("200 OK", XML, body=b"<GetCallerIdentityResponse/>"),
    "an empty result": reply(
        "200 OK", XML, body=b"<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>"
    ),
    "an account that is none": reply(
        "200 OK",
        XML,
        body=b"<R><GetCallerIdentityResult><Account>me</Account><Arn>arn:aws:iam::me:user/a</Arn>"
        b"</GetCallerIdentityResult></R>",
    ),
    "another account in the ARN": reply(
        "200 OK",
        XML,
        body=b"<R><GetCallerIdentityResult><Account>123456789012</Account><Arn>arn:aws:iam::999999999999:user/a</Arn>"
        b"</GetCallerIdentityResult></R>",
    ),
}


async def test_nobody_is_known_by_what_is_no_answer() -> None:
    taken: dict[str, object] = {}
    async with garbling() as (endpoint_url, tell):
        for name, answer in (SUCCESSES | UNSIGNED | STRANGERS).items():
            tell(answer)
            try:
                taken[name] = await caller_identity(Access(endpoint_url=endpoint_url, credentials=KEYS), "us-east-1")
            except NoAnswer as error:
                assert "Nothing was sent" in str(error)  # noqa: PT017
    assert taken == {}


SIGNED = {"x-amzn-requestid": "a"}
VAULT_MEMBERS = {
    "VaultARN": VAULT.arn,
    "VaultName": "photos",
    "CreationDate": "2012-02-20T17:01:45.198Z",
    "LastInventoryDate": "2026-11-20T00:28:00.000Z",
    "NumberOfArchives": 192,
    "SizeInBytes": 78_088_912,
}
NEVER = VAULT_MEMBERS | {"LastInventoryDate": None}
JOB_MEMBERS = {
    "JobId": JOB,
    "Action": "InventoryRetrieval",
    "StatusCode": "InProgress",
    "Completed": False,
    "CreationDate": "2012-02-20T17:01:45.198Z",
    "InventorySizeInBytes": None,
    "InventoryRetrievalParameters": {"Format": "JSON", "Limit": None, "Marker": None},
    "VaultARN": VAULT.arn,
}
LOCK = {"Policy": POLICY, "State": "Locked", "ExpirationDate": None, "CreationDate": "2012-02-20T17:01:45.198Z"}


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("DescribeVault", VAULT_MEMBERS),
        ("DescribeVault", NEVER | {"NumberOfArchives": 0, "SizeInBytes": 0}),
        ("DescribeVault", NEVER | {"NumberOfArchives": None, "SizeInBytes": None}),
        ("DescribeVault", {name: VAULT_MEMBERS[name] for name in ("VaultARN", "VaultName", "CreationDate")}),
        ("DescribeVault", VAULT_MEMBERS | {"SomethingNew": [1]}),
        ("ListVaults", {"VaultList": [], "Marker": None}),
        ("ListVaults", {"VaultList": [VAULT_MEMBERS, NEVER], "Marker": VAULT.arn}),
        ("DescribeJob", JOB_MEMBERS),
        ("ListJobs", {"JobList": [JOB_MEMBERS], "Marker": None}),
        ("GetVaultLock", LOCK),
        ("GetVaultLock", LOCK | {"State": "InProgress", "ExpirationDate": "2012-02-21T17:01:45.198Z"}),
        ("GetVaultAccessPolicy", {"Policy": POLICY}),
        ("GetVaultAccessPolicy", {"Policy": '{"Statement":{"Effect":"Allow"}}'}),
        ("ListTagsForVault", {"Tags": {}}),
        ("ListTagsForVault", {"Tags": {"team": "", "purge:deny": "yes"}}),
        ("GetVaultNotifications", {"SNSTopic": "arn:t", "Events": []}),
    ],
)
def test_what_the_service_answers_keeps_its_promise(operation: str, members: dict[str, object]) -> None:
    assert read_promised(operation, 200, SIGNED, json.dumps(members).encode()) is None


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        *[
            ("DescribeVault", {k: v for k, v in VAULT_MEMBERS.items() if k != gone})
            for gone in ("VaultARN", "VaultName")
        ],
        ("DescribeVault", VAULT_MEMBERS | {"NumberOfArchives": None}),
        ("DescribeVault", VAULT_MEMBERS | {"NumberOfArchives": "192"}),
        ("DescribeVault", VAULT_MEMBERS | {"NumberOfArchives": -1}),
        ("DescribeVault", VAULT_MEMBERS | {"LastInventoryDate": "yesterday"}),
        ("DescribeVault", VAULT_MEMBERS | {"LastInventoryDate": "2026-11-20T00:28:00"}),
        ("DescribeVault", VAULT_MEMBERS | {"VaultARN": "photos"}),
        ("ListVaults", {"VaultList": [{}]}),
        ("ListVaults", {"VaultList": [], "Marker": 7}),
        ("DescribeJob", JOB_MEMBERS | {"StatusCode": "Done"}),
        ("DescribeJob", JOB_MEMBERS | {"JobId": ""}),
        ("DescribeJob", JOB_MEMBERS | {"Action": "Inventory" * 5_000}),
        ("ListJobs", {"JobList": [JOB_MEMBERS, {}]}),
        *[("GetVaultLock", {k: v for k, v in LOCK.items() if k != gone}) for gone in ("Policy", "State")],
        ("GetVaultLock", LOCK | {"State": "Unlocked"}),
        ("GetVaultLock", LOCK | {"Policy": ""}),
        ("GetVaultAccessPolicy", {"Policy": "{}"}),
        ("GetVaultAccessPolicy", {"Policy": "none"}),
        ("GetVaultAccessPolicy", {"Policy": '{"Statement":"none"}'}),
        ("GetVaultAccessPolicy", {"policy": {"Policy": POLICY}}),
        ("ListTagsForVault", {"Tags": {"purge:deny": None}}),
        ("ListTagsForVault", {"Tags": {"purge:deny": 1}}),
        ("ListTagsForVault", {"tags": {}}),
        ("ListTagsForVault", {"Tags": {}, "Marker": "more"}),
        ("GetVaultAccessPolicy", {"Policy": None}),
        ("GetVaultLock", LOCK | {"Policy": None}),
    ],
)
def test_a_member_that_is_missing_or_of_another_kind_breaks_it(operation: str, members: dict[str, object]) -> None:
    broken = read_promised(operation, 200, SIGNED, json.dumps(members).encode())
    assert broken is not None
    assert (broken.meaning, broken.code) == (Meaning.NO_REPLY, "NotAsPromised")
    assert len(broken.message) <= 1_000


@pytest.mark.parametrize("body", [b"\xff", b"<html>", b"[]", b"{", b'{"a":"\xe9"}'])
def test_a_job_is_not_begun_by_an_answer_that_can_not_be_read(body: bytes) -> None:
    broken = read_promised("InitiateJob", 202, SIGNED | {"x-amz-job-id": JOB}, body)
    assert broken is not None
    assert broken.code == "NotAsPromised"


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_job_is_begun_by_the_header_that_names_it(body: bytes) -> None:
    assert read_promised("InitiateJob", 202, SIGNED | {"x-amz-job-id": JOB}, body) is None


@pytest.mark.parametrize(("encoding", "holds"), [("gzip", False), ("br", False), ("identity", True)])
def test_an_output_that_was_packed_on_its_way_is_none(encoding: str, holds: bool) -> None:
    """It would be appended to the inventory as it is: nothing else tells how what comes was made."""
    headers = SIGNED | {"content-range": "bytes 0-99/100", "content-encoding": encoding}
    assert (read_promised("GetJobOutput", 206, headers, b"") is None) is holds


def test_a_success_that_names_an_error_breaks_its_promise() -> None:
    contradictory = {**SIGNED, "x-amzn-errortype": "ThrottlingException"}
    assert read_promised("ListTagsForVault", 200, contradictory, b'{"Tags":{}}') is not None


async def test_an_answer_about_another_vault_or_job_is_none() -> None:
    films = json.dumps(VAULT_MEMBERS | {"VaultARN": VAULT.arn.replace("photos", "films"), "VaultName": "films"})
    async with garbling() as (endpoint_url, tell), control(endpoint_url) as client, Clients(sleep=no_sleep) as clients:
        tell(reply("200 OK", body=films.encode()))
        with pytest.raises(NoAnswer, match=r"about something else: arn:.*films"):
            await client.describe_vault()
        with pytest.raises(RunStopped, match=r"about arn:.*films"):
            await clients.find_vault("photos", Access(endpoint_url=endpoint_url, credentials=KEYS), "us-east-1")
        tell(reply("200 OK", body=json.dumps(JOB_MEMBERS | {"JobId": "k" * 92}).encode()))
        with pytest.raises(NoAnswer, match="about something else: k"):
            await client.describe_job(JOB)


@pytest.mark.parametrize("after", [{"": "a", "a": "a"}, {"": "a", "a": "b", "b": "a"}])
@pytest.mark.parametrize(
    "every_item",
    [
        lambda client, _clients, _access: every(client.list_jobs()),
        lambda client, _clients, _access: every(client.list_vaults()),
        lambda _client, clients, access: clients.list_vaults(access, VAULT.region, None),
    ],
)
async def test_a_list_whose_pages_go_round_is_no_answer(
    after: dict[str, str], every_item: Callable[[GlacierControl, Clients, Access], Awaitable[object]]
) -> None:
    """A page that leads to itself, or to one before it, as a cache between here and the service may give them."""

    async def give(exchange: Exchange) -> None:
        asked = exchange.request.partition(b"marker=")[2][:1].decode().strip()
        members = {"JobList": [JOB_MEMBERS], "VaultList": [VAULT_MEMBERS], "Marker": after[asked]}
        await exchange.send(reply("200 OK", body=json.dumps(members).encode()))

    async with (
        serving(give) as server,
        control(server.endpoint_url) as client,
        Clients(sleep=no_sleep) as clients,
    ):
        with pytest.raises(RunStopped, match="a page that was read before"):
            await every_item(client, clients, Access(endpoint_url=server.endpoint_url, credentials=KEYS))
        assert len(server.requests) == len(after)


async def test_vaults_of_another_region_are_no_answer_about_this_one() -> None:
    listed = json.dumps({"VaultList": [VAULT_MEMBERS], "Marker": None})
    async with garbling() as (endpoint_url, tell), Clients(sleep=no_sleep) as clients:
        tell(reply("200 OK", body=listed.encode()))
        access = Access(endpoint_url=endpoint_url, credentials=KEYS)
        assert [one.arn for one in await clients.list_vaults(access, VAULT.region, None)] == [VAULT.arn]
        with pytest.raises(RunStopped, match="ListVaults in eu-west-1 was answered about arn:"):
            await clients.list_vaults(access, "eu-west-1", None)


async def test_none_and_not_allowed_are_believed_in_the_services_own_form() -> None:
    none = refusal("404 Not Found", "ResourceNotFoundException", "No vault access policy is set")
    async with serving(answers(none)) as server, control(server.endpoint_url) as client:
        assert await client.vault_lock() is None
        assert await client.access_policy() is None
        assert await client.describe_job(JOB) is None
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("ListTagsForVault", reply("200 OK", body=b'{"Tags":{}}', request_id="kept")),
        ("GetVaultLock", reply("404 Not Found", body=NONE, request_id="kept")),
        ("GetVaultAccessPolicy", reply("404 Not Found", body=NONE, request_id="kept")),
    ],
)
async def test_an_answer_that_was_given_before_says_nothing_of_now(question: str, answer: bytes) -> None:
    """A box in between keeps what it heard once: a hold that was set since would never be seen."""
    async with serving(answers(answer)) as server, control(server.endpoint_url) as client:
        await QUESTIONS[question](client)
        with pytest.raises(NoAnswer, match="its request id kept came before"):
            await QUESTIONS[question](client)
