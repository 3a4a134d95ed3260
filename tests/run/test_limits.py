"""The pace a run ended with, kept for the next forecast."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from glacier_purge.plan.forecast import KnownRate
from glacier_purge.run.limits import known_rate, limits_file, remember_rate
from tests.deletion.pretended import VAULT, InProcessGlacier
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://glacier.us-east-1.amazonaws.com"
KNOWN = KnownRate(per_second=81.5, is_limit=True, seen=datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_it_is_kept_for_the_account_region_and_endpoint_and_not_for_the_vault() -> None:
    assert known_rate(VAULT, URL) is None
    remember_rate(VAULT, URL, KNOWN)
    assert known_rate(VAULT, URL) == KNOWN
    assert known_rate(replace(VAULT, name="other"), URL) == KNOWN
    assert known_rate(replace(VAULT, region="eu-west-1"), URL) is None
    assert known_rate(VAULT, "http://127.0.0.1:1") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"per_second": "x"}'])
def test_a_file_that_cannot_be_read_counts_as_none(content: str) -> None:
    remember_rate(VAULT, URL, KNOWN)
    limits_file(VAULT, URL).write_text(content)
    assert known_rate(VAULT, URL) is None


@pytest.mark.parametrize("wrong", [{"per_second": 0.0}, {"per_second": -1.0}, {"seen": datetime(2026, 1, 1)}])  # noqa: DTZ001
def test_a_rate_that_makes_no_sense_counts_as_none(wrong: dict[str, object]) -> None:
    remember_rate(VAULT, URL, replace(KNOWN, **wrong))  # type: ignore[arg-type]  # one field at a time
    assert known_rate(VAULT, URL) is None


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    remember_rate(VAULT, URL, KNOWN)
    assert known_rate(VAULT, URL) is None


@IN_PROCESS
async def test_a_run_remembers_the_limit_it_met(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(2_000, rate_per_second=50.0))
    await bench.finish()
    known = known_rate(VAULT, InProcessGlacier.endpoint_url)
    assert known is not None
    assert known.is_limit
    assert 40 < known.per_second < 60
