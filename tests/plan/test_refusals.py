"""Wrong requests: each ends with 2, says why, and the server has received no delete."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from glacier_purge.cli import main
from glacier_purge.plan.document import read_plan
from tests.doors import VAULT
from tests.e2e.conftest import start_simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Simulator


@pytest.fixture(scope="module")
def glacier() -> Iterator[Simulator]:
    simulator = start_simulator("--rate", "0", archives=20)
    yield simulator
    simulator.process.terminate()
    simulator.process.communicate(timeout=20)


class Desk:
    """The command in this process, on an inventory of the simulated vault and a run folder with a plan."""

    def __init__(self, place: Path, glacier: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
        self.place = place
        self.glacier = glacier
        self._capsys = capsys
        self.inventory = glacier.inventory(place / "inventory.json")
        self.ids = [record["ArchiveId"] for record in json.loads(self.inventory.read_bytes())["ArchiveList"]]
        self.run_dir = place / "run"
        self.config = place / "settings.toml"
        self.config.write_text("")

    def plan(self, *options: str, vault: str = VAULT.name) -> tuple[int, str]:
        return self._call(
            *("plan", vault, "--inventory", str(self.inventory), "--run-dir", str(self.run_dir)),
            *("--endpoint-url", self.glacier.endpoint_url, "--config", str(self.config), *options),
        )

    def apply(self, *options: str) -> tuple[int, str]:
        digest = read_plan(self.run_dir / "plan.json").digest
        return self._call(
            *("apply", str(self.run_dir), "--confirm-digest", digest, "--config", str(self.config), *options)
        )

    def settings(self, text: str) -> None:
        self.config.write_text(text)

    def ids_file(self, *ids: str) -> str:
        file = self.place / "ids"
        file.write_text("\n".join(ids))
        return str(file)

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        file = self.run_dir / name
        file.write_text(change(file.read_text("utf-8")), "utf-8")

    def _call(self, *arguments: str) -> tuple[int, str]:
        self._capsys.readouterr()
        exit_code = main(arguments)
        return exit_code, self._capsys.readouterr().err


@pytest.fixture
def desk(
    tmp_path: Path, glacier: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return Desk(tmp_path, glacier, capsys)


PLANNING: dict[str, tuple[Callable[[Desk], tuple[int, str]], str]] = {
    "an age that is none": (lambda desk: desk.plan("--older-than", "soon"), "--older-than 'soon' is neither an age"),
    "a size that is none": (lambda desk: desk.plan("--min-size", "huge"), "--min-size 'huge' is not a size"),
    "a pattern that is none": (lambda desk: desk.plan("--description", "/[/"), "is not a regular expression"),
    "a limit of nothing": (lambda desk: desk.plan("--limit", "0"), "--limit 0 would choose nothing"),
    "nothing chosen": (lambda desk: desk.plan("--newer-than", "2090-01-01"), "no archive is left to delete"),
    "an id that is none": (lambda desk: desk.plan("--ids", desk.ids_file("..")), "line 1: '..' is no archive id"),
    "an excluded id that is none": (
        lambda desk: desk.plan("--exclude-ids", desk.ids_file(desk.ids[0], "typo")),
        "line 2: 'typo' is no archive id",
    ),
    "a list that is missing": (lambda desk: desk.plan("--ids", "/nonexistent"), "cannot read /nonexistent"),
    "stdin for two": (
        lambda desk: desk.plan("--ids", "-", "--exclude-ids", "-"),
        "--ids and --exclude-ids cannot both be read",
    ),
    "a manifest of nothing": (
        lambda desk: desk.plan("--migrated", desk.ids_file("archive_id,size", "")),
        "nothing is proven",
    ),
    "a manifest that is none": (
        lambda desk: desk.plan("--migrated", desk.ids_file("hello")),
        "is not known as a manifest",
    ),
    "a listing alone": (
        lambda desk: desk.plan("--migrated", desk.ids_file("bucket,key,5")),
        "alone it proves nothing",
    ),
    "copies without a manifest": (lambda desk: desk.plan("--check-s3", "bucket"), "Give a manifest with --migrated"),
    "another vault": (lambda desk: desk.plan(vault="other"), "it is the inventory of"),
    "another account": (lambda desk: desk.plan("--account-id", "999999999999"), "it is the inventory of"),
}


@pytest.mark.parametrize(("ask", "message"), PLANNING.values(), ids=PLANNING)
def test_a_wrong_plan_is_refused_and_leaves_no_folder(
    desk: Desk, ask: Callable[[Desk], tuple[int, str]], message: str
) -> None:
    exit_code, said = ask(desk)
    assert (exit_code, desk.run_dir.exists()) == (2, False), said
    assert message in said
    assert desk.glacier.ledger()["deletes_received"] == 0


PROTECTED: dict[str, tuple[Callable[[Desk], str], str]] = {
    "vault by name": (lambda _: '[safety]\ndeny_vaults = ["prod-*", "pho*"]\n', "has 'pho*'"),
    "vault by ARN": (lambda _: '[safety]\ndeny_vaults = ["arn:aws:glacier:us-east-1:*"]\n', "has 'arn:aws:glacier"),
    "account": (lambda _: f'[safety]\ndeny_accounts = ["{VAULT.account_id}"]\n', "safety.deny_accounts"),
    "all archives": (lambda desk: _deny(desk, *desk.ids), "on_deny_list|stands on a deny list"),
    "a bad list": (lambda desk: _deny(desk, "typo"), "line 1: 'typo' is no archive id"),
    "a missing list": (lambda _: '[safety]\ndeny_id_files = ["/nonexistent"]\n', "cannot read /nonexistent"),
}


def _deny(desk: Desk, *ids: str) -> str:
    return f"[safety]\ndeny_id_files = [{json.dumps(desk.ids_file(*ids))}]\n"


@pytest.mark.parametrize(("rules", "message"), PROTECTED.values(), ids=PROTECTED)
def test_what_is_protected_is_neither_planned_nor_applied(
    desk: Desk, rules: Callable[[Desk], str], message: str
) -> None:
    desk.settings(rules(desk))
    exit_code, said = desk.plan()
    assert (exit_code, desk.run_dir.exists()) == (2, False), said
    assert re.search(message, said) or message in said
    desk.settings("")
    assert desk.plan()[0] == 0
    desk.settings(rules(desk))
    exit_code, said = desk.apply()
    assert exit_code == 2, said
    assert re.search(message, said) or message in said
    assert desk.glacier.ledger()["deletes_received"] == 0


def test_one_archive_on_a_deny_list_stays_and_an_older_plan_with_it_is_refused(desk: Desk) -> None:
    assert desk.plan()[0] == 0
    desk.settings(_deny(desk, desk.ids[7]))
    exit_code, said = desk.apply()
    assert exit_code == 2
    assert f"record 7 of the plan, {desk.ids[7]}, stands on a deny list" in said
    desk.run_dir = desk.place / "again"
    assert desk.plan()[0] == 0
    plan = read_plan(desk.run_dir / "plan.json")
    assert {reason.name: reason.records for reason in plan.reasons if reason.records} == {
        "delete": 19,
        "on_deny_list": 1,
    }
    assert desk.glacier.ledger()["deletes_received"] == 0


def _dated(moment: str) -> Callable[[Desk], None]:
    return lambda desk: desk.edit("run.json", lambda text: re.sub(r'("created": )"[^"]*"', rf'\g<1>"{moment}"', text))


APPLYING: dict[str, tuple[Callable[[Desk], None], tuple[str, ...], str]] = {
    "more archives than allowed": (lambda _: None, ("--max-archives", "19"), "more than the 19 of --max-archives"),
    "more bytes than allowed": (lambda _: None, ("--max-bytes", "1B"), "more than the 1 bytes of --max-bytes"),
    "caps from the settings": (
        lambda desk: desk.settings("[safety]\nmax_archives = 3\n"),
        (),
        "more than the 3 of --max-archives",
    ),
    "a duration that is none": (lambda _: None, ("--max-duration", "long"), "--max-duration 'long' is not a span"),
    "a plan that is too old": (_dated("2020-01-01T00:00:00Z"), (), "can be approved for 7 days"),
    "a plan of the future": (_dated("2999-01-01T00:00:00Z"), (), "was made in the future"),
    "a plan without a date": (_dated("lately"), (), "does not say when the plan was made"),
    "another digest": (lambda _: None, ("--confirm-digest", "0" * 64), "is not this plan's"),
    "an edited plan": (
        lambda desk: desk.edit("plan.json", lambda text: text.replace('"selected": 20', '"selected": 2')),
        (),
        "was changed after it was made",
    ),
    "an edited reason": (
        lambda desk: desk.edit("plan.json", lambda text: text.replace('"name": "delete"', '"name": "keep"')),
        (),
        "was changed after it was made",
    ),
    "edited decisions": (
        lambda desk: desk.edit("decisions", lambda text: "\x01" + text[1:]),
        (),
        "was changed after planning",
    ),
    "an edited inventory": (
        lambda desk: desk.edit("inventory.json", lambda text: text.replace("a", "b", 1)),
        (),
        "was changed after it was planned with",
    ),
    "a folder others can write": (lambda desk: desk.run_dir.chmod(0o770), (), "can be written by other users"),
}


@pytest.mark.parametrize(("spoil", "options", "message"), APPLYING.values(), ids=APPLYING)
def test_a_plan_that_does_not_hold_is_not_applied(
    desk: Desk, spoil: Callable[[Desk], None], options: tuple[str, ...], message: str
) -> None:
    assert desk.plan()[0] == 0
    digest = read_plan(desk.run_dir / "plan.json").digest
    spoil(desk)
    quoted = () if "--confirm-digest" in options else ("--confirm-digest", digest)
    exit_code = main(["apply", str(desk.run_dir), "--config", str(desk.config), *quoted, *options])
    said = desk._capsys.readouterr().err
    assert exit_code == 2, said
    assert message in said
    assert desk.glacier.ledger()["deletes_received"] == 0


def test_a_path_that_depends_on_where_one_stands_is_no_deny_list(desk: Desk) -> None:
    desk.settings('[safety]\ndeny_id_files = ["ids"]\n')
    exit_code, said = desk.plan()
    assert exit_code == 253
    assert "not an absolute path" in said
