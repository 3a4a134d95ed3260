"""Makes the folders of one version, to be kept and tried by all later ones: `python -m tests.upgrade.make VERSION`.

Each situation is a folder, packed as ``folders/VERSION/SITUATION.tar.xz``: what the command left (``run``), the
inventory it was planned with, and ``facts.json`` (endpoint, time, digest).  They are made by that version's own command
against that version's own simulator, so an earlier version's are made with its interpreter:

    python -m tests.upgrade.make 0.1.0 --python OTHER-CHECKOUT/.venv/bin/python

A version's folders are made once, on the day it is released, and never again: they are what its users have.  Nothing
of the host gets into them: the place is ``/srv/purge``, the host is called ``purge-host``, the user ``operator``.  It
needs Linux, and the right to make that place and to name a host (root).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDERS = Path(__file__).parent / "folders"
PLACE = Path("/srv/purge")
HOST = "127.0.20.1"
FIRST_PORT = 8200
_ARCHIVES = 24
_SEGMENT_RECORDS = 12
_SMALL_SEGMENTS = (
    "from glacier_purge.audit.journal import Journal\n"
    f"Journal._segment_records = property(lambda self: {_SEGMENT_RECORDS}, lambda self, asked: None)\n"
)
"""Sealed segments are wanted, and the settings know none of fewer than a thousand records."""
_NAMED = ("unshare", "--uts", "--", "sh", "-c", 'hostname purge-host && exec "$@"', "sh")
_DIRECT = build_opener(ProxyHandler({}))
_HOURS = 3_600.0


@dataclass
class Place:
    """One situation being made: its folder, its service, and the command."""

    python: str
    folder: Path
    endpoint_url: str
    prelude: str = ""

    @property
    def run_dir(self) -> str:
        return str(self.folder / "run")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        program = f"{self.prelude}import sys\nfrom glacier_purge.cli import main\nsys.exit(main(sys.argv[1:]))"
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "USER": "operator",
            "LOGNAME": "operator",
            "LC_ALL": "C.UTF-8",
            "XDG_STATE_HOME": str(self.folder.with_name("state")),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
            "GLACIER_PURGE_SAFETY__CANARY": "[]",  # or the fuse would end a run in which archives are to fail
            "GLACIER_PURGE_SAFETY__FUSE_FAILED_SHARE": "1",
        }
        return subprocess.Popen(
            [*_NAMED, self.python, "-c", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=variables,
        )

    def tell(self, *arguments: str, exit_code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == exit_code, f"{arguments}: exit {process.returncode}\n{out}\n{err}"
        return out

    def page(self, name: str, order: object = None) -> bytes:
        body = None if order is None else json.dumps(order).encode()
        with _DIRECT.open(Request(f"{self.endpoint_url}/_simulator/{name}", body), timeout=30) as reply:
            content: bytes = reply.read()
            return content

    def hours_pass(self, hours: float) -> None:
        self.page("clock", {"step_seconds": hours * _HOURS})

    def plan(self, change: Callable[[bytes], bytes] = bytes, *options: str) -> str:
        inventory = self.folder / "inventory.json"
        inventory.write_bytes(change(self.page("vaults/photos/inventory?format=json")))
        at = ("--run-dir", self.run_dir, "--endpoint-url", self.endpoint_url, *options)
        self.tell("plan", "photos", "--inventory", str(inventory), *at)
        digest: str = json.loads((self.folder / "run/plan.json").read_bytes())["digest"]
        return digest

    def apply(self, digest: str, *options: str, exit_code: int = 0) -> None:
        self.tell("apply", self.run_dir, "--confirm-digest", digest, *options, exit_code=exit_code)

    def kill_after(self, deletes: int, *arguments: str) -> None:
        process = self.start(*arguments)
        while json.loads(self.page("ledger"))["deletes_received"] < deletes:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        time.sleep(0.2)  # for a commit
        process.kill()
        process.communicate()


def planned(place: Place) -> None:
    """A plan that nobody approved."""
    place.plan()


def killed(place: Place) -> None:
    """A run, half way: its process was killed."""
    place.kill_after(10, "apply", place.run_dir, "--confirm-digest", place.plan(), "--max-rate", "10")


def sealed(place: Place) -> None:
    """A run, half way, whose log has sealed segments."""
    killed(place)


def _with_strange_ids(inventory: bytes) -> bytes:
    document = json.loads(inventory)
    for number in (3, 15):
        document["ArchiveList"][number]["ArchiveId"] = f"no-archive-{number}"
    return json.dumps(document).encode()


def failed(place: Place) -> None:
    """A run that ended, with failed archives: ids that the service knows for none, and the plan was told to take."""
    place.apply(place.plan(_with_strange_ids, "--any-id-length"), exit_code=1)


def proven(place: Place) -> None:
    """A run that ended and was proven: it has a certificate."""
    place.apply(place.plan())
    place.hours_pass(48)
    place.tell("verify", place.run_dir, "--no-wait", exit_code=75)
    place.hours_pass(6)
    place.tell("verify", place.run_dir, "--no-wait")


def _run(place: Place, *options: str) -> None:
    at = ("--run-dir", place.run_dir, "--endpoint-url", place.endpoint_url)
    place.tell("run", "photos", "--no-wait", *at, *options, exit_code=75)


def lifecycle_waiting(place: Place) -> None:
    """A lifecycle that waits for its first inventory."""
    place.hours_pass(48)
    _run(place)


def lifecycle_half(place: Place) -> None:
    """A lifecycle whose round was sent, uploads denied, and which waits for a later inventory."""
    place.hours_pass(48)
    _run(place, "--freeze")
    place.hours_pass(6)
    _run(place, "--freeze")
    [plan] = place.folder.glob("run/round-*/plan.json")
    _run(place, "--freeze", "--confirm-digest", json.loads(plan.read_bytes())["digest"])


def fleet(place: Place) -> None:
    """A fleet of two vaults that wait for their inventories."""
    with _DIRECT.open(
        Request(f"{place.endpoint_url}/-/vaults/logs", b"", {"x-amz-glacier-version": "2012-06-01"}, method="PUT")
    ):
        pass
    place.hours_pass(48)
    file = place.folder / "fleet.toml"
    file.write_text('[[vaults]]\nname = "*"\nregion = "us-east-1"\n')
    at = ("--run-dir", place.run_dir, "--endpoint-url", place.endpoint_url)
    place.tell("fleet", str(file), "--no-wait", *at, exit_code=75)


SITUATIONS: tuple[Callable[[Place], None], ...] = (
    planned,
    killed,
    sealed,
    failed,
    proven,
    lifecycle_waiting,
    lifecycle_half,
    fleet,
)


def port_of(situation: str) -> int:
    """Each has a port of its own: a plan is for one endpoint, and tests of several may run at a time."""
    return FIRST_PORT + [each.__name__ for each in SITUATIONS].index(situation)


@contextmanager
def _serving(place: Place, port: int) -> Iterator[None]:
    options = ("--rate", "0", "--latency-ms", "1", "--error-rate", "0", "--archives", str(_ARCHIVES))
    process = place.start("simulate", "--host", HOST, "--port", str(port), *options)
    try:
        while process.poll() is None:
            try:
                place.page("ledger")
                break
            except URLError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _pack(folder: Path, file: Path) -> None:
    """What lies in the folder, without whose it is and when."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:xz", preset=9) as packed:
        for path in sorted(folder.rglob("*")):
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            entry.mode = path.stat().st_mode & 0o777
            if path.is_dir():
                entry.type = tarfile.DIRTYPE
                packed.addfile(entry)
            elif path.is_file():
                entry.size = path.stat().st_size
                packed.addfile(entry, io.BytesIO(path.read_bytes()))


def make(version: str, python: str) -> Iterator[Path]:
    """Make every situation's folder; give each file when it is there."""
    for situation in SITUATIONS:
        name = situation.__name__
        folder = PLACE / name
        shutil.rmtree(PLACE, ignore_errors=True)
        folder.mkdir(parents=True)
        url = f"http://{HOST}:{port_of(name)}"
        place = Place(python, folder, url, prelude=_SMALL_SEGMENTS if situation is sealed else "")
        said = place.tell("--version").split()[-1]
        assert said == version, f"{python} is version {said}, and {version} was asked for"
        with _serving(place, port_of(name)):
            situation(place)
            facts: dict[str, Any] = {"endpoint_url": url, "made_at_seconds": round(time.time())}
            left = json.loads(place.page("vaults/photos/inventory?format=json"))["ArchiveList"]
            facts["left"] = [record["ArchiveId"] for record in left]
        (folder / "facts.json").write_text(json.dumps(facts))
        file = FOLDERS / version / f"{name}.tar.xz"
        _pack(folder, file)
        yield file
    shutil.rmtree(PLACE)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.upgrade.make", description=__doc__)
    arguments.add_argument("version")
    arguments.add_argument("--python", default=sys.executable, help="the interpreter of that version's environment")
    asked = arguments.parse_args()
    for file in make(asked.version, asked.python):
        sys.stdout.write(f"{file.relative_to(FOLDERS)}: {file.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
