from __future__ import annotations

import json

import pytest

from glacier_purge.audit import chain
from glacier_purge.audit.record import make_note
from glacier_purge.audit.rendering import Renderer, utc_milliseconds
from tests.audit.logs import PLAN, RUN, outcome

NOW = 1_795_360_443.1234


def renderer() -> Renderer:
    return Renderer(run=RUN, epoch=2, wall_clock=lambda: NOW)


def test_a_commit_is_numbered_stamped_and_chained() -> None:
    rendered = renderer().render([make_note("opened", {"pid": 7}), outcome(0), outcome(1)], seq=5, prev=PLAN)
    lines = rendered.data.splitlines(keepends=True)
    said = [json.loads(line) for line in lines]
    assert [line["seq"] for line in said] == [5, 6, 7]
    assert {(line["ts"], line["run"], line["epoch"]) for line in said} == {("2026-11-22T15:14:03.123Z", RUN, 2)}
    assert [line["prev"] for line in said] == [PLAN, chain.digest(lines[0]), chain.digest(lines[1])]
    assert (rendered.next_seq, rendered.last_hash, rendered.ts) == (8, chain.digest(lines[2]), said[0]["ts"])


def test_two_commits_in_a_row_differ_in_their_stamp_even_if_the_clock_stands() -> None:
    rendering = renderer()
    stamps = [rendering.render([outcome(n)], seq=n, prev=PLAN).ts for n in range(4)]
    assert stamps == ["2026-11-22T15:14:03.123Z", "2026-11-22T15:14:03.124Z"] * 2
    rendering.continue_after("2026-11-22T15:14:03.123Z")
    assert rendering.render([outcome(9)], seq=9, prev=PLAN).ts == "2026-11-22T15:14:03.124Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_795_360_443.9996, "2026-11-22T15:14:04.000Z"),
        (1_795_360_443.0004, "2026-11-22T15:14:03.000Z"),
        (253_402_300_799.0, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_times_are_utc_in_milliseconds(seconds: float, text: str) -> None:
    assert utc_milliseconds(seconds) == text


def test_a_batch_that_cannot_be_rendered_changes_nothing() -> None:
    rendering = renderer()
    with pytest.raises(TypeError):
        rendering.render([outcome(0, ms=object())], seq=0, prev=PLAN)
    assert rendering.render([outcome(0)], seq=0, prev=PLAN).ts == "2026-11-22T15:14:03.123Z"
