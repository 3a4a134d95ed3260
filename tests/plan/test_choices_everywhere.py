"""What can be chosen is one list: the command line, a fleet's file and a lifecycle know each field, and no other."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.archive import Vault
from glacier_purge.cli.choice_options import ChoiceOptions
from glacier_purge.cli.options import SafetyOptions
from glacier_purge.errors import PlanRefused
from glacier_purge.fleet.choices import CAPS, CHOICES, read_caps, read_choices
from glacier_purge.lifecycle.terms import read_terms, settle
from glacier_purge.plan.choices import (
    EVERY_ARCHIVE,
    KINDS,
    UNCAPPED,
    Caps,
    Choices,
    Kind,
    as_option,
    as_written,
    filters,
    given,
)
from glacier_purge.storage.folder import RunFolder
from tests.plan.archives import archive_id

if TYPE_CHECKING:
    from pathlib import Path

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
TYPED: dict[Kind, Any] = {
    Kind.AGE: "90d",
    Kind.TEXT: "a*",
    Kind.SIZE: "10MiB",
    Kind.ID_LIST: "these.ids",
    Kind.MANIFESTS: ("dynamodb://moved",),
    Kind.RETRIEVALS: "wait",
    Kind.COUNT: 7,
    Kind.BYTES: "10MiB",
    Kind.SECONDS: "8h",
}
"""Something of each kind, as a user types it."""
NUMBERS = {Kind.COUNT: 7, Kind.BYTES: 10 << 20, Kind.SECONDS: 28_800}
"""What it is as a cap."""
NEEDS = {"check_s3": {"migrated": ("dynamodb://moved",)}}
"""What a choice is not made without."""

WITH_MORE_THAN_THE_ARCHIVE = {"ids", "exclude_ids", "migrated", "check_s3", "in_retrieval", "limit"}
"""Choices judged by lists, proofs, jobs or a count, each with tests of its own; the others by what an archive is."""

CHOSEN = [field.name for field in fields(Choices)]
CAPPED = [field.name for field in fields(Caps)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A lifecycle that is to begin where the list of ids is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "these.ids").write_text(archive_id(1))
    return RunFolder.create(tmp_path / "lifecycle")


def typed(name: str) -> dict[str, Any]:
    return {as_written(name): TYPED[KINDS[name]]} | NEEDS.get(name, {})


def in_a_file(name: str) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in typed(name).items()}


def test_options_and_keys_of_a_fleet_are_the_fields_one_to_one() -> None:
    assert [field.name for field in fields(ChoiceOptions)] == list(CHOICES) == CHOSEN
    assert list(CAPS) == [as_written(name) for name in CAPPED]
    assert [field.name for field in fields(SafetyOptions) if field.name in CAPS] == list(CAPS)


@pytest.mark.parametrize("name", CHOSEN)
def test_each_choice_is_the_same_wherever_it_is_written_and_holds_for_a_lifecycle(name: str, folder: RunFolder) -> None:
    choices = ChoiceOptions(**typed(name)).choices()
    assert given(choices) == typed(name)
    assert read_choices(in_a_file(name), "entry 1") == choices
    begun = settle(folder, VAULT, "http://127.0.0.1:1", NOW, choices=choices)
    assert read_terms(folder.path) == begun
    assert {option.split(" ")[0] for option in begun.told()} == set(map(as_option, typed(name)))


@pytest.mark.parametrize("name", CHOSEN)
def test_each_choice_is_refused_where_a_lifecycle_began_without_it(name: str, folder: RunFolder) -> None:
    settle(folder, VAULT, "http://127.0.0.1:1", NOW, choices=EVERY_ARCHIVE)
    with pytest.raises(PlanRefused, match=f"no {as_option(name)}[,;]"):
        settle(folder, VAULT, "http://127.0.0.1:1", NOW, choices=Choices(**typed(name)))


@pytest.mark.parametrize("name", [name for name in CHOSEN if name not in WITH_MORE_THAN_THE_ARCHIVE])
def test_each_choice_of_what_an_archive_is_has_its_judge(name: str) -> None:
    [judged] = filters(Choices(**typed(name)), NOW)
    assert judged.reasons


@pytest.mark.parametrize("name", CAPPED)
def test_each_cap_is_the_same_wherever_it_is_written_and_holds_for_a_lifecycle(name: str, folder: RunFolder) -> None:
    caps = SafetyOptions(**typed(name)).caps()
    assert given(caps) == {name: NUMBERS[KINDS[name]]}
    assert read_caps(typed(name), "entry 1") == caps
    settle(folder, VAULT, "http://127.0.0.1:1", NOW, caps=UNCAPPED)
    with pytest.raises(PlanRefused, match=f"no {as_option(name)};"):
        settle(folder, VAULT, "http://127.0.0.1:1", NOW, caps=caps)
