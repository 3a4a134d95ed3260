"""A purge as most people would write it: json.load, gather, a retry decorator around each call, a JSON log line each.

python -m benchmarks.clients.naive_aioboto3 URL INVENTORY LOG
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aioboto3
import structlog
from tenacity import retry, stop_after_attempt, wait_random_exponential


async def main(url: str, inventory: str, log: str) -> None:
    archives = json.loads(Path(inventory).read_bytes())["ArchiveList"]  # noqa: ASYNC240 - before anything runs
    with Path(log).open("w") as file:  # noqa: ASYNC230 - so do most
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.WriteLoggerFactory(file),
        )
        logger = structlog.get_logger()
        async with aioboto3.Session().client("glacier", endpoint_url=url) as client:
            await asyncio.gather(*(delete(client, logger, archive) for archive in archives))


@retry(wait=wait_random_exponential(max=20), stop=stop_after_attempt(8))
async def delete(client: Any, logger: Any, archive: dict[str, Any]) -> None:
    reply = await client.delete_archive(accountId="123456789012", vaultName="photos", archiveId=archive["ArchiveId"])
    logger.info(
        "deleted",
        archive_id=archive["ArchiveId"],
        size=archive["Size"],
        request_id=reply["ResponseMetadata"]["RequestId"],
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
