"""Findings as they are told: lines for people, a result for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.report.results.planning import VaultFinding
from glacier_purge.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.guard.findings import Finding


def as_result(finding: Finding) -> VaultFinding:
    """A finding for programs."""
    return VaultFinding(
        weight=finding.weight.value,
        subject=finding.subject,
        what=finding.what,
        why=finding.why,
        advice=finding.advice,
    )


def as_lines(finding: Finding) -> Iterator[str]:
    """A finding for people: what, why it matters, what to do."""
    yield safe(f"{finding.weight.value:<9} {finding.subject}: {finding.what}")
    if finding.why:
        yield safe(f"{'':<9} why: {finding.why}")
    if finding.advice:
        yield safe(f"{'':<9} do:  {finding.advice}")
