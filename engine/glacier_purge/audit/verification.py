"""Signatures first; the body follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """What the plan says, as values: ``selected`` is a bitmap (bit ``ordinal & 7`` of byte ``ordinal >> 3``)."""

    digest: str
    records: int
    selected: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong: ``kind`` (a short word), where, and what it means."""

    kind: str
    file: str
    offset_bytes: int
    record: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The verdict: ``exit_code`` 0 or 4; ``finished`` False means the run is not over, which is no damage."""

    faults: tuple[Fault, ...]
    notices: tuple[str, ...]
    records: int
    counts: dict[str, int]
    finished: bool
    anchor: str | None
    exit_code: int


def verify(folder: Path, *, plan: PlanFacts | None = None, anchor: str | None = None) -> Verification:
    """Check a run folder's audit log."""
    raise NotImplementedError
