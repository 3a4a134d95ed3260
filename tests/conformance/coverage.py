"""The coverage table: which operations two independent clients have acted out, and where moto differs.

``python -m tests.conformance.coverage`` runs both clients, writes the table beside the simulator and prints it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from tests.conformance.moto_differences import DIFFERENCES
from tests.conformance.witnesses import hear

FILE = Path(__file__).parents[2] / "engine" / "glacier_simulator" / "COVERAGE.md"
_HEAD = """\
# What of Amazon Glacier the simulator covers

Written by `python -m tests.conformance.coverage`. Every operation of botocore's model is acted out by boto3 and by the
AWS CLI, each in an environment without this project. *Reply* means: status, headers and JSON types as the model says
before botocore's parser has seen them, and valid by botocore's validator afterwards. Where npm has installed it, AWS's
SDK for JavaScript acts all of them out as well (`make javascript`).

| operation | method and path | status | reply | boto3 | AWS CLI |
|---|---|---|---|---|---|
"""
_MOTO = """
## Where moto's Glacier differs, and why it is not followed

The life of a vault as far as moto knows it is acted out in both; what is not listed here is equal.

| in | what differs | why |
|---|---|---|
"""
_NAMES = [
    (re.compile(r"^-"), "/{account}"),
    (re.compile(r"(?<=/vaults/)[^/?]+"), "{vault}"),
    (re.compile(r"(?<=/archives/)[^/?]+"), "{archive}"),
    (re.compile(r"(?<=/jobs/)[^/?]+"), "{job}"),
    (re.compile(r"(?<=/multipart-uploads/)[^/?]+"), "{upload}"),
    (re.compile(r"(?<=/lock-policy/)[^/?]+"), "{lock}"),
]


def table(by_boto3: dict[str, Any], by_cli: dict[str, Any]) -> str:
    """The whole page, from what the two clients have seen."""
    rows = [_row(operation, by_boto3, by_cli) for operation in by_boto3["operations"]]
    covered = sum("**no**" not in row for row in rows)
    differences = [f"| {case} | {what} | {why} |\n" for case, what, why in DIFFERENCES]
    total = f"\n**{covered} of {len(rows)} operations.**\n"
    return _HEAD + "".join(rows) + total + _MOTO + "".join(differences).replace("*", r"\*")


def _row(operation: str, by_boto3: dict[str, Any], by_cli: dict[str, Any]) -> str:
    seen, acted = ([one for one in them["results"] if one["operation"] == operation] for them in (by_boto3, by_cli))
    if not seen or not acted:
        return f"| {operation} | | | **no** | **no** | **no** |\n"
    method, _, path = seen[0]["request"].partition(" ")
    for pattern, name in _NAMES:
        path = pattern.sub(name, path, count=1)
    statuses = ", ".join(dict.fromkeys(str(one["status"]) for one in seen))
    good, done = (_yes(not any(one["problems"] for one in them)) for them in (seen, acted))
    return f"| {operation} | {method} `{path}` | {statuses} | {good} | {good} | {done} |\n"


def _yes(holds: bool) -> str:
    return "yes" if holds else "**no**"


def main() -> int:
    """Write the table and print it; 1 when an operation is not covered."""
    page = table(hear("by_boto3"), hear("by_cli"))
    FILE.write_text(page, "utf-8")
    sys.stdout.write(page)
    return 1 if "**no**" in page else 0


if __name__ == "__main__":
    sys.exit(main())
