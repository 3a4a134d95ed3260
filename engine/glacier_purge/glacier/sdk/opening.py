"""Amazon Glacier through aioboto3: the adapter for deletes that costs the most CPU, and the only one for the rest.

This module is cheap to import; aioboto3 (half a second) comes in when the first adapter is opened.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from glacier_purge.aws.endpoints import check_endpoint_url, check_region

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glacier_purge.archive import Vault
    from glacier_purge.aws.access import Access
    from glacier_purge.glacier.sdk.client import SdkGlacier
    from glacier_purge.glacier.sdk.control_client import ControlClient


@asynccontextmanager
async def open_sdk(vault: Vault, access: Access) -> AsyncIterator[SdkGlacier]:
    """Open the service for one vault through aioboto3; leaving the context closes every connection.

    Sends nothing.  Raises ``ConfigurationFailed`` for an unknown profile, ``UsageError`` for a region, endpoint or
    file of certificates that can't be used.
    """
    from glacier_purge.aws.session import AwsSession  # noqa: PLC0415  # heavy, see above
    from glacier_purge.glacier.sdk.client import SdkGlacier  # noqa: PLC0415  # heavy, see above
    from glacier_purge.glacier.sdk.wire import scrutiny  # noqa: PLC0415  # heavy, see above

    check_region(vault.region, access.endpoint_url)
    session = AwsSession(access, vault.region, scrutiny())
    async with session.client("glacier") as client:
        check_endpoint_url(client.meta.endpoint_url)
        yield SdkGlacier(client, vault, session, id_rule=access.id_rule)


@asynccontextmanager
async def open_control(vault: Vault, access: Access) -> AsyncIterator[ControlClient]:
    """Open ``glacier.control.GlacierControl`` for one vault; sends nothing, raises as ``open_sdk``."""
    from glacier_purge.aws.session import AwsSession  # noqa: PLC0415  # heavy, see above
    from glacier_purge.glacier.sdk.control_client import ControlClient, ControlRetry  # noqa: PLC0415  # heavy, see above
    from glacier_purge.glacier.sdk.wire import scrutiny  # noqa: PLC0415  # heavy, see above

    check_region(vault.region, access.endpoint_url)
    session = AwsSession(access, vault.region, scrutiny())
    async with session.client("glacier") as client:
        yield ControlClient(client, vault, session, ControlRetry())
