"""The simulator beside moto's server: the same where moto is right, different where it is known not to be."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from tests.conformance.moto_differences import DIFFERENCES
from tests.conformance.witnesses import hear, needs_witness


def explains(row: tuple[str, str, str], case: str, what: str) -> bool:
    escaped = row[1].replace("[", "[[]")
    return fnmatchcase(case, row[0]) and fnmatchcase(what, escaped)


@pytest.mark.witness
@needs_witness
def test_every_difference_from_moto_has_its_reason_and_every_reason_its_difference() -> None:
    testimony = hear("beside_moto", archives=0)
    found = [(case, what) for case, what in testimony["differences"]]
    assert [pair for pair in found if not any(explains(row, *pair) for row in DIFFERENCES)] == []
    assert [row for row in DIFFERENCES if not any(explains(row, *pair) for pair in found)] == []
    assert {"CreateVault", "inventory", "DeleteArchive", "GetJobOutput archive"} <= set(testimony["compared"])
