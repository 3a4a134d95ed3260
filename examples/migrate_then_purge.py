"""A migration script: deletes from the vault what its own table says is safe elsewhere.

Killed and started again it goes on, and hears of every outcome that it may have missed.

    python migrate_then_purge.py VAULT_ARN moved.csv photos-log --endpoint-url URL

``moved.csv`` has a line "archive_id,copied_to" for each archive; without a copy an archive stays.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, stop_after_delay, wait_random_exponential

import glacier_purge

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = {
    # An hour of a broken service is enough to look at by hand; throttling is waited out, as by default.
    "server_fault": AsyncRetrying(stop=stop_after_delay(3600), wait=wait_random_exponential(max=60)),
}


def safe_elsewhere(table: Path) -> Iterator[str]:
    """Ids of the archives that were copied, read as they are needed."""
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["copied_to"]:
                yield row["archive_id"]


async def main() -> int:
    """Delete what is safe elsewhere, each outcome on record before it is looked at here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault_arn", type=glacier_purge.Vault.from_arn)
    parser.add_argument("table", type=Path)
    parser.add_argument("audit_log", type=Path)
    parser.add_argument("--endpoint-url", help="another place than AWS's own for the vault's region")
    asked = parser.parse_args()
    settings = glacier_purge.Settings.model_validate({"aws": {"endpoint_url": asked.endpoint_url}})
    ids, counts = safe_elsewhere(asked.table), Counter[str]()
    try:
        async for outcome in glacier_purge.delete_archives(
            asked.vault_arn, ids, settings=settings, audit_log=asked.audit_log, retry=PATIENCE
        ):
            counts[outcome.outcome] += 1  # here a script of your own would mark the row; again, after a crash
    except glacier_purge.GlacierPurgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(dict(counts))
    print(f"check it with: glacier-purge audit verify {asked.audit_log}")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
