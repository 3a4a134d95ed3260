from __future__ import annotations

import hashlib

import pytest

from glacier_purge.audit import chain
from tests.audit.logs import PLAN


def test_each_line_carries_the_hash_of_the_whole_line_before() -> None:
    lines, last = chain.link([b'{"a":1', b'{"b":2', b'{"c":3'], PLAN)
    assert lines[0] == b'{"a":1,"prev":"' + PLAN.encode() + b'"}\n'
    assert lines[1] == b'{"b":2,"prev":"' + hashlib.sha256(lines[0]).hexdigest().encode() + b'"}\n'
    assert last == chain.digest(lines[2])


def test_linking_in_parts_gives_the_same_chain() -> None:
    bodies = [b'{"n":%d' % number for number in range(7)]
    whole, last = chain.link(bodies, PLAN)
    first, between = chain.link(bodies[:3], PLAN)
    second, end = chain.link(bodies[3:], between)
    assert (first + second, end) == (whole, last)


@pytest.mark.parametrize(
    ("text", "is_one"), [(PLAN, True), (PLAN.upper(), False), (PLAN[:-1], False), (PLAN + "\n", False), ("", False)]
)
def test_a_digest_is_64_lower_case_hex_digits(text: str, is_one: bool) -> None:
    assert chain.is_digest(text) is is_one
