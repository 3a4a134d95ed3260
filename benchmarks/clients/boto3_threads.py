"""boto3 and a pool of threads, as scripts do it; only the deletes.

python -m benchmarks.clients.boto3_threads URL INVENTORY THREADS
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config


def main(url: str, inventory: str, threads: str) -> None:
    archives = json.loads(Path(inventory).read_bytes())["ArchiveList"]
    config = Config(max_pool_connections=int(threads))
    client = boto3.client("glacier", endpoint_url=url, config=config)

    def delete(archive: dict[str, str]) -> None:
        client.delete_archive(accountId="123456789012", vaultName="photos", archiveId=archive["ArchiveId"])

    with ThreadPoolExecutor(int(threads)) as pool:
        for _ in pool.map(delete, archives):
            pass


if __name__ == "__main__":
    main(*sys.argv[1:4])
