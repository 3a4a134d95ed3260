from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.archive import ANY_LENGTH
from glacier_purge.inventory.format.json_reader import JsonReader
from tests.at_length import examples
from tests.inventory.inventories import (
    HEADER,
    HOSTILE_DESCRIPTIONS,
    VAULT_ARN,
    Record,
    as_glacier_json,
    expected,
    plain,
    read,
    record,
    records,
)

HOSTILE = [record(n, ArchiveDescription=text) for n, text in enumerate(HOSTILE_DESCRIPTIONS)]


def laid_out_otherwise(inventory: list[Record]) -> dict[str, bytes]:
    """The same inventory in layouts that Glacier does not use."""
    turned = [dict(reversed(one.items())) for one in inventory]
    return {
        "spaced": json.dumps({**HEADER, "ArchiveList": inventory}).encode(),
        "indented": json.dumps({**HEADER, "ArchiveList": inventory}, indent=2).encode(),
        "keys turned round": json.dumps({**HEADER, "ArchiveList": turned}, separators=(",", ":")).encode(),
        "header behind": json.dumps({"ArchiveList": inventory, **HEADER}, separators=(",", ":")).encode(),
        "header around": json.dumps(
            {"InventoryDate": HEADER["InventoryDate"], "ArchiveList": inventory, "VaultARN": VAULT_ARN},
            separators=(",", ":"),
        ).encode(),
        "white space around": b"\r\n\t " + as_glacier_json(inventory) + b" \r\n",
        "more keys": json.dumps(
            {"New": {"a": [{}]}, **HEADER, "ArchiveList": [{**one, "Tier": {"a": ["}"]}} for one in inventory]}
        ).encode(),
    }


def test_glaciers_own_layout_is_read_fast() -> None:
    reader = JsonReader()
    result = read(reader, as_glacier_json([record(n) for n in range(1000)]))
    assert [plain(archive) for archive in result.archives] == [expected(record(n)) for n in range(1000)]
    assert reader.mode == "fast"
    assert (reader.vault_arn, reader.inventory_date) == (VAULT_ARN, HEADER["InventoryDate"])


@pytest.mark.parametrize("layout", laid_out_otherwise([]))
@pytest.mark.parametrize("count", [0, 1, 40])
def test_other_layouts_give_the_same_archives(layout: str, count: int) -> None:
    inventory = (HOSTILE * 3)[:count]
    reader = JsonReader()
    result = read(reader, laid_out_otherwise(inventory)[layout])
    assert [plain(archive) for archive in result.archives] == [expected(one) for one in inventory]
    assert not result.defects
    assert (reader.vault_arn, reader.inventory_date) == (VAULT_ARN, HEADER["InventoryDate"])


def test_a_document_in_another_layout_says_that_it_is_read_by_ijson() -> None:
    reader = JsonReader()
    read(reader, laid_out_otherwise(HOSTILE)["more keys"])
    assert reader.mode == "ijson (yajl2_c)"


@pytest.mark.parametrize("layout", ["spaced", "indented", "keys turned round"])
@pytest.mark.parametrize("chunk_bytes", [100, 57_344, 250_000])
def test_white_space_and_keys_as_other_tools_put_them_are_read_fast(layout: str, chunk_bytes: int) -> None:
    inventory = [record(n) for n in range(1000)]
    inventory[500]["Size"] = -1
    document = laid_out_otherwise(inventory)[layout]
    reader = JsonReader()
    result = read(reader, document, range(chunk_bytes, len(document), chunk_bytes))
    del inventory[500]
    assert [plain(archive) for archive in result.archives] == [expected(one) for one in inventory]
    assert [defect.ordinal for defect in result.defects] == [500]
    assert (reader.mode, reader.vault_arn, reader.inventory_date) == ("fast", VAULT_ARN, HEADER["InventoryDate"])


@given(inventory=st.lists(records, max_size=8), data=st.data())
@settings(max_examples=examples(150), deadline=None)
def test_any_chunking_gives_what_the_standard_library_reads(inventory: list[Record], data: st.DataObject) -> None:
    document = as_glacier_json(inventory)
    cuts = data.draw(st.lists(st.integers(0, len(document)), max_size=10))
    result = read(JsonReader(), document, cuts)
    assert [plain(archive) for archive in result.archives] == [expected(one) for one in inventory]
    assert not result.defects


@given(inventory=st.lists(records, min_size=10, max_size=30), data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_any_chunking_in_any_layout_gives_the_same(inventory: list[Record], data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(list(laid_out_otherwise(inventory).values())))
    cuts = data.draw(st.lists(st.integers(0, len(document)), max_size=20))
    result = read(JsonReader(), document, cuts)
    assert [plain(archive) for archive in result.archives] == [expected(one) for one in inventory]


@pytest.mark.parametrize("layout", ["glacier", "spaced"])
def test_a_cut_at_every_byte_changes_nothing(layout: str) -> None:
    """Of the header, and of each record with what stands around it; its neighbours are plain, and all there is."""
    before, behind = record(1000), record(1001)
    for number, hostile in enumerate(HOSTILE):
        inventory = [before, hostile, behind]
        document = {"glacier": as_glacier_json(inventory), **laid_out_otherwise(inventory)}[layout]
        whole = read(JsonReader(), document)
        assert len(whole.archives) == len(inventory)
        begin = document.index(before["SHA256TreeHash"].encode()) if number else 0
        end = document.index(behind["ArchiveId"].encode())
        for cut in range(begin, end, 3 if layout == "spaced" else 1):
            assert read(JsonReader(), document, [cut]) == whole
        assert read(JsonReader(), document, range(len(document))) == whole


def test_raw_utf_8_and_escapes_are_the_same_text() -> None:
    one = [record(1, ArchiveDescription="naïve 🎞")]
    escaped, raw = as_glacier_json(one), as_glacier_json(one, ensure_ascii=False)
    assert escaped != raw
    assert read(JsonReader(), escaped) == read(JsonReader(), raw)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b'"caf\xe9"', "caf\\xe9"),
        (b'"\xff\xfe"', "\\xff\\xfe"),
        (b'"\xed\xa0\x80"', "\\xed\\xa0\\x80"),
        (b'"a \\" \xff \\\\"', 'a " \\xff \\'),
        (b'"\\ud800"', "\\ud800"),
        (b'"\\udc80 \x80"', "\\udc80 \\x80"),
        (b'"\\ud83c\\udf9e"', "🎞"),
        (b'"\\/\\b\\f\\n\\r\\t"', "/\b\f\n\r\t"),
        (b"null", ""),
        (b"17", "17"),
        (b'{"a":[1]}', '{"a":[1]}'),
    ],
)
def test_a_description_never_stops_a_purge(raw: bytes, kept: str) -> None:
    document = as_glacier_json([record(1), record(2, ArchiveDescription="HERE"), record(3)])
    result = read(JsonReader(), document.replace(b'"HERE"', raw))
    assert [archive.description for archive in result.archives] == ["photo 1.jpg", kept, "photo 3.jpg"]
    kept.encode("utf-8")


def test_a_description_may_be_missing() -> None:
    one = record(1)
    del one["ArchiveDescription"]
    assert [archive.description for archive in read(JsonReader(), as_glacier_json([one])).archives] == [""]


def test_ids_of_other_lengths_are_let_in_only_on_request() -> None:
    document = as_glacier_json([record(n, ArchiveId=f"{n:032x}") for n in range(1, 4)])
    assert len(read(JsonReader(), document).defects) == 3
    assert len(read(JsonReader(ANY_LENGTH), document).archives) == 3


@pytest.mark.parametrize("bad", ["..", "a/b", "", "é", "a,b", "x" * 1025])
def test_ids_of_any_length_still_have_their_alphabet(bad: str) -> None:
    document = as_glacier_json([record(1), record(2, ArchiveId=bad), record(3)])
    assert [defect.ordinal for defect in read(JsonReader(ANY_LENGTH), document).defects] == [1]


@pytest.mark.parametrize("given", [b"-1", b"0", b"7", b"9" * 30, b"null", b'"x"', b"-1.0"])
@pytest.mark.parametrize("key", [b"ordinal", b"ordina\\u006c"])
@pytest.mark.parametrize("description", [b"", b"\\u003a:"])
def test_an_inventory_cannot_number_its_own_records(given: bytes, key: bytes, description: bytes) -> None:
    """Archives are decoded with the ordinal among their fields; only the reader's own count may fill it."""
    document = as_glacier_json([record(n) for n in range(5)])
    document = document.replace(b"photo 0.jpg", description).replace(b"},{", b',"%b":%b},{' % (key, given), 1)
    result = read(JsonReader(), document)
    assert [archive.ordinal for archive in result.archives] == list(range(5))
    assert result.defects == []


@pytest.mark.parametrize("chunk_bytes", [100, 57_344, 65_536, 65_537, 250_000])
def test_records_that_straddle_windows_are_read_whole_whatever_the_chunk(chunk_bytes: int) -> None:
    inventory = [record(n, ArchiveDescription="x" * (n * 97 % 3000)) for n in range(300)]
    inventory[150]["Size"] = -1
    document = as_glacier_json(inventory)
    result = read(JsonReader(), document, range(chunk_bytes, len(document), chunk_bytes))
    assert [plain(archive) for archive in result.archives] == [
        expected(one) for n, one in enumerate(inventory) if n != 150
    ]
    bad = [(defect.ordinal, document[defect.offset_bytes :][: len(defect.text)]) for defect in result.defects]
    assert bad == [(150, result.defects[0].text.encode())]


def test_a_bad_record_costs_its_neighbours_nothing() -> None:
    inventory = [record(n, **({"Size": -1} if n % 100 == 50 else {})) for n in range(2000)]
    document = as_glacier_json(inventory)
    reader = JsonReader()
    result = read(reader, document, range(0, len(document), 100_000))
    assert reader.mode == "fast"
    assert [defect.ordinal for defect in result.defects] == list(range(50, 2000, 100))
    for defect in result.defects:
        begin = document.index(inventory[defect.ordinal]["ArchiveId"].encode()) - len('{"ArchiveId":"')
        assert defect.offset_bytes == begin
        assert defect.text.startswith('{"ArchiveId":"')
        assert len(defect.text) <= 120
    assert len(result.archives) == 1980


def test_what_looks_like_the_next_record_inside_of_one_is_not_taken_for_it() -> None:
    nested = [{"A": 1}, {"A": 2}, {"ArchiveId": "x"}]
    inventory = [record(n, Parts=nested) if n % 7 == 3 else record(n) for n in range(50)]
    document = as_glacier_json(inventory)
    whole = read(JsonReader(), document)
    assert [plain(archive) for archive in whole.archives] == [expected(one) for one in inventory]
    assert read(JsonReader(), document, range(0, len(document), 37)) == whole


def test_a_header_behind_a_list_of_thousands_is_found() -> None:
    inventory = [record(n) for n in range(3000)]
    document = json.dumps({"ArchiveList": inventory, **HEADER}, separators=(",", ":")).encode()
    reader = JsonReader()
    assert len(read(reader, document, [400_000]).archives) == 3000
    assert reader.mode == "fast"
    assert reader.vault_arn == VAULT_ARN


def test_escaped_slashes_are_believed_without_reading_each_record_alone() -> None:
    """Some writers escape ``/``; the batch is longer than it need be, but its colons add up."""
    inventory = [record(n, ArchiveDescription="a/b:c") for n in range(500)]
    document = as_glacier_json(inventory).replace(b"a/b", b"a\\/b")
    assert [plain(archive) for archive in read(JsonReader(), document).archives] == [expected(o) for o in inventory]


@pytest.mark.parametrize("text", ["}", "}\\", '}"', "{}"])
def test_braces_in_descriptions_cost_no_more_than_other_characters(text: str) -> None:
    """yajl was shown a record up to each of them, and read a string from its beginning each time: 40 s a megabyte."""
    inventory = [record(n, ArchiveDescription=text * (30_000 // len(text))) for n in range(4)]
    document = b'{"x":1,"ArchiveList":' + json.dumps(inventory).encode() + b"}"
    began = time.process_time()
    assert len(read(JsonReader(), document, range(0, len(document), 5_000)).archives) == 4
    assert time.process_time() - began < 0.5
