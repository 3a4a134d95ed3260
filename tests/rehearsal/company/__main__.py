"""``make rehearsal-company``: a company's vaults carried to their certificates while workers, disks and servers die.

Three hosts in network namespaces, each with a worker and a disk of its own, a Temporal server, a bucket, and the
service of a whole company.  Nothing is held against what the tool says of itself: the service's ledger has the last
word, and the doorkeeper, who looks at the bucket's lease at every delete.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.rehearsal.company.checks import as_lines
from tests.rehearsal.company.story import Wishes, rehearsed


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rehearsal-company", description=__doc__)
    parser.add_argument("--vaults", type=int, default=400)
    parser.add_argument("--archives", type=int, default=60, help="in each vault")
    parser.add_argument("--worker-kills", type=int, default=10)
    parser.add_argument("--server-kills", type=int, default=2)
    parser.add_argument("--lost-disks", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--forgets", type=int, default=1, help="how often Temporal's database is wiped")
    parser.add_argument("--lease-seconds", type=float, default=45.0)
    parser.add_argument("--at-once", type=int, default=3, help="steps at once on each host")
    parser.add_argument("--minutes-max", type=float, default=30.0)
    parser.add_argument("--keep", type=Path, help="folder to keep everything in")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = vars(parser.parse_args())
    keep, file = given.pop("keep"), given.pop("json")
    wishes = Wishes(**given)
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="company-") as folder:
            figures, failures = rehearsed(wishes, Path(folder))
    else:
        keep.mkdir(parents=True)
        figures, failures = rehearsed(wishes, keep)
    print("\n".join(as_lines(figures, failures)))  # noqa: T201 - this is a command
    if file is not None:
        file.write_text(json.dumps(figures.as_dict() | {"failures": failures}, indent=1), "utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
