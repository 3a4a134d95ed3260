"""What decides a deletion may lie only where nobody but its owner has a hand in it: all else is refused, root or not.

Each way for somebody to have a hand in each file of a run, one at a time; the server's ledger shows no delete for any.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from glacier_purge.plan.document import read_plan
from tests.e2e.desk import Desk, deletes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STRANGER = 12_345
ONLY_ROOT = "NOT TESTED: only root can give a file to somebody else"


def written_by_anybody(file: Path) -> None:
    file.chmod(0o666)


def written_by_the_group(file: Path) -> None:
    file.chmod(0o660)


def with_a_second_name(file: Path) -> None:
    file.with_name("second").hardlink_to(file)


def behind_a_link(file: Path) -> None:
    file.rename(file.with_name("moved"))
    file.symlink_to(file.with_name("moved"))


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir(0o700)


def a_strangers(file: Path) -> None:
    if os.geteuid():
        pytest.skip(ONLY_ROOT)
    os.chown(file, STRANGER, -1)


FILES = (
    "plan.json",
    "run.json",
    "decisions",
    "duplicates",
    "inventory.json",
    "audit/000001.jsonl",
    "lock",
    "checkpoint",
)
HANDS = (written_by_anybody, written_by_the_group, with_a_second_name, behind_a_link, a_pipe, a_folder, a_strangers)


@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: hand.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_file_in_which_others_have_a_hand_is_refused_by_name(
    name: str, hand: Callable[[Path], None], desk: Desk
) -> None:
    desk.have_begun()
    before = deletes(desk.simulator)
    hand(desk.run_dir / name)
    said = desk.resume()
    assert said.exit_code == 2, said
    assert str(desk.run_dir / name) in said.err
    assert "It is not used." in said.err
    assert deletes(desk.simulator) == before


def below_where_anybody_renames(run_dir: Path) -> None:
    run_dir.parent.chmod(0o777)


def an_audit_folder_of_all(run_dir: Path) -> None:
    (run_dir / "audit").chmod(0o777)


def an_audit_folder_behind_a_link(run_dir: Path) -> None:
    behind_a_link(run_dir / "audit")


def a_strangers_audit_folder(run_dir: Path) -> None:
    a_strangers(run_dir / "audit")


@pytest.mark.parametrize(
    ("hand", "says"),
    [
        (written_by_anybody, "chmod 0700"),
        (written_by_the_group, "chmod 0700"),
        (a_strangers, "Work in it as its owner"),
        (below_where_anybody_renames, "put another folder in the place of"),
        (an_audit_folder_of_all, "chmod 0700"),
        (an_audit_folder_behind_a_link, "those are not followed"),
        (a_strangers_audit_folder, "Work in it as its owner"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_in_which_others_have_a_hand_is_refused(hand: Callable[[Path], None], says: str, desk: Desk) -> None:
    desk.have_begun()
    before = deletes(desk.simulator)
    hand(desk.run_dir)
    said = desk.resume()
    assert said.exit_code == 2, said
    assert says in said.err
    assert str(desk.run_dir) in said.err
    assert deletes(desk.simulator) == before


def test_planning_begins_no_run_where_anybody_could_replace_it(desk: Desk) -> None:
    desk.folder.chmod(0o777)
    said = desk.plan_of("photos")
    assert said.exit_code == 2
    assert "every user can rename what lies in" in said.err
    assert not desk.run_dir.exists()


def test_planning_does_not_take_a_strangers_empty_folder(desk: Desk) -> None:
    desk.run_dir.mkdir()
    desk.run_dir.chmod(0o755)
    a_strangers(desk.run_dir)
    said = desk.plan_of("photos")
    assert said.exit_code == 2
    assert "Work in it as its owner" in said.err
    assert desk.run_dir.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o770])
def test_nobody_is_told_to_close_a_folder_that_is_no_runs(mode: int, desk: Desk) -> None:
    shared = desk.folder / "shared"
    shared.mkdir()
    (shared / "something").touch()
    shared.chmod(mode)
    said = desk.ask("apply", str(shared))
    assert said.exit_code == 2
    assert f"{shared} is not a run folder" in said.err
    assert "chmod" not in said.err


@pytest.mark.parametrize("verb", ["status", "audit verify", "audit export"])
def test_who_sends_nothing_may_look_into_a_folder_that_is_anothers(verb: str, desk: Desk) -> None:
    """Root, or an auditor: what they are shown they cannot spoil, and a purge of it stays refused."""
    desk.have_begun()
    for path in (desk.run_dir, *desk.run_dir.rglob("*")):
        a_strangers(path)
    said = desk(*verb.split(), str(desk.run_dir))
    assert said.exit_code == 0, said
    refused = desk.resume()
    assert (refused.exit_code, "Work in it as its owner" in refused.err) == (2, True)


# -- which run it is --------------------------------------------------------------------------------------------------


def edit(file: Path, **facts: str) -> None:
    file.write_text(json.dumps(json.loads(file.read_bytes()) | facts, indent=2))


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"vault_arn": "arn:aws:glacier:us-east-1:999999999999:vaults/photos"}, "is another run's: it says vault"),
        ({"endpoint_url": "https://glacier.us-east-1.amazonaws.com"}, "is another run's: it says endpoint"),
        ({"tool_version": "99"}, "is another run's: it says version"),
        ({"run": "another"}, "is not the file that was written with the plan"),
        ({"created": "2026-11-30T00:00:00Z"}, "is not the file that was written with the plan"),
        ({"package_sha256": "0" * 64}, "is not the file that was written with the plan"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_a_run_json_that_is_not_the_plans_is_refused(
    facts: dict[str, str], says: str, desk: Desk, *, begun: bool
) -> None:
    desk.have_begun() if begun else desk.have_planned()
    before = deletes(desk.simulator)
    file = desk.run_dir / "run.json"
    good = file.read_bytes()
    edit(file, **facts)
    said = desk.carry_out()
    assert (said.exit_code, says in said.err, str(file) in said.err) == (2, True, True), said
    verdict = desk("audit", "verify", str(desk.run_dir))
    assert verdict.exit_code == 4, verdict
    file.write_bytes(good)
    assert desk("audit", "verify", str(desk.run_dir)).exit_code == 0
    assert deletes(desk.simulator) == before


def test_a_run_json_and_a_plan_json_that_agree_are_not_what_the_run_was_begun_with(desk: Desk) -> None:
    desk.have_begun()
    before = deletes(desk.simulator)
    edit(desk.run_dir / "run.json", created="2026-11-30T00:00:00Z")
    edit(desk.run_dir / "plan.json", run_sha256=sha256((desk.run_dir / "run.json").read_bytes()).hexdigest())
    said = desk.resume()
    assert said.exit_code == 2, said
    assert "was changed since the run was begun" in said.err
    assert deletes(desk.simulator) == before


def without_the_hash(desk: Desk) -> None:
    file = desk.run_dir / "plan.json"
    document = json.loads(file.read_bytes())
    del document["run_sha256"]
    file.write_text(json.dumps(document, indent=2))
    assert read_plan(file).digest == desk.digest


def test_a_plan_that_vouches_for_no_run_json_is_not_approved_any_more(desk: Desk) -> None:
    desk.have_planned()
    without_the_hash(desk)
    said = desk.carry_out()
    assert (said.exit_code, "nothing in it vouches for its age" in said.err) == (2, True), said


def test_a_run_that_was_begun_by_an_older_version_goes_on(desk: Desk) -> None:
    desk.have_begun()
    without_the_hash(desk)
    desk.answer_with("access-denied", "DeleteArchive")
    assert desk.resume().exit_code == 254, "it asks the service"


def test_a_run_folder_may_be_moved(desk: Desk) -> None:
    desk.have_begun()
    moved = desk.folder / "moved"
    desk.run_dir.rename(moved)
    desk.answer_with("access-denied", "DeleteArchive")
    assert desk.ask("apply", str(moved)).exit_code == 254, "it asks the service"
