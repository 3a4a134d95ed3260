"""A whole lifecycle under the worst of weeks: three days and more, in about a minute. ``make rehearsal`` runs it.

A simulator at an hour a second plays the scenario ``bad-week``; ``glacier-purge run`` is started, killed with SIGKILL
twice (while it deletes, and while it waits), started again, given the approvals it asks for, and in the end has to
have deleted the vault.  Then everything is held against the server: no archive left, none sent that no plan had, every
record of every round with exactly one outcome, every log sound, the certificate there.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, "-m", "glacier_purge")
ARCHIVES = 1_500
HOURS_A_SECOND = 1
STARTS_MAX = 40
_DIRECT = build_opener(ProxyHandler({}))


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="glacier-purge-lifecycle-") as place:
        folder = Path(place)
        simulator, address = start_simulator(folder)
        try:
            rehearse(folder, address)
            failures = list(check(folder, address))
        finally:
            simulator.send_signal(signal.SIGTERM)
            simulator.wait(30)
    took = time.monotonic() - began
    say(f"{took:.0f} s for the lifecycle above")
    for failure in failures:
        say(f"FAILED: {failure}")
    say("all accounted for, the vault is gone, the certificate is there" if not failures else f"{len(failures)} failed")
    return 1 if failures else 0


def start_simulator(folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    options = ("--scenario", "bad-week", "--archives", str(ARCHIVES), "--time-scale", str(3600 * HOURS_A_SECOND))
    process = subprocess.Popen(
        [*COMMAND, "simulate", *options], stdout=subprocess.PIPE, stderr=(folder / "simulator.log").open("wb")
    )
    assert process.stdout is not None
    address: dict[str, Any] = json.loads(process.stdout.readline())
    return process, address


def rehearse(folder: Path, address: dict[str, Any]) -> None:
    """Start the command until it says that it is done, killing it twice on the way."""
    kills = [Killer("purge", folder), Killer("verify", folder)]
    digest: str | None = None
    for start in range(1, STARTS_MAX + 1):
        process = subprocess.Popen(
            command(folder, address, digest),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment(folder),
        )
        killer = kills[0] if kills else None
        while process.poll() is None:
            time.sleep(0.05)
            if killer is not None and killer.is_time():
                process.kill()
                kills.pop(0)
                say(f"start {start}: kill -9 while it was in phase {killer.phase!r}")
                killer = None
        assert process.stdout is not None
        out = process.stdout.read().decode()
        if process.returncode == 0:
            say(f"start {start}: {out.strip()}")
            return
        if process.returncode == 75:
            digest = re.search(r"--confirm-digest ([0-9a-f]{64})", out)[1]  # type: ignore[index]  # nothing else is asked
            say(f"start {start}: approving plan {digest[:16]}...")
        elif process.returncode != -signal.SIGKILL:
            say(f"start {start}: exit {process.returncode}, started again")
    raise SystemExit(f"not done after {STARTS_MAX} starts")


class Killer:
    """Knows when it is time to kill: some progress into a phase."""

    def __init__(self, phase: str, folder: Path) -> None:
        self.phase = phase
        self._folder = folder
        self._since: float | None = None

    def is_time(self) -> bool:
        steps = steps_of(self._folder)
        if not steps or next_phase(steps) != self.phase:
            self._since = None
            return False
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since > 3.0


def command(folder: Path, address: dict[str, Any], digest: str | None) -> list[str]:
    vault = address["vault"]
    line = [*COMMAND, "run", vault, "--run-dir", str(folder / "lifecycle"), "--freeze"]
    line += ["--endpoint-url", address["endpoint_url"], "--account-id", address["account_id"]]
    line += ["--delete-vault", vault, "--even-the-last-vault", "--output", "json"]
    return line + (["--confirm-digest", digest] if digest else [])


def environment(folder: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GLACIER_PURGE_"))}
    return clean | {
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_STATE_HOME": str(folder / "state"),
        "GLACIER_PURGE_PACE__FIRST_PER_SECOND": "50",
    }


def check(folder: Path, address: dict[str, Any]) -> Iterator[str]:
    """Hold what is on disk against the server; yield what does not fit."""
    steps = steps_of(folder)
    if next_phase(steps) != "done" or steps[-1]["event"] != "vault deleted":
        yield f"the last step is {steps[-1]}"
    ledger = json.loads(get(f"{address['endpoint_url']}/_simulator/ledger"))
    say(f"server: {json.dumps(ledger)}")
    if ledger["archives_left"]:
        yield f"{ledger['archives_left']} archives are left"
    if ledger["unknown"] or ledger["wrong_vault"] or ledger["malformed"]:
        yield "archives were sent that no plan had"
    deleted: set[str] = set()
    rounds = sorted((folder / "lifecycle").glob("round-*"))
    for place in rounds:
        if (place / "plan.json").exists():
            yield from check_round(place, deleted)
    if len(deleted) != ledger["distinct_ids"]:
        yield f"{len(deleted)} archives are on record as deleted, the server received {ledger['distinct_ids']}"
    certificates = [place for place in rounds if (place / "certificate.txt").exists()]
    if not certificates:
        yield "there is no certificate"
    else:
        say((certificates[-1] / "certificate.txt").read_text("utf-8").strip())


def check_round(place: Path, deleted: set[str]) -> Iterator[str]:
    verified = subprocess.run(
        [*COMMAND, "audit", "verify", str(place), "--output", "json"], capture_output=True, check=False
    )
    if verified.returncode != 0:
        yield f"{place.name}: the audit is not sound: {verified.stdout.decode()}"
    plan = json.loads((place / "plan.json").read_bytes())["plan"]
    outcomes: dict[int, str] = {}
    for segment in sorted((place / "audit").glob("[0-9]*.jsonl")):
        for line in segment.read_bytes().splitlines():
            record = json.loads(line)
            if record["event"] == "outcome":
                if record["ordinal"] in outcomes:
                    yield f"{place.name}: two outcomes for record {record['ordinal']}"
                outcomes[record["ordinal"]] = record["outcome"]
                deleted.add(record["archive_id"])
    if len(outcomes) != plan["counts"]["inventory"] or set(outcomes.values()) != {"deleted"}:
        yield f"{place.name}: {len(outcomes)} outcomes for {plan['counts']['inventory']} records"
    say(f"{place.name}: {len(outcomes):,} archives deleted")


def steps_of(folder: Path) -> list[dict[str, Any]]:
    file = folder / "lifecycle" / "lifecycle.jsonl"
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]


def next_phase(steps: list[dict[str, Any]]) -> str:
    from glacier_purge.lifecycle.phases import TRANSITIONS, Event, Phase

    return TRANSITIONS[Phase(steps[-1]["phase"]), Event(steps[-1]["event"])].value


def get(url: str) -> bytes:
    with _DIRECT.open(url, timeout=30) as reply:
        content: bytes = reply.read()
        return content


def say(message: str) -> None:
    print(f"lifecycle: {message}", flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
