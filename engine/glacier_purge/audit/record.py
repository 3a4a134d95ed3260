"""What one line of the audit log says, as values: an outcome of one archive, or an event of the run.

Every line is one JSON object, ASCII only, that begins ``{"seq":…,"ts":…,"event":…,"run":…`` and ends
``"epoch":…,"prev":…}``.  ``seq`` counts lines of the run from 0; ``ts`` is the moment of the commit, the same for all
lines written by one commit and never the same for two commits in a row, which is how a reader knows where a torn
write may have begun; ``epoch`` counts the processes that worked on the run, from 1.  Between them stand the facts: of
an outcome always the same keys in the same order, of any other event its own.  ``Frame.bodies`` writes all of a line
but its ``prev`` (see ``chain``); ``read_line`` reads one back.  Nothing here knows the time, the disk or the logger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from glacier_purge.storage.documents import NO_JSON

OUTCOMES = frozenset({"deleted", "failed", "skipped", "invalid", "duplicate"})
"""Terminal outcomes; every record of the inventory ends with exactly one of them (I1)."""

FRAME_KEYS = frozenset({"seq", "ts", "event", "run", "epoch", "prev"})
"""What every line carries; an event's own facts may not use these names."""

_NOT_REDELETED = b',"redelete":false}'
_OUTCOME_MARK = b'"event":"outcome"'
_HEAD_BYTES = 80
"""The mark of an outcome stands within this many bytes: ``seq`` has at most 20 digits, ``ts`` 24 characters."""


class Outcome(msgspec.Struct, gc=False):
    """The one terminal outcome of one inventory record.

    ``size`` is in bytes; ``attempts`` counts the requests this process sent for it; ``code`` is the service's error
    code, or for ``skipped``, ``invalid`` and ``duplicate`` the reason (``duplicate_of:17``); ``ms`` is the last
    request's latency; ``redelete`` tells that an earlier process may have sent the same delete.
    """

    ordinal: int
    archive_id: str
    size: int
    outcome: str
    attempts: int = 0
    http_status: int | None = None
    code: str | None = None
    request_id: str | None = None
    ms: float | None = None
    redelete: bool = False


class Note(NamedTuple):
    """Any other event of the run: its name and its facts (JSON values)."""

    event: str
    facts: dict[str, Any]


Record = Outcome | Note


class Line(NamedTuple):
    """One line of the log, read back."""

    seq: int
    ts: str
    run: str
    epoch: int
    prev: str
    record: Record


class _OutcomeLine(msgspec.Struct, gc=False):
    seq: int
    ts: str
    event: str
    run: str
    ordinal: int
    archive_id: str
    size: int
    outcome: str
    attempts: int
    http_status: int | None
    code: str | None
    request_id: str | None
    ms: float | None
    epoch: int
    prev: str
    redelete: bool = False


class Frame(NamedTuple):
    """What all lines of one commit have in common."""

    run: str
    epoch: int
    ts: str

    def bodies(self, records: Iterable[Record], seq: int) -> list[bytes]:
        """Write each record as a line without its ``prev``; the first gets number ``seq``."""
        before = b',"ts":"%b","event":"outcome","run":%b,' % (self.ts.encode(), _ascii_json(self.run))
        after = b',"epoch":%d' % self.epoch
        encode = _ENCODER.encode
        bodies: list[bytes] = []
        append = bodies.append
        for record in records:
            if type(record) is Outcome:
                try:
                    facts = encode(record)
                except UnicodeEncodeError:
                    facts = _spelt_out(record)
                if not facts.isascii():
                    facts = _spelt_out(record)
                facts = facts[1:-18] if facts.endswith(_NOT_REDELETED) else facts[1:-1]
                append(b'{"seq":%d%b%b%b' % (seq, before, facts, after))
            else:
                append(self._note_body(record, seq))
            seq += 1
        return bodies

    def _note_body(self, note: Record, seq: int) -> bytes:
        assert isinstance(note, Note)
        head = {"seq": seq, "ts": self.ts, "event": note.event, "run": self.run}
        return _ascii_json(head | note.facts | {"epoch": self.epoch})[:-1]


_ENCODER = msgspec.json.Encoder()
_OUTCOME_DECODER = msgspec.json.Decoder(_OutcomeLine)


def make_note(event: str, facts: dict[str, Any]) -> Note:
    """Make a note whose facts are what reading it back will give.

    Raises ``ValueError`` for facts named like the frame's keys and for the event ``outcome``; ``TypeError`` for
    values JSON does not know.
    """
    if event == "outcome" or not FRAME_KEYS.isdisjoint(facts):
        raise ValueError(f"an event {event!r} with facts {sorted(facts)} would not be told from the frame of a line")
    return Note(event, json.loads(_ascii_json(msgspec.to_builtins(facts))))


def read_line(line: bytes) -> Line:
    """Read one line of the log (with or without its newline). Raises ``ValueError`` for anything else."""
    if line.find(_OUTCOME_MARK, 0, _HEAD_BYTES) >= 0:
        try:
            it = _OUTCOME_DECODER.decode(line)
        except NO_JSON as bad:
            raise ValueError(str(bad)) from bad
        outcome = Outcome(
            it.ordinal,
            it.archive_id,
            it.size,
            it.outcome,
            it.attempts,
            it.http_status,
            it.code,
            it.request_id,
            it.ms,
            it.redelete,
        )
        return Line(it.seq, it.ts, it.run, it.epoch, it.prev, outcome)
    try:
        facts = _decode_note(line.decode())
        frame = {key: facts.pop(key) for key in ("seq", "ts", "event", "run", "epoch", "prev")}
    except (AttributeError, KeyError, TypeError, RecursionError) as missing:
        raise ValueError(f"no line of an audit log: {missing}") from missing
    if [type(value) for value in frame.values()] != [int, str, str, str, int, str]:
        raise ValueError("no line of an audit log: a value of its frame is of the wrong type")
    note = Note(frame["event"], facts)
    return Line(frame["seq"], frame["ts"], frame["run"], frame["epoch"], frame["prev"], note)


def _finite(text: str) -> float:
    """Refuse what JSON does not know, and what no double holds: nothing of ours writes it."""
    number = float(text)
    if not -_LARGEST <= number <= _LARGEST:
        raise ValueError(f"{text[:20]} is no number")
    return number


_decode_note = json.JSONDecoder(parse_float=_finite, parse_constant=_finite).decode


def _spelt_out(outcome: Outcome) -> bytes:
    """What msgspec would write, in ASCII."""
    return _ascii_json(msgspec.to_builtins(outcome))


def _ascii_json(value: Any) -> bytes:
    """JSON in ASCII; of text that is no Unicode the bad parts are spelt out, numbers that are none become null."""
    try:
        return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False).encode()
    except ValueError as odd:
        raise ValueError(f"cannot be written to the audit log: {odd}") from odd


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float) and not -_LARGEST <= value <= _LARGEST:
        return None
    if isinstance(value, dict):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


_LARGEST = 1.7976931348623157e308
"""The largest finite double: what is beyond, or compares with nothing, is no JSON number."""
