from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.audit import chain
from glacier_purge.audit.record import FRAME_KEYS, OUTCOMES, Frame, Note, Outcome, make_note, read_line
from tests.audit.logs import PLAN, RUN, outcome

FRAME = Frame(RUN, 3, "2026-11-22T15:14:03.123Z")
KEYS = [
    *("seq", "ts", "event", "run", "ordinal", "archive_id", "size", "outcome"),
    *("attempts", "http_status", "code", "request_id", "ms", "epoch", "prev"),
]


texts = st.text(st.characters(), max_size=30)  # also lone surrogates and control characters
outcomes = st.builds(
    Outcome,
    ordinal=st.integers(0, 10**9),
    archive_id=texts,
    size=st.integers(0, 2**63 - 1),
    outcome=st.sampled_from(sorted(OUTCOMES)),
    attempts=st.integers(0, 10**6),
    http_status=st.none() | st.integers(100, 599),
    code=st.none() | texts,
    request_id=st.none() | texts,
    ms=st.none() | st.floats(0, 1e9),
    redelete=st.booleans(),
)


def line_of(record: Outcome | Note) -> bytes:
    lines, _ = chain.link(FRAME.bodies([record], 17), PLAN)
    return lines[0]


def visible(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def test_an_outcome_line_has_its_keys_in_their_order() -> None:
    said = json.loads(line_of(outcome(5)))
    assert list(said) == KEYS
    assert said["event"] == "outcome"
    assert said["prev"] == PLAN


def test_a_redelete_is_said_before_the_epoch_and_only_when_it_is_one() -> None:
    said = json.loads(line_of(outcome(5, redelete=True)))
    assert list(said) == [*KEYS[:13], "redelete", *KEYS[13:]]
    assert said["redelete"] is True


@settings(deadline=None)
@given(outcomes)
def test_every_outcome_is_one_ascii_line_and_comes_back(record: Outcome) -> None:
    line = line_of(record)
    assert line.isascii()
    assert line.count(b"\n") == 1
    back = read_line(line)
    assert (back.seq, back.ts, back.run, back.epoch, back.prev) == (17, FRAME.ts, RUN, 3, PLAN)
    assert isinstance(back.record, Outcome)
    assert back.record.archive_id == visible(record.archive_id)
    assert back.record.code == visible(record.code)
    assert back.record.request_id == visible(record.request_id)
    for field in ("ordinal", "size", "outcome", "attempts", "http_status", "ms", "redelete"):
        assert getattr(back.record, field) == getattr(record, field)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
facts = st.dictionaries(texts.filter(lambda name: name not in FRAME_KEYS), json_values, max_size=4)


@settings(deadline=None)
@given(facts)
def test_a_note_says_what_reading_it_back_will_say(given_facts: dict[str, object]) -> None:
    """Live state and replayed state are computed from the same values, whatever the caller passed."""
    note = make_note("telemetry", given_facts)
    line = line_of(note)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert read_line(line).record == note


@pytest.mark.parametrize("key", sorted(FRAME_KEYS))
def test_a_note_cannot_overwrite_the_frame(key: str) -> None:
    with pytest.raises(ValueError, match="frame"):
        make_note("telemetry", {key: 1})


def test_a_note_cannot_pass_for_an_outcome() -> None:
    with pytest.raises(ValueError, match="frame"):
        make_note("outcome", {"ordinal": 3})


@pytest.mark.parametrize("code", ["\ud800", "Größe"])
def test_text_that_is_no_ascii_is_spelt_out(code: str) -> None:
    line = line_of(outcome(1, code=code))
    assert line.isascii()
    back = read_line(line).record
    assert isinstance(back, Outcome)
    assert back.code == code.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize("number", [b"1e400", b"NaN", b"-Infinity"])
def test_a_number_that_no_double_holds_is_no_line(number: bytes) -> None:
    line = line_of(make_note("telemetry", {"rate": 1.5}))
    assert read_line(line)
    with pytest.raises(ValueError, match="is no number"):
        read_line(line.replace(b"1.5", number))


def test_a_number_too_long_for_json_is_refused_before_it_is_written() -> None:
    with pytest.raises(ValueError, match="cannot be written to the audit log"):
        line_of(make_note("telemetry", {"rate": 10**5_000}))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_json_number_becomes_null(number: float) -> None:
    assert make_note("telemetry", {"rate": number}).facts == {"rate": None}
    back = read_line(line_of(outcome(1, ms=number))).record
    assert isinstance(back, Outcome)
    assert back.ms is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b"\xff\xfe\n",
        b'{"seq":0,"ts":"x","event":"outcome"}\n',
        b'{"seq":"0","ts":"x","event":"opened","run":"r","epoch":1,"prev":"p"}\n',
        b'{"seq":0,"ts":"x","event":"opened","run":"r","epoch":1}\n',
        bytes(600),
    ],
)
def test_what_is_no_line_of_a_log_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_line(line)
