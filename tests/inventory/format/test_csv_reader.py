from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.archive import ANY_LENGTH
from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.format.csv_reader import CsvReader
from tests.at_length import examples
from tests.inventory.inventories import (
    CSV_HEADER,
    HOSTILE_DESCRIPTIONS,
    Record,
    as_csv,
    expected,
    plain,
    read,
    record,
    records,
)

NO_LINE_ENDS = [text for text in HOSTILE_DESCRIPTIONS if not set(text) & set("\n\r") and text.isprintable()]
HOSTILE = [
    record(n, ArchiveDescription=text)
    for n, text in enumerate([*NO_LINE_ENDS, 'ends in a backslash, "\\', "\\", '1\\"2', '"', '""', '","', "'", "x\\,"])
]
LINE = as_csv([record(7)]).splitlines()[1]


def with_line(line: bytes) -> bytes:
    """A sound line, the given one, and another sound one, without which a swallowed line would not show."""
    return as_csv([record(1)]) + line + b"\n" + as_csv([record(2)]).removeprefix(CSV_HEADER)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_descriptions_come_out_as_they_went_in(newline: str) -> None:
    result = read(CsvReader(), as_csv(HOSTILE, newline))
    assert [plain(archive) for archive in result.archives] == [expected(one) for one in HOSTILE]
    assert not result.defects


def test_the_guides_own_example() -> None:
    """ "1\\"2" is written as "1\\\\"2" in quotes: only the quote is escaped, never the backslash."""
    line = LINE.replace(b"photo 7.jpg", b'"1\\\\"2"')
    assert read(CsvReader(), with_line(line)).archives[1].description == '1\\"2'


def test_a_description_that_ends_in_a_backslash_swallows_no_line() -> None:
    line = LINE.replace(b"photo 7.jpg", b'"a,b\\"')
    result = read(CsvReader(), with_line(line))
    assert [archive.description for archive in result.archives] == ["photo 1.jpg", "a,b\\", "photo 2.jpg"]


@given(
    inventory=st.lists(records.filter(lambda one: not set(one["ArchiveDescription"]) & set("\n\r")), max_size=8),
    data=st.data(),
)
@settings(max_examples=examples(150), deadline=None)
def test_any_chunking_gives_the_same_lines(inventory: list[Record], data: st.DataObject) -> None:
    for one in inventory:
        one["ArchiveDescription"] = one["ArchiveDescription"].encode("utf-8", "replace").decode()
    document = as_csv(inventory, data.draw(st.sampled_from(["\n", "\r\n"])))
    cuts = data.draw(st.lists(st.integers(0, len(document)), max_size=10))
    result = read(CsvReader(), document, cuts)
    assert [plain(archive) for archive in result.archives] == [expected(one) for one in inventory]


def test_a_cut_at_every_byte_changes_nothing() -> None:
    document = as_csv(HOSTILE)
    whole = read(CsvReader(), document)
    for cut in range(len(document)):
        assert read(CsvReader(), document, [cut]) == whole
    assert read(CsvReader(), document, range(len(document))) == whole


@pytest.mark.parametrize(
    "header",
    [
        CSV_HEADER,
        CSV_HEADER.replace(b"\n", b"\r\n"),
        b'"ArchiveId","ArchiveDescription","CreationDate","Size","SHA256TreeHash"\n',
    ],
)
def test_the_header_may_be_quoted(header: bytes) -> None:
    assert len(read(CsvReader(), header + LINE + b"\n").archives) == 1
    assert read(CsvReader(), header.rstrip()).archives == []


@pytest.mark.parametrize(
    "header",
    [
        b"\xef\xbb\xbf" + CSV_HEADER,
        CSV_HEADER.lower(),
        CSV_HEADER.replace(b",Size", b""),
        CSV_HEADER.replace(b",Size", b",Size,More"),
        CSV_HEADER.replace(b",", b";"),
        b"\n" + CSV_HEADER,
        LINE + b"\n",
        b"\xff\xfe\n",
    ],
)
def test_any_other_header_is_refused(header: bytes) -> None:
    with pytest.raises(InventoryDamaged, match="not the header") as caught:
        read(CsvReader(), header + LINE + b"\n")
    assert caught.value.offset_bytes == 0


def test_all_columns_may_be_quoted() -> None:
    line = b",".join(b'"' + column + b'"' for column in LINE.split(b","))
    assert plain(read(CsvReader(), with_line(line)).archives[1]) == expected(record(7))


@pytest.mark.parametrize(
    ("raw", "kept"), [(b"caf\xe9", "caf\\xe9"), (b'"\xff,\\""', '\\xff,"'), ("é".encode(), "é"), (b"", "")]
)
def test_a_description_never_stops_a_purge(raw: bytes, kept: str) -> None:
    result = read(CsvReader(), with_line(LINE.replace(b"photo 7.jpg", raw)))
    assert [archive.description for archive in result.archives] == ["photo 1.jpg", kept, "photo 2.jpg"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        *[(LINE.split(b",")[0], bad, "ArchiveId is not") for bad in (b"..", b"", b"a/b", b"x" * 137, b'"', b"a\0b")],
        *[
            (b",7000,", b"," + bad + b",", "Size is not")
            for bad in (
                b"",
                b"-1",
                b"1.0",
                b"NaN",
                b"1e3",
                b" 1",
                b"1_0",
                b"+1",
                b"007",
                b"-0",
                b"0x1",
                b"9" * 19,
                b"7" * 5000,
            )
        ],
        (b",7000,", ",٣,".encode(), "Size is not"),
        (b",7000,", b",", "fewer than 5"),
        (LINE, b"", "fewer than 5"),
        (LINE, b"just text", "fewer than 5"),
        (LINE, b",,,", "fewer than 5"),
        (b"2017-", b"\xff2017-", "UTF-8"),
    ],
)
def test_a_bad_line_is_a_defect_and_its_neighbours_are_kept(old: bytes, new: bytes, reason: str) -> None:
    result = read(CsvReader(), with_line(LINE.replace(old, new)))
    assert [archive.description for archive in result.archives] == ["photo 1.jpg", "photo 2.jpg"]
    assert [(defect.ordinal, defect.offset_bytes) for defect in result.defects] == [(1, len(as_csv([record(1)])))]
    assert reason in result.defects[0].reason


@pytest.mark.parametrize("size", [b"", b"[]", b" ", b"7]", b"7\t", b'"7', b"1" + b"0" * 18 + b"0"])
def test_a_bad_size_is_a_defect_also_where_no_other_line_is_beside_it(size: bytes) -> None:
    result = read(CsvReader(), CSV_HEADER + LINE.replace(b",7000,", b"," + size + b",") + b"\n")
    assert result.archives == []
    assert [defect.ordinal for defect in result.defects] == [0]


@pytest.mark.at_length(one_in=5)
@pytest.mark.parametrize("cut", range(1, len(LINE)))
def test_a_torn_last_line_is_damage(cut: int) -> None:
    data = as_csv([record(1)]) + LINE[:cut]
    with pytest.raises(InventoryDamaged, match="truncated") as caught:
        read(CsvReader(), data)
    assert caught.value.offset_bytes == len(data)


def test_a_whole_last_line_needs_no_newline() -> None:
    assert len(read(CsvReader(), as_csv([record(1)]) + LINE).archives) == 2
    assert len(read(CsvReader(), as_csv([record(1)]) + LINE + b"\r").archives) == 2


def test_empty_input_is_damage() -> None:
    with pytest.raises(InventoryDamaged, match="empty"):
        read(CsvReader(), b"")


@pytest.mark.parametrize("step", [1000, 65_536, 1 << 20])
@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_line_beyond_the_limit_is_damage_at_its_first_byte(step: int, ending: bytes) -> None:
    begin = as_csv([record(1)])
    data = begin + LINE.replace(b"photo 7.jpg", b"x" * 200_000) + ending
    with pytest.raises(InventoryDamaged, match="a line of more than 65,536 bytes") as caught:
        read(CsvReader(), data, range(step, len(data), step))
    assert caught.value.offset_bytes == len(begin)


def test_a_long_description_below_the_limit_is_kept() -> None:
    line = LINE.replace(b"photo 7.jpg", b"x" * 60_000)
    assert len(read(CsvReader(), with_line(line)).archives[1].description) == 60_000


def test_ids_of_other_lengths_are_let_in_only_on_request() -> None:
    document = as_csv([record(n, ArchiveId=f"{n:032x}") for n in range(3)])
    assert len(read(CsvReader(), document).defects) == 3
    assert len(read(CsvReader(ANY_LENGTH), document).archives) == 3
