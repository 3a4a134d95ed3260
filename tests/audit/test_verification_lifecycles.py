"""The check of a lifecycle's and a fleet's folders: steps, terms, rounds and members hold together, or are named."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.audit import verification
from glacier_purge.audit.verification import NotToBeChecked, verify_folder
from glacier_purge.cli import main
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.lifecycle.phases import ANOTHER_ROUND, TRANSITIONS, Event
from glacier_purge.storage.lines import whole_lines
from tests.e2e.claimed import ENDPOINT, certified, vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def digest_in(file: Path) -> str:
    found: str = json.loads(file.read_bytes())["digest"]
    return found


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def begun(folder: Path, name: str = "photos") -> Path:
    """A lifecycle that was carried to its end in one round."""
    folder.mkdir()
    place = asyncio.run(certified(folder / "round-1", name)).path
    for left in folder.glob("round-1*.json"):
        left.unlink()
    terms = {"vault_arn": vault(name).arn, "endpoint_url": ENDPOINT, "begun": "2026-11-22T00:00:00Z", "files": {}}
    (folder / "terms.json").write_text(json.dumps(terms, indent=2) + "\n")
    digest = digest_in(place / "plan.json")
    whose = {"vault": vault(name).arn, "endpoint": ENDPOINT}
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("preflight", "nothing stands against it", {}),
        ("inventory", "inventory fetched", {"sha256": sha256(place / "inventory.json")}),
        ("plan", "planned", {**whose, "digest": digest, "run_json": sha256(place / "run.json")}),
        ("approval", "approved", {"digest": digest, "how": "digest", "by": "me"}),
        ("freeze", "uploads not denied", {}),
        ("purge", "every record accounted for", {}),
        ("verify", "proven empty", {"certificate": digest_in(place / "certificate.json")}),
        ("delete vault", "vault deleted", {}),
    ]
    prev, lines = sha256(folder / "terms.json"), []
    for number, (phase, event, facts) in enumerate(steps):
        step = {"at": f"2026-11-22T0{number}:00:00Z", "round": 1, "phase": phase, "event": event, "facts": facts}
        lines.append(json.dumps({**step, "prev": prev}).encode() + b"\n")
        prev = hashlib.sha256(lines[-1]).hexdigest()
    (folder / "lifecycle.jsonl").write_bytes(b"".join(lines))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lifecycles, of two vaults."""
    place = tmp_path_factory.mktemp("made")
    begun(place / "photos")
    begun(place / "videos", "videos")
    return place


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "photos", tmp_path / "lifecycle")
    return tmp_path / "lifecycle"


def faults(folder: Path) -> list[tuple[str, str, int, int | None]]:
    """What is wrong with the lifecycle itself."""
    [(_, _, found), *_] = verify_folder(folder)
    return [(fault.kind, fault.file, fault.offset_bytes, fault.record) for fault in found.faults]


def lines(folder: Path) -> list[bytes]:
    return (folder / "lifecycle.jsonl").read_bytes().splitlines(keepends=True)


def test_a_lifecycle_as_it_was_written_is_sound_with_its_rounds(folder: Path) -> None:
    verdicts = verify_folder(folder)
    assert [(name, what, found.faults, found.finished) for name, what, found in verdicts] == [
        (".", "lifecycle", (), True),
        ("round-1", "run", (), True),
    ]


@pytest.mark.parametrize("number", range(7))
def test_a_changed_step_is_named_by_line_and_byte(number: int, folder: Path) -> None:
    """The next step carries its hash; of the last one nobody does."""
    changed = lines(folder)
    start = sum(map(len, changed[:number]))
    changed[number] = changed[number].replace(b"2026-11-22T", b"2026-11-23T")
    (folder / "lifecycle.jsonl").write_bytes(b"".join(changed))
    assert faults(folder) == [("changed", "lifecycle.jsonl", start, number)]


@pytest.mark.parametrize(
    "edit",
    [
        lambda steps: steps[:3] + steps[4:],
        lambda steps: [*steps[:3], steps[4], steps[3], *steps[5:]],
        lambda steps: [*steps[:4], steps[3], *steps[4:]],
        lambda steps: [*steps[:4], b"no step\n", *steps[5:]],
        lambda steps: [*steps[:4], b"[" * 100_000 + b"\n", *steps[5:]],
    ],
    ids=["dropped", "swapped", "doubled", "no step", "nested without end"],
)
def test_steps_that_do_not_follow_each_other_are_found(
    edit: Callable[[list[bytes]], list[bytes]], folder: Path
) -> None:
    (folder / "lifecycle.jsonl").write_bytes(b"".join(edit(lines(folder))))
    assert {file for _, file, _, _ in faults(folder)} == {"lifecycle.jsonl"}


def test_a_step_whose_sectors_a_crash_lost_is_told_and_is_no_damage(folder: Path) -> None:
    steps = b"".join(lines(folder))
    torn = b"{" + b"x" * (511 - len(steps) % 512) + bytes(512) + b"}\n"
    (folder / "lifecycle.jsonl").write_bytes(steps + torn)
    [(_, _, found), *_] = verify_folder(folder)
    assert found.faults == ()
    assert [notice for notice in found.notices if f"a torn step of {len(torn):,} bytes" in notice]
    (folder / "lifecycle.jsonl").write_bytes(steps + torn.replace(b"x", b"x\0", 1))
    assert [fault[:3] for fault in faults(folder)][:1] == [("changed", "lifecycle.jsonl", len(steps) + 1)]


@given(
    st.lists(
        st.sampled_from([b"\n", b"{}", b"\x07", b"\xc3", b"x" * 510, bytes(512), bytes(9), b"\0"]), max_size=7
    ).map(b"".join)
)
def test_writer_and_check_agree_which_line_is_torn(content: bytes) -> None:
    offset, whole = 0, list[bytes]()
    for line in io.BytesIO(content).readlines():
        if not verification._is_torn(line, offset, len(content), b"{"):
            whole.append(line)
        offset += len(line)
    assert whole == whole_lines(content)


def test_what_may_follow_what_is_what_the_writer_has() -> None:
    table = {(phase, event): after for event, (after, *phases) in verification._STEPS.items() for phase in phases}
    assert table == {
        (phase.value, event.value): after.value
        for (phase, event), after in TRANSITIONS.items()
        if event not in {Event.ABANDONED, Event.ALLOWED}
    }
    assert [phase.value for phase, event in TRANSITIONS if event is Event.ALLOWED] == [*verification._ALLOWED_IN]
    assert {event.value for event in ANOTHER_ROUND} == verification._ANOTHER_ROUND


def chained(folder: Path, steps: list[dict[str, Any]]) -> None:
    """Write steps as somebody does who computes every hash."""
    prev, content = sha256(folder / "terms.json"), b""
    for step in steps:
        line = json.dumps(step | {"prev": prev}).encode() + b"\n"
        prev, content = hashlib.sha256(line).hexdigest(), content + line
    (folder / "lifecycle.jsonl").write_bytes(content)


@pytest.mark.parametrize(
    ("at", "facts"),
    [
        (3, {"event": "every record accounted for"}),
        (3, {"event": ["approved"]}),
        (5, {"phase": "verify"}),
        (5, {"round": 2}),
        (6, {"event": "something is left"}),
    ],
)
def test_steps_that_can_not_follow_each_other_are_damage_with_every_hash_right(
    at: int, facts: dict[str, Any], folder: Path
) -> None:
    steps = [json.loads(line) for line in lines(folder)]
    steps[at] |= facts
    chained(folder, steps)
    assert {(kind, file) for kind, file, _, _ in faults(folder)} == {("changed", "lifecycle.jsonl")}


@pytest.mark.parametrize("left", [0, 1, 2])
def test_steps_that_are_missing_at_the_end_show_by_what_they_made(left: int, folder: Path) -> None:
    """From the plan's step on, all that follows may be done again as after a crash."""
    (folder / "lifecycle.jsonl").write_bytes(b"".join(lines(folder)[:left]))
    missing = [("truncated", "lifecycle.jsonl", 0, None)] if left < 2 else []
    assert faults(folder) == missing


def test_a_round_of_which_no_step_is_left_shows_that_steps_are_missing(folder: Path) -> None:
    shutil.rmtree(folder / "round-1")
    (folder / "round-1").mkdir()
    (folder / "lifecycle.jsonl").unlink()
    assert faults(folder) == [("truncated", "lifecycle.jsonl", 0, None)]


def test_a_torn_last_step_is_said_and_is_no_damage(folder: Path) -> None:
    with (folder / "lifecycle.jsonl").open("ab") as file:
        file.write(b'{"at":"2026-')
    [(_, _, found), *_] = verify_folder(folder)
    assert found.faults == ()
    assert "a torn step of 12 bytes" in found.notices[0]


def test_steps_of_an_older_version_are_said_and_are_no_damage(folder: Path) -> None:
    said = [json.loads(line) for line in lines(folder)]
    older = [{key: value for key, value in step.items() if key != "prev"} for step in said]
    (folder / "lifecycle.jsonl").write_bytes(b"".join(json.dumps(step).encode() + b"\n" for step in older))
    [(_, _, found), *_] = verify_folder(folder)
    assert found.faults == ()
    assert "older version" in found.notices[0]


CHANGED: dict[str, tuple[str, Callable[[Path, Path], object], str]] = {
    "terms changed": ("terms.json", lambda file, _: file.write_bytes(file.read_bytes() + b" "), "terms.json"),
    "terms gone": ("terms.json", lambda file, _: file.unlink(), "terms.json"),
    "terms another's": ("terms.json", lambda file, other: shutil.copy(other, file), "terms.json"),
    "plan another's": ("round-1/plan.json", lambda file, other: shutil.copy(other, file), "lifecycle.jsonl"),
    "plan gone": ("round-1/plan.json", lambda file, _: file.unlink(), "lifecycle.jsonl"),
    "run.json changed": (
        "round-1/run.json",
        lambda file, _: file.write_bytes(file.read_bytes() + b" "),
        "lifecycle.jsonl",
    ),
    "certificate another's": (
        "round-1/certificate.json",
        lambda file, other: shutil.copy(other, file),
        "lifecycle.jsonl",
    ),
    "certificate gone": ("round-1/certificate.json", lambda file, _: file.unlink(), "lifecycle.jsonl"),
    "freeze.json no JSON": ("freeze.json", lambda file, _: file.write_bytes(b"<html>"), "freeze.json"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_a_step_settled_is_held_against_it(case: str, made: Path, folder: Path) -> None:
    name, change, blamed = CHANGED[case]
    change(folder / name, made / "videos" / name)
    assert blamed in [file for _, file, _, _ in faults(folder)]


def test_changed_terms_are_named_by_the_first_step(folder: Path) -> None:
    (folder / "terms.json").write_bytes((folder / "terms.json").read_bytes() + b" ")
    assert faults(folder) == [("changed", "terms.json", 0, 0)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda file, _: file.unlink(), "but round-1/plan.json is gone or was changed"),
        (lambda file, other: shutil.copy(other, file), "but round-1/plan.json has the digest "),
    ],
)
def test_it_is_told_whether_a_plan_is_gone_or_another(
    change: Callable[[Path, Path], object], told: str, made: Path, folder: Path
) -> None:
    change(folder / "round-1/plan.json", made / "videos/round-1/plan.json")
    [(_, _, found), *_] = verify_folder(folder)
    assert [told in fault.message for fault in found.faults if "planned with digest" in fault.message] == [True]


def test_a_plans_step_of_an_older_version_which_says_nothing_of_the_run_is_no_damage(folder: Path) -> None:
    steps = [json.loads(line) for line in lines(folder)]
    del steps[2]["facts"]["run_json"]
    chained(folder, steps)
    assert faults(folder) == []


def test_a_round_that_no_step_leads_to_is_found(folder: Path) -> None:
    (folder / "round-2").mkdir()
    assert faults(folder) == [("truncated", "lifecycle.jsonl", 0, None)]


def test_a_lifecycle_that_was_given_up_may_have_what_its_next_step_would_have_told(folder: Path) -> None:
    """A plan is written before its step."""
    steps = [json.loads(line) for line in lines(folder)][:3]
    chained(folder, [*steps[:2], steps[2] | {"event": "abandoned", "facts": {}}])
    assert faults(folder) == []


NOT_THAWED = b'{\n  "policy": null,\n  "thawed": false\n}\n'
THAWED = NOT_THAWED.replace(b"false", b"true")
CHANGED_FREEZE = ("changed", "freeze.json", 0, None)
GONE_FREEZE = ("missing", "freeze.json", 0, None)
FREEZES: dict[str, tuple[int, bytes | None, list[tuple[str, str, int, int | None]]]] = {
    "before its step": (4, NOT_THAWED, []),
    "as its step has it": (5, NOT_THAWED, []),
    "put back": (8, THAWED, []),
    "changed": (5, NOT_THAWED.replace(b"null", b"{}"), [CHANGED_FREEZE]),
    "changed and put back": (8, THAWED.replace(b"null", b"{}"), [CHANGED_FREEZE]),
    "gone while denied": (5, None, [GONE_FREEZE]),
    "gone when all was done": (8, None, []),
    "without any step of it": (3, NOT_THAWED, [("truncated", "lifecycle.jsonl", 0, None)]),
}
"""How many steps there are, the file, and what is told."""


@pytest.mark.parametrize("case", FREEZES)
def test_what_the_policy_was_is_held_against_the_step_that_denied_uploads(case: str, folder: Path) -> None:
    number, content, told = FREEZES[case]
    steps = [json.loads(line) for line in lines(folder)]
    steps[4] |= {"event": "uploads denied", "facts": {"freeze_json": hashlib.sha256(NOT_THAWED).hexdigest()}}
    chained(folder, steps[:number])
    if content is not None:
        (folder / "freeze.json").write_bytes(content)
    assert faults(folder) == told


def test_a_policy_that_was_noted_for_a_second_denial_is_not_held_against_the_first(folder: Path) -> None:
    first = [json.loads(line) for line in lines(folder)][:7]
    first[4] |= {"event": "uploads denied", "facts": {"freeze_json": "0" * 64}}
    first[6] |= {"event": "something is left", "facts": {}}
    second = [step | {"round": 2, "facts": {}} for step in first[1:4]]
    chained(folder, first + second)
    (folder / "freeze.json").write_bytes(NOT_THAWED)
    assert faults(folder) == []


def test_another_lifecycles_round_is_found(made: Path, folder: Path) -> None:
    shutil.rmtree(folder / "round-1")
    shutil.copytree(made / "videos" / "round-1", folder / "round-1")
    assert {"terms.json", "lifecycle.jsonl"} <= {file for _, file, _, _ in faults(folder)}


# -- fleets -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fleet(made: Path, tmp_path: Path) -> Path:
    return settled(tmp_path / "fleet", made)


def settled(place: Path, made: Path) -> Path:
    """A fleet of the two lifecycles in ``made``."""
    place.mkdir()
    for name in ("photos", "videos"):
        shutil.copytree(made / name, place / f"123456789012-us-east-1-{name}")
    roster = {
        "fleet_file_sha256": hashlib.sha256(b"").hexdigest(),
        "findings": [],
        "vaults": [{"vault_arn": vault(name).arn, "max_rate": 1e-05} for name in ("photos", "videos")],
    }
    text = '{"digest": "%s", "fleet": %s}\n'
    canonical = json.dumps(roster, sort_keys=True, separators=(",", ":")).encode()
    place.joinpath("fleet.json").write_text(text % (hashlib.sha256(canonical).hexdigest(), json.dumps(roster)))
    return place


def test_a_fleet_is_checked_with_its_members_and_their_rounds(fleet: Path) -> None:
    verdicts = verify_folder(fleet)
    assert [(what, found.exit_code) for _, what, found in verdicts] == [
        ("fleet", 0),
        ("lifecycle", 0),
        ("run", 0),
        ("lifecycle", 0),
        ("run", 0),
    ]


def test_a_member_that_is_not_there_is_said_and_is_no_damage(fleet: Path) -> None:
    shutil.rmtree(fleet / "123456789012-us-east-1-videos")
    [(_, _, found), *_] = verify_folder(fleet)
    assert (found.faults, found.finished) == ((), False)
    assert found.notices == (f"{vault('videos').arn!r} has not begun, or its folder is gone",)


def test_a_fleet_of_an_older_version_is_said_and_is_no_damage(fleet: Path) -> None:
    document = json.loads((fleet / "fleet.json").read_bytes())
    (fleet / "fleet.json").write_text(json.dumps(document["fleet"]))
    [(_, _, found), *_] = verify_folder(fleet)
    assert (found.faults, found.finished) == ((), True)
    assert found.notices == ("fleet.json: of an older version, which did not write its digest",)


def test_swapped_members_and_a_changed_fleet_are_found(fleet: Path) -> None:
    one, two = sorted(path for path in fleet.iterdir() if path.is_dir())
    one.rename(fleet / "x")
    two.rename(one)
    (fleet / "x").rename(two)
    assert [file for _, file, _, _ in faults(fleet)] == [f"{one.name}/terms.json", f"{two.name}/terms.json"]
    (fleet / "fleet.json").write_bytes((fleet / "fleet.json").read_bytes().replace(b"videos", b"letters"))
    assert "fleet.json" in [file for _, file, _, _ in faults(fleet)]


def test_the_copy_of_a_fleets_file_is_the_one_it_began_with_or_missing(fleet: Path) -> None:
    (fleet / "fleet.toml").write_bytes(b"")
    assert faults(fleet) == []
    (fleet / "fleet.toml").write_bytes(b"[[vaults]]")
    assert [(kind, file) for kind, file, _, _ in faults(fleet)] == [("changed", "fleet.toml")]


def test_a_fleet_whose_list_is_gone_is_known_by_its_members(fleet: Path) -> None:
    (fleet / "fleet.json").unlink()
    assert [(one.what, one.found.exit_code) for one in verify_folder(fleet)][:2] == [("fleet", 4), ("lifecycle", 0)]
    assert [(kind, file) for kind, file, _, _ in faults(fleet)] == [("missing", "fleet.json")]
    for place in sorted(path for path in fleet.iterdir() if path.is_dir()):
        place.rename(place.with_name(place.name.removeprefix("123456789012-us-east-1-")))
    with pytest.raises(NotToBeChecked):  # somebody's lifecycles side by side are no fleet
        verify_folder(fleet)


@pytest.mark.parametrize("length", [1, 176, 177, 178, 255])
def test_the_check_names_a_members_folder_as_the_fleet_does(length: int) -> None:
    """At 177 characters the folder's name has 200, the most that is not cut."""
    member = vault("v" * length)
    assert verification._member_name(member.arn) == folder_name(member)


def test_one_damaged_round_is_the_fleets_exit_code(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    round_1 = "123456789012-us-east-1-videos/round-1"
    (fleet / round_1 / "decisions").write_bytes(b"")
    assert main(["audit", "verify", str(fleet), "--output", "json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "damaged"
    assert [folder["run_dir"] for folder in told["folders"] if folder["faults"]] == [str(fleet / round_1)]


def test_where_no_run_is_it_is_usage_and_no_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "verify", "."]) == 2
    assert (
        "not the folder of a run, a script's log, a lifecycle or a fleet. Nothing was checked."
        in capsys.readouterr().err
    )
