"""A DynamoDB table read from end to end, as the migration that is being proven left it. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from glacier_purge.aws.tls import check_trusted
from glacier_purge.errors import CredentialsFailed, RunStopped, ServiceRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from glacier_purge.aws.session import AwsSession

TRIES_MAX = 8
_LATER = {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"}


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
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415  # heavy

    table = request["TableName"]
    try:
        page: Mapping[str, Any] = await client.scan(**request)
    except NoCredentialsError as fault:
        raise CredentialsFailed(f"{fault}. Reading table {table} needs credentials.") from fault
    except ClientError as fault:
        is_later = fault.response["Error"].get("Code") in _LATER
        if is_later or int(fault.response["ResponseMetadata"]["HTTPStatusCode"]) >= 500:
            raise RunStopped(f"table {table} was not read to its end: {fault}. Try again later.") from fault
        raise ServiceRefused(
            f"table {table} cannot be read: {fault}. Needs dynamodb:Scan, in the vault's region. Nothing was planned."
        ) from fault
    except BotoCoreError as fault:
        check_trusted(fault, f"table {table} was not read")
        raise RunStopped(f"no answer from DynamoDB about table {table}: {fault}. Try again later.") from fault
    return page
