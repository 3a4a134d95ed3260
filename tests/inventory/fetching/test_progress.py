"""What is remembered of a retrieval, read strictly: by it a job is ours or passed over."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import UsageError
from glacier_purge.inventory.fetching.progress import PROGRESS_FILE, FetchProgress, read_progress, write_progress

if TYPE_CHECKING:
    from pathlib import Path

BEGUN = FetchProgress(vault_arn="arn", begun=datetime(2026, 11, 30, 12, tzinfo=UTC), job_id="one", asked=("one",))


def test_a_reason_may_have_colons_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    progress = BEGUN.without("one", "it failed: no: really")
    write_progress(tmp_path, progress)
    assert read_progress(tmp_path) == progress
    assert progress.passed_over == {"one": "it failed: no: really"}
    assert (progress.job_id, progress.asked) == (None, ("one",))
    assert progress.anew().passed_over == progress.passed_over
    assert progress.anew().asked == ()


def test_what_an_earlier_version_left_does_not_say_whose_its_job_is_and_is_refused(tmp_path: Path) -> None:
    write_progress(tmp_path, BEGUN)
    file = tmp_path / PROGRESS_FILE
    earlier = {key: value for key, value in json.loads(file.read_bytes()).items() if key != "asked"}
    file.write_text(json.dumps(earlier), "utf-8")
    with pytest.raises(UsageError, match="Remove it to fetch the inventory afresh"):
        read_progress(tmp_path)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("begun", "last year"),
        ("begun", "2026-11-30T12:00:00"),
        ("tried", ["one"]),
        ("tried", "one: failed"),
        ("asked", "one"),
        ("asked", [1]),
        ("skipped", []),
    ],
)
def test_what_cannot_be_what_was_written_is_refused_with_what_to_do(member: str, value: object, tmp_path: Path) -> None:
    write_progress(tmp_path, BEGUN)
    file = tmp_path / PROGRESS_FILE
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {member: value}), "utf-8")
    with pytest.raises(UsageError, match="Remove it to fetch the inventory afresh"):
        read_progress(tmp_path)
