"""How long credentials last, told from what AWS's chain hands out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from aiobotocore.credentials import AioCredentials, AioRefreshableCredentials

from glacier_purge.aws.credentials import CredentialSource, Lifetime

if TYPE_CHECKING:
    from glacier_purge.aws.credentials import Provider


async def no_refresh() -> dict[str, str]:
    raise AssertionError("nothing is due")


RENEWING = AioRefreshableCredentials(
    "AKIDEXAMPLE", "secret", "token", datetime.now(UTC) + timedelta(hours=5), no_refresh, "assume-role"
)


@pytest.mark.parametrize(
    ("provider", "lifetime"),
    [
        (AioCredentials("AKIDEXAMPLE", "secret"), Lifetime.LASTING),
        (AioCredentials("AKIDEXAMPLE", "secret", "token"), Lifetime.TEMPORARY),
        (RENEWING, Lifetime.RENEWED),
    ],
    ids=["key", "token", "role"],
)
async def test_keys_last_tokens_expire_and_roles_are_renewed(provider: Provider, lifetime: Lifetime) -> None:
    async def chain() -> Provider:
        return provider

    assert await CredentialSource(chain).lifetime() is lifetime
