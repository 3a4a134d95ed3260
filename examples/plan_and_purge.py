"""A whole run from Python: plan, look, approve by the plan's digest, purge. Given again, it goes on where it stopped.

python plan_and_purge.py photos inventory.json photos-run --endpoint-url URL                 # plans, sends no delete
python plan_and_purge.py photos inventory.json photos-run --endpoint-url URL --confirm-digest DIGEST
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import glacier_purge


async def main() -> int:
    """Plan, or carry out the plan whose digest was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault")
    parser.add_argument("inventory", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--endpoint-url", help="another place than AWS's own for the vault's region")
    parser.add_argument("--confirm-digest", help="what the plan printed: approves exactly that plan")
    asked = parser.parse_args()
    settings = glacier_purge.Settings.model_validate({"aws": {"endpoint_url": asked.endpoint_url}})
    try:
        if asked.confirm_digest is None:
            plan = await glacier_purge.make_plan(
                asked.vault, inventory=asked.inventory, run_dir=asked.run_dir, settings=settings
            )
            print(f"{plan.counts.selected:,} of {plan.counts.inventory:,} archives of {plan.vault.arn} would go")
            print(f"approve with --confirm-digest {plan.digest}")
            return 0
        report = await glacier_purge.purge(asked.run_dir, confirm_digest=asked.confirm_digest, settings=settings)
    except glacier_purge.GlacierPurgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{report.deleted:,} deleted, {report.failed:,} failed, complete: {report.complete}")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
