"""What the fast way believes, and on what grounds."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.archive import ANY_LENGTH, EXACT, IdRule
from glacier_purge.inventory.format.json_batch import BatchReader
from glacier_purge.inventory.ids import all_are_archive_ids
from tests.at_length import examples
from tests.inventory.inventories import Record, descriptions, expected, plain, record, records

if TYPE_CHECKING:
    from glacier_purge.archive import Archive

KEYS = list(record(0))
SPELLED_OTHERWISE = [key.replace("i", "\\u0069") for key in KEYS]
HARMLESS_VALUES = ['""', "0", "null", "[]", "{}", '"' + "x" * 138 + '"', "-1", '"\\u0041"', '"::"']


def batch(json_list: str) -> list[Archive] | None:
    return BatchReader(EXACT).read(json_list.encode(), first_ordinal=0)


def written(members: list[tuple[str, str]], comma: str = ",", colon: str = ":") -> str:
    return "{" + comma.join(f'"{key}"{colon}{value}' for key, value in members) + "}"


def members_of(one: Record) -> list[tuple[str, str]]:
    return [(key, json.dumps(value, ensure_ascii=False)) for key, value in one.items()]


def whole(text: str) -> str:
    """The text without halves of surrogate pairs, which the fast way leaves to the exact one."""
    return text.encode("utf-8", "replace").decode()


whole_records = records.map(lambda one: {**one, "ArchiveDescription": whole(one["ArchiveDescription"])})


@given(inventory=st.lists(whole_records, min_size=1, max_size=4), data=st.data())
@settings(max_examples=examples(300), deadline=None)
def test_no_batch_is_believed_that_holds_anything_but_the_five_keys(
    inventory: list[Record], data: st.DataObject
) -> None:
    """Wherever a member more stands, the same key again or another, whatever the values beside it are."""
    objects = [data.draw(st.permutations(members_of(one))) for one in inventory]
    key = data.draw(st.sampled_from([*KEYS, *SPELLED_OTHERWISE, "ordinal", "", "Tier"]))
    wrong = data.draw(st.sampled_from(objects))
    wrong.insert(data.draw(st.integers(0, len(wrong))), (key, data.draw(st.sampled_from(HARMLESS_VALUES))))
    layout = data.draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", ":")]))
    assert batch("[" + ",".join(written(one, *layout) for one in objects) + "]") is None


@given(inventory=st.lists(whole_records, min_size=1, max_size=4), data=st.data())
@settings(max_examples=examples(100), deadline=None)
def test_compact_records_are_believed_in_any_order_of_their_keys(inventory: list[Record], data: st.DataObject) -> None:
    objects = [written(data.draw(st.permutations(members_of(one)))) for one in inventory]
    archives = batch("[" + ",".join(objects) + "]")
    assert archives is not None
    assert [plain(archive) for archive in archives] == [expected(one) for one in inventory]


def test_no_value_could_be_written_in_fewer_bytes() -> None:
    """On this the proof by lengths rests: RFC 8259 wants these escaped and nothing else, and has no shorter escapes."""
    short = {*'"\\\b\f\n\r\t'}
    texts = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    lengths = [2 if one in short else 6 if one < " " else len(one.encode()) for one in texts]
    assert [len(orjson.dumps(one)) - len('""') for one in texts] == lengths
    assert orjson.dumps([0, 10, 2**63 - 1]) == b"[0,10,9223372036854775807]"


@pytest.mark.parametrize("id_rule", [EXACT, ANY_LENGTH])
@given(ids=st.lists(st.one_of(st.just("x" * 138), st.just("-_aZ09"), descriptions.map(whole)), min_size=1, max_size=4))
@settings(max_examples=examples(200), deadline=None)
def test_ids_together_are_judged_as_each_alone(id_rule: IdRule, ids: list[str]) -> None:
    alone = all(id_rule.holds(one) for one in ids)
    assert all_are_archive_ids(orjson.dumps(ids), id_rule) == alone


@pytest.mark.parametrize("bad", ['"', '","', '!"', "x" * 137 + '"', "x" * 138 + '","' + "x" * 138, "x" * 1025, "", ","])
@pytest.mark.parametrize("id_rule", [EXACT, ANY_LENGTH])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_id_passes_for_two(bad: str, id_rule: IdRule, place: int) -> None:
    ids = ["x" * 138] * 2
    ids.insert(place, bad)
    assert not all_are_archive_ids(orjson.dumps(ids), id_rule)
