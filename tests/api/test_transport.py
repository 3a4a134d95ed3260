"""Which transport is taken, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.api.transport import choose
from glacier_purge.archive import Vault
from glacier_purge.aws.access import Access, StaticCredentials

if TYPE_CHECKING:
    from glacier_purge.api.transport import Transport, WantedTransport

PROXY = "http://user:secret@proxy.example:3128"


@pytest.mark.parametrize(
    ("wanted", "endpoint_url", "environment", "name", "because"),
    [
        ("auto", None, {}, "rest", "nothing"),
        ("auto", None, {"HTTPS_PROXY": PROXY}, "sdk", "HTTPS_PROXY"),
        ("auto", None, {"https_proxy": PROXY}, "sdk", "https_proxy"),
        ("auto", None, {"HTTPS_PROXY": ""}, "rest", "nothing"),
        ("auto", None, {"HTTP_PROXY": PROXY}, "rest", "nothing"),
        ("auto", None, {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, "rest", "nothing"),
        ("auto", None, {"HTTPS_PROXY": PROXY, "NO_PROXY": ".amazonaws.com"}, "rest", "nothing"),
        ("auto", None, {"HTTPS_PROXY": PROXY, "NO_PROXY": "localhost"}, "sdk", "HTTPS_PROXY"),
        ("auto", "http://127.0.0.1:8000", {"HTTP_PROXY": PROXY}, "rest", "nothing"),
        ("auto", "https://glacier.eu-west-1.amazonaws.com", {"HTTPS_PROXY": PROXY}, "sdk", "HTTPS_PROXY"),
        ("rest", None, {"HTTPS_PROXY": PROXY}, "rest", "asked for"),
        ("sdk", None, {}, "sdk", "asked for"),
    ],
)
def test_rest_is_taken_unless_a_proxy_asks_for_the_sdk(
    wanted: WantedTransport, endpoint_url: str | None, environment: dict[str, str], name: str, because: str
) -> None:
    choice = choose(wanted, region="eu-west-1", endpoint_url=endpoint_url, environment=environment)
    assert choice.name == name
    assert because in choice.reason
    assert "secret" not in choice.reason


def test_china_has_its_own_host_names() -> None:
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": "amazonaws.com.cn"}
    assert choose("auto", region="cn-north-1", endpoint_url=None, environment=environment).name == "rest"


@pytest.mark.parametrize(("name", "adapter"), [("sdk", "SdkGlacier"), ("rest", "RestGlacier")])
async def test_the_chosen_transport_is_opened(name: Transport, adapter: str) -> None:
    vault = Vault(account_id="123456789012", region="us-east-1", name="photos")
    access = Access(credentials=StaticCredentials(access_key_id="AKID", secret_access_key="s"))
    async with Clients() as clients, clients.service_over(name, vault, access) as glacier:
        assert type(glacier).__name__ == adapter
        assert glacier.endpoint_url == "https://glacier.us-east-1.amazonaws.com"
        assert glacier.vault == vault
