"""Malformed inventories by the hundred: each is answered with a ``Defect`` or ``InventoryDamaged`` at the right byte.

A case is one fault, put into the first, a middle and the last record of an inventory, in Glacier's own layout and in a
spaced one.  ``@`` marks the byte that a damaged document must be reported at; it is not part of the input.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.format.json_reader import JsonReader
from tests.inventory.inventories import HEADER, Reader, Record, as_glacier_json, read, record

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "HERE"
COUNT = 5


class Case(NamedTuple):
    family: str
    name: str
    data: bytes
    ordinal: int | None
    """The bad record; None when the document is damaged."""
    offset_bytes: int
    reason: str


def spaced(inventory: list[Record]) -> bytes:
    return json.dumps({**HEADER, "ArchiveList": inventory}).encode()


LAYOUTS: dict[str, Callable[[list[Record]], bytes]] = {"glacier": as_glacier_json, "spaced": spaced}
PLACES = (0, 2, COUNT - 1)


def with_value(key: str, raw: bytes, place: int, layout: str) -> bytes:
    """An inventory in which one record's value of ``key`` is written as ``raw``."""
    inventory = [record(n, **({key: HERE} if n == place else {})) for n in range(COUNT)]
    return LAYOUTS[layout](inventory).replace(b'"HERE"', raw)


def with_more(raw: bytes, place: int, layout: str) -> bytes:
    """An inventory in which one record goes on with ``raw`` after its last value."""
    tail = f'{record(place)["SHA256TreeHash"]}"'.encode()
    document = LAYOUTS[layout]([record(n) for n in range(COUNT)])
    assert document.count(tail) == 1
    return document.replace(tail, tail + raw)


def without(key: str, place: int, layout: str) -> bytes:
    inventory = [record(n) for n in range(COUNT)]
    del inventory[place][key]
    return LAYOUTS[layout](inventory)


def begins(document: bytes, place: int) -> int:
    """Where record ``place`` begins: every record, and nothing else, begins with an archive id or without one."""
    return [at.start() for at in re.finditer(rb'\{"(ArchiveId|ArchiveDescription)"', document)][place]


VALUES: dict[str, tuple[str, dict[str, bytes], str]] = {
    "hostile ids": (
        "ArchiveId",
        {
            "..": b'".."',
            ".": b'"."',
            "empty": b'""',
            "percent": b'"%2e%2e"',
            "slash": b'"a/b"',
            "CRLF": b'"a\\r\\nHost: x"',
            "NUL": b'"\\u0000"',
            "137": b'"' + b"x" * 137 + b'"',
            "139": b'"' + b"x" * 139 + b'"',
            "not ASCII": b'"' + b"x" * 137 + "é".encode() + b'"',
            "comma": b'"' + b"x" * 69 + b"," + b"x" * 68 + b'"',
            "full stop": b'"' + b"x" * 137 + b'."',
        },
        "ArchiveId is not",
    ),
    "sizes out of range": (
        "Size",
        {
            "-1": b"-1",
            "2^63": b"9223372036854775808",
            "-2^70": b"-1180591620717411303424",
            "5000 digits": b"7" * 5000,
            "60000 digits": b"7" * 60_000,
        },
        "Size is not between",
    ),
    "sizes of other kinds": (
        "Size",
        {
            "1.0": b"1.0",
            "1e2": b"1e2",
            "1e400": b"1e400",
            "1e9999999999999999999": b"1e9999999999999999999",
            "-1.5E-7": b"-1.5E-7",
            "true": b"true",
            "null": b"null",
            "string": b'"5"',
            "list": b"[]",
            "object": b"{}",
        },
        "Size is not an integer",
    ),
    "ids of other kinds": ("ArchiveId", {"5": b"5", "null": b"null", "list": b"[[]]"}, "ArchiveId is not a string"),
    "dates of other kinds": ("CreationDate", {"5": b"5", "object": b"{}"}, "CreationDate is not a string"),
    "hashes of other kinds": ("SHA256TreeHash", {"null": b"null", "false": b"false"}, "is not a string"),
    "bytes that are not UTF-8": (
        "CreationDate",
        {"ff": b'"\xff"', "e9": b'"caf\xe9"', "ed": b'"\xed\xa0\x80"'},
        "UTF-8",
    ),
    "half surrogate pairs": ("SHA256TreeHash", {"d800": b'"\\ud800"', "DFFF": b'"x\\uDFFFx"'}, "half a surrogate"),
}

MORE: dict[str, tuple[dict[str, bytes], str]] = {
    "keys that stand twice": (
        {
            "id": b',"ArchiveId":"' + b"x" * 138 + b'"',
            "escaped": b',"Archive\\u0049d":"' + b"x" * 138 + b'"',
            "spaced": b' , "ArchiveId" : "' + b"x" * 138 + b'"',
            "hidden": b',"Archive\\u0049d":"' + b"x" * 138 + b'","ArchiveDescription":"\\u003a\\u003a"',
            "size": b',"Size":1',
            "description": b',"ArchiveDescription":"other"',
            "unknown": b',"Tier":1,"Tier":1',
            "ours": b',"ordinal":-1,"ordinal":-1',
            "beside what Python can't make": b',"a":1e9999999999999999999,"b":"\\ud800\\u00412345678","a":[{}]',
        },
        "stands in it twice",
    ),
    "keys that are not UTF-8": ({"ff": b',"\xff":1', "in an unknown value": b',"Tier":"\xff"'}, "UTF-8"),
    "deep nesting": (
        {f"{depth}": b',"Tier":' + b"[" * depth + b"]" * depth for depth in (8, 100, 20_000)},
        "nested more than 8 deep",
    ),
}

SYNTAX = {
    "NaN": ("Size", b"@NaN"),
    "Infinity": ("Size", b"@Infinity"),
    "-Infinity": ("Size", b"@-Infinity"),
    "01": ("Size", b"0@1"),
    "+1": ("Size", b"@+1"),
    "0x10": ("Size", b"0@x10"),
    "1.": ("Size", b"1@."),
    "nothing": ("Size", b"@"),
    "missing comma": ("Size", b'1 @"Tier":2'),
    "missing colon": ("Size", b'1,"Tier" @2'),
    "key without quotes": ("Size", b"1,@Tier:2"),
    "single quotes": ("ArchiveDescription", b"@'x'"),
    "raw newline": ("ArchiveDescription", b'"x@\nx"'),
    "raw NUL": ("ArchiveDescription", b'"x@\x00x"'),
    "bad escape": ("ArchiveDescription", b'"x@\\x41"'),
    "short unicode escape": ("ArchiveDescription", b'"x\\@u12"'),
    "comment": ("Size", b"1@/*x*/"),
    "wrong bracket": ("Size", b"[1@}"),
    "byte outside of strings": ("Size", b"1 @\xff"),
}


def record_cases() -> list[Case]:
    cases = []
    for layout in LAYOUTS:
        for place in PLACES:
            at = f"{layout}, record {place}"
            for family, (key, variants, reason) in VALUES.items():
                for name, raw in variants.items():
                    data = with_value(key, raw, place, layout)
                    cases.append(Case(family, f"{name}, {at}", data, place, begins(data, place), reason))
            for family, (additions, reason) in MORE.items():
                for name, raw in additions.items():
                    data = with_more(raw, place, layout)
                    cases.append(Case(family, f"{name}, {at}", data, place, begins(data, place), reason))
            for key in ("ArchiveId", "CreationDate", "Size", "SHA256TreeHash"):
                data = without(key, place, layout)
                reason = f"{key} is missing"
                cases.append(Case("missing keys", f"{key}, {at}", data, place, begins(data, place), reason))
            for name, (key, marked) in SYNTAX.items():
                data = with_value(key, marked, place, layout)
                cases.append(damaged("not JSON", f"{name}, {at}", data, "not JSON"))
    return cases


def damaged(family: str, name: str, marked: bytes, reason: str) -> Case:
    assert marked.count(b"@") == 1
    return Case(family, name, marked.replace(b"@", b""), None, marked.index(b"@"), reason)


WHOLE = as_glacier_json([record(n) for n in range(3)])
LIST = WHOLE[WHOLE.index(b"[") : WHOLE.rindex(b"]") + 1]
RECORD = LIST[1 : LIST.index(b"}") + 1]
ENTRIES = (b"1", b"-0.5", b'"x"', b"null", b"true", b"[]", b"[{}]")


def document_cases() -> list[Case]:
    truncated = [len(WHOLE) * step // 24 for step in range(1, 24)] + [len(WHOLE) - 1, len(WHOLE) - 2]
    cases = [damaged("truncated", f"at {cut}", WHOLE[:cut] + b"@", "it ends ") for cut in truncated]
    for layout, write in LAYOUTS.items():
        whole = write([record(n) for n in range(20)])
        for name, rest in {"x": b"@x", "brace": b"@}", "again": b"@" + whole, "NUL": b"@\x00", "line": b"\n@."}.items():
            cases.append(damaged("trailing garbage", f"{name}, {layout}", whole + rest, "behind the inventory's end"))
    for name, marked, reason in [
        ("empty", b"@", "it ends before"),
        ("white space", b" \n @", "it ends before"),
        ("byte order mark", b"@\xef\xbb\xbf" + WHOLE, "not JSON"),
        ("UTF-16", b"@" + WHOLE.decode().encode("utf-16"), "not JSON"),
        ("zeros", b"@" + bytes(5000), "not JSON"),
        ("HTML", b"@<html><body>Service Unavailable", "not JSON"),
        ("a list", b"@" + LIST, "not an object"),
        ("a string", b'@"x"', "not an object"),
        ("a number", b"@17 ", "not an object"),
    ]:
        cases.append(damaged("not an inventory", name, marked, reason))
    for name, marked, reason in [
        ("no list", b'{"VaultARN":"x"}@', "without an ArchiveList"),
        ("empty object", b"{}@", "without an ArchiveList"),
        ("list is null", b'{"ArchiveList":@null}', "ArchiveList is not a list"),
        ("list is an object", b'{"ArchiveList": @{}}', "ArchiveList is not a list"),
        ("list is deeper", b'{"x":{"ArchiveList":' + LIST + b"}}@", "without an ArchiveList"),
        ("vault is a number", b'{"VaultARN":@1,"ArchiveList":[]}', "VaultARN is not a string"),
        ("vault twice", b'{"VaultARN":"x",@"VaultARN":"x","ArchiveList":' + LIST + b"}", "twice"),
        ("date before and behind", b'{"InventoryDate":"x","ArchiveList":' + LIST + b',@"InventoryDate":"x"}', "twice"),
        ("list twice", b'{"ArchiveList":' + LIST + b',@"ArchiveList":[]}', "twice"),
        ("a number beyond Python", b'{"x":1e9999999999999999999@,"ArchiveList":[]}', "not JSON"),
        ("digits beyond Python", b'{"x":' + b"7" * 4000 + b"@" + b"7" * 400 + b',"ArchiveList":[]}', "digits in a row"),
        ("unknown twice", b'{"x":1, @"x":2,"ArchiveList":[]}', "twice"),
        ("not UTF-8", b'{"VaultARN":"@\xff","ArchiveList":[]}', "not JSON"),
        ("no end of header", b'{"x":"' + b"y" * 8_186 + b"@" + b"y" * 100_000, "without a record"),
        ("no end of space", b'{"ArchiveList":[' + b" " * 8_176 + b"@" + b" " * 100_000, "without a record"),
    ]:
        cases.append(damaged("broken headers", name, marked, reason))
    for entry in ENTRIES:
        for before in (b"", RECORD + b","):
            marked = b'{"ArchiveList":[' + before + b"@" + entry + b"," + RECORD + b"]}"
            cases.append(damaged("entries that are no objects", f"{entry!r} {len(before)}", marked, "not an object"))
    long = RECORD.replace(b"photo 0.jpg", b"x" * (65_537 - len(RECORD) + len(b"photo 0.jpg")))
    assert len(long) == 65_537
    for name, marked in {
        "by a byte, alone": b'{"ArchiveList":[@' + long + b"]}",
        "by a byte, between others": b'{"ArchiveList":[' + RECORD + b",@" + long + b"," + RECORD + b"]}",
        "by a byte, spaced": b'{ "ArchiveList": [' + RECORD + b" , @" + long + b"," + RECORD + b"]}",
        "by far": b'{"ArchiveList":[' + RECORD + b",@" + long[:-2] + b"x" * 3_000_000,
        "full of braces": b'{"ArchiveList":[' + RECORD + b',@{"ArchiveId":[' + b"{}," * 100_000,
    }.items():
        cases.append(damaged("records too large", name, marked, "a record of more than"))
    return cases


CASES = record_cases() + document_cases()


def test_the_table_is_as_large_as_it_says() -> None:
    assert len(CASES) >= 300
    assert len({case.family for case in CASES}) >= 15


def outcome(reader: Reader, data: bytes, step: int) -> tuple[int | None, int, str]:
    """What a reader finds first: (record or None, byte, why)."""
    try:
        result = read(reader, data, range(step, len(data), step))
    except InventoryDamaged as damage:
        return None, damage.offset_bytes, damage.reason
    assert len(result.defects) == 1, result.defects
    assert result.defects[0].text.isascii()
    return result.defects[0].ordinal, result.defects[0].offset_bytes, result.defects[0].reason


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("case", CASES, ids=[f"{case.family}: {case.name}" for case in CASES])
def test_a_fault_is_named_with_its_byte(case: Case) -> None:
    ordinal, offset_bytes, reason = outcome(JsonReader(), case.data, 1 << 20)
    assert case.reason in reason
    assert (ordinal, offset_bytes) == (case.ordinal, case.offset_bytes)


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("step", [997, 4096])
@pytest.mark.parametrize("family", sorted({case.family for case in CASES}))
def test_a_fault_is_named_the_same_however_it_is_cut(family: str, step: int) -> None:
    for case in CASES:
        if case.family == family:
            assert outcome(JsonReader(), case.data, step)[:2] == (case.ordinal, case.offset_bytes), case.name


def test_a_record_of_exactly_the_limit_is_read() -> None:
    fits = record(0, ArchiveDescription="x" * (65_536 - len(RECORD) + len("photo 0.jpg")))
    document = as_glacier_json([record(1), fits, record(2)])
    assert len(read(JsonReader(), document).archives) == 3
    assert len(read(JsonReader(), document, range(0, len(document), 10_000)).archives) == 3
