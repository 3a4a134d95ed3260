"""What the witnesses share: filling in steps, and the simulator's clock.

Runs in an environment without this project.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from botocore.utils import calculate_tree_hash


def filled(value: Any, kept: dict[str, Any]) -> Any:
    """A parameter with everything in it that was kept or has to be made."""
    if isinstance(value, list):
        return [filled(item, kept) for item in value]
    if not isinstance(value, dict):
        return value
    if "$kept" in value:
        return kept[value["$kept"]]
    if "$bytes" in value:
        return value["$bytes"].encode() * value["times"]
    if "$tree_hash" in value:
        return tree_hash(filled(value["$tree_hash"], kept))
    return {name: filled(item, kept) for name, item in value.items()}


def tree_hash(body: bytes) -> str:
    """The tree hash of a body, as botocore calculates it."""
    from io import BytesIO

    return str(calculate_tree_hash(BytesIO(body)))


def step_clock(endpoint_url: str, seconds: float) -> None:
    """Let time pass in the simulator."""
    body = json.dumps({"step_seconds": seconds}).encode()
    urllib.request.urlopen(f"{endpoint_url}/_simulator/clock", data=body, timeout=30).close()
