"""The folder of a script's log: ``stream.json`` for a plan, and the ids of each release on record."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest

import glacier_purge
from glacier_purge.api import stream_log
from glacier_purge.archive import Archive, ArchiveId
from glacier_purge.audit import verification
from glacier_purge.audit.checkpoint import encode_head, read_checkpoint
from glacier_purge.audit.recovery import replay
from glacier_purge.audit.verification import NotToBeChecked, Verification, verify_folder
from glacier_purge.run.host import Host
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.storage.disk import FileDisk
from tests.audit.logs import archive_id, outcome, rechained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VAULT = glacier_purge.Vault(account_id="123456789012", region="us-east-1", name="photos")
ENDPOINT = "https://glacier.us-east-1.amazonaws.com"


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


async def written(folder: Path, *, segment_records: int = 100_000) -> None:
    """Thirty ids in two releases of one process, and ten of another."""
    settings = PurgeSettings(segment_records=segment_records, commit_seconds=0.01)
    with stream_log.stream_folder(folder, VAULT, ENDPOINT) as run_folder:
        for process in (range(30), range(30, 40)):
            async with stream_log.open_stream_log(run_folder, lambda _: None, settings, Host()) as log:
                for start in range(process.start, process.stop, 15):
                    ordinals = range(start, min(start + 15, process.stop))
                    assert [log.enter(archive_id(at), is_id=True) for at in ordinals] == list(ordinals)
                    await log.release([Archive(ArchiveId(archive_id(at)), "", "", 0, "", at) for at in ordinals])
                    log.record([outcome(at) for at in ordinals])
                log.note("stopped", reason="the ids ended", drained=True, unknown=[])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("script")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(folder / "state"))
        asyncio.run(written(folder / "log"))
    return folder / "log"


@pytest.fixture
def log(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "log")


def checked(folder: Path) -> Verification:
    [(name, what, found)] = verify_folder(folder)
    assert (name, what) == (".", "script")
    return found


def replaced(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert content.count(old) == 1
    file.write_bytes(content.replace(old, new))


def edit(log: Path, change: Callable[[dict[str, Any]], None], event: str) -> None:
    """Change the first record of an event and every hash after it, as who knows all of this can."""
    file = log / "audit/000001.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    place = next(at for at, line in enumerate(lines) if json.loads(line)["event"] == event)
    said = json.loads(lines[place])
    change(said)
    lines[place] = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    file.write_bytes(b"".join(rechained(lines, hashlib.sha256((log / "stream.json").read_bytes()).hexdigest())))
    for name in ("checkpoint", "checkpoint.previous"):
        (log / name).unlink(missing_ok=True)


def test_a_log_as_it_was_written_is_sound_to_the_package_and_to_the_one_file(log: Path, tmp_path: Path) -> None:
    found = checked(log)
    assert (found.faults, found.notices, found.counts) == ((), (), {"deleted": 40})
    first = json.loads((log / "audit/000001.jsonl").read_bytes().splitlines()[0])
    assert first["prev"] == hashlib.sha256((log / "stream.json").read_bytes()).hexdigest()
    alone = shutil.copy(verification.__file__, tmp_path / "alone.py")
    told = [sys.executable, "-I", alone, str(log), "--anchor", str(found.anchor)]
    assert subprocess.run(told, check=False, capture_output=True).returncode == 0
    replaced(log / "stream.json", b"vaults/photos", b"vaults/others")
    damaged = subprocess.run(told, check=False, capture_output=True, text=True)
    assert damaged.returncode == 4
    assert "stream.json, byte" in damaged.stdout


def test_a_log_of_many_sealed_segments_is_sound_and_its_releases_reach_over_them(tmp_path: Path) -> None:
    asyncio.run(written(tmp_path / "log", segment_records=5))
    assert len(list((tmp_path / "log/audit").glob("*.jsonl*"))) > 5
    assert checked(tmp_path / "log").faults == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"vaults/photos", b"vaults/others", "vault_arn"),
        (b'"run": "photos', b'"run": "others', "run "),
        (b"us-east-1.amazonaws", b"us-east-2.amazonaws", "endpoint_url"),
        (b'"records": 6', b'"records": 5', "records"),
        (b'"by": "', b'"by": "x', "not what the log began with"),
        (b"{\n", b"{ \n", "not what the log began with"),
        (b'"vault_arn"', b'"vault_arm"', "vault_arn"),
        (b'",\n  "vault_arn"', b'"\n  "vault_arn"', "not JSON"),
    ],
)
def test_a_changed_document_is_named_with_the_byte_where_that_shows(
    log: Path, old: bytes, new: bytes, says: str
) -> None:
    content = (log / "stream.json").read_bytes()
    replaced(log / "stream.json", old, new)
    [fault] = checked(log).faults
    assert (fault.file, fault.kind) == ("stream.json", "changed")
    assert says in fault.message
    if b"arm" in new:
        assert fault.offset_bytes == 0
    elif says in ("vault_arn", "run ", "endpoint_url", "records"):
        assert fault.offset_bytes == content.index(b'"%b"' % says.strip().encode())
    elif says == "not JSON":
        assert fault.offset_bytes == content.index(old) + 4


@pytest.mark.parametrize("kind", ["cut", "empty", "gone", "a folder", "a link"])
def test_a_document_that_is_none_is_named(log: Path, kind: str) -> None:
    file = log / "stream.json"
    content = file.read_bytes()
    file.unlink()
    if kind == "a folder":
        file.mkdir()
    elif kind == "a link":
        file.symlink_to("checkpoint")
    elif kind != "gone":
        file.write_bytes(content[: len(content) // 2 if kind == "cut" else 0])
    assert [fault.file for fault in checked(log).faults] == ["stream.json"]


def test_the_document_of_another_log_is_named(log: Path, tmp_path: Path) -> None:
    asyncio.run(written(tmp_path / "other"))
    replaced(tmp_path / "other/stream.json", b'"by": "', b'"by": "x')
    shutil.copy(tmp_path / "other/stream.json", log)
    assert [fault.file for fault in checked(log).faults] == ["stream.json"]


@pytest.mark.parametrize("name", ["plan.json", "run.json"])
def test_a_plan_beside_the_document_is_named(log: Path, name: str) -> None:
    (log / name).write_bytes(b"{}")
    assert [(fault.file, fault.kind) for fault in checked(log).faults] == [(name, "inserted")]


def without_ids(said: dict[str, Any]) -> None:
    del said["ids"]


def one_id_less(said: dict[str, Any]) -> None:
    del said["ids"]["7"]


def out_of_reach(said: dict[str, Any]) -> None:
    said["last"] = 16


def numbered_twice(said: dict[str, Any]) -> None:
    said["ids"] = {"0": "a", "00": "b", **said["ids"]}


def no_text(said: dict[str, Any]) -> None:
    said["ids"]["3"] = 3


def no_mapping(said: dict[str, Any]) -> None:
    said["ids"] = list(said["ids"])


@pytest.mark.parametrize("change", [without_ids, one_id_less, out_of_reach, numbered_twice, no_text, no_mapping])
def test_a_release_that_does_not_carry_its_ids_is_damage_also_under_new_hashes(
    log: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    edit(log, change, "released")
    faults = checked(log).faults
    assert faults
    assert all(fault.file == "audit/000001.jsonl" and fault.offset_bytes > 0 for fault in faults)
    if change is one_id_less:
        assert [fault.message for fault in faults] == ["ordinal 7 was sent without its id on record"]


def test_a_checkpoint_is_as_large_as_the_log_and_not_as_what_that_may_hold(log: Path) -> None:
    """A bit each for 67 million ids would be 8 MB; one of those is believed as well, from before that was seen."""
    assert (log / "checkpoint").stat().st_size < 8192
    disk = FileDisk(log)
    newest = read_checkpoint(disk, "checkpoint")
    assert newest is not None
    head, bitmap = newest
    whole = bitmap.ljust((head.records + 7) // 8, b"\0")
    data = encode_head(head) + whole
    (log / "checkpoint").write_bytes(data + b"\n%08x\n" % zlib.crc32(data))
    assert checked(log).faults == ()
    ledger = replay(log)
    assert [ledger.done(at) for at in (0, 39, 40, head.records - 1)] == [True, True, False, False]


def test_an_anchor_is_held_against_a_scripts_log(log: Path) -> None:
    anchor = checked(log).anchor
    assert anchor is not None
    assert verify_folder(log, anchor=anchor)[0].found.faults == ()
    other = f"{anchor.split(':')[0]}:{'0' * 64}"
    assert verify_folder(log, anchor=other)[0].found.faults != ()


def test_a_folder_of_nothing_is_still_no_log(tmp_path: Path) -> None:
    with pytest.raises(NotToBeChecked, match="a script's log"):
        verify_folder(tmp_path)
