"""What an earlier version left is gone on with, exactly, or refused with a reason and what to do; it never counts as
new, and its proofs stay proofs.

The folders are those that ``make`` made when each version was current.  Time stands where it stood then, for us and for
the pretended service, which has the archives that were left.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal

from glacier_purge import clock
from glacier_purge.audit import verification
from glacier_purge.cli import main
from glacier_simulator import SimulatedGlacier
from glacier_simulator import clock as simulator_clock
from tests.e2e.shell import Said, process_settings_kept
from tests.upgrade.make import FOLDERS, HOST, SITUATIONS, port_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the folders' service is at 127.0.20.1")
VERSIONS = sorted(folder.name for folder in FOLDERS.iterdir())
LOGS = ("killed", "sealed", "failed", "proven", "lifecycle_half")
IN_FLIGHT_MAX = 64


@dataclass
class Kept:
    """A folder as it was left, and the command."""

    folder: Path
    facts: dict[str, Any]
    glacier: SimulatedGlacier
    ledger: Callable[[], dict[str, Any]]
    capsys: pytest.CaptureFixture[str]
    days_later: int = 0
    """How much later it is than the folder was left."""

    @property
    def run_dir(self) -> str:
        return str(self.folder / "run")

    def tell(self, *arguments: str) -> Said:
        self.capsys.readouterr()
        exit_code = main([*arguments])
        printed = self.capsys.readouterr()
        assert "Traceback" not in printed.err
        assert exit_code != 255
        return Said(exit_code, printed.out, printed.err)

    @property
    def deletes(self) -> int:
        received: int = self.ledger()["deletes_received"]
        return received

    @property
    def digest(self) -> str:
        digest: str = json.loads((self.folder / "run/plan.json").read_bytes())["digest"]
        return digest


@contextmanager
def unpacked(version: str, situation: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Kept]:
    with tarfile.open(FOLDERS / version / f"{situation}.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    facts = json.loads((folder / "facts.json").read_bytes())
    inventory = folder / "left.json"
    if (folder / "inventory.json").exists():
        document = json.loads((folder / "inventory.json").read_bytes())
        left = [record for record in document["ArchiveList"] if record["ArchiveId"] in facts["left"]]
        inventory.write_text(json.dumps(document | {"ArchiveList": left}))
    began = time.time()
    with pytest.MonkeyPatch.context() as patch, start_blocking_portal() as portal, process_settings_kept():
        glacier = SimulatedGlacier(
            inventory=inventory if inventory.exists() else None, host=HOST, port=port_of(situation)
        )
        kept = Kept(folder, facts, glacier, lambda: portal.call(lambda: glacier.ledger), capsys)
        left_at = facts["made_at_seconds"] + 60
        for one in (clock, simulator_clock):
            patch.setattr(one, "_read", lambda: left_at + kept.days_later * 86_400 + time.time() - began)
        with portal.wrap_async_context_manager(glacier):
            yield kept


@pytest.fixture
def keep(tmp_path: Path, capsys: pytest.CaptureFixture[str], credentials: None) -> Callable[[str, str], Any]:
    """Unpack a version's folder of one situation."""
    return lambda version, situation: unpacked(version, situation, tmp_path, capsys)


def test_each_version_has_each_situation() -> None:
    wanted = {situation.__name__ for situation in SITUATIONS}
    assert {
        version: {file.name.partition(".")[0] for file in (FOLDERS / version).iterdir()} for version in VERSIONS
    } == dict.fromkeys(VERSIONS, wanted)
    assert "0.1.0" in VERSIONS
    assert sum(file.stat().st_size for file in FOLDERS.rglob("*.xz")) < 200_000 * len(VERSIONS) / 2


@pytest.mark.parametrize("situation", ["killed", "sealed"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_half_way_is_gone_on_with_to_its_end(version: str, situation: str, keep: Any) -> None:
    with keep(version, situation) as kept:
        said = kept.tell("apply", kept.run_dir, "--output", "json")
        assert said.exit_code == 0, said.err
        result, ledger = json.loads(said.out), kept.ledger()
        assert (result["deleted"], result["failed"]) == (24, 0)
        assert ledger["archives_left"] == ledger["wrong_vault"] == ledger["malformed"] == 0
        sent_again = kept.deletes - len(kept.facts["left"])  # what the kill left in doubt
        assert 0 <= sent_again <= result["redeleted"] <= IN_FLIGHT_MAX
        assert kept.tell("audit", "verify", kept.run_dir).exit_code == 0
        csv = kept.tell("audit", "export", kept.run_dir)
        assert csv.exit_code == 0, csv.err
        assert csv.out.count("deleted") >= 24


def test_a_plan_of_0_1_that_nobody_approved_is_refused_with_what_to_do(keep: Any) -> None:
    """Its run.json, by which its age is known, is bound to nothing."""
    with keep("0.1.0", "planned") as kept:
        said = kept.tell("apply", kept.run_dir, "--confirm-digest", kept.digest)
        assert said.exit_code == 2
        assert "was made by an older version, and nothing in it vouches for its age. Plan again" in said.err
        assert kept.deletes == 0


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "0.1.0"])
def test_a_plan_that_nobody_approved_can_be_approved(version: str, keep: Any) -> None:
    with keep(version, "planned") as kept:
        said = kept.tell("apply", kept.run_dir, "--confirm-digest", kept.digest)
        assert said.exit_code == 0, said.err
        assert kept.ledger()["archives_left"] == 0


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "0.1.0"])
def test_a_plan_that_grew_old_cannot_be_approved(version: str, keep: Any) -> None:
    with keep(version, "planned") as kept:
        kept.days_later = 400
        said = kept.tell("apply", kept.run_dir, "--confirm-digest", kept.digest)
        assert said.exit_code == 2
        assert "A plan can be approved for" in said.err
        assert kept.deletes == 0


@pytest.mark.parametrize(("situation", "exit_code"), [("failed", 1), ("proven", 0)])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_that_ended_is_not_begun_again(version: str, situation: str, exit_code: int, keep: Any) -> None:
    with keep(version, situation) as kept:
        said = kept.tell("apply", kept.run_dir)
        assert said.exit_code == exit_code, said.err
        assert kept.deletes == 0
        for verb in ("status", "show"):
            assert kept.tell(verb, kept.run_dir).exit_code == 0


@pytest.mark.parametrize("situation", ["lifecycle_waiting", "lifecycle_half", "fleet"])
def test_lifecycles_and_fleets_of_0_1_are_refused_with_what_to_do(situation: str, keep: Any) -> None:
    with keep("0.1.0", situation) as kept:
        what = ("fleet", str(kept.folder / "fleet.toml")) if situation == "fleet" else ("run", "photos")
        at = ("--run-dir", kept.run_dir, "--no-wait", "--endpoint-url", kept.facts["endpoint_url"])
        said = kept.tell(*what, *at)
        assert said.exit_code == 2, said
        assert "an earlier version" in said.err
        assert "version that began it" in said.err
        assert kept.ledger()["requests"] == 0


@pytest.mark.parametrize("situation", ["lifecycle_waiting", "lifecycle_half", "fleet"])
@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "0.1.0"])
def test_lifecycles_and_fleets_are_gone_on_with(version: str, situation: str, keep: Any) -> None:
    """The service is a new one, which knows none of their jobs: they ask for others, and delete nothing."""
    with keep(version, situation) as kept:
        what = ("fleet", str(kept.folder / "fleet.toml")) if situation == "fleet" else ("run", "photos")
        at = ("--run-dir", kept.run_dir, "--no-wait", "--endpoint-url", kept.facts["endpoint_url"])
        said = kept.tell(*what, *at)
        assert said.exit_code == 75, said
        assert kept.deletes == 0


@pytest.mark.parametrize("situation", LOGS)
@pytest.mark.parametrize("version", VERSIONS)
def test_its_proofs_stay_proofs(version: str, situation: str, keep: Any) -> None:
    """For the command, and for the verifier as an auditor runs it."""
    with keep(version, situation) as kept:
        place = kept.folder / "run" / "round-1" if situation == "lifecycle_half" else kept.folder / "run"
        said = kept.tell("audit", "verify", str(place))
        assert said.exit_code == 0, said
        assert "sound" in said.out
        alone = subprocess.run(
            [sys.executable, "-I", verification.__file__, str(place)], capture_output=True, text=True, check=False
        )
        assert alone.returncode == 0, alone.stdout + alone.stderr
        export = kept.tell("audit", "export", str(place))
        assert export.exit_code == 0, export.err
        log = b"".join(file.read_bytes() for file in (place / "audit").glob("*.jsonl"))
        assert export.out.count("\n") > log.count(b'"event":"outcome"')
        (place / "plan.json").write_bytes((place / "plan.json").read_bytes().replace(b'"selected"', b'"Selected"'))
        assert kept.tell("audit", "verify", str(place)).exit_code == 4
