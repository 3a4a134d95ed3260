"""The plan as a document: its digest covers everything, and what is not exactly a plan is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from glacier_purge.archive import ANY_LENGTH, EXACT, IdRule
from glacier_purge.errors import NotOurs, PlanRefused
from glacier_purge.plan.document import FORMAT, plan_bytes, read_plan
from tests.plan.archives import TARGET, archive, plan_of, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from glacier_purge.plan.document import Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_of(snapshot(tmp_path / "run", [archive(n) for n in range(30)]), TARGET)


def test_a_plan_comes_back_as_it_was_written(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(plan_bytes(plan, "0" * 64))
    assert read_plan(tmp_path / "plan.json") == plan


@pytest.mark.parametrize("id_rule", [EXACT, ANY_LENGTH])
def test_the_rule_of_ids_stands_in_a_plan_as_yes_or_no(id_rule: IdRule, plan: Plan, tmp_path: Path) -> None:
    spooled = replace(snapshot(tmp_path / "other", [archive(n) for n in range(3)]), id_rule=id_rule)
    facts = plan_of(spooled, TARGET).snapshot
    assert structs.asdict(facts) == {
        "file": "inventory.json",
        "format": "json",
        "sha256": spooled.sha256,
        "size_bytes": spooled.size_bytes,
        "inventory_date": spooled.inventory_date,
        "any_id_length": id_rule == ANY_LENGTH,
    }
    assert facts.snapshot_in(spooled.path.parent).id_rule is id_rule
    assert plan.snapshot.snapshot_in(spooled.path.parent).path == spooled.path


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document where text, a number, a truth or null stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*place, index))
    else:
        yield place


def changed(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case _:
            return "x"


def test_no_value_of_a_plan_can_be_changed_unseen(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    content = plan_bytes(plan, "0" * 64)
    places = [place for place in leaves(json.loads(content)) if place != ("run_sha256",)]  # held against run.json
    assert len(places) > 150
    for place in places:
        document = json.loads(content)
        inner = document
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = changed(inner[place[-1]])
        path.write_text(json.dumps(document))
        with pytest.raises(PlanRefused):
            read_plan(path)


def cut(content: bytes) -> bytes:
    return content[:-20]


def emptied(_: bytes) -> bytes:
    return b""


def not_text(content: bytes) -> bytes:
    return content.replace(b"photos", b"photo\xff")


def with_more(content: bytes) -> bytes:
    return content.replace(b'"plan": {', b'"plan": {"also": 1,')


def of_no_format(content: bytes) -> bytes:
    return content.replace(b'"format": "json"', b'"format": "xml"')


def with_less(content: bytes) -> bytes:
    document = json.loads(content)
    del document["plan"]["endpoint_url"]
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "spoil", [cut, emptied, not_text, of_no_format, with_more, with_less], ids=lambda spoil: spoil.__name__
)
def test_what_is_not_a_whole_plan_is_refused(spoil: Callable[[bytes], bytes], plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(spoil(plan_bytes(plan, "0" * 64)))
    with pytest.raises(PlanRefused, match="cannot be read as a plan"):
        read_plan(tmp_path / "plan.json")


def test_a_plan_that_is_missing_or_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanRefused, match="holds no plan"):
        read_plan(tmp_path / "plan.json")
    (tmp_path / "plan.json").mkdir()
    with pytest.raises(NotOurs, match="is not used"):
        read_plan(tmp_path / "plan.json")


def test_a_plan_of_another_format_is_refused(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(plan_bytes(structs.replace(plan, format=FORMAT + 1), "0" * 64))
    with pytest.raises(PlanRefused, match=f"format {FORMAT + 1}, this version reads {FORMAT}"):
        read_plan(tmp_path / "plan.json")


def test_a_plans_vault_is_checked_again(plan: Plan) -> None:
    assert plan.vault == TARGET.vault
    assert plan.codes[0] == "delete"
