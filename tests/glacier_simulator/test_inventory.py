"""Inventories say exactly what was frozen, in exactly the service's form, in any piece of any size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.archive import EXACT
from glacier_simulator.archives import Record
from glacier_simulator.inventory import InventoryFormat, InventoryText
from glacier_simulator.jobs import InventoryRequest
from glacier_simulator.selection import select
from glacier_simulator.vault import PretendGlacier
from tests.at_length import examples
from tests.glacier_simulator.asking import NOW

if TYPE_CHECKING:
    from glacier_simulator.stored import StoredVault

RECORDS = [
    Record("-" + "a" * 137, 'said "1\\"2", then\\', "2017-08-18T08:16:34.125Z", 7, "ab" * 32),
    Record("b" * 138, "", "2017-08-18T08:16:34Z", 0, "cd" * 32),
    Record("c" * 138, "Größe 日本 🗄", "2020-01-01T00:00:00Z", 2**63 - 1, "ef" * 32),
    Record("d" * 138, "lone \udc80 surrogate", "2020-01-01T00:00:00Z", 1, "ef" * 32),
]


def filled(count: int, gone: list[int], loaded: int = 0) -> StoredVault:
    """A vault of generated and loaded archives, some of them deleted, with an inventory of what is left."""
    vault = PretendGlacier().generate_vault("photos", count, NOW)
    for record in RECORDS[:loaded]:
        vault.shelf.add(record)
    for index in gone:
        vault.shelf.remove(index)
    vault.take_inventory(NOW)
    return vault


def text_of(vault: StoredVault, wanted: InventoryFormat, selection: list[int] | None = None) -> InventoryText:
    assert vault.last_inventory is not None
    return InventoryText(vault.shelf, vault.last_inventory, vault.facts.arn, wanted, selection)


def bytes_of(text: InventoryText) -> bytes:
    body = b"".join(text.pieces())
    assert len(body) == text.length_bytes
    return body


def expected(vault: StoredVault) -> list[dict[str, Any]]:
    return [
        {
            "ArchiveId": record.archive_id,
            "ArchiveDescription": record.description,
            "CreationDate": record.created,
            "Size": record.size_bytes,
            "SHA256TreeHash": record.tree_hash,
        }
        for record in (vault.shelf.record(index) for index in vault.shelf.live_indices())
    ]


SHAPES = [
    (0, []),
    (1, []),
    (1, [0]),
    (3, [2]),
    (3, [0, 1, 2]),
    (1024, []),
    (1025, [1024]),
    (2048, list(range(1024, 2048))),
    (3000, list(range(0, 3000, 3))),
    (5000, list(range(4990))),
    (9000, []),
]


@pytest.mark.parametrize(("count", "gone"), SHAPES)
def test_json_lists_what_is_left(count: int, gone: list[int]) -> None:
    vault = filled(count, gone)
    body = bytes_of(text_of(vault, "JSON"))
    assert json.loads(body) == {
        "VaultARN": vault.facts.arn,
        "InventoryDate": "2027-01-15T08:00:00Z",
        "ArchiveList": expected(vault),
    }
    compact = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False)
    assert body.decode() == compact


@pytest.mark.parametrize(("count", "gone"), SHAPES)
def test_csv_lists_the_same_under_the_documented_rule(count: int, gone: list[int]) -> None:
    vault = filled(count, gone, loaded=3)
    head, *lines = bytes_of(text_of(vault, "CSV")).decode().split("\n")
    assert head == "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"
    assert lines.pop() == ""
    assert [decoded(line) for line in lines] == [{**one, "Size": str(one["Size"])} for one in expected(vault)]


def decoded(line: str) -> dict[str, str]:
    """The exact decoder of the documented rule: the id before the first comma, three columns from the end."""
    archive_id, rest = line.split(",", 1)
    description, created, size, tree_hash = rest.rsplit(",", 3)
    quoted = description.startswith('"') and description.endswith('"') and len(description) >= 2
    if quoted:
        description = description[1:-1].replace('\\"', '"')
    assert quoted == ("," in description or '"' in description)
    return {
        "ArchiveId": archive_id,
        "ArchiveDescription": description,
        "CreationDate": created,
        "Size": size,
        "SHA256TreeHash": tree_hash,
    }


def test_csv_escapes_quotes_and_nothing_else() -> None:
    line = bytes_of(text_of(filled(0, [], loaded=1), "CSV")).decode().split("\n")[1]
    assert '"said \\"1\\\\"2\\", then\\"' in line


def test_a_description_that_is_no_text_stays_visible() -> None:
    vault = filled(0, [], loaded=4)
    assert b"lone \\udc80 surrogate" in bytes_of(text_of(vault, "JSON"))
    assert b"lone \\udc80 surrogate" in bytes_of(text_of(vault, "CSV"))


VAULT = filled(2500, list(range(1000, 1100)), loaded=3)
WHOLE = {wanted: bytes_of(text_of(VAULT, wanted)) for wanted in ("JSON", "CSV")}


@settings(max_examples=examples(300), deadline=None)
@given(wanted=st.sampled_from(["JSON", "CSV"]), data=st.data())
def test_any_range_is_that_part_of_the_whole(wanted: InventoryFormat, data: st.DataObject) -> None:
    text, whole = text_of(VAULT, wanted), WHOLE[wanted]
    start = data.draw(st.integers(0, len(whole)) | st.integers(0, 100) | st.integers(len(whole) - 9, len(whole)))
    stop = data.draw(st.integers(start, min(start + 5000, len(whole))) | st.just(len(whole)))
    assert b"".join(text.pieces(start, stop)) == whole[start:stop]


def test_a_selection_lists_only_its_archives() -> None:
    vault = filled(100, [7], loaded=2)
    body = json.loads(bytes_of(text_of(vault, "JSON", [3, 50, 101])))
    listed = [one["ArchiveId"] for one in body["ArchiveList"]]
    assert listed == [vault.shelf.archive_id(index) for index in (3, 50, 101)]
    assert json.loads(bytes_of(text_of(vault, "JSON", [])))["ArchiveList"] == []


def test_loaded_archives_are_limited_to_upload_times_like_others() -> None:
    vault = filled(0, [], loaded=3)
    assert vault.last_inventory is not None
    request = InventoryRequest(start_date="2017-08-18T08:16:34Z", end_date="2018-01-01T00:00:00Z")
    assert select(vault.shelf, vault.last_inventory, request) == ([0, 1], None)


def test_a_snapshot_stays_as_it_was() -> None:
    vault = filled(50, [])
    text = text_of(vault, "JSON")
    whole = bytes_of(text)
    vault.shelf.remove(3)
    vault.shelf.add(RECORDS[0])
    assert bytes_of(text) == whole


def test_generated_archives_are_as_real_ones() -> None:
    vault = filled(4096, [])
    records = [vault.shelf.record(index) for index in range(4096)]
    assert all(EXACT.holds(record.archive_id) for record in records)
    assert any(record.archive_id.startswith("-") for record in records)
    assert [record.created for record in records] == sorted(record.created for record in records)
    assert sum(record.size_bytes for record in records) == vault.shelf.generated.total_size_bytes()
    assert len({record.tree_hash for record in records}) == 4096


@pytest.mark.parametrize(
    "sign",
    ["<m><v>4</v><p>", '{"Path":"D:\\\\', "mt2 ", "Synology", "日本", '"},{"A', "},{", '","', "=HYPERLINK(", "🗄"],
)
def test_small_vaults_have_every_kind_of_description(sign: str) -> None:
    vault = filled(15, [])
    descriptions = [vault.shelf.record(index).description for index in range(15)]
    assert any(sign in one for one in descriptions)
    assert "" in descriptions
    assert any(one.endswith("\\") for one in descriptions)


def test_a_seed_makes_the_same_vault_again_and_another_makes_another() -> None:
    texts = []
    for seed in (1, 1, 2):
        glacier = PretendGlacier(seed=seed)
        glacier.generate_vault("v", 40, NOW)
        texts.append(bytes_of(glacier.inventory("v", "JSON", NOW)))
    assert texts[0] == texts[1] != texts[2]


def test_the_inventory_of_now_is_not_the_last_inventory() -> None:
    glacier = PretendGlacier()
    vault = glacier.generate_vault("v", 3, NOW)
    glacier.delete_archive("v", vault.shelf.archive_id(0), NOW)
    assert len(json.loads(bytes_of(glacier.inventory("v", "JSON", NOW)))["ArchiveList"]) == 3
    assert len(json.loads(bytes_of(glacier.inventory_now("v", "JSON", NOW)))["ArchiveList"]) == 2
    glacier.create_vault("new", NOW)
    with pytest.raises(LookupError, match="no inventory yet"):
        glacier.inventory("new", "JSON", NOW)
