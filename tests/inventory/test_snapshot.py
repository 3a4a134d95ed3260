from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import DiskFailed, InventoryDamaged, PlanRefused, UsageError
from glacier_purge.inventory.snapshot import Snapshot, spool
from glacier_purge.inventory.source import Source
from glacier_purge.storage.pretend_disk import PretendDisk, Survival
from tests.inventory.inventories import HEADER, VAULT_ARN, as_csv, as_glacier_json, expected, plain, record
from tests.reliability.mirror import mirrored

if TYPE_CHECKING:
    from pathlib import Path

INVENTORY = [record(n) for n in range(4000)]


def spooled(tmp_path: Path, content: bytes) -> Snapshot:
    (tmp_path / "received").write_bytes(content)
    (tmp_path / "run").mkdir(exist_ok=True)
    with Source(str(tmp_path / "received")) as source:
        return spool(source, tmp_path / "run")


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_snapshot_is_the_inventory_unpacked_byte_for_byte(tmp_path: Path, kind: str, packed: bool) -> None:
    content = as_glacier_json(INVENTORY) if kind == "json" else as_csv(INVENTORY)
    snapshot = spooled(tmp_path, gzip.compress(content) if packed else content)
    assert snapshot.path == tmp_path / "run" / f"inventory.{kind}"
    assert snapshot.path.read_bytes() == content
    assert (snapshot.format, snapshot.size_bytes, snapshot.records) == (kind, len(content), len(INVENTORY))
    assert snapshot.sha256 == hashlib.sha256(content).hexdigest()
    beside = (tmp_path / "run" / f"inventory.{kind}.sha256").read_text()
    assert beside == f"{snapshot.sha256}  inventory.{kind}\n"
    header = (snapshot.vault_arn, snapshot.inventory_date)
    assert header == ((VAULT_ARN, HEADER["InventoryDate"]) if kind == "json" else (None, None))
    with snapshot.bound() as file:
        assert b"".join(file.blocks()) == snapshot.path.read_bytes()


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    snapshot = spooled(tmp_path, as_glacier_json(INVENTORY))
    for path in (snapshot.path, snapshot.path.with_name("inventory.json.sha256")):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_snapshot_is_never_written_over(tmp_path: Path) -> None:
    snapshot = spooled(tmp_path, as_glacier_json(INVENTORY))
    with pytest.raises(UsageError, match="there already"):
        spooled(tmp_path, as_glacier_json([record(1)]))
    with snapshot.bound() as file:
        assert b"".join(file.blocks()) == snapshot.path.read_bytes()


def test_no_power_cut_leaves_half_of_the_hash_nor_a_hash_without_its_inventory(tmp_path: Path) -> None:
    disk, found = PretendDisk(folders=["run"]), list[dict[str, bytes]]()

    def cut_power(_verb: str, _name: str) -> None:
        for bytes_left in (0, 5):
            survival = Survival(
                appended=lambda *found, left=bytes_left: found[2][:left], names=lambda _, changes: changes, cut=bool
            )
            found.append(disk.after_power_cut(survival).contents())

    (tmp_path / "run").mkdir()
    inventory = tmp_path / "inventory.json"
    inventory.write_bytes(as_glacier_json(INVENTORY))
    disk.before = cut_power
    with mirrored(tmp_path, disk), Source(str(inventory)) as source:
        snapshot = spool(source, tmp_path / "run")
    whole = f"{snapshot.sha256}  inventory.json\n".encode()
    assert {image.get("run/inventory.json.sha256") for image in found} == {None, whole}
    assert all(image["run/inventory.json"] for image in found if "run/inventory.json.sha256" in image)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "inventory.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        spooled(tmp_path, as_glacier_json(INVENTORY))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "content", [b"", b"<html>", as_glacier_json(INVENTORY)[:-1], as_csv(INVENTORY)[:-9], as_glacier_json([]) + b"x"]
)
def test_damage_leaves_nothing_behind_and_names_the_file(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InventoryDamaged) as caught:
        spooled(tmp_path, content)
    assert caught.value.file == str(tmp_path / "received")
    assert str(caught.value).startswith(f"{tmp_path / 'received'}, byte ")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "received").write_bytes(as_glacier_json(INVENTORY))
    with (
        Source(str(tmp_path / "received")) as source,
        pytest.raises(DiskFailed, match=r"missing/inventory\.json can't be written"),
    ):
        spool(source, tmp_path / "missing")


def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "received").write_bytes(as_glacier_json(INVENTORY))
    (tmp_path / "run").mkdir()
    with Source(str(tmp_path / "received")) as source:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        try:
            with pytest.raises(DiskFailed, match=r"inventory\.json can't be written: File too large\. Mend the disk"):
                spool(source, tmp_path / "run")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_snapshot_can_be_read_again(tmp_path: Path, kind: str) -> None:
    snapshot = spooled(tmp_path, as_glacier_json(INVENTORY) if kind == "json" else as_csv(INVENTORY))
    archives = [archive for batch in snapshot.batches() for archive in batch.archives]
    assert [plain(archive) for archive in archives] == [expected(one) for one in INVENTORY]
    assert [archive.ordinal for archive in archives] == list(range(len(INVENTORY)))


def test_other_bytes_are_another_inventory(tmp_path: Path) -> None:
    snapshot = spooled(tmp_path, as_glacier_json(INVENTORY))
    snapshot.path.write_bytes(as_glacier_json(INVENTORY).replace(b"photo 7.jpg", b"photo 8.jpg"))
    with pytest.raises(PlanRefused, match="was changed"), snapshot.bound():
        pass
    snapshot.path.unlink()
    with pytest.raises(PlanRefused, match="No such file"), snapshot.bound():
        pass
    with pytest.raises(PlanRefused, match="No such file"):
        list(snapshot.batches())


def test_another_format_than_planned_is_refused(tmp_path: Path) -> None:
    snapshot = spooled(tmp_path, as_csv(INVENTORY))
    with pytest.raises(PlanRefused, match="is csv, but json"):
        list(replace(snapshot, format="json").batches())


def test_damage_found_later_names_the_snapshot(tmp_path: Path) -> None:
    snapshot = replace(spooled(tmp_path, as_glacier_json(INVENTORY)), format="json")
    snapshot.path.write_bytes(as_glacier_json(INVENTORY)[:-100])
    with pytest.raises(InventoryDamaged, match=r"inventory\.json, byte"):
        list(snapshot.batches())
    snapshot.path.write_bytes(b"")
    with pytest.raises(InventoryDamaged, match="it is empty"):
        list(snapshot.batches())
