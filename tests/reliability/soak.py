"""Purges for an hour at 2,000 deletes a second and more, while hardly anything is as it should be; finds what grows.

    python -m tests.reliability.soak [--minutes 60] [--record]

The command runs as a process and the simulator as another, over TLS.  Ten parts of a minute each follow one another:
quiet, server faults, lost replies, a limit that falls, slow replies, a pause and another rate, tokens that expire,
resets, an outage, quiet.  The service's limit is set so that what is left takes the time that is left; in the last
minute it is far above that, and as many deletes are under way as may be.  Each ten seconds the command's memory,
descriptors, threads and tasks are read; `soak_verdict` says what they may come to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from tests import seclusion
from tests.reliability import report
from tests.reliability.record import ROOT, a_run, commit_here, read_record, write_record
from tests.reliability.runner import Stop, say
from tests.reliability.soak_verdict import IN_FLIGHT_MAX, PART_SECONDS, Sample, Soaked, figures, violations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PER_SECOND = 2_200
"""Archives for each second of the time asked for: a tenth more than has to be deleted."""
FASTEST_PER_SECOND = 8_000
SAMPLE_SECONDS = 10.0
BYTES_EACH = 1_250
"""Disk for one archive: inventory, its copy in the run folder, decision, audit line; rounded up."""
COMMAND = (sys.executable, "-m", "glacier_purge")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the cycle: the service's faults and for how long, its limit, and orders that the command gets."""

    name: str
    faults: Sequence[dict[str, object]] = ()
    fault_seconds: float = PART_SECONDS
    limit: float = 1.0
    orders: Sequence[tuple[str, ...]] = ()


def fault(kind: str, share: float = 1.0, **more: object) -> dict[str, object]:
    """A rule for the simulator: a kind of fault strikes a share of the deletes."""
    return {"kind": kind, "share": share, **more}


CYCLE = (
    Part(name="quiet"),
    Part(name="server faults", faults=[fault("internal-failure", 0.1), fault("bad-gateway", 0.02)]),
    Part(name="lost replies", faults=[fault("reset-after", 0.005), fault("internal-error-after", 0.01)]),
    Part(name="the limit falls", limit=0.3),
    Part(name="slow replies", faults=[fault("slow-reply", 0.02, seconds=0.5)]),
    Part(name="a pause", orders=[("pause",), ("resume",), ("rate", "1500"), ("rate", "none")]),
    Part(name="tokens expire", faults=[fault("expired-token")], fault_seconds=5.0),
    Part(name="resets", faults=[fault("refuse", 0.01), fault("keep-alive-race", 0.02)]),
    Part(name="an outage", faults=[fault("refuse")], fault_seconds=10.0),
    Part(name="quiet again"),
)


class Service:
    """A simulator in a process of its own, and what it is told and asked."""

    def __init__(self, folder: Path, archives: int, environment: dict[str, str]) -> None:
        options = [
            "--archives",
            str(archives),
            "--rate",
            "2000",
            "--latency-ms",
            "20",
            "--error-rate",
            "0.001",
            "--tls",
        ]
        self._process = subprocess.Popen(
            [*COMMAND, "simulate", *options],
            stdout=subprocess.PIPE,
            stderr=(folder / "simulator.log").open("wb"),
            env=environment,
        )
        assert self._process.stdout is not None
        self.said: dict[str, Any] = json.loads(self._process.stdout.readline())
        trusting = ssl.create_default_context(cafile=self.said["ca_file"])
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trusting))

    def ask(self, page: str, order: object = None) -> dict[str, Any]:
        """One of its own pages."""
        body = None if order is None else json.dumps(order).encode()
        with self._opener.open(Request(self._url(page), body), timeout=120) as reply:
            said: dict[str, Any] = json.loads(reply.read())
            return said

    def write_inventory(self, file: Path) -> None:
        """Its inventory as of now."""
        page = self._url(f"vaults/{self.said['vault']}/inventory")
        with self._opener.open(page, timeout=120) as reply, file.open("wb") as to:
            shutil.copyfileobj(reply, to, 1 << 20)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(120)

    def _url(self, page: str) -> str:
        return f"{self.said['endpoint_url']}/_simulator/{page}"


class Soak:
    """The command at work on a plan, the service it works against, and the weather between them."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._environment = _environment(folder)
        self.soaked = Soaked(archives=int(seconds * PER_SECOND))
        self._service = Service(folder, self.soaked.archives, self._environment)
        self._environment["AWS_CA_BUNDLE"] = self._service.said["ca_file"]

    def close(self) -> None:
        """End the service."""
        self._service.close()

    def carry_out(self, stop: Stop) -> Soaked:
        """Plan, purge and verify; whoever asks for the end gets what there is, which then does not hold."""
        digest = self._plan()
        say(f"{self.soaked.archives:,} archives are planned")
        with (self._folder / "answer").open("wb") as answer, (self._folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "tests.reliability.soaked", str(self._folder / "tasks"), "apply"]
            command += [str(self._folder / "run"), "--confirm-digest", digest, "--output", "json"]
            process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=answer, stderr=log
            )
            began = time.monotonic()
            try:
                self._weather(process, began, stop)
                if stop.asked:
                    process.terminate()
                self.soaked.exit_code = process.wait(600)
            finally:
                self.soaked.seconds = time.monotonic() - began
                process.kill()
                process.wait()
        self._end()
        return self.soaked

    def _plan(self) -> str:
        inventory = self._folder / "inventory.json"
        self._service.write_inventory(inventory)
        said = self._service.said
        done = self._command(
            *("plan", said["vault"], "--inventory", str(inventory), "--run-dir", str(self._folder / "run")),
            *("--endpoint-url", said["endpoint_url"], "--account-id", said["account_id"], "--output", "json"),
        )
        inventory.unlink()
        digest: str = json.loads(done.stdout)["digest"]
        return digest

    def _weather(self, process: subprocess.Popen[bytes], began: float, stop: Stop) -> None:
        """One part after another until the command ends."""
        number = 0
        while process.poll() is None and not stop.asked:
            part, from_seconds = CYCLE[number % len(CYCLE)], time.monotonic() - began
            self._set_limit(part, from_seconds)
            self._service.ask("faults", {"rules": part.faults})
            orders = list(part.orders)
            while (now := time.monotonic() - began) < from_seconds + PART_SECONDS and not stop.asked:
                if process.poll() is not None:
                    return
                if part.faults and now > from_seconds + part.fault_seconds:
                    self._note_faults()
                    self._service.ask("faults", {"rules": []})
                    part = Part(name=part.name)
                if orders:
                    self._command(orders[0][0], str(self._folder / "run"), *orders.pop(0)[1:])
                self._sample(process.pid, part, now)
                time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - began - now)))
            self._note_faults()
            number += 1

    def _set_limit(self, part: Part, seconds: float) -> None:
        left = self._service.ask("ledger")["archives_left"]
        seconds_left = self._seconds - seconds
        needed = left / seconds_left if seconds_left > PART_SECONDS else FASTEST_PER_SECOND
        rate = min(needed * 1.2, FASTEST_PER_SECOND) * part.limit
        self._service.ask("limits", {"rate": rate, "burst": rate})
        say(f"{seconds / 60:.0f} min, {left:,} left: {part.name}, limit {rate:,.0f}/s")

    def _note_faults(self) -> None:
        for kind, times in self._service.ask("faults")["struck"].items():
            self.soaked.struck[kind] = max(times, self.soaked.struck.get(kind, 0))

    def _sample(self, process_id: int, part: Part, seconds: float) -> None:
        with suppress(OSError, ValueError):  # it is just ending
            status = dict(line.split(":", 1) for line in Path(f"/proc/{process_id}/status").read_text().splitlines())
            opened = [str(each.readlink()) for each in Path(f"/proc/{process_id}/fd").iterdir()]
            sockets = sum(each.startswith("socket:") for each in opened)
            self.soaked.samples.append(
                Sample(
                    seconds=seconds,
                    part=part.name,
                    rss_bytes=int(status["VmRSS"].split()[0]) * 1024,
                    sockets=sockets,
                    files=len(opened) - sockets,
                    threads=int(status["Threads"]),
                    tasks=int((self._folder / "tasks").read_text()),
                )
            )

    def _end(self) -> None:
        with suppress(ValueError):
            self.soaked.answer = json.loads((self._folder / "answer").read_bytes())
        self.soaked.service = self._service.ask("ledger")
        self.soaked.segments = len(list((self._folder / "run/audit").glob("[0-9]*.jsonl*")))
        self.soaked.audit_exit_code = self._command("audit", "verify", str(self._folder / "run"), held=False).returncode

    def _command(self, *words: str, held: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *words], env=self._environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if held and done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return done


def _environment(folder: Path) -> dict[str, str]:
    """Credentials from a helper, new ones each time, and a log that goes on to another file every few minutes."""
    helper = folder / "helper"
    helper.write_text(
        """#!/bin/sh
printf '{"Version": 1, "AccessKeyId": "AKIDSOAK%s", "SecretAccessKey": "soak", ' "$$"
printf '"SessionToken": "%s", "Expiration": "%s"}' "$$" "$(date -u -d '+1 hour' +%FT%TZ)"
"""
    )
    helper.chmod(0o700)
    (folder / "config").write_text(f"[default]\ncredential_process = {helper}\n")
    clean = seclusion.clean_environment(os.environ, folder, seclusion.authority_of(folder))
    return clean | {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_REGION": "us-east-1",
        "TMPDIR": str(folder),
        "GLACIER_PURGE_AUDIT__SEGMENT_RECORDS": "200000",
        "GLACIER_PURGE_PACE__FIRST_PER_SECOND": "1000",
        "GLACIER_PURGE_PACE__MAX_IN_FLIGHT": str(IN_FLIGHT_MAX),
    }


@contextmanager
def _folder(seconds: float) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        needed = int(seconds * PER_SECOND * BYTES_EACH)
        if (free := shutil.disk_usage(name).free) < needed * 1.2:
            raise SystemExit(f"{free / 1e9:.0f} GB are free in {Path(name).parent}, and it takes {needed / 1e9:.0f}")
        yield Path(name)


def main() -> int:
    """Soak for as long as is asked for; 1 when something is not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--record", action="store_true", help="write the run into RELIABILITY.md")
    asked = parser.parse_args()
    commit = commit_here()
    with _folder(asked.minutes * 60) as folder, Stop().on_signals() as stop:
        soak = Soak(folder, asked.minutes * 60)
        try:
            soaked = soak.carry_out(stop)
            log = (folder / "log").read_text("utf-8", "replace")[-4000:]
        finally:
            soak.close()
    if len(soaked.warm) < 3:
        raise SystemExit(f"it ended after {soaked.seconds:.0f} s with {soaked.exit_code}:\n{log}")
    measured, wrong = figures(soaked), violations(soaked)
    print("\n".join(f"{name + ':':<50} {value}" for name, value in measured.items()))
    print("\n".join(f"VIOLATION: {each}" for each in wrong) or "It held.")
    if soaked.exit_code != 0:
        say(log)
    if asked.record:
        record = read_record()
        record.add(
            a_run(
                "soak",
                commit=commit,
                command=f"make soak MINUTES={asked.minutes:g}",
                seconds=soaked.seconds,
                figures=measured,
                violations=wrong,
                ended_early=stop.asked,
            )
        )
        write_record(record)
        report.write()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
