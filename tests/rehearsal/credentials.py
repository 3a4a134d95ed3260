"""A purge under credentials that last for five minutes, from a helper that hangs every third time, in real time.

``python -m tests.rehearsal.credentials --minutes 20`` serves a vault in this process, with a limit and with signatures
checked: a key is taken until its time is over, and not a moment longer.  The installed command purges it, renewing its
credentials as it goes.  Told are the rate against the limit, the longest time in which no delete came, how often the
helper was asked and hung, and what the command said about it.  It fails when there was a stall, when a delete was
refused for its credentials, or when the rate is not within 2 % of what the limit gives.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import UserDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier_simulator.account import Credential
from glacier_simulator.kit import SimulatedGlacier

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, "-m", "glacier_purge")
ACCOUNT = "123456789012"
LASTS_SECONDS = 300
HANGS_EVERY = 3
STALL_SECONDS_MAX = 2.0
RATE_SHARE_MIN = 0.98
_LOOK_SECONDS = 0.05
WARM_UP_SECONDS = 60.0
"""In which the limit is being found; the rate is told from then on."""

_HELPER = f"""#!{sys.executable}
import datetime, json, pathlib, time
asked = pathlib.Path(__file__).with_name("asked")
with asked.open("a") as file:
    file.write("x")
if asked.stat().st_size % {HANGS_EVERY} == 0:
    time.sleep(3600)
ends = int(time.time()) + {LASTS_SECONDS}
key = f"ASIA{{ends}}"
print(json.dumps({{
    "Version": 1, "AccessKeyId": key, "SecretAccessKey": f"secret of {{key}}", "SessionToken": f"token of {{key}}",
    "Expiration": datetime.datetime.fromtimestamp(ends, datetime.timezone.utc).isoformat(),
}}))
"""


class Issued(UserDict[str, Credential]):
    """What the service knows of the helper's keys: until when each is good stands in its name."""

    def __bool__(self) -> bool:
        return True

    def get(self, key: str, default: Any = None) -> Any:
        ends = key.removeprefix("ASIA")
        if not ends.isdecimal():
            return default
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/purge/helper"
        return Credential(f"secret of {key}", ACCOUNT, arn, f"token of {key}", float(ends))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What reached the server, and the longest time in which nothing did."""

    deletes: int
    seconds: float
    longest_gap_seconds: float


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=50.0, help="the service's limit, requests a second")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glacier-purge-credentials-") as place:
        folder = Path(place)
        return await rehearse(folder, given.rate, given.minutes * 60)


async def rehearse(folder: Path, rate: float, seconds: float) -> int:
    archives = int(rate * seconds * 1.1) + 100
    checked = {"ASIANOBODY": "x"}  # has signatures checked; who is known comes next
    async with SimulatedGlacier(archives=archives, rate=rate, latency_ms=20, secret_keys=checked) as glacier:
        glacier.service._credentials = Issued()
        (folder / "inventory.json").write_bytes(glacier.inventory_text())
        files = ("plan", "photos", "--inventory", "inventory.json", "--run-dir", "run", "--region", "us-east-1")
        planned = await run(folder, *files, "--endpoint-url", glacier.endpoint_url, "--output", "json")
        digest = json.loads(planned)["digest"]
        process = await start(folder, "apply", "run", "--confirm-digest", digest, "--max-duration", f"{seconds:.0f}s")
        watched = asyncio.create_task(watch(glacier, process))
        _, err = await process.communicate()
        seen = await watched
        refused = glacier.ledger["deletes_received"] - (archives - glacier.ledger["archives_left"])
    told = [line for line in err.decode().splitlines() if "credentials." in line]
    share = seen.deletes / seen.seconds / rate
    asked = (folder / "asked").stat().st_size
    say(f"{seen.deletes:,} deletes in {seen.seconds:,.0f} s, {share:.1%} of the limit of {rate:g} a second")
    say(f"longest time without one: {seen.longest_gap_seconds:.2f} s; deletes without effect: {refused:,}")
    say(f"the helper was asked {asked} times and hung {asked // HANGS_EVERY} times; what was said of it:")
    for line in told:
        say(f"  {line}")
    failures = list(check(process.returncode, seen, share, told))
    for failure in failures:
        say(f"FAILED: {failure}")
    return 1 if failures else 0


def check(code: int | None, seen: Seen, share: float, told: list[str]) -> Iterator[str]:
    if code != 3:  # it works for as long as it was told to, and there is more to do
        yield f"the command ended with {code}"
    if seen.longest_gap_seconds > STALL_SECONDS_MAX:
        yield f"nothing was sent for {seen.longest_gap_seconds:.1f} s"
    if share < RATE_SHARE_MIN:
        yield f"only {share:.1%} of the limit"
    if any("credentials.renewing" in line for line in told):
        yield "a delete was refused for its credentials"
    reasons = [line for line in told if "credentials.not_renewed" in line]
    if not reasons or not all("helper" in line and "no answer within" in line for line in reasons):
        yield "what was told is not that the helper hung"


async def watch(glacier: SimulatedGlacier, process: asyncio.subprocess.Process) -> Seen:
    """Look at the server until the command ends; what it did while it found the limit is left out."""
    began_at = last_at = time.monotonic()
    left = first_left = glacier.ledger["archives_left"]
    gap_seconds = 0.0
    is_warm = False
    while process.returncode is None:
        await asyncio.sleep(_LOOK_SECONDS)
        now, left_now = time.monotonic(), glacier.ledger["archives_left"]
        if left_now == left:
            continue
        if not is_warm and now - began_at >= WARM_UP_SECONDS:
            is_warm, began_at, first_left = True, now, left_now
        elif is_warm:
            gap_seconds = max(gap_seconds, now - last_at)
        left, last_at = left_now, now
    assert is_warm, "it ended before the limit was found"
    return Seen(deletes=first_left - left, seconds=last_at - began_at, longest_gap_seconds=gap_seconds)


async def start(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    helper = folder / "helper"
    helper.write_text(_HELPER)
    helper.chmod(0o700)
    (folder / "config").write_text(f"[default]\ncredential_process = {helper}\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GLACIER_PURGE_"))}
    return await asyncio.create_subprocess_exec(
        *(*COMMAND, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=clean
        | {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
        | {"AWS_EC2_METADATA_DISABLED": "true", "XDG_STATE_HOME": str(folder / "state")},
    )


async def run(folder: Path, *arguments: str) -> bytes:
    process = await start(folder, *arguments)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out


def say(line: str) -> None:
    print(f"credentials: {line}", flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
