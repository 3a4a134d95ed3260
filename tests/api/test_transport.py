"""Which transport is taken, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.utils import get_environ_proxies

from glacier_purge.api.clients import Clients
from glacier_purge.api.transport import choose
from glacier_purge.archive import Vault
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.aws.proxies import proxy_for
from glacier_purge.errors import ConfigurationFailed, UsageError

if TYPE_CHECKING:
    from glacier_purge.api.transport import Transport, WantedTransport

PROXY = "http://user:secret@proxy.example:3128"


GLACIER = "https://glacier.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("wanted", "endpoint_url", "environment", "name", "because"),
    [
        ("auto", GLACIER, {}, "rest", "nothing"),
        ("auto", GLACIER, {"HTTPS_PROXY": PROXY}, "sdk", "HTTPS_PROXY"),
        ("auto", GLACIER, {"https_proxy": PROXY}, "sdk", "https_proxy"),
        ("auto", GLACIER, {"HTTPS_PROXY": "proxy.example:3128"}, "sdk", "HTTPS_PROXY"),
        ("auto", GLACIER, {"HTTPS_PROXY": ""}, "rest", "nothing"),
        ("auto", GLACIER, {"HTTPS_PROXY": PROXY, "https_proxy": ""}, "rest", "nothing"),
        ("auto", GLACIER, {"HTTP_PROXY": PROXY}, "rest", "nothing"),
        ("auto", GLACIER, {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, "rest", "nothing"),
        ("auto", GLACIER, {"HTTPS_PROXY": PROXY, "NO_PROXY": ".amazonaws.com"}, "rest", "nothing"),
        ("auto", GLACIER, {"HTTPS_PROXY": PROXY, "NO_PROXY": "localhost"}, "sdk", "HTTPS_PROXY"),
        ("auto", "https://glacier.cn-north-1.amazonaws.com.cn", {"HTTPS_PROXY": PROXY, "NO_PROXY": "cn"}, "rest", ""),
        ("auto", "http://127.0.0.1:8000", {"HTTP_PROXY": PROXY}, "rest", "nothing"),
        ("sdk", GLACIER, {}, "sdk", "asked for"),
    ],
)
def test_rest_is_taken_unless_a_proxy_asks_for_the_sdk(
    wanted: WantedTransport,
    endpoint_url: str,
    environment: dict[str, str],
    name: str,
    because: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    proxy, theirs = proxy_for(endpoint_url), get_environ_proxies(endpoint_url).get(endpoint_url.partition(":")[0])
    assert (proxy is None) is (not theirs or "127.0.0.1" in endpoint_url), "the SDK goes another way"
    choice = choose(wanted, proxy)
    assert choice.name == name
    assert because in choice.reason
    assert "secret" not in f"{choice.reason} {proxy}"


def test_connections_of_our_own_do_not_go_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    with pytest.raises(UsageError, match=r"HTTPS_PROXY sends requests through proxy\.example:3128, and connections"):
        choose("rest", proxy_for(GLACIER))


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1080", "ftp://127.0.0.1", "http://", "://x"])
def test_a_proxy_that_the_sdk_cannot_go_through_is_refused_by_name(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ConfigurationFailed, match="HTTPS_PROXY names a proxy that AWS's SDK can't go through"):
        proxy_for(GLACIER)


@pytest.mark.parametrize(("name", "adapter"), [("sdk", "SdkGlacier"), ("rest", "RestGlacier")])
async def test_the_chosen_transport_is_opened(name: Transport, adapter: str) -> None:
    vault = Vault(account_id="123456789012", region="us-east-1", name="photos")
    access = Access(credentials=StaticCredentials(access_key_id="AKID", secret_access_key="s"))
    async with Clients() as clients, clients.service_over(name, vault, access) as glacier:
        assert type(glacier).__name__ == adapter
        assert glacier.endpoint_url == "https://glacier.us-east-1.amazonaws.com"
        assert glacier.vault == vault
