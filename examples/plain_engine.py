"""A purge engine in its plainest form: what aioboto3, anyio, tenacity and structlog give by themselves.

    python plain_engine.py INVENTORY LOG --endpoint-url URL [--workers 10]

A task group, workers on a memory stream, ``AsyncRetrying`` entered around each ``delete_archive``, a structlog line an
outcome.  It is here to be read and measured beside glacier_purge: it has no plan and no approval, does not know where
it was stopped, finds no rate, and counts a throttle against the archive.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import aioboto3
import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream
from tenacity import AsyncRetrying, stop_after_attempt, wait_random_exponential

ArchiveIds = MemoryObjectReceiveStream[str]


async def purge(archive_ids: list[str], where: dict[str, str], endpoint_url: str, workers: int, log: Any) -> None:
    """Delete archives with so many workers."""
    send, receive = anyio.create_memory_object_stream[str](workers)
    opening = aioboto3.Session().client("glacier", endpoint_url=endpoint_url)
    async with opening as client, anyio.create_task_group() as tasks, send:
        for _ in range(workers):
            tasks.start_soon(work, client, where, receive.clone(), log)
        receive.close()
        for archive_id in archive_ids:
            await send.send(archive_id)


async def work(client: Any, where: dict[str, str], archive_ids: ArchiveIds, log: Any) -> None:
    """Delete one archive after the other, as they come."""
    async with archive_ids:
        async for archive_id in archive_ids:
            policy = AsyncRetrying(stop=stop_after_attempt(8), wait=wait_random_exponential(max=20), reraise=True)
            try:
                async for attempt in policy:
                    with attempt:
                        reply = await client.delete_archive(**where, archiveId=archive_id)
                        log.info("deleted", archive_id=archive_id, request_id=reply["ResponseMetadata"]["RequestId"])
            except Exception as error:
                log.warning("failed", archive_id=archive_id, error=repr(error))


def main() -> None:
    """Read the inventory, then purge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--workers", type=int, default=10, help="aioboto3 opens ten connections unless told otherwise")
    asked = parser.parse_args()
    inventory = json.loads(asked.inventory.read_bytes())
    account_id, vault = inventory["VaultARN"].split(":")[4], inventory["VaultARN"].rpartition("/")[2]
    where = {"accountId": account_id, "vaultName": vault}
    archive_ids = [archive["ArchiveId"] for archive in inventory["ArchiveList"]]
    with asked.log.open("a") as file:
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        render = structlog.processors.JSONRenderer()
        log = structlog.wrap_logger(structlog.WriteLogger(file), processors=[stamp, render])
        anyio.run(purge, archive_ids, where, asked.endpoint_url, asked.workers, log)


if __name__ == "__main__":
    main()
