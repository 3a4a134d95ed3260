"""What one line of the audit log says, as values: an outcome of one archive, or an event of the run.

Every line is one JSON object, ASCII only, that begins ``{"seq":…,"ts":…,"event":…,"run":…`` and ends
``"epoch":…,"prev":…}``.  ``seq`` counts lines of the run from 0; ``ts`` is the moment of the commit, the same for all
lines written by one commit and never the same for two commits in a row, which is how a reader knows where a torn
write may have begun; ``epoch`` counts the processes that worked on the run, from 1.  Nothing here knows the time,
the disk or the logger.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

OUTCOMES = ("deleted", "failed", "skipped", "invalid", "duplicate")
"""Terminal outcomes; every record of the inventory ends with exactly one of them (I1)."""

SENT_OUTCOMES = frozenset({"deleted", "failed"})
"""Outcomes that only an archive which was sent can have; the others never left the plan."""

TORN_TAIL_EVENT = "recovered"
SEGMENT_EVENT = "segment"


class Outcome(msgspec.Struct, gc=False):
    """The one terminal outcome of one inventory record.

    ``attempts`` counts requests sent for it by this process; ``code`` is the service's error code, or for
    ``skipped``, ``invalid`` and ``duplicate`` the reason (``duplicate_of:17``); ``ms`` is the last request's
    latency; ``redelete`` tells that an earlier process may have sent the same delete.
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
