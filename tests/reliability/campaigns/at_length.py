"""What the suite tries a diagonal of, row by row, and properties with all of their examples (tests/at_length.py).

A seed is a part of the files of tests that leave anything to it.  What there is to try is finite: seeds beyond the
parts try them again.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.at_length import PROFILE
from tests.reliability.campaign import Campaign

ROOT = Path(__file__).parents[3]
LEAVES_ROWS = re.compile(r"mark\.at_length|\bexamples\(|usefixtures\(\"today\"")
PARTS = 16


def files() -> list[Path]:
    """Each file of tests that leaves something to this campaign."""
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    return [file.relative_to(ROOT) for file in found if LEAVES_ROWS.search(file.read_text("utf-8"))]


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """Try all that some files leave out of the suite."""
    part = seed % PARTS
    how = ("-q", "-n", "0", "-p", "no:cacheprovider", "--at-length=only", f"--hypothesis-profile={PROFILE}")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *how, f"--basetemp={folder / 'tests'}", *map(str, files()[part::PARTS])],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-20_000:]}\n{ended.stderr[-2_000:]}"
    return Counter({f"part {part}": 1})


CAMPAIGN = Campaign(
    name="at-length",
    asks=(
        "Tries each row of every table of which the suite tries a diagonal - wrong requests, damaged documents, "
        "changes of a run at work, machines and proxies, endings, replies, paces, pages run as they stand, the same a "
        "year on - and each property with all of its examples."
    ),
    programme=("T7", "T8", "T9", "T16"),
    invariants=("I1", "I2", "I4", "I20"),
    unit="parts of the tests",
    wanted=PARTS,
    try_seed=try_seed,
    night_share=0.2,
    limit_seconds=900.0,
)
