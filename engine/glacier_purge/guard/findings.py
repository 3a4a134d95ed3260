"""A finding: one thing looked at before a purge, said so that a person can act on it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Weight(Enum):
    """What a finding means for the purge."""

    FINE = "fine"
    NOTE = "note"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: what was found, why it matters, what to do about it."""

    weight: Weight
    subject: str
    what: str
    why: str = ""
    advice: str = ""
