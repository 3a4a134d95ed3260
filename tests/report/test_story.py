"""One archive's whole story: of each kind of folder, and where nothing names it."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.cli import main
from glacier_purge.report.story import as_lines, told
from glacier_purge.storage.folder import RunFolder
from tests.answers import check_answer
from tests.audit.logs import archive_id
from tests.audit.test_verification_lifecycles import begun
from tests.e2e.claimed import certified, planned, vault

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.report.results.telling import Told


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made")
    asyncio.run(certified(place / "run"))
    begun(place / "lifecycle")
    return place


def story(folder: Path, number: int = 33) -> Told:
    return told(RunFolder.look(folder), archive_id(number))


def test_a_deleted_archive_is_followed_from_inventory_to_certificate(made: Path) -> None:
    whole = story(made / "run")
    [run] = whole.runs
    [record] = run.records
    assert (whole.found, run.whole, run.vault) == (True, True, vault("photos").arn)
    assert (record.ordinal, record.size_bytes, record.description) == (33, 1033, "a film 33")
    assert (record.uploaded, record.tree_hash, record.decision) == ("2019-05-01T10:00:00Z", f"{33:064x}", "delete")
    assert [one.event for one in run.log] == ["opened", "released", "outcome"]
    outcome = run.log[-1]
    assert (outcome.facts["outcome"], outcome.facts["request_id"], outcome.facts["http_status"]) == (
        "deleted",
        "R" * 48,
        204,
    )
    assert (run.log[1].facts["first"], run.log[1].facts["last"]) == (30, 39)
    assert run.later_inventory is not None
    assert run.later_inventory.times_listed == 0
    assert run.certificate is not None
    assert run.certificate.signed_with is None


@pytest.mark.parametrize("number", [0, 29, 30, 39, 40])
def test_the_first_and_the_last_of_a_release_are_released_by_it(number: int, made: Path) -> None:
    [run] = story(made / "run", number).runs
    released = [one.facts["first"] for one in run.log if one.event == "released"]
    assert released == [number - number % 10]


def test_a_record_of_the_log_stands_where_it_is_said_to_stand(made: Path) -> None:
    [run] = story(made / "run", 59).runs
    outcome = run.log[-1]
    assert outcome.file == "audit/000003.jsonl"
    line = (made / "run" / outcome.file).read_bytes()[outcome.byte :].splitlines()[0]
    assert (json.loads(line)["archive_id"], json.loads(line)["seq"]) == (archive_id(59), outcome.record)


def test_a_lifecycles_rounds_are_looked_into_with_their_steps(made: Path) -> None:
    [run] = story(made / "lifecycle").runs
    assert run.run_dir.endswith("round-1")
    assert [step.event for step in run.steps][2:4] == ["planned", "approved"]


def test_a_fleets_members_are_looked_into(made: Path, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree(made / "lifecycle", fleet / "123456789012-us-east-1-photos")
    (fleet / "fleet.json").write_text("{}")
    assert len(story(fleet).runs) == 1


def test_a_plan_that_nobody_approved_is_a_story_too(tmp_path: Path) -> None:
    folder, plan = planned(tmp_path / "run")
    [run] = story(folder.path).runs
    assert (run.plan_digest, run.records[0].decision, run.log, run.certificate) == (plan.digest, "delete", [], None)


def test_where_it_was_looked_for_is_said_of_an_id_that_nothing_names(made: Path) -> None:
    nothing = story(made / "lifecycle", 60)
    assert (nothing.found, nothing.runs) == (False, [])
    assert [where.rpartition("round-1/")[2] for where in nothing.looked_in] == ["inventory.json (60 records)", "audit"]
    assert "not found    in " in as_lines(nothing)[-1]


def test_what_can_not_be_read_is_said_and_is_not_nothing(made: Path, tmp_path: Path) -> None:
    lifecycle = tmp_path / "lifecycle"
    shutil.copytree(made / "lifecycle", lifecycle)
    (lifecycle / "round-1/inventory.json").write_bytes(b"<html>")
    unread = story(lifecycle)
    assert [one.event for one in unread.runs[0].log] == ["opened", "released", "outcome"]
    assert (unread.runs[0].records, unread.runs[0].whole) == ([], False)
    assert "begins neither like a JSON" in str(unread.unreadable)
    assert main(["why", str(lifecycle), archive_id(33)]) == 4


def test_a_damaged_folder_is_told_as_one(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "run", tmp_path / "run")
    log = tmp_path / "run/audit/000003.jsonl"
    log.write_bytes(log.read_bytes().replace(b"41.25", b"41.52", 1))
    assert not story(tmp_path / "run").runs[0].whole


@pytest.mark.parametrize(("number", "exit_code"), [(7, 0), (60, 1)])
def test_the_verb_answers_people_and_programs(
    number: int, exit_code: int, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["why", str(made / "run"), archive_id(number)]
    assert main(arguments) == exit_code
    text = capsys.readouterr().out
    assert archive_id(number) in text
    assert ("deleted: 1 attempts, HTTP 204, request id RRR" in text) == (exit_code == 0)
    assert main([*arguments, "--output", "json"]) == exit_code
    answer: dict[str, Any] = check_answer("why", capsys.readouterr().out)
    assert answer["found"] == (exit_code == 0)


def test_an_id_may_begin_with_a_hyphen_and_hold_anything(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(made / "run"), "--", "-rf\x1b[2J\n$(reboot)"]) == 1
    printed = capsys.readouterr().out
    assert "-rf\\x1b[2J\\n$(reboot)" in printed
    assert "\x1b" not in printed


def test_another_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(tmp_path), "x"]) == 2
    assert "is not the folder of a run" in capsys.readouterr().err
