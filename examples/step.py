"""One step of a vault's lifecycle, for a scheduler: prints the document that says what it needs, and until when.

    python step.py photos photos-run --endpoint-url URL [--confirm-digest DIGEST]...

Call it again at ``until``; where that is null, when somebody did what ``needs`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import msgspec

import glacier_purge


async def main() -> int:
    """Go on as far as that is possible now."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--endpoint-url", help="another place than AWS's own for the vault's region")
    parser.add_argument("--confirm-digest", action="append", default=[], help="approves exactly that plan")
    asked = parser.parse_args()
    told = await glacier_purge.step(
        asked.vault,
        run_dir=asked.run_dir,
        confirm_digests=asked.confirm_digest,
        settings=glacier_purge.Settings.model_validate({"aws": {"endpoint_url": asked.endpoint_url}}),
    )
    print(msgspec.json.encode(told).decode())
    return told.exit_code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
