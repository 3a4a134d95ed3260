"""A desk from which wrong requests are made: the command, a planned or begun run, and a vault that can be protected."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any
from urllib.request import Request

import pytest

from glacier_purge.cli import main
from glacier_purge.plan.document import read_plan
from tests.e2e.conftest import environment
from tests.e2e.shell import Said, Shell, process_settings_kept
from tests.e2e.simulator import DIRECT, simulating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.simulator import Simulator

DENY = {"Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteArchive", "Resource": "*"}


def asked(simulator: Simulator, method: str, path: str, body: object = None) -> dict[str, str]:
    """Ask the service itself for something; give the reply's headers."""
    content = None if body is None else json.dumps(body).encode()
    address = f"{simulator.endpoint_url}/-/vaults/{path}"
    request = Request(address, content, {"x-amz-glacier-version": "2012-06-01"}, method=method)
    with DIRECT.open(request, timeout=30) as reply:
        return {name.lower(): value for name, value in reply.headers.items()}


def last_inventory(simulator: Simulator) -> str:
    """When the service made its last inventory of the vault, written as inventories write it."""
    request = Request(f"{simulator.endpoint_url}/-/vaults/photos", headers={"x-amz-glacier-version": "2012-06-01"})
    with DIRECT.open(request, timeout=30) as reply:
        moment: str = json.loads(reply.read())["LastInventoryDate"]
    return moment[:19] + "Z"


def deletes(simulator: Simulator) -> int:
    """Every request the server ever got for deleting an archive or a vault, whatever became of it."""
    operations: dict[str, int] = simulator.ledger()["operations"]
    return operations.get("DeleteArchive", 0) + operations.get("DeleteVault", 0)


@dataclass(frozen=True)
class Proven:
    """A run that was carried out and proven, and the simulator of its vault, empty now and the account's only one."""

    run_dir: Path
    simulator: Simulator


@dataclass(frozen=True)
class Prepared:
    """Run folders made once, to be copied for each request: planned, begun (approved, nothing deleted), and proven."""

    simulator: Simulator
    planned: Path
    begun: Path
    proven: Proven


@contextmanager
def prepare(simulator: Simulator, folder: Path) -> Iterator[Prepared]:
    """Prepare run folders in ``folder``, most of them with ``simulator``, none of whose archives is deleted."""
    with simulating(archives=5, latency_ms=1.0) as other:
        with alone_at(folder):
            digest = _plan(folder, simulator)
            shutil.copytree(folder / "run", folder / "planned")
            simulator.post("faults", rules=[{"kind": "access-denied"}])
            commanded("apply", str(folder / "run"), "--confirm-digest", digest, exit_code=254)
            simulator.post("faults", rules=[])
            (folder / "run").rename(folder / "begun")
            proven = _proven(folder, other)
        yield Prepared(simulator, folder / "planned", folder / "begun", proven)


def _proven(folder: Path, simulator: Simulator) -> Proven:
    run_dir = str(folder / "run")
    commanded("apply", run_dir, "--confirm-digest", _plan(folder, simulator))
    for exit_code, hours in ((75, 48), (0, 6)):
        simulator.post("clock", step_seconds=hours * 3600.0)
        commanded("verify", run_dir, "--no-wait", exit_code=exit_code)
    return Proven(folder / "run", simulator)


def _plan(folder: Path, simulator: Simulator) -> str:
    inventory = simulator.inventory(folder / "inventory.json")
    given = ("--inventory", str(inventory), "--run-dir", str(folder / "run"))
    commanded("plan", "photos", *given, "--endpoint-url", simulator.endpoint_url)
    return read_plan(folder / "run" / "plan.json").digest


def commanded(*arguments: str, exit_code: int = 0) -> None:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
        assert main([*arguments]) == exit_code, said.getvalue()


@contextmanager
def alone_at(folder: Path) -> Iterator[None]:
    """What the fixtures of a test do for its process, before the first test."""
    with pytest.MonkeyPatch.context() as patch, process_settings_kept():
        for name in os.environ.keys() - environment().keys():
            patch.delenv(name)
        for name, value in environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test").items():
            patch.setenv(name, value)
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield


@dataclass
class Desk(Shell):
    """A shell with a settings file, that undoes what was done to the service when ``left``."""

    prepared: Prepared
    monkeypatch: pytest.MonkeyPatch
    digest: str = ""
    undo: list[Callable[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config.write_text("")

    @property
    def proven(self) -> Proven:
        return self.prepared.proven

    @property
    def config(self) -> Path:
        return self.folder / "settings.toml"

    @property
    def inventory(self) -> Path:
        """A good inventory of the vault, the one that was planned with, to be used or spoilt."""
        file = self.folder / "inventory.json"
        if not file.exists():
            shutil.copy(self.prepared.planned / "inventory.json", file)
        return file

    @property
    def ids(self) -> list[str]:
        return [record["ArchiveId"] for record in json.loads(self.inventory.read_bytes())["ArchiveList"]]

    # -- what is asked ------------------------------------------------------------------------------------------------

    def ask(self, *arguments: str) -> Said:
        """Give a command with the settings file."""
        return self(*arguments, "--config", str(self.config))

    def plan_of(self, vault: str, *options: str) -> Said:
        at = () if "--endpoint-url" in options else ("--endpoint-url", self.simulator.endpoint_url)
        given = ("--inventory", str(self.inventory), "--run-dir", str(self.run_dir))
        return self.ask("plan", vault, *given, *at, *options)

    def purge_of(self, vault: str, *options: str) -> Said:
        given = ("--inventory", str(self.inventory), "--run-dir", str(self.run_dir))
        return self.ask("purge", vault, *given, "--endpoint-url", self.simulator.endpoint_url, *options)

    def carry_out(self, *options: str) -> Said:
        """Apply what was planned, approved in full."""
        return self.ask("apply", str(self.run_dir), "--confirm-digest", self.digest, *options)

    def resume(self, *options: str) -> Said:
        """Go on with what was begun: nobody is asked again."""
        return self.ask("apply", str(self.run_dir), *options)

    def run_of(self, vault: str, *options: str) -> Said:
        at = () if "--endpoint-url" in options else ("--endpoint-url", self.simulator.endpoint_url)
        return self.ask("run", vault, "--run-dir", str(self.folder / "lifecycle"), "--no-wait", *at, *options)

    # -- what was there before ----------------------------------------------------------------------------------------

    def have_planned(self) -> None:
        self._take(self.prepared.planned)

    def have_begun(self) -> None:
        self._take(self.prepared.begun)

    def have_proven(self) -> None:
        self._take(self.proven.run_dir)

    def _take(self, folder: Path) -> None:
        shutil.copytree(folder, self.run_dir)
        self.digest = read_plan(self.run_dir / "plan.json").digest

    def edit(self, name: str, old: str, new: str) -> None:
        """Change the first match of a regular expression in a file of the run folder."""
        file = self.run_dir / name
        before = file.read_bytes()
        after = re.sub(old.encode(), new.encode(), before, count=1)
        assert after != before, f"{name} has no {old}"
        file.write_bytes(after)

    def write_ids(self, *ids: str) -> str:
        file = self.folder / "ids"
        file.write_text("\n".join(ids))
        return str(file)

    def deny_ids(self, *ids: str) -> None:
        self.config.write_text(f"[safety]\ndeny_id_files = [{json.dumps(self.write_ids(*ids))}]\n")

    @contextmanager
    def typing(self, text: str) -> Iterator[None]:
        """A terminal at which somebody types this."""
        ours, theirs = os.openpty()
        os.write(ours, text.encode())
        with os.fdopen(theirs, encoding="utf-8") as terminal:
            self.monkeypatch.setattr("sys.stdin", terminal)
            yield
        os.close(ours)

    # -- what protects the vault --------------------------------------------------------------------------------------

    def service(self, method: str, path: str, body: object = None) -> dict[str, str]:
        return asked(self.simulator, method, path, body)

    def tag(self, name: str, value: str) -> None:
        self.service("POST", "photos/tags?operation=add", {"Tags": {name: value}})
        self.undo.append(lambda: self.service("POST", "photos/tags?operation=remove", {"TagKeys": [name]}))

    def have_policy(self, **statement: Any) -> None:
        policy = json.dumps({"Version": "2012-10-17", "Statement": [DENY | statement]})
        self.service("PUT", "photos/access-policy", {"Policy": policy})
        self.undo.append(lambda: self.service("DELETE", "photos/access-policy"))

    def lock(self, vault: str = "photos") -> str:
        """Begin to lock a vault against deletes; give the lock's id."""
        policy = json.dumps({"Version": "2012-10-17", "Statement": [DENY]})
        reply = self.service("POST", f"{vault}/lock-policy", {"Policy": policy})
        if vault == "photos":
            self.undo.append(lambda: self.service("DELETE", "photos/lock-policy"))
        return reply["x-amz-lock-id"]

    def answer_with(self, kind: str, operation: str) -> None:
        """Let the service answer every request for an operation in this way."""
        self.simulator.post("faults", rules=[{"kind": kind, "operation": operation}])
        self.undo.append(lambda: self.simulator.post("faults", rules=[]))

    def leave(self) -> None:
        for step in reversed(self.undo):
            step()
