"""boto3 in one of its retry modes, with 32 threads, until it is told to stop; then it says what it gave up.

PYTHON benchmarks/clients/boto3_retries.py URL IDS_FILE default|legacy|standard|adaptive

Needs boto3 alone, so that it runs in any environment that has one; "default" leaves the mode to the version.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError

THREADS = 32


def main(url: str, ids_file: str, mode: str) -> None:
    retries = {} if mode == "default" else {"retries": {"mode": mode}}
    client = boto3.client("glacier", endpoint_url=url, config=Config(max_pool_connections=THREADS, **retries))
    ids = iter(Path(ids_file).read_text("ascii").split())
    given_up: list[str] = []

    def stop(_number: int, _frame: object) -> None:
        print(json.dumps({"botocore": botocore.__version__, "given_up": len(given_up)}), flush=True)
        os._exit(0)

    def work() -> None:
        for archive_id in ids:  # one thread at a time: a list's iterator is not left half-way
            try:
                client.delete_archive(accountId="123456789012", vaultName="photos", archiveId=archive_id)
            except ClientError as error:
                given_up.append(str(error))

    signal.signal(signal.SIGTERM, stop)
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(THREADS):
            pool.submit(work)
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:4])
