"""Which way deletes travel: over connections of our own, or through the SDK where only the SDK can.

``rest`` costs a fortieth of the CPU and is taken unless something stands against it that it does not do, which is going
through a proxy.  The choice is a value with its reason, so that a run can show and record it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from glacier_purge.aws.proxies import Proxy

Transport = Literal["sdk", "rest"]
WantedTransport = Literal["auto", "sdk", "rest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A transport and why it was taken, in words for people."""

    name: Transport
    reason: str


def choose(wanted: WantedTransport, proxy: Proxy | None) -> Choice:
    """Decide for a transport. Raises ``UsageError`` where the one that was asked for would go past the proxy."""
    if wanted == "rest" and proxy is not None:
        raise UsageError(
            f"{proxy.named_by} sends requests through {proxy.address}, and connections of our own go through no proxy. "
            "Leave --transport rest away, or add the endpoint's host to NO_PROXY. Nothing was sent."
        )
    if wanted != "auto":
        return Choice(name=wanted, reason=f"{wanted} was asked for")
    if proxy is not None:
        return Choice(name="sdk", reason=f"{proxy.named_by} is set, and only the SDK goes through a proxy")
    return Choice(name="rest", reason="nothing stands against the faster one")
