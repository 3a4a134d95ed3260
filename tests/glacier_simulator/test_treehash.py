from __future__ import annotations

import hashlib
from io import BytesIO

import pytest
from botocore.utils import calculate_tree_hash

from glacier_simulator.treehash import MEBIBYTE, combine, range_hash, tree_hash

BODY = b"".join(bytes([number]) * MEBIBYTE for number in range(6)) + b"the end"


@pytest.mark.parametrize("length", [1, 5, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE, 5 * MEBIBYTE, len(BODY)])
def test_it_is_botocores_tree_hash(length: int) -> None:
    assert tree_hash(BODY[:length]) == calculate_tree_hash(BytesIO(BODY[:length]))


def nodes(first: int, count: int) -> dict[tuple[int, int], bytes]:
    """Every node of the tree over leaves, by (first leaf, leaf after the last), built from the top down."""
    if count == 1:
        return {(first, first + 1): hashlib.sha256(BODY[first * MEBIBYTE : (first + 1) * MEBIBYTE]).digest()}
    left = 1 << (count - 1).bit_length() - 1
    found = nodes(first, left) | nodes(first + left, count - left)
    pair = found[first, first + left] + found[first + left, first + count]
    return found | {(first, first + count): hashlib.sha256(pair).digest()}


NODES = nodes(0, 7)


@pytest.mark.parametrize(("first", "after"), [(first, after) for after in range(1, 8) for first in range(after)])
def test_a_range_has_a_hash_where_it_is_a_node(first: int, after: int) -> None:
    node = NODES.get((first, after))
    start, stop = first * MEBIBYTE, min(after * MEBIBYTE, len(BODY))
    assert range_hash(BODY, start, stop) == (node.hex() if node else None)


def test_a_range_off_the_leaves_has_none() -> None:
    assert range_hash(BODY, 5, 10) is None
    assert range_hash(BODY, 0, 10) is None
    assert combine([b"x" * 32]) == b"x" * 32
