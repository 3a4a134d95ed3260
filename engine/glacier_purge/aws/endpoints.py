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

from glacier_purge.errors import ConfigurationFailed, UsageError

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

FIPS_REGIONS = frozenset("ca-central-1 us-east-1 us-east-2 us-west-1 us-west-2 us-gov-east-1 us-gov-west-1".split())  # noqa: SIM905
"""Regions in which Amazon Glacier has a FIPS endpoint (botocore's ``endpoints.json``); GovCloud's is the plain one."""

_LOOPBACK = re.compile(
    r"https?://(?P<host>localhost|127\.[0-9.]{5,11}|\[::1\])(?::(?P<port>[0-9]{1,5}))?/?", re.ASCII | re.IGNORECASE
)
_AWS = re.compile(
    r"https://glacier(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?P<china>\.cn)?(?::443)?/?",
    re.ASCII | re.IGNORECASE,
)
_OTHERS = re.compile(
    r"https://(?:(?:[a-z0-9.-]+\.)?vpce-[a-z0-9-]+\.)?(?P<name>[a-z0-9]+(?:\.sso)?)(?:-fips)?(?:\.dualstack)?"
    r"(?:\.[a-z]{2}(?:-[a-z]+)+-[0-9])?(?:\.vpce)?\.(?:amazonaws\.com(?:\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)"
    r"(?::443)?/?",
    re.ASCII | re.IGNORECASE,
)
_NAMES = {"sts": "sts", "s3": "s3", "dynamodb": "dynamodb", "sso": "portal.sso", "sso_oidc": "oidc"}
"""The services that are asked beside Amazon Glacier, each by its id, and what its hosts are called."""


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


def check_other_endpoint(service: str, url: str, place: str, *, pretended: bool) -> None:
    """Raise ``ConfigurationFailed`` unless ``url``, set at ``place``, is an endpoint of ``service`` (its id).

    What is asked beside a real vault, as whose the credentials are, has to be asked of AWS: its public names, or those
    of a VPC's own endpoints.  Loopback is for a pretended one.
    """
    match = _OTHERS.fullmatch(url)
    if (pretended and is_loopback(url)) or (match is not None and match["name"].lower() == _NAMES[service]):
        return
    raise ConfigurationFailed(
        f"{place} sends what is asked of {service.upper()} to {url}, which is none of its endpoints. Take it out, or "
        f"set AWS_ENDPOINT_URL_{service.upper()} to one; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true leaves all such "
        "settings aside. Nothing was sent."
    )


def check_fips(url: str) -> None:
    """Raise ``ConfigurationFailed`` unless ``url`` is a FIPS endpoint; loopback is not asked for one."""
    if is_loopback(url) or "//glacier-fips." in url or ".us-gov-" in url:
        return
    raise ConfigurationFailed(
        f"FIPS endpoints are asked for (AWS_USE_FIPS_ENDPOINT, or use_fips_endpoint), and {url} is none. Amazon "
        f"Glacier has them in {', '.join(sorted(FIPS_REGIONS))}. To do without, set AWS_USE_FIPS_ENDPOINT=false for "
        "this command. Nothing was sent."
    )


def _region_of(url: str) -> str | None:
    """The region whose Amazon Glacier endpoint ``url`` is."""
    match = _AWS.fullmatch(url)
    if match is None:
        return None
    region = match["region"].lower()
    if match["fips"] and (region not in FIPS_REGIONS or region.startswith("us-gov-")):
        return None
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


def endpoint_of(region: str, *, fips: bool = False) -> str:
    """The region's own endpoint, as botocore resolves it too (tested). Raises ``ConfigurationFailed`` where FIPS is
    asked for and there is none.
    """
    suffix = ".cn" if region.startswith("cn-") else ""
    name = "glacier-fips" if fips and region in FIPS_REGIONS and not region.startswith("us-gov-") else "glacier"
    url = f"https://{name}.{region}.amazonaws.com{suffix}"
    if fips:
        check_fips(url)
    return url
