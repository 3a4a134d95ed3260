"""The client that `bench_limit` measures beside ours: aiobotocore in adaptive retry mode, with many workers.

python -m benchmarks.bench_limit_adaptive ENDPOINT_URL IDS_FILE
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aioboto3
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 32


async def main(url: str, ids_file: Path) -> None:
    config = AioConfig(retries={"mode": "adaptive", "max_attempts": 10}, max_pool_connections=WORKERS)
    ids = iter(ids_file.read_text("ascii").split())  # noqa: ASYNC240 - before anything runs
    async with (
        aioboto3.Session().client("glacier", endpoint_url=url, config=config) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(WORKERS):
            tasks.create_task(work(client, ids))


async def work(client: Any, ids: Iterator[str]) -> None:
    for archive_id in ids:
        try:
            await client.delete_archive(accountId="123456789012", vaultName="photos", archiveId=archive_id)
        except ClientError:
            continue  # given up on after ten attempts; the simulator has counted each of them


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
