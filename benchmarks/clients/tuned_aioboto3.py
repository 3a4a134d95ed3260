"""The SDK with all its screws turned: pool as large as the workers, uvloop, no validation, no retries of its own.

python -m benchmarks.clients.tuned_aioboto3 URL INVENTORY LOG IN_FLIGHT
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aioboto3
import orjson
import uvloop
from aiobotocore.config import AioConfig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedWriter


async def main(url: str, inventory: str, log: str, in_flight: str) -> None:
    archives = iter(orjson.loads(Path(inventory).read_bytes())["ArchiveList"])  # noqa: ASYNC240 - before anything runs
    config = AioConfig(
        max_pool_connections=int(in_flight), parameter_validation=False, retries={"total_max_attempts": 1}
    )
    with Path(log).open("wb") as file:  # noqa: ASYNC230 - buffered, so it seldom waits
        async with aioboto3.Session().client("glacier", endpoint_url=url, config=config) as client:
            await asyncio.gather(*(work(client, file, archives) for _ in range(int(in_flight))))


async def work(client: Any, file: BufferedWriter, archives: Iterator[dict[str, Any]]) -> None:
    for archive in archives:
        archive_id = archive["ArchiveId"]
        reply = await client.delete_archive(accountId="123456789012", vaultName="photos", archiveId=archive_id)
        request_id = reply["ResponseMetadata"]["RequestId"]
        file.write(orjson.dumps({"archive_id": archive_id, "size": archive["Size"], "request_id": request_id}) + b"\n")


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:5]))
