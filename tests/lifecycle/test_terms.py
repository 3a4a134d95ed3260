"""What a lifecycle was begun with: settled once, compared by what it means, pinned where it names files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.lifecycle.terms import Terms, check_files, read_terms, settle
from glacier_purge.plan.choices import UNCAPPED, Caps, Choices
from glacier_purge.storage.folder import TERMS_FILE, RunFolder
from tests.plan.archives import archive_id

if TYPE_CHECKING:
    from pathlib import Path

PHOTOS = Vault(account_id="123456789012", region="us-east-1", name="photos")
FILMS = Vault(account_id="123456789012", region="us-east-1", name="films")
URL = "http://127.0.0.1:1"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "lifecycle")


def settled(folder: RunFolder, caps: Caps = UNCAPPED, days: int = 0, **choices: Any) -> Terms:
    """Start the lifecycle ``days`` after it began, with these choices on the command line."""
    now = NOW + timedelta(days=days)
    return settle(folder, PHOTOS, URL, now, choices=Choices(**choices), caps=caps)


def test_what_was_chosen_first_holds_for_whoever_chooses_nothing_later(folder: RunFolder) -> None:
    begun = settled(folder, Caps(max_archives=7), older_than="90d", min_size="10MiB", migrated=("dynamodb://moved",))
    assert settled(folder, days=9) == begun == read_terms(folder.path)
    assert begun.choices == Choices(older_than="90d", min_size="10MiB", migrated=("dynamodb://moved",))
    assert begun.told() == [
        "--older-than 90d (2026-08-25T00:00:00Z)",
        "--min-size 10MiB",
        "--migrated dynamodb://moved",
        "--max-archives 7",
    ]


def test_two_that_begin_alike_in_the_same_second_are_told_apart(folder: RunFolder, tmp_path: Path) -> None:
    """By its terms a lifecycle knows its statement in the vault's policy: the other's is not its own to take away."""
    other = RunFolder.create(tmp_path / "other")
    for place in (folder, other):
        settled(place)
    assert read_terms(folder.path) != read_terms(other.path)


@pytest.mark.parametrize(
    "again",
    [
        {"older_than": "90d"},
        {"older_than": "2026-08-25"},
        {"older_than": "2026-08-25T02:00:00+02:00", "min_size": "10485760"},
        {"min_size": "10MiB", "limit": 5},
        {"caps": Caps(max_bytes=1_000)},
    ],
)
def test_the_same_may_be_given_again_in_other_words_and_days_later(folder: RunFolder, again: dict[str, Any]) -> None:
    begun = settled(folder, Caps(max_bytes=1_000), older_than="90d", min_size="10MiB", limit=5)
    assert settled(folder, days=3, **again) == begun


@pytest.mark.parametrize(
    ("other", "began", "now"),
    [
        ({"older_than": "30d"}, "--older-than 90d (2026-08-25T00:00:00Z)", "--older-than 30d (2026-10-24T00:00:00Z)"),
        ({"limit": 5}, "no --limit", "--limit 5"),
        ({"description": "a*"}, "--description b*", "--description a*"),
        ({"migrated": ("dynamodb://a", "dynamodb://b")}, "no --migrated", "--migrated dynamodb://a dynamodb://b"),
        ({"in_retrieval": "delete"}, "no --in-retrieval", "--in-retrieval delete"),
        ({"caps": Caps(max_archives=8)}, "--max-archives 7", "--max-archives 8"),
        ({"caps": Caps(max_duration_seconds=60)}, "no --max-duration", "--max-duration 60 seconds"),
        (
            {"older_than": "90d", "description": "a*", "limit": 5},
            "--description b*, no --limit",
            "--description a*, --limit 5",
        ),
    ],
)
def test_another_choice_later_is_refused_with_both(
    folder: RunFolder, other: dict[str, Any], began: str, now: str
) -> None:
    settled(folder, Caps(max_archives=7), older_than="90d", description="b*")
    with pytest.raises(PlanRefused) as caught:
        settled(folder, days=3, **other)
    assert f"began with {began}; given now is {now}. What it deletes was settled at 2026-11-23T00:00:00Z" in str(
        caught.value
    )
    assert "another --run-dir" in str(caught.value)


def test_a_list_is_known_by_its_place_and_its_content(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ids").write_text(archive_id(1))
    moved = f"archive_id,size,sha256_tree_hash\n{archive_id(1)},1,{'0' * 64}\n"
    (tmp_path / "moved.csv").write_text(moved)
    monkeypatch.chdir(tmp_path)
    begun = settled(folder, ids="ids", migrated=("moved.csv", "dynamodb://t"))
    assert set(begun.files) == {str(tmp_path / "ids"), str(tmp_path / "moved.csv")}
    monkeypatch.chdir("/")
    assert settled(folder, ids=str(tmp_path / "ids")) == begun
    with pytest.raises(PlanRefused, match=r"began with --ids .*/ids; given now is --ids ids"):
        settled(folder, ids="ids")
    (tmp_path / "moved.csv").write_text(moved.replace(",1,", ",2,"))
    with pytest.raises(PlanRefused, match=r"moved\.csv was changed since the lifecycle began at 2026-11-23T00:00:00Z"):
        check_files(settled(folder))
    (tmp_path / "moved.csv").unlink()
    with pytest.raises(UsageError, match=r"cannot read .*moved\.csv"):
        check_files(settled(folder))


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"ids": "-"}, "--ids - reads standard input, which is gone"),
        ({"exclude_ids": "-"}, "--exclude-ids - reads standard input"),
        ({"migrated": ("-",)}, "--migrated - reads standard input"),
        ({"older_than": "long ago"}, "neither an age"),
        ({"description": "/(/"}, "not a regular expression"),
        ({"ids": "/nowhere/ids"}, "cannot read /nowhere/ids"),
    ],
)
def test_what_cannot_be_kept_is_refused_when_it_begins(folder: RunFolder, choices: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        settled(folder, **choices)
    assert read_terms(folder.path) is None


@pytest.mark.parametrize("name", ["ids", "exclude_ids", "migrated"])
def test_a_list_that_is_none_is_refused_before_the_inventory_is_waited_for(
    folder: RunFolder, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "list"
    file.write_text("archive_id,size,sha256_tree_hash\nshort,1,0\n")
    named: dict[str, Any] = {name: (str(file),) if name == "migrated" else str(file)}
    with pytest.raises(UsageError, match="is no archive id"):
        settled(folder, **named)
    assert read_terms(folder.path) is None


def test_a_lifecycle_is_of_one_vault(folder: RunFolder) -> None:
    settled(folder)
    with pytest.raises(PlanRefused, match=r"is of arn:.*vaults/photos at .*, not of arn:.*vaults/films"):
        settle(folder, FILMS, URL, NOW)
    with pytest.raises(PlanRefused, match="another --run-dir"):
        settle(folder, PHOTOS, "http://127.0.0.1:2", NOW)


def test_terms_that_cannot_be_read_are_refused(folder: RunFolder) -> None:
    (folder.path / TERMS_FILE).write_bytes(b'{"vault_arn": 5}')
    with pytest.raises(PlanRefused, match=r"terms\.json cannot be read"):
        settled(folder)
