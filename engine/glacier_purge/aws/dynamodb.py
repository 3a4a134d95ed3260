"""A DynamoDB table read from end to end, as the migration that is being proven left it. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from glacier_purge.aws.faults import as_error
from glacier_purge.aws.tls import check_trusted
from glacier_purge.errors import RunStopped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from glacier_purge.aws.session import AwsSession

TRIES_MAX = 8


async def scan_table(table: str, session: AwsSession) -> AsyncIterator[Mapping[str, Any]]:
    """Give every item of ``table`` as DynamoDB writes it (``{"size": {"N": "3"}}``), as of now (consistent reads).

    Raises ``ServiceRefused`` (missing, denied), ``CredentialsFailed`` and ``RunStopped`` (no answer).
    """
    policy = AsyncRetrying(
        retry=retry_if_exception_type(RunStopped),
        wait=wait_random_exponential(multiplier=0.5, max=20.0),
        stop=stop_after_attempt(TRIES_MAX),
        sleep=anyio.sleep,
        reraise=True,
    )
    async with session.client("dynamodb") as client:
        request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
        while True:
            page: Mapping[str, Any] = await policy.copy()(_once, client, request)
            for item in page["Items"]:
                yield item
            if not page.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


async def _once(client: Any, request: Mapping[str, Any]) -> Mapping[str, Any]:
    table = request["TableName"]
    try:
        page: Mapping[str, Any] = await client.scan(**request)
    except Exception as fault:  # whatever the SDK, or what it stands on, may raise; bugs are raised again
        check_trusted(fault, f"table {table} was not read")
        raise as_error(
            fault,
            f"table {table} cannot be read",
            "Needs dynamodb:Scan, in the vault's region. Nothing was planned.",
        ) from fault
    return page
