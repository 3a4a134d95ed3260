"""Several vaults side by side, by a job that is started every hour: each call does what can be done now.

    python fleet.py fleet.toml fleet-run --endpoint-url URL                          # ends with 75 while any waits
    python fleet.py fleet.toml fleet-run --endpoint-url URL --approve photos --approve films

``fleet.toml`` has a [[vaults]] with a name for each; --approve says yes to the plan of that vault, which is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import glacier_purge


async def main() -> int:
    """Go on with every vault as far as that is possible now."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fleet_file", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--endpoint-url", help="another place than AWS's own for each vault's region")
    parser.add_argument("--approve", action="append", default=[], metavar="VAULT")
    asked = parser.parse_args()

    async def approve(view: glacier_purge.PlanView) -> str | None:
        print(view.as_text())
        return view.plan.digest if view.plan.vault_name in asked.approve else None

    try:
        report = await glacier_purge.run_fleet(
            asked.fleet_file,
            run_dir=asked.run_dir,
            approve=approve,
            settings=glacier_purge.Settings.model_validate({"aws": {"endpoint_url": asked.endpoint_url}}),
            waiter=glacier_purge.NoWait(),
            listener=glacier_purge.FleetListener(say=print),
        )
    except glacier_purge.GlacierPurgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for vault in report.vaults:
        print(f"{vault.vault_arn}: {vault.state} in {vault.phase} {vault.message}")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
