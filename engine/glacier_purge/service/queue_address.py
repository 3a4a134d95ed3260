"""Where a queue may be: like ``endpoint``, the closed list of places this program will ever listen at.

A queue is given by its URL, which is matched as a whole: AWS's own form of it over https, in a region that has Amazon
Glacier, or one on loopback, where it belongs to a pretended service.  What the queue says is never believed, but
whoever asks it signs with real credentials, so it is held to the same places as all else.

Source: SQS Developer Guide, "Queue and message identifiers"; AWS General Reference, "Amazon SQS endpoints".
"""

from __future__ import annotations

import re

from glacier_purge.archive import partition_of
from glacier_purge.errors import UsageError
from glacier_purge.service.endpoint import REGIONS, is_loopback

_QUEUE = r"/[0-9]{12}/[A-Za-z0-9_-]{1,80}"
_AWS = re.compile(
    r"https://sqs\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?P<china>\.cn)?" + _QUEUE,
    re.ASCII,
)
_LOOPBACK = re.compile(r"(?P<origin>https?://[^/?#@]+)" + _QUEUE, re.ASCII)


def check_queue_url(url: str) -> str:
    """Return ``url`` when it is one of a queue on loopback or of AWS's. Raises ``UsageError`` for all others."""
    if _is_on_loopback(url) or _region_of(url) is not None:
        return url
    raise UsageError(
        f"queue {url!r} is refused: it has to be https://sqs.REGION.amazonaws.com/ACCOUNT/NAME (.cn in China), in a "
        "region that has Amazon Glacier, or on loopback. Check --job-queue and inventory.job_queue; "
        "`aws sqs get-queue-url` shows the URL."
    )


def queue_region(url: str, vault_region: str, endpoint_url: str | None) -> str:
    """The region to ask for the queue at ``url``, for a vault in ``vault_region`` reached at ``endpoint_url``.

    Raises ``UsageError`` for a queue that is refused, or that is not of the run's own world: a rehearsal's queue is on
    this machine, and a vault's in its own partition of AWS.
    """
    check_queue_url(url)
    pretended = endpoint_url is not None and is_loopback(endpoint_url)
    region = _region_of(url)
    if pretended is not (region is None):
        raise UsageError(
            f"queue {url} and endpoint {endpoint_url or 'of AWS'} do not belong together: one is on this machine, the "
            "other is not. Give a queue of the same, or leave --job-queue away. Nothing was sent."
        )
    if region is None:
        return vault_region
    if partition_of(region) != partition_of(vault_region):
        raise UsageError(
            f"queue {url} is in {partition_of(region)}, the vault's region {vault_region} in "
            f"{partition_of(vault_region)}: its topics cannot reach it. Give a queue of the same partition. "
            "Nothing was sent."
        )
    return region


def _is_on_loopback(url: str) -> bool:
    match = _LOOPBACK.fullmatch(url)
    return match is not None and is_loopback(match["origin"])


def _region_of(url: str) -> str | None:
    """The region of AWS whose queue ``url`` is of."""
    match = _AWS.fullmatch(url)
    if match is None:
        return None
    region = match["region"]
    return region if region in REGIONS and (match["china"] is not None) == region.startswith("cn-") else None
