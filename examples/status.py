"""How a run, a vault's lifecycle or a fleet stands, for whoever watches: a line a vault, and disturbs nobody.

    python status.py photos-run

Ends with 1 where somebody has to approve a plan, so that a monitor may call; the digest is on the line.
"""

from __future__ import annotations

import sys
from typing import Any

import glacier_purge


def line(one: Any) -> str:
    """One vault in words."""
    wanted = getattr(one, "confirm_digest", None)
    why = getattr(one, "why", "")
    return f"{one.run_dir}: {one.state} {why}" + (f"; approve with --confirm-digest {wanted}" if wanted else "")


def main() -> int:
    """Tell, and say by the exit code whether somebody is waited for."""
    try:
        told = glacier_purge.status(sys.argv[1])
    except glacier_purge.GlacierPurgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    each = getattr(told, "vaults", (told,))
    print(*map(line, each), sep="\n")
    return 1 if any(getattr(one, "confirm_digest", None) for one in each) else 0


if __name__ == "__main__":
    sys.exit(main())
