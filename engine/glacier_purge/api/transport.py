"""Which way deletes travel: over connections of our own, or through the SDK where only the SDK can.

``rest`` costs a fortieth of the CPU and is taken unless something stands against it that it does not do, which is going
through a proxy.  The choice is a value with its reason, so that a run can show and record it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed leaves it out

from glacier_purge.aws.endpoints import endpoint_of, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

Transport = Literal["sdk", "rest"]
WantedTransport = Literal["auto", "sdk", "rest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A transport and why it was taken, in words for people."""

    name: Transport
    reason: str


def choose(wanted: WantedTransport, *, region: str, endpoint_url: str | None, environment: Mapping[str, str]) -> Choice:
    """Decide for a transport. ``environment`` is the process's; what was asked for by name is taken as it is."""
    if wanted != "auto":
        return Choice(name=wanted, reason=f"{wanted} was asked for")
    variable = _proxy_variable(endpoint_url or endpoint_of(region), environment)
    if variable is not None:
        return Choice(name="sdk", reason=f"{variable} is set, and only the SDK goes through a proxy")
    return Choice(name="rest", reason="nothing stands against the faster one")


def _proxy_variable(endpoint_url: str, environment: Mapping[str, str]) -> str | None:
    """The name of the variable that sends requests to the endpoint through a proxy, as the SDK would see it."""
    url = urlsplit(endpoint_url)
    unproxied = {"no": environment.get("no_proxy") or environment.get("NO_PROXY") or ""}
    if is_loopback(endpoint_url) or proxy_bypass_environment(url.netloc, unproxied):
        return None
    names = (f"{url.scheme}_proxy", f"{url.scheme}_proxy".upper())
    return next((name for name in names if environment.get(name)), None)
