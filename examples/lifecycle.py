"""A vault from its name to proven empty, by a job that is started every hour: each call does what can be done now.

    python lifecycle.py photos photos-run --endpoint-url URL                 # ends with 75 while it waits
    python lifecycle.py photos photos-run --endpoint-url URL --confirm-digest DIGEST

What is waited for, for days, is an inventory, somebody's approval of the plan, and a newer inventory that proves it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import glacier_purge


async def main() -> int:
    """Go on as far as that is possible now."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--endpoint-url", help="another place than AWS's own for the vault's region")
    parser.add_argument("--confirm-digest", help="what the plan printed: approves exactly that plan")
    asked = parser.parse_args()

    async def approve(view: glacier_purge.PlanView) -> str | None:
        print(view.as_text())
        return asked.confirm_digest if asked.confirm_digest == view.plan.digest else None

    listener = glacier_purge.LifecycleListener(
        say=print,
        on_step=lambda step: print(f"{step.at} {step.phase.value}: {step.event.value}"),
        on_progress=lambda now: print(f"{now.deleted:,} of {now.selected:,} deleted - {now.why}"),
    )
    try:
        report = await glacier_purge.run_lifecycle(
            asked.vault,
            run_dir=asked.run_dir,
            approve=approve,
            settings=glacier_purge.Settings.model_validate({"aws": {"endpoint_url": asked.endpoint_url}}),
            waiter=glacier_purge.NoWait(),
            listener=listener,
        )
    except glacier_purge.GlacierPurgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"done after {report.rounds} rounds, certificate {report.certificate}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
