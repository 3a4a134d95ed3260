"""The vectors of docs/audit-format.md: small logs, each with the verdict that every verifier has to reach.

``python -m tests.audit.vectors`` writes them again; what a log says is written down here, and the verdicts are by hand.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier_purge.audit.record import Outcome
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import PLAN, Clock, log_bytes, open_journal

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).with_name("vectors")
RECORDS = 5


@dataclass(frozen=True)
class Vector:
    """A log, and the record with which it is damaged; None for a sound one."""

    log: bytes
    record: int | None = None
    anchor: str | None = None
    is_damaged: bool = False


def outcome(ordinal: int, word: str = "deleted", **facts: Any) -> Outcome:
    sent = {"attempts": 1, "http_status": 204, "request_id": f"request-{ordinal}", "ms": 41.25}
    always: dict[str, Any] = {
        "ordinal": ordinal,
        "archive_id": f"-archive_{ordinal}",
        "size": 1000 + ordinal,
        "outcome": word,
    }
    return Outcome(**(always | (sent if word == "deleted" else {}) | facts))


async def _written() -> list[bytes]:
    """Two processes: the first deletes three, the second the rest, one of them perhaps twice; commits of one or two."""
    disk, clock = PretendDisk(), Clock(1_795_360_443.0)
    journal = await open_journal(disk, records=RECORDS, clock=clock)
    journal.note("opened", vault_arn="arn:aws:glacier:us-east-1:123456789012:vaults/photos", by="anna@host")
    journal.note("approved", digest=PLAN, how="typed", by="anna@host")
    await journal.durable()
    journal.note("released", first=0, last=3)
    await journal.durable()
    journal.record([outcome(0), outcome(2, "failed", attempts=3, http_status=400, code="Übel")])
    await journal.durable()
    journal.note("stopped", reason="SIGTERM", drained=True, unknown=[1], attempts=4)
    await journal.aclose()
    journal = await open_journal(disk, records=RECORDS, clock=clock)
    journal.note("weather", sky="an event that this version does not know")
    journal.record([outcome(3, "skipped", code="not_older_than:2026-08-01T00:00:00Z")])
    await journal.durable()
    journal.note("released", first=1, last=4)
    await journal.durable()
    journal.record([outcome(1, redelete=True), outcome(4)])
    await journal.durable()
    journal.note("finished", counts=journal.ledger.counts, attempts=6, active_seconds=1.5)
    await journal.aclose()
    return log_bytes(disk.contents()).splitlines(keepends=True)


WHOLE = asyncio.run(_written())
ANCHOR = f"{len(WHOLE) - 1}:{hashlib.sha256(WHOLE[-1]).hexdigest()}"


def at(event: str, number: int = 0) -> int:
    """The place of the so manieth record of an event."""
    return [place for place, line in enumerate(WHOLE) if b'"event":"%b"' % event.encode() in line][number]


def chained(lines: list[bytes | dict[str, Any]], first: str = PLAN) -> bytes:
    """Lines with their numbers and hashes made anew, as somebody does who wants them to look right."""
    prev, made = first, []
    for seq, line in enumerate(lines):
        said = (json.loads(line) if isinstance(line, bytes) else line) | {"seq": seq, "prev": prev}
        made.append(json.dumps(said, separators=(",", ":")).encode() + b"\n")
        prev = hashlib.sha256(made[-1]).hexdigest()
    return b"".join(made)


def with_facts(place: int, **facts: Any) -> bytes:
    """The log with one record saying something else, chained anew."""
    lines: list[bytes | dict[str, Any]] = list(WHOLE)
    lines[place] = json.loads(WHOLE[place]) | facts
    return chained(lines)


def edited(place: int, edit: Callable[[bytes], bytes]) -> bytes:
    """The log with one line's bytes changed, and nothing made anew."""
    return b"".join([*WHOLE[:place], edit(WHOLE[place]), *WHOLE[place + 1 :]])


def _damaged(log: bytes, record: int, anchor: str | None = None) -> Vector:
    return Vector(log, record, anchor, is_damaged=True)


def _vectors() -> dict[str, Vector]:
    whole, last = b"".join(WHOLE), len(WHOLE) - 1
    deleted, failed, stopped = at("outcome"), at("outcome", 1), at("stopped")
    twin = at("outcome", 3)
    repeated = WHOLE[-1].replace(b'{"seq"', b'{"seq":%d,"seq"' % last)
    return {
        "whole": Vector(whole, anchor=ANCHOR),
        "not-finished": Vector(b"".join(WHOLE[:failed])),
        "nothing-yet": Vector(b""),
        "torn-in-a-line": Vector(whole[:-40]),
        "torn-in-a-commit": Vector(b"".join(WHOLE[: twin + 1]) + WHOLE[twin + 1][:100]),
        "torn-with-zeros": Vector(whole[: -len(WHOLE[-1])] + WHOLE[-1][:50] + bytes(300)),
        "clock-went-back": Vector(with_facts(last, ts="2020-01-01T00:00:00.000Z")),
        "digit-changed": _damaged(edited(deleted, lambda line: line.replace(b"41.25", b"41.26")), deleted),
        "space-added": _damaged(edited(deleted, lambda line: line.replace(b'"size":', b'"size": ')), deleted),
        "line-removed": _damaged(b"".join(WHOLE[:deleted] + WHOLE[deleted + 1 :]), deleted),
        "lines-swapped": _damaged(
            b"".join([*WHOLE[:deleted], WHOLE[failed], WHOLE[deleted], *WHOLE[failed + 1 :]]), deleted
        ),
        "line-repeated": _damaged(b"".join([*WHOLE[: deleted + 1], *WHOLE[deleted:]]), deleted),
        "line-ends-converted": _damaged(whole.replace(b"\n", b"\r\n"), 0),
        "byte-order-mark": _damaged(b"\xef\xbb\xbf" + whole, 0),
        "not-ascii": _damaged(edited(failed, lambda line: line.replace(b"\\u00dc", "Ü".encode())), failed),
        "key-twice": _damaged(b"".join([*WHOLE[:-1], repeated]), last),
        "keys-in-another-order": _damaged(chained([*WHOLE[:-1], dict(reversed(json.loads(WHOLE[-1]).items()))]), last),
        "second-outcome": _damaged(with_facts(twin, ordinal=0), twin),
        "outcome-of-no-record": _damaged(with_facts(twin, ordinal=RECORDS), twin),
        "outcome-of-no-kind": _damaged(with_facts(twin, outcome="lost"), twin),
        "sent-before-released": _damaged(with_facts(at("released"), last=1), failed),
        "epoch-goes-back": _damaged(with_facts(last, epoch=1), last),
        "of-another-run": _damaged(with_facts(last, run="another"), last),
        "of-another-plan": _damaged(chained(list(WHOLE), hashlib.sha256(b"another").hexdigest()), 0),
        "segment-in-the-middle": _damaged(chained([*WHOLE[:stopped], WHOLE[0], *WHOLE[stopped:]]), stopped),
        "ends-with-other-counts": _damaged(with_facts(last, counts={"deleted": 4, "failed": 1}), last),
        "ends-too-early": _damaged(chained([*WHOLE[:twin], WHOLE[last]]), twin),
        "torn-in-two-commits": _damaged(whole[: -len(WHOLE[-1]) - 40] + WHOLE[-1], last - 1),
        "last-line-is-no-json": _damaged(
            edited(last, lambda line: line.replace(b'"attempts":6', b'"attempts":')), last
        ),
        "last-line-has-a-key-twice": _damaged(
            b"".join([*WHOLE[:twin], WHOLE[twin].replace(b'"ms":41.25,', b'"ms":41.25,"ms":41.25,')]), twin
        ),
        "something-behind-the-end": _damaged(whole + b"x\n", last + 1),
        "cut-before-the-anchor": _damaged(b"".join(WHOLE[:twin]), twin, ANCHOR),
        "made-anew-against-the-anchor": _damaged(with_facts(deleted, size=7), last, ANCHOR),
    }


def expected() -> dict[str, Any]:
    """What stands in ``expected.json``."""
    return {
        "plan": PLAN,
        "records": RECORDS,
        "vectors": {name: _expected(vector) for name, vector in VECTORS.items()},
    }


def _expected(vector: Vector) -> dict[str, Any]:
    anchor = {} if vector.anchor is None else {"anchor": vector.anchor}
    if vector.is_damaged:
        return {"verdict": "damaged", "record": vector.record, **anchor}
    lines = [line for line in vector.log.splitlines(keepends=True) if line.endswith(b"}\n")]
    words = [json.loads(line)["outcome"] for line in lines if b'"event":"outcome"' in line]
    return {
        "verdict": "sound",
        "finished": any(b'"event":"finished"' in line for line in lines),
        "lines": len(lines),
        "outcomes": {word: words.count(word) for word in sorted(set(words))},
        "head": hashlib.sha256(lines[-1]).hexdigest() if lines else PLAN,
        **anchor,
    }


VECTORS = _vectors()


def main() -> int:
    """Write them to their folder."""
    FOLDER.mkdir(exist_ok=True)
    for name, vector in VECTORS.items():
        (FOLDER / f"{name}.jsonl").write_bytes(vector.log)
    (FOLDER / "expected.json").write_text(json.dumps(expected(), indent=1) + "\n", "ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
