"""A whole fleet is lost with its disk, file and all, and another host takes it; and it is handed over."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from glacier_purge.fleet.roster import FLEET_FILE
from glacier_purge.plan.document import read_plan
from tests.e2e.desk import deletes
from tests.e2e.simulator import stock
from tests.e2e.test_frozen import fleet, own, told
from tests.e2e.test_lease_of_every_verb import URL, s3

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.shell import Shell
    from tests.replica.s3 import PretendS3

__all__ = ["own", "s3"]
pytestmark = pytest.mark.usefixtures("s3")

FILE = """
[[vaults]]
name = "photos"
freeze = true

[[vaults]]
name = "plans"
"""


def begun(shell: Shell, name: str) -> Path:
    """Two vaults, carried to where their plans wait for somebody's yes."""
    stock(shell.simulator, "plans", 5)
    place, file = shell.folder / name, shell.folder / "two.toml"
    file.write_text(FILE)
    for _ in range(8):
        at = ("--run-dir", str(place), "--endpoint-url", shell.simulator.endpoint_url, "--no-wait")
        said = shell("fleet", str(file), *at)
        assert said.exit_code == 75, said.err
        if len(plans(place)) == 2:  # one of them was never inventoried, and waits for a day
            break
        shell.simulator.post("clock", step_seconds=6 * 3600.0)
    file.unlink()
    return place


def plans(place: Path) -> dict[str, bytes]:
    return {one.parent.parent.name: one.read_bytes() for one in place.glob("*/round-1/plan.json")}


def fleets_key(s3: PretendS3) -> str:
    [key] = {key.partition("/files/")[0] for key in s3.objects if "/fleets/" in key and "/files/" in key}
    return f"s3://{key}"


def test_a_fleet_that_was_lost_is_taken_with_all_of_its_vaults(own: Shell, s3: PretendS3) -> None:
    first, other = begun(own, "first"), own.folder / "other"
    planned, roster = plans(first), (first / "fleet.json").read_bytes()
    assert len(planned) == 2
    shutil.rmtree(first)
    several = own("restore", str(other), "--from", URL)
    assert (several.exit_code, f"give one of them, {fleets_key(s3)}" in several.err) == (2, True), several.err
    at = ("--endpoint-url", own.simulator.endpoint_url, "--no-wait", "--output", "json")
    said = own("take", str(other), "--from", fleets_key(s3), *at)
    assert said.exit_code == 75, said.err
    assert {vault["phase"] for vault in told(said)["vaults"]} == {"approval"}
    assert plans(other) == planned
    assert ((other / "fleet.json").read_bytes(), (other / FLEET_FILE).read_text()) == (roster, FILE)
    assert deletes(own.simulator) == 0
    yes = [part for one in other.glob("*/round-1/plan.json") for part in ("--confirm-digest", read_plan(one).digest)]
    going_on = ("fleet", str(other / FLEET_FILE), "--run-dir", str(other), *at)
    said = own(*going_on, *yes)
    assert {vault["phase"] for vault in told(said)["vaults"]} == {"verify"}, said.err
    assert deletes(own.simulator) == 8
    handed = own("handover", str(other), "--output", "json")
    assert (handed.exit_code, told(handed)["vault"], told(handed)["origin"]) == (0, "2 vaults", fleets_key(s3))
    shutil.rmtree(other)
    made = own("restore", str(own.folder / "third"), "--from", told(handed)["origin"], "--output", "json")
    assert made.exit_code == 0, made.err
    assert told(made)["vault"] == "2 vaults"
    assert told(made)["then"].startswith(f"glacier-purge fleet {own.folder / 'third' / FLEET_FILE} --run-dir ")
    for one in (own.folder / "third").glob("*/round-1"):
        verified = told(own("audit", "verify", str(one), "--output", "json"))
        assert verified["verdict"] == "sound"


def test_a_vault_that_had_only_been_begun_begins_anew_and_a_lost_roster_is_refused(own: Shell, s3: PretendS3) -> None:
    first, other = begun(own, "first"), own.folder / "other"
    shutil.rmtree(first)
    for key in [key for key in s3.objects if "/lifecycles/" in key and "/plans/" in key]:
        del s3.objects[key]
    made = own("restore", str(other), "--from", fleets_key(s3))
    assert made.exit_code == 0, made.err
    assert [name.rpartition("-")[2] for name in plans(other)] == ["photos"]
    assert json.loads((other / "fleet.json").read_bytes())["fleet"]["vaults"][1]["vault_arn"].endswith("/plans")
    shutil.rmtree(other)
    content = next(key for key in s3.objects if "/fleets/" in key and "/content/" in key)
    del s3.objects[content]
    refused = own("restore", str(other), "--from", fleets_key(s3))
    assert (refused.exit_code, "it is missing" in refused.err, other.exists()) == (4, True, False)


def test_a_fleet_whose_bucket_is_away_says_so_and_its_vaults_wait(own: Shell, s3: PretendS3) -> None:
    s3.cut_off.add("here")
    said = fleet(own, "first")
    assert said.exit_code != 0
    assert "the fleet's own folder is not in its replica" in said.err
    assert deletes(own.simulator) == 0
    s3.cut_off.clear()
    assert fleet(own, "first").exit_code == 75
    assert fleets_key(s3)
