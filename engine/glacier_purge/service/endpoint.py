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
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A place requests may be sent to. ``region`` is None for loopback, where any will do."""

    url: str
    region: str | None

    @property
    def is_loopback(self) -> bool:
        """Tell whether this is an emulator on this machine, which deletes nothing real."""
        return self.region is None


def parse_endpoint(url: str) -> Endpoint:
    """Read an endpoint URL; raises ``UsageError`` for every place that is neither loopback nor Amazon Glacier."""
    if (match := _LOOPBACK.fullmatch(url)) and _is_loopback_host(match["host"]) and _is_port(match["port"]):
        return Endpoint(url=url.rstrip("/").lower(), region=None)
    if (match := _AWS.fullmatch(url)) and _has_glacier(region := match["region"].lower(), china=match["china"]):
        return Endpoint(url=url.rstrip("/").lower(), region=region)
    raise UsageError(
        f"endpoint {url!r} is refused: deletes go only to https://glacier.REGION.amazonaws.com (.cn in China) or to "
        "loopback (127.0.0.1, [::1], localhost). Check --endpoint-url and AWS_ENDPOINT_URL_GLACIER."
    )


def check_region(region: str, endpoint: Endpoint | None) -> None:
    """Raise ``UsageError`` unless ``region`` has Amazon Glacier and is the endpoint's; any will do on loopback."""
    if endpoint is not None and endpoint.is_loopback:
        return
    if region not in REGIONS:
        nearest = difflib.get_close_matches(region, sorted(REGIONS), n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise UsageError(f"Amazon Glacier has no vaults in region {region!r}.{hint} Give another with --region.")
    if endpoint is not None and endpoint.region != region:
        raise UsageError(
            f"region {region} and endpoint {endpoint.url} do not belong together. Give --region {endpoint.region}, "
            "or leave the endpoint away."
        )


def configured_endpoint_url(environment: Mapping[str, str]) -> str | None:
    """The endpoint AWS's own variables ask for, the service's before the general one, as every AWS SDK reads them."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return environment.get("AWS_ENDPOINT_URL_GLACIER") or environment.get("AWS_ENDPOINT_URL") or None


def _has_glacier(region: str, *, china: str | None) -> bool:
    return region in REGIONS and (china is not None) == region.startswith("cn-")


def _is_loopback_host(host: str) -> bool:
    if not host.startswith("127."):
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _is_port(port: str | None) -> bool:
    return port is None or 1 <= int(port) <= 65535
