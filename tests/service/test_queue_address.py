"""Where a queue may be: the closed list, and the run's own world."""

from __future__ import annotations

import pytest

from glacier_purge.errors import UsageError
from glacier_purge.service.queue_address import check_queue_url, queue_region

QUEUE = "/123456789012/jobs"
IRELAND, FRANKFURT = "https://sqs.eu-west-1.amazonaws.com", "https://sqs.eu-central-1.amazonaws.com"
BEIJING, GOVERNMENT = "https://sqs.cn-north-1.amazonaws.com.cn", "https://sqs.us-gov-west-1.amazonaws.com"
HERE = "http://127.0.0.1:8080"

GOOD = [IRELAND, FRANKFURT, BEIJING, GOVERNMENT, HERE, "https://localhost:1", "http://[::1]:65535"]


@pytest.mark.parametrize("place", GOOD)
def test_a_queue_of_aws_or_of_this_machine_is_taken_as_it_is(place: str) -> None:
    assert check_queue_url(place + QUEUE) == place + QUEUE


BAD = [
    "",
    "jobs",
    f"http://sqs.eu-west-1.amazonaws.com{QUEUE}",
    f"https://sqs.eu-west-1.amazonaws.com.evil.example{QUEUE}",
    f"https://evil.example/sqs.eu-west-1.amazonaws.com{QUEUE}",
    f"https://user@sqs.eu-west-1.amazonaws.com{QUEUE}",
    f"https://sqs.eu-west-1.amazonaws.com:8443{QUEUE}",
    f"https://sqs.eu-west-1.amazonaws.com.cn{QUEUE}",
    f"https://sqs.cn-north-1.amazonaws.com{QUEUE}",
    f"https://sqs.mars-1.amazonaws.com{QUEUE}",
    f"https://sns.eu-west-1.amazonaws.com{QUEUE}",
    f"https://glacier.eu-west-1.amazonaws.com{QUEUE}",
    f"https://queue.amazonaws.com{QUEUE}",
    f"{IRELAND}/12345/jobs",
    f"{IRELAND}{QUEUE}/more",
    f"{IRELAND}{QUEUE}?Action=DeleteQueue",
    f"{IRELAND}{QUEUE}#x",
    f"{IRELAND}{QUEUE}\n",
    f"{IRELAND}/123456789012/..",
    f"{IRELAND}/123456789012/{'a' * 81}",
    f"http://127.0.0.1@evil.example{QUEUE}",
    f"http://127.0.0.1.evil.example{QUEUE}",
    f"http://10.0.0.1{QUEUE}",
    f"http://127.0.0.1:99999{QUEUE}",
]


@pytest.mark.parametrize("url", BAD)
def test_every_other_place_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is refused: it has to be https://sqs"):
        check_queue_url(url)


BELONGS = [
    (IRELAND, "eu-west-1", None, "eu-west-1"),
    (IRELAND, "eu-central-1", "https://glacier.eu-central-1.amazonaws.com", "eu-west-1"),
    (BEIJING, "cn-northwest-1", None, "cn-north-1"),
    (HERE, "us-east-1", HERE, "us-east-1"),
    ("http://localhost:9", "eu-west-1", HERE, "eu-west-1"),
]


@pytest.mark.parametrize(("place", "vault_region", "endpoint_url", "region"), BELONGS)
def test_a_queue_is_asked_in_its_own_region(
    place: str, vault_region: str, endpoint_url: str | None, region: str
) -> None:
    assert queue_region(place + QUEUE, vault_region, endpoint_url) == region


STRAYS = [
    (IRELAND, "eu-west-1", HERE, "do not belong together"),
    (HERE, "eu-west-1", None, "do not belong together"),
    (HERE, "eu-west-1", "https://glacier.eu-west-1.amazonaws.com", "do not belong together"),
    (BEIJING, "eu-west-1", None, "is in aws-cn, the vault's region eu-west-1 in aws:"),
    (IRELAND, "us-gov-west-1", None, "in aws-us-gov: its topics cannot reach it"),
    ("https://evil.example", "eu-west-1", None, "is refused"),
]


@pytest.mark.parametrize(("place", "vault_region", "endpoint_url", "why"), STRAYS)
def test_a_queue_of_another_world_than_the_runs_is_refused(
    place: str, vault_region: str, endpoint_url: str | None, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        queue_region(place + QUEUE, vault_region, endpoint_url)
