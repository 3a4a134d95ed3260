"""``config/schemas`` is what the types say now, names every verb that answers programs, and explains each member."""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.cli import main, verbs
from glacier_purge.cli.schemas import VERBS, answer_schema, file_name
from tests.answers import check_answer

if TYPE_CHECKING:
    from pathlib import Path


def takes_output(place: str) -> bool:
    module, _, function = place.partition(":")
    return "output" in inspect.signature(getattr(import_module(module), function)).parameters


def test_every_verb_that_takes_output_has_a_schema_and_no_other() -> None:
    asked = {name for name, verb in verbs.VERBS.items() if takes_output(verb.place)}
    assert asked | {"simulate"} == {*VERBS}


def test_the_schemas_in_config_are_current(tmp_path: Path, repository: Path) -> None:
    # glacier-purge config schema --all-to config/schemas
    assert main(["config", "schema", "--all-to", str(tmp_path)]) == 0
    now = {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()}
    kept = {file.name: file.read_text("utf-8") for file in (repository / "config/schemas").iterdir()}
    assert now == kept, "run: make schemas"


@pytest.mark.parametrize("verb", VERBS)
def test_each_answer_has_a_version_and_each_member_an_explanation(verb: str) -> None:
    schema = answer_schema(verb)
    answers = [one for one in schema["$defs"].values() if "format" in one.get("properties", {})]
    answers += [schema] if "properties" in schema else []
    assert answers
    for answer in answers:
        assert {"result", "format"} <= set(answer["required"])
        assert isinstance(answer["properties"]["format"]["const"], int)
        for name, member in answer["properties"].items():
            assert "description" in member or "$ref" in member, f"{verb}: {name}"
    for definition in schema["$defs"].values():
        assert definition["description"]


@pytest.mark.parametrize("verb", ["inventory fetch", "status", "config show"])
def test_a_schema_is_printed_by_the_verbs_name(verb: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # glacier-purge config schema inventory fetch
    assert main(["config", "schema", *verb.split()]) == 0
    assert capsys.readouterr().out == (repository / f"config/schemas/{file_name(verb)}.json").read_text("utf-8")


def test_a_verb_without_answers_for_programs_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    # glacier-purge config schema audit export
    assert main(["config", "schema", "audit", "export"]) == 2
    assert "'audit export' prints no JSON" in capsys.readouterr().err


def changed(answer: dict[str, Any], **members: object) -> str:
    return json.dumps(answer | members) + "\n"


def test_an_answer_with_a_member_too_many_or_of_another_version_is_found() -> None:
    pending = {
        "result": "pending",
        "format": 1,
        "state": "pending",
        "waiting_for": "it",
        "until": "2026-11-30T00:00:00Z",
    }
    check_answer("verify", changed(pending))
    for wrong in ({"more": 1}, {"format": 2}, {"result": "removal"}, {"until": 5}):
        with pytest.raises(AssertionError, match="verify: "):
            check_answer("verify", changed(pending, **wrong))
