"""What each kind of manifest claims, and that a kind is known by what stands in it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard

from glacier_purge.archive import EXACT
from glacier_purge.errors import UsageError
from glacier_purge.plan.migration.manifest import Claim, claim, from_export_line
from glacier_purge.plan.migration.manifest_files import ListedObject, Tables, key_name, read_file
from glacier_purge.plan.rows import Rows
from tests.plan.archives import archive_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ID = archive_id(1)
HASH = f"{7:064x}"
TRANSFER = {
    "pk": f"workflow_1|{ID}",
    "sk": "meta",
    "archive_id": ID,
    "size": "5",
    "sha256_tree_hash": HASH,
    "retrieve_status": "workflow_1/downloaded",
    "s3_destination_bucket": "copies",
    "s3_destination_key": "workflow_1/a b.jpg",
}
REFREEZER = {"aid": ID, "sz": "5", "sha": HASH, "fname": "a b.jpg", "vdt": "2023-01-01", "cpt": "2023-01-02"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (TRANSFER, Claim(True, 5, HASH, "copies", "workflow_1/a b.jpg")),
        *(
            (
                TRANSFER | {"retrieve_status": f"workflow_1/{status}"},
                Claim(False, 5, HASH, "copies", "workflow_1/a b.jpg"),
            )
            for status in ("requested", "extended", "staged", "stopped", "downloaded2", "")
        ),
        ({**TRANSFER, "size": "5.0"}, Claim(True, None, HASH, "copies", "workflow_1/a b.jpg")),
        (TRANSFER | {"sk": "p|00001"}, None),
        ({"pk": "workflow_1", "sk": "meta", "count_total": "3"}, None),
        (REFREEZER, Claim(True, 5, HASH, None, "a b.jpg")),
        (REFREEZER | {"cpt": ""}, Claim(False, 5, HASH, None, "a b.jpg")),
        ({"archive_id": ID, "size": "5", "sha256_tree_hash": HASH}, Claim(True, 5, HASH, None, None)),
        ({"archive_id": ID}, Claim(True, None, None, None, None)),
        ({"pk": f"workflow_1|{ID}", "archive_id": ID, "sk": "meta"}, Claim(False, None, None, None, None)),
    ],
)
def test_a_row_claims_what_its_migration_vouches_for(fields: dict[str, str], expected: Claim | None) -> None:
    found = claim(fields)
    assert found == (None if expected is None else (ID, expected))


def typed(fields: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"N" if value.isdigit() else "S": value} for name, value in fields.items()}


def export(*rows: dict[str, str]) -> bytes:
    return b"".join(json.dumps({"Item": typed(row)}).encode() + b"\n" for row in rows)


def table(*rows: dict[str, str]) -> bytes:
    lines = [",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in rows)]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("line", [b"[]", b'{"Items": []}', b'{"Item": 3}', b'{"Item"', b"\xff", b"{" * 100_000])
def test_a_line_that_is_no_export_is_refused(line: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        from_export_line(line)


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    with Rows(tmp_path) as claims, Rows(tmp_path) as objects:
        yield Tables(claims=claims, objects=objects, id_rule=EXACT)


def read(tables: Tables, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "manifest"
    file.write_bytes(content)
    read_file(str(file), tables)


def claims(tables: Tables) -> list[Claim]:
    tables.claims.seal()
    return [msgspec.msgpack.decode(tables.claims.row(at), type=Claim) for at in tables.claims.positions(ID)]


@pytest.mark.parametrize(
    ("content", "claimed"),
    [
        (export(TRANSFER, {"pk": "run", "sk": "meta"}), Claim(True, 5, HASH, "copies", "workflow_1/a b.jpg")),
        (export(REFREEZER) + b"\n", Claim(True, 5, HASH, None, "a b.jpg")),
        (b"\xef\xbb\xbf" + export(TRANSFER), Claim(True, 5, HASH, "copies", "workflow_1/a b.jpg")),
        (table(TRANSFER), Claim(True, 5, HASH, "copies", "workflow_1/a b.jpg")),
        (table(REFREEZER), Claim(True, 5, HASH, None, "a b.jpg")),
        (f"archive_id,size,sha256_tree_hash\n{ID},5,{HASH}\n".encode(), Claim(True, 5, HASH, None, None)),
        (f'\ufeff"size","archive_id"\n5,{ID}\n'.encode(), Claim(True, 5, None, None, None)),
        (gzip.compress(export(TRANSFER)), Claim(True, 5, HASH, "copies", "workflow_1/a b.jpg")),
        (zstandard.compress(table(REFREEZER)), Claim(True, 5, HASH, None, "a b.jpg")),
    ],
)
def test_a_table_is_known_by_its_content(tables: Tables, tmp_path: Path, content: bytes, claimed: Claim) -> None:
    read(tables, tmp_path, content)
    assert claims(tables) == [claimed]
    assert len(tables.objects) == 0


def test_a_field_may_go_over_lines(tables: Tables, tmp_path: Path) -> None:
    read(tables, tmp_path, f'archive_id,description,size\n{ID},"two\nlines",5\n'.encode())
    assert claims(tables) == [Claim(True, 5, None, None, None)]


@pytest.mark.parametrize(
    ("content", "objects"),
    [
        (
            b'"copies","a+b%C3%A9.jpg","5"\r\n"copies","c","6"\r\n',
            {"a b\u00e9.jpg": ListedObject("copies", 5), "c": ListedObject("copies", 6)},
        ),
        (b"b,gone,v1,true,true,0\nb,old,v1,false,false,5\nb,here,v1,true,false,5\n", {"here": ListedObject("b", 5)}),
        (b"Key,Size\na b+c,5\n", {"a b+c": ListedObject(None, 5)}),
        (
            b"2023-01-02 03:04:05          5 a b.jpg\n2023-01-02 03:04:05 6 c\n",
            {"a b.jpg": ListedObject(None, 5), "c": ListedObject(None, 6)},
        ),
    ],
)
def test_a_listing_of_s3_is_known_by_its_content(
    tables: Tables, tmp_path: Path, content: bytes, objects: dict[str, Any]
) -> None:
    read(tables, tmp_path, content)
    tables.objects.seal()
    found = {
        key: msgspec.msgpack.decode(tables.objects.row(at), type=ListedObject)
        for key in objects
        for at in tables.objects.positions(key_name(key))
    }
    assert found == objects
    assert len(tables.objects) == len(objects)


WRONG_SIZES = ("99999999999999999999", "1_0", " 5", "+5", "-5", "5.0", "\u0665")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (export(TRANSFER) + b'{"Item": ', "line 2 cannot be read"),
        (export(TRANSFER | {"archive_id": "../.."}), r"line 1 cannot be read: '../..' is no archive id"),
        (table(TRANSFER) + b"\r\nx,y", "line 3 cannot be read: it has 2 columns, the header 8"),
        (f'archive_id,size\n{ID},"5'.encode(), "line 2 cannot be read: unexpected end of data"),
        (b"2023-01-02 03:04:05 5 a\nTotal Objects: 1\n", "line 2 cannot be read: it is not a line of aws s3 ls"),
        (b"bucket,key,5\nbucket,key\n", "line 2 cannot be read"),
        (b"key,size\na,many\n", "line 2 cannot be read"),
        *((f"key,size\na,{size}\n".encode(), "line 2 cannot be read: .* is no size") for size in WRONG_SIZES),
        (b"b,k,5\nb,k,99999999999999999999\n", "line 2 cannot be read: .* is no size"),
        (b"2023-01-02 03:04:05 99999999999999999999 a\n", "line 1 cannot be read: .* is no size"),
        (b"2023-01-02 03:04:05 5 %b\n" % (b"a" * 1025), "line 1 cannot be read: .* goes on beyond the 1,024 bytes"),
        (b"key,size\n%b,5\n" % (b"\xc3\xa4" * 30_000), "line 2 cannot be read: .* goes on beyond the 1,024 bytes"),
        (f"archive_id\r,size\n{ID},5\n".encode(), "line 1 cannot be read: new-line character"),
        (f"archive_id,size,size\n{ID},5,6\n".encode(), "line 1 names the column size twice"),
        (b"key,size,key\na,5,b\n", "line 1 names the column key twice"),
        (export(TRANSFER).replace(b'"size":', b'"size": {"N": "6"}, "size":'), "line 1 .*: a name stands in it twice"),
        (export(TRANSFER).replace(b'"N":', b'"N": "6", "N":'), "line 1 .*: a name stands in it twice"),
        (b"", "is not known as a manifest"),
        (b"name,date\n", "is not known as a manifest"),
        (b"b,k,v,true,5,6\n", "is not known as a manifest"),
    ],
)
def test_a_manifest_with_one_bad_row_is_refused_whole(
    tables: Tables, tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read(tables, tmp_path, content)
