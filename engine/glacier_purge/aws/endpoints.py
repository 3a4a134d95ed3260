"""Where requests may go: the closed list of endpoints this program will ever send a delete to.

The SDK takes any URL for an endpoint, from an argument, an environment variable or a configuration file, and signs
requests to it with real credentials.  Here an endpoint is either loopback (a simulator or another emulator) or one of
the host names Amazon Glacier has, spelt exactly, over https, in the region asked for.  The URL is not interpreted but
matched as a whole: what does not look exactly like an endpoint, is none.

It never resolves a name: ``localhost`` is loopback because it is called so.  Sources: AWS General Reference, "Amazon S3
Glacier endpoints"; botocore's ``endpoints.json`` (partitions aws, aws-cn, aws-us-gov), which no newer region joined.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import TYPE_CHECKING

from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

REGIONS = frozenset(
    """
    af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2
    ap-southeast-3 ca-central-1 eu-central-1 eu-north-1 eu-south-1 eu-west-1 eu-west-2 eu-west-3 me-south-1 sa-east-1
    us-east-1 us-east-2 us-west-1 us-west-2
    cn-north-1 cn-northwest-1
    us-gov-east-1 us-gov-west-1
    """.split()  # noqa: SIM905 -- it reads as the table it is
)
"""Regions that have Amazon Glacier's vaults."""

_LOOPBACK = re.compile(
    r"https?://(?P<host>localhost|127\.[0-9.]{5,11}|\[::1\])(?::(?P<port>[0-9]{1,5}))?/?", re.ASCII | re.IGNORECASE
)
_AWS = re.compile(
    r"https://glacier(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?P<china>\.cn)?(?::443)?/?",
    re.ASCII | re.IGNORECASE,
)


def check_endpoint_url(url: str) -> str:
    """Return an endpoint URL in its plain form (lower case, no trailing slash).

    Raises ``UsageError`` for every place that is neither loopback nor Amazon Glacier.
    """
    if is_loopback(url) or _region_of(url) is not None:
        return url.rstrip("/").lower()
    raise UsageError(
        f"endpoint {url!r} is refused: deletes go only to https://glacier.REGION.amazonaws.com (.cn in China) or to "
        "loopback (127.0.0.1, [::1], localhost). Check --endpoint-url and AWS_ENDPOINT_URL_GLACIER."
    )


def is_loopback(url: str) -> bool:
    """Tell whether ``url`` is a whole endpoint on this machine, where nothing real is deleted."""
    match = _LOOPBACK.fullmatch(url)
    return match is not None and _is_loopback_host(match["host"]) and _is_port(match["port"])


def check_region(region: str, endpoint_url: str | None) -> None:
    """Raise ``UsageError`` unless ``region`` has Amazon Glacier and is the endpoint's; any will do on loopback."""
    if endpoint_url is not None and is_loopback(endpoint_url):
        return
    if region not in REGIONS:
        nearest = difflib.get_close_matches(region, sorted(REGIONS), n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise UsageError(f"Amazon Glacier has no vaults in region {region!r}.{hint} Give another with --region.")
    if endpoint_url is not None and (other := _region_of(endpoint_url)) != region:
        raise UsageError(
            f"region {region} and endpoint {endpoint_url} do not belong together. Give --region {other}, "
            "or leave the endpoint away."
        )


def configured_endpoint_url(environment: Mapping[str, str]) -> str | None:
    """The endpoint AWS's own variables ask for, the service's before the general one, as every AWS SDK reads them."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return environment.get("AWS_ENDPOINT_URL_GLACIER") or environment.get("AWS_ENDPOINT_URL") or None


def _region_of(url: str) -> str | None:
    """The region whose Amazon Glacier endpoint ``url`` is."""
    match = _AWS.fullmatch(url)
    if match is None:
        return None
    region = match["region"].lower()
    return region if region in REGIONS and (match["china"] is not None) == region.startswith("cn-") else None


def _is_loopback_host(host: str) -> bool:
    if not host.startswith("127."):
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _is_port(port: str | None) -> bool:
    return port is None or 1 <= int(port) <= 65535


def endpoint_of(region: str) -> str:
    """The region's own endpoint, as botocore resolves it too (tested)."""
    suffix = ".cn" if region.startswith("cn-") else ""
    return f"https://glacier.{region}.amazonaws.com{suffix}"
