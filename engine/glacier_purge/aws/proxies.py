"""The proxy that requests go through, found as the SDK finds it: by the same two functions of Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from glacier_purge.aws.endpoints import is_loopback
from glacier_purge.errors import ConfigurationFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where requests go first, without user and password, and what says so."""

    address: str
    named_by: str


def way_in_words(proxy: Proxy | None) -> str:
    """How requests travel, and what is set in vain."""
    if proxy is not None:
        return f"through {proxy.address} ({proxy.named_by})"
    vain = next(filter(os.environ.get, ("all_proxy", "ALL_PROXY")), None)
    return "directly" if vain is None else f"directly ({vain} counts for nothing to AWS's SDK; HTTPS_PROXY does)"


def proxy_for(url: str) -> Proxy | None:
    """The proxy on the way to an endpoint; None: the way is direct, as it always is to loopback.

    Raises ``ConfigurationFailed`` for a proxy that does not speak HTTP, which the SDK can't go through.
    """
    asked = urlsplit(url)
    if (proxy := proxy_url_for(url)) is None:
        return None
    variables = (f"{asked.scheme}_proxy", f"{asked.scheme}_proxy".upper())
    named_by = next(filter(os.environ.get, variables), "the system's proxy setting")
    parts = urlsplit(proxy)
    if parts.scheme not in {"http", "https"} or parts.hostname is None:
        raise ConfigurationFailed(
            f"{named_by} names a proxy that AWS's SDK can't go through: it takes http:// and https:// ones. "
            f"Name one, or add {asked.hostname} to NO_PROXY. Nothing was sent."
        )
    return Proxy(address=parts.netloc.rpartition("@")[2], named_by=named_by)


def proxy_url_for(url: str) -> str | None:
    """The address of that proxy as it is set, user and password included; None: the way is direct."""
    asked = urlsplit(url)
    proxy = getproxies().get(asked.scheme)
    if not proxy or is_loopback(f"{asked.scheme}://{asked.netloc}") or proxy_bypass(asked.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
