"""Any bytes in any file are a verdict: hostile values, false frames, lines without end, pipes in a file's place."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import shutil
import sys
import types
import zlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.audit import verification
from glacier_purge.audit.recovery import replay
from glacier_purge.audit.verification import NotToBeChecked, verify, verify_folder
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.at_length import examples
from tests.audit.logs import dump, finished_run, log_bytes, plain_segments, rechained
from tests.e2e.claimed import certified, planned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = ("Infinity", "-Infinity", "NaN", "1e400", "[" * 100_000, "9" * 5000, "{" * 5000, "-1", "null", '"\\ud800"')


NUMBERS = {
    "segment": ("seq", "segment", "records", "epoch"),
    "released": ("seq", "first", "last", "epoch"),
    "outcome": ("ordinal",),
    "finished": ("seq", "attempts", "epoch"),
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    disk = PretendDisk()
    asyncio.run(finished_run(disk))
    return disk.contents()


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: value[:10])
@pytest.mark.parametrize("event", ["segment", "released", "outcome", "finished"])
def test_no_value_of_a_record_is_too_much(event: str, value: str, tmp_path: Path) -> None:
    """In place of each number of a record, with every hash recomputed: damage, to who checks and to who resumes."""
    disk = PretendDisk()
    asyncio.run(finished_run(disk, segment_records=1000))
    lines = log_bytes(disk.contents()).splitlines(keepends=True)
    place = next(at for at, line in enumerate(lines) if f'"event":"{event}"'.encode() in line)
    said = json.loads(lines[place])
    for key in NUMBERS[event]:
        changed = list(lines)
        changed[place] = lines[place].replace(
            f'"{key}":{json.dumps(said[key])}'.encode(), f'"{key}":{value}'.encode(), 1
        )
        assert changed[place] != lines[place]
        prev = said["prev"]
        for at in range(place, len(changed)):
            changed[at] = changed[at][:-67] + prev.encode() + changed[at][-3:]
            prev = hashlib.sha256(changed[at]).hexdigest()
        folder = dump({"audit/000001.jsonl": b"".join(changed)}, tmp_path / key)
        if (key, value) in {("attempts", "-1"), ("attempts", "null")}:
            continue  # a number, or none
        verdict = verify(folder)
        assert place in [fault.record for fault in verdict.faults], (key, verdict.faults)
        with pytest.raises(AuditDamaged):
            replay(folder)


@pytest.mark.parametrize("position", [3, 12, 30, 55, 69])
def test_a_changed_digit_is_named_with_the_byte_where_its_record_begins(
    position: int, files: dict[str, bytes], tmp_path: Path
) -> None:
    name, begin = "audit/000001.jsonl", 0
    lines = log_bytes(files).splitlines(keepends=True)
    for plain, data in plain_segments(files).items():
        if begin + data.count(b"\n") > position:
            name = plain
            break
        begin += data.count(b"\n")
    start = sum(map(len, lines[begin:position]))
    plainly = plain_segments(files)
    changed = bytearray(plainly[name])
    at = plainly[name].index(b'"epoch":1', start) - 2
    changed[at] ^= 1
    [fault, *_] = verify(dump(plainly | {name: bytes(changed)}, tmp_path)).faults
    assert (fault.file, fault.offset_bytes, fault.record) == (name, start, position)


# -- compressed segments ----------------------------------------------------------------------------------------------


def claiming(size: int) -> bytes:
    """A frame that says its content is so long."""
    return b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x01\x00\x00"


WAYS_TO_UNPACK = [
    "zstandard",
    "Python 3.14",
    pytest.param("zstdcat", marks=pytest.mark.skipif(shutil.which("zstdcat") is None, reason="zstdcat is missing")),
]


def leave_only(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what else could unpack; an older Python is given 3.14's module."""
    if by != "zstandard":
        monkeypatch.setitem(sys.modules, "zstandard", None)
    if by == "zstdcat":
        monkeypatch.setitem(sys.modules, "compression", None)
    elif by == "Python 3.14" and sys.version_info < (3, 14):
        zstd = types.SimpleNamespace(decompress=zstandard.ZstdDecompressor().decompress, ZstdError=zstandard.ZstdError)
        monkeypatch.setitem(sys.modules, "compression", types.SimpleNamespace(zstd=zstd))


FRAMES = {
    "claims 2^60 bytes": claiming(1 << 60),
    "a window of 2 GiB": b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00",
    "a thousand blocks of 128 KiB": b"\x28\xb5\x2f\xfd\x00\x38" + (2 | 1 << 20).to_bytes(3, "little") + b"x" * 4000,
    "no frame": b"no frame at all",
    "cut in its magic number": b"\x28\xb5",
    "cut in its head": b"\x28\xb5\x2f\xfd\xa4",
}


def block(kind: int, length: int, *, is_last: bool = True) -> bytes:
    return (is_last | kind << 1 | length << 3).to_bytes(3, "little") + b"x" * (1 if kind == RUN_OF_ONE else length)


RAW, RUN_OF_ONE, RESERVED = 0, 1, 3
LONGEST = 1 << 17
HEADS = {
    "a size of 1 byte": b"\x20\x07",
    "a size of 2 bytes": b"\x60\x07\x00",
    "a size of 4 bytes, the most there is": b"\xa0" + verification._FRAME_BYTES_MAX.to_bytes(4, "little"),
    "a size of 8 bytes": b"\xe0\x07" + bytes(7),
    "a window and no size": b"\x00\x38",
    "a window and a size of 2 bytes": b"\x40\x38\x07\x00",
    "the widest window": b"\x00\x68",
    "a dictionary of 1 byte": b"\x21\x05\x07",
    "a dictionary of 2 bytes": b"\x22\x05\x05\x07",
    "a dictionary of 4 bytes": b"\x23\x05\x05\x05\x05\x07",
}
BLOCKS = {
    "no byte": [block(RAW, 0)],
    "one of the full length": [block(RAW, LONGEST)],
    "a run of one byte": [block(RUN_OF_ONE, LONGEST, is_last=False), block(RAW, 3)],
    "as many as there may be": [*[block(RAW, 1, is_last=False)] * 63, block(RAW, 1)],
}


@pytest.mark.parametrize("checksum", [b"", b"sums"])
@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("head", HEADS)
def test_a_frame_ends_where_the_next_one_begins(head: str, blocks: str, checksum: bytes) -> None:
    """Of every form that RFC 8878 has for a head, and of every kind of block."""
    flags = HEADS[head][0] | 4 * bool(checksum)
    frame = b"\x28\xb5\x2f\xfd" + bytes([flags]) + HEADS[head][1:] + b"".join(BLOCKS[blocks]) + checksum
    found = list(verification._frames(io.BytesIO(frame + frame)))
    assert [(one.offset, bytes(one.content)) for one in found] == [(0, frame), (len(frame), frame)]
    assert {one.blocks for one in found} == {len(BLOCKS[blocks])}


@pytest.mark.parametrize(
    "behind_magic",
    [
        b"\x28\x07" + block(RAW, 7),
        b"\x30\x07" + block(RAW, 7),
        b"\x00\x70" + block(RAW, 7),
        b"\xa0" + (verification._FRAME_BYTES_MAX + 1).to_bytes(4, "little") + block(RAW, 7),
        b"\x20\x07" + block(RESERVED, 7),
        b"\x00\x38" + block(RAW, LONGEST + 1),
        b"\x00\x38" + block(RAW, 1, is_last=False) * 64 + block(RAW, 1),
        b"\x24\x07" + block(RAW, 7) + b"sum",
    ],
)
def test_a_frame_that_claims_what_the_log_never_needs_is_none(behind_magic: bytes) -> None:
    with pytest.raises(verification._Bad, match="can't be read"):
        list(verification._frames(io.BytesIO(b"\x28\xb5\x2f\xfd" + behind_magic)))


@pytest.mark.parametrize("by", WAYS_TO_UNPACK)
@pytest.mark.parametrize("case", FRAMES)
def test_a_frame_that_is_none_is_named_with_its_byte(
    case: str, by: str, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "audit/000002.jsonl.zst"
    folder = dump(files | {name: files[name] + FRAMES[case]}, tmp_path)
    with monkeypatch.context() as patched:
        leave_only(by, patched)
        [fault, *_] = verify(folder).faults
    assert (fault.kind, fault.file, fault.offset_bytes, fault.record) == ("unreadable", name, len(files[name]), 50)
    (folder / "checkpoint").unlink()
    with pytest.raises(AuditDamaged) as damaged:
        replay(folder)
    assert damaged.value.file == name


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("by", WAYS_TO_UNPACK)
def test_a_flipped_bit_in_a_sealed_segment_is_named_by_frame_and_record(
    by: str, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each frame holds the lines of its own: those before the bad one are checked, the next one's number is told."""
    lines = plain_segments(files)["audit/000002.jsonl"].splitlines(keepends=True)
    pack = zstandard.ZstdCompressor(3, write_checksum=True)
    frames = [pack.compress(b"".join(lines[:10])), pack.compress(b"".join(lines[10:]))]
    name = "audit/000002.jsonl.zst"
    folder = dump(files | {name: b"".join(frames)}, tmp_path)
    [anew] = verify(folder).faults
    assert (anew.kind, anew.file, anew.record) == ("changed", name, None)
    manifest = files["audit/manifest.jsonl"]
    packed = zlib.crc32(b"".join(frames))
    packed_before = json.loads(manifest.splitlines()[1])["packed_crc32"].encode()
    (folder / "audit/manifest.jsonl").write_bytes(manifest.replace(packed_before, b"%08x" % packed))
    assert verify(folder).faults == ()
    leave_only(by, monkeypatch)
    step = 97 if by == "zstdcat" else 13
    for bit in range(0, 8 * len(frames[1]), step):
        damaged = bytearray(frames[1])
        damaged[bit // 8] ^= 1 << bit % 8
        (folder / name).write_bytes(frames[0] + damaged)
        faults = verify(folder).faults
        places = [(fault.kind, fault.file, fault.offset_bytes, fault.record) for fault in faults]
        of_file = [("changed", name, 0, None)]
        assert places in (of_file, [("unreadable", name, len(frames[0]), 35)]), (bit, faults)
        if places == of_file:  # a bit that means nothing: the same content comes of it
            assert zstandard.ZstdDecompressor().decompress(bytes(damaged)) == b"".join(lines[10:])


def test_without_anything_to_unpack_with_nothing_is_called_damaged(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_only("zstdcat", monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotToBeChecked, match="zstdcat"):
        verify(dump(files, tmp_path / "run"))


# -- what stands in a file's place ------------------------------------------------------------------------------------


PLACED: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link": lambda path: path.symlink_to("plan.json"),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("what", PLACED)
def test_what_is_no_file_is_named_and_not_waited_for(what: str, tmp_path: Path) -> None:
    folder = asyncio.run(certified(tmp_path / "run")).path
    for file in [path for path in folder.rglob("*") if path.is_file() and path.name not in {"lock", "duplicates"}]:
        content = file.read_bytes()
        file.unlink()
        PLACED[what](file)
        [verdict] = verify_folder(folder)
        name = str(file.relative_to(folder))
        blamed = {fault.file for fault in verdict.found.faults if fault.kind == "unreadable"}
        assert blamed & {name, name.removesuffix(".zst"), name.removesuffix(".sha256")}, (name, verdict.found.faults)
        told = " ".join(fault.message for fault in verdict.found.faults if fault.kind == "unreadable")
        assert ("a symbolic link stands in its place" in told) == (what in {"a link", "a device"}), told
        file.rmdir() if what == "a folder" else file.unlink()
        file.write_bytes(content)
    assert verify_folder(folder)[0].found.faults == ()


LAST_ENTRIES: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    "cut": (lambda line: line[:50], False),
    "cut in its name": (lambda line: line[:12], False),
    "cut before its end": (lambda line: line[:-1], False),
    "zeros to its end": (lambda line: line[:50] + bytes(len(line) - 50), False),
    "zeros in it, and its end": (lambda line: line[:50] + bytes(len(line) - 51) + b"\n", False),
    "a space in it": (lambda line: line.replace(b'"records":', b'"records": '), True),
    "a member more": (lambda line: line.replace(b"}", b',"more":1}'), True),
    "another number": (lambda line: line.replace(b"000002", b"000003"), True),
    "another beginning, cut": (lambda line: b"[" + line[1:50], True),
    "no text, cut": (lambda line: line[:50] + b"\xff", True),
    "something behind it": (lambda line: line + b"{", False),
    "something behind it that is none": (lambda line: line + b"#", True),
    "something behind it in its line": (lambda line: line[:-1] + b"#", True),
}


@pytest.mark.parametrize("name", LAST_ENTRIES)
def test_of_the_manifests_last_line_a_crash_leaves_a_beginning_and_nothing_else(
    name: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    change, is_change = LAST_ENTRIES[name]
    *before, last = files["audit/manifest.jsonl"].splitlines(keepends=True)
    packed = "audit/000002.jsonl.zst"  # which is there once its entry is durable
    there = {one: content for one, content in files.items() if one != packed}
    there["audit/000002.jsonl"] = plain_segments(files)["audit/000002.jsonl"]
    changed = b"".join([*before, change(last)])
    assert changed != there["audit/manifest.jsonl"]
    [unchanged] = verify_folder(dump(there, tmp_path / "unchanged"))
    [verdict] = verify_folder(dump(there | {"audit/manifest.jsonl": changed}, tmp_path / "changed"))
    told = [fault for fault in verdict.found.faults if fault not in unchanged.found.faults]
    assert [(fault.kind, fault.file) for fault in told] == [("manifest", "audit/manifest.jsonl")] * is_change, told
    assert all(fault.offset_bytes >= len(before[0]) for fault in told)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("old", "new", "at"), [(b'"records":', b'"records": ', 0), (b'{"name":', b'{"name";', 7)])
def test_a_line_of_the_manifest_that_is_none_is_named_alone_by_line_and_byte(
    old: bytes, new: bytes, at: int, number: int, files: dict[str, bytes], tmp_path: Path
) -> None:
    """What it says of segments is not believed any more, nor held against them."""
    lines = files["audit/manifest.jsonl"].splitlines(keepends=True)
    begin = len(b"".join(lines[:number]))
    lines[number] = lines[number].replace(old, new)
    [fault] = verify(dump(files | {"audit/manifest.jsonl": b"".join(lines)}, tmp_path)).faults
    assert (fault.kind, fault.file, fault.record) == ("manifest", "audit/manifest.jsonl", number)
    assert fault.offset_bytes == begin + at


def test_a_segment_that_is_there_plain_and_sealed_as_a_crash_may_leave_it_is_sound(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    name = "audit/000002.jsonl"
    assert verify(dump(files | {name: plain_segments(files)[name]}, tmp_path)).faults == ()


def test_an_empty_segment_before_another_is_told(files: dict[str, bytes], tmp_path: Path) -> None:
    faults = verify(dump(files | {"audit/000002.jsonl": b""}, tmp_path)).faults
    assert ("segment", "audit/000002.jsonl", "this segment is empty") in [
        (fault.kind, fault.file, fault.message) for fault in faults
    ]


@pytest.mark.parametrize(("gone", "told"), [((1,), ""), ((2,), ""), ((1, 2), ", and 1 after it"), ((3,), "")])
def test_it_is_told_how_many_segments_are_missing(
    gone: tuple[int, ...], told: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    left = {name: data for name, data in files.items() if not any(f"{number:06d}.jsonl" in name for number in gone)}
    faults = verify(dump(left, tmp_path)).faults
    assert ("segment", f"audit/{gone[0]:06d}.jsonl", f"this segment is missing{told}") in [
        (fault.kind, fault.file, fault.message) for fault in faults
    ]


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("key", ["records", "first_seq", "last_seq", "sha256", "last_hash", "packed_crc32"])
def test_a_manifest_that_says_something_else_of_a_segment_is_told(
    key: str, number: int, files: dict[str, bytes], tmp_path: Path
) -> None:
    """Also where whoever changed it put its lines right again; of a segment's bytes its successor's line knows more."""
    entries = [json.loads(line) for line in files["audit/manifest.jsonl"].splitlines()]
    value = entries[number - 1][key]
    entries[number - 1][key] = value + 1 if isinstance(value, int) else ("1" if value[0] == "0" else "0") + value[1:]
    lines = list[bytes]()
    for entry in entries:
        entry["previous"] = hashlib.sha256(lines[-1] if lines else b"").hexdigest()
        lines.append(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
    [unchanged] = verify_folder(dump(files, tmp_path / "unchanged"))
    [verdict] = verify_folder(dump(files | {"audit/manifest.jsonl": b"".join(lines)}, tmp_path / "changed"))
    told = [fault for fault in verdict.found.faults if fault not in unchanged.found.faults]
    if (key, number) == ("sha256", 1):
        assert told == []
        return
    name = f"audit/{number:06d}.jsonl"
    kind, file = ("changed", f"{name}.zst") if key == "packed_crc32" else ("manifest", name)
    assert [(fault.kind, fault.file) for fault in told] == [(kind, file)]
    assert key in told[0].message or kind == "changed"


def test_what_is_no_file_leaves_no_file_open(files: dict[str, bytes], tmp_path: Path) -> None:
    dump(files, tmp_path)
    (tmp_path / "checkpoint").unlink()
    os.mkfifo(tmp_path / "checkpoint")
    verify_folder(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of numbers, not paths
    for _ in range(3):
        verify_folder(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_a_line_without_end_is_not_held_in_memory(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_TAIL_BYTES_MAX", 1 << 16)
    monkeypatch.setattr("glacier_purge.audit.segments.LINE_BYTES_MAX", 1 << 16)
    name = "audit/000003.jsonl"
    folder = dump(files | {name: files[name] + b"x" * (1 << 18)}, tmp_path)
    [fault, *_] = verify(folder).faults
    assert (fault.file, fault.record) == (name, 71)
    with pytest.raises(AuditDamaged, match="a line of more than") as damaged:
        replay(folder)
    assert damaged.value.file == name


# -- digests ----------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), 1 << 64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=examples(300), deadline=None)
def test_the_digest_of_a_document_is_what_its_writer_computes(content: Any) -> None:
    """From the file alone, as msgspec indents it: escapes, order of keys, and numbers as they are written."""
    document = {"digest": "", "content": {"it": content}}
    written = msgspec.json.format(msgspec.json.encode(document), indent=2)
    read = verification._document(written)
    assert verification._canonical(read["content"]).encode() == msgspec.json.encode(document["content"], order="sorted")


@pytest.mark.parametrize(
    "description", ["a film", "Übersicht – 影片 \u2028\u202e\x7f", 'a "quote" \\ and \t\x01', "\U0001f4fc"]
)
def test_a_plan_with_any_description_has_the_digest_it_says(description: str, tmp_path: Path) -> None:
    folder, plan = planned(tmp_path / "run", description=description)
    assert any(description[0] in sample.description for sample in plan.samples)
    [(_, _, found)] = verify_folder(folder.path)
    assert found.faults == ()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("vault_arn", "arn:aws:glacier:us-east-1:123456789012:vaults/others", "is not the plan's vault"),
        ("endpoint_url", "https://glacier.us-west-2.amazonaws.com", "is not the plan's vault"),
        ("plan_digest", "0" * 64, "is not this run's"),
        ("audit_anchor", "3:" + "0" * 64, "certificate.json"),
    ],
)
def test_a_certificate_that_speaks_of_another_run_is_told_though_it_is_whole_in_itself(
    key: str, value: str, said: str, tmp_path: Path
) -> None:
    folder = asyncio.run(certified(tmp_path / "run")).path
    file = folder / "certificate.json"
    document = json.loads(file.read_bytes())
    assert document["certificate"][key] != value
    document["certificate"][key] = value
    document["digest"] = hashlib.sha256(msgspec.json.encode(document["certificate"], order="sorted")).hexdigest()
    file.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))
    [verdict] = verify_folder(folder)
    assert any(said in str(fault) for fault in verdict.found.faults), verdict.found.faults


@pytest.mark.parametrize("word", ["deleted", "failed"])
def test_a_certificate_says_how_many_were_deleted_by_the_log(word: str, tmp_path: Path) -> None:
    """Or that none was."""
    folder = asyncio.run(certified(tmp_path / "run", word=word)).path
    [verdict] = verify_folder(folder)
    assert (verdict.found.faults, verdict.found.counts) == ((), {word: 60})
    file = folder / "certificate.json"
    document = json.loads(file.read_bytes())
    document["certificate"]["deleted"] += 1
    document["digest"] = hashlib.sha256(msgspec.json.encode(document["certificate"], order="sorted")).hexdigest()
    file.write_bytes(msgspec.json.encode(document))
    [verdict] = verify_folder(folder)
    assert [(fault.file, fault.kind) for fault in verdict.found.faults] == [("certificate.json", "changed")]


def test_the_text_of_a_certificate_is_held_against_it(tmp_path: Path) -> None:
    file = asyncio.run(certified(tmp_path / "run")).path / "certificate.txt"
    file.write_text(file.read_text().replace("deleted", "kept"))
    [verdict] = verify_folder(file.parent)
    assert [(fault.file, fault.kind) for fault in verdict.found.faults] == [("certificate.txt", "changed")]


@pytest.mark.parametrize("name", ["checkpoint", "checkpoint.previous"])
@pytest.mark.parametrize("other", [{"run": "videos-2026-11-22T15-14-03Z"}, {"records": 61}])
def test_a_checkpoint_of_another_run_is_told(
    other: dict[str, Any], name: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    disk = PretendDisk()
    asyncio.run(finished_run(disk, **other))
    [unchanged] = verify_folder(dump(files, tmp_path / "unchanged"))
    [verdict] = verify_folder(dump(files | {name: disk.contents()["checkpoint"]}, tmp_path / "changed"))
    told = [fault for fault in verdict.found.faults if fault not in unchanged.found.faults]
    assert [(fault.kind, fault.file) for fault in told] == [("checkpoint", name)]
    assert "of another run or plan" in told[0].message


def test_a_record_that_stands_twice_is_told_once_with_its_number(files: dict[str, bytes], tmp_path: Path) -> None:
    name = "audit/000003.jsonl"
    lines = files[name].splitlines(keepends=True)
    [unchanged] = verify_folder(dump(files, tmp_path / "unchanged"))
    twice = b"".join([*lines[:4], lines[1], *lines[4:]])
    [verdict] = verify_folder(dump(files | {name: twice}, tmp_path / "changed"))
    told = [fault for fault in verdict.found.faults if fault not in unchanged.found.faults]
    number = json.loads(lines[1])["seq"]
    assert [(fault.kind, fault.record, fault.offset_bytes) for fault in told] == [
        ("inserted", number, len(b"".join(lines[:4])))
    ]


def test_behind_a_record_that_stands_twice_places_are_still_right(files: dict[str, bytes], tmp_path: Path) -> None:
    name = "audit/000003.jsonl"
    lines = files[name].splitlines(keepends=True)
    changed = [*lines[:3], lines[1], *lines[3:]]
    changed[7] = changed[7].replace(b'"ms":41.25', b'"ms":14.52')
    faults = verify(dump(files | {name: b"".join(changed)}, tmp_path)).faults
    assert ("changed", json.loads(lines[6])["seq"], len(b"".join(changed[:7]))) in [
        (fault.kind, fault.record, fault.offset_bytes) for fault in faults
    ]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("old", "new", "at"), [(b'"by"', b'"of"', 0), (b'{"at":', b'{"at";', 5)])
def test_a_line_about_the_vaults_removal_that_is_none_is_named_with_its_byte(
    old: bytes, new: bytes, at: int, number: int, tmp_path: Path
) -> None:
    file = asyncio.run(certified(tmp_path / "run")).path / "removal.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    begin = len(b"".join(lines[:number]))
    lines[number] = lines[number].replace(old, new)
    file.write_bytes(b"".join(lines))
    [verdict] = verify_folder(file.parent)
    assert [(fault.kind, fault.file, fault.offset_bytes) for fault in verdict.found.faults] == [
        ("changed", "removal.jsonl", begin + at)
    ]


def test_a_folder_without_any_of_ours_is_no_damage(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotToBeChecked, match="not the folder of a run, a script's log, a lifecycle or a fleet"):
            verify_folder(folder)


def test_other_duplicates_than_those_that_were_planned_with_are_told(tmp_path: Path) -> None:
    """The archives that stand twice are part of what was planned."""
    folder = asyncio.run(certified(tmp_path / "run")).path
    with (folder / "duplicates").open("ab") as file:
        file.write(b"7\n")
    [verdict] = verify_folder(folder)
    assert [(fault.file, fault.kind) for fault in verdict.found.faults] == [("decisions", "changed")]


def test_a_run_that_is_of_another_vault_than_its_plan_is_told_though_the_plan_names_its_hash(tmp_path: Path) -> None:
    folder = asyncio.run(certified(tmp_path / "run")).path
    run, plan = folder / "run.json", folder / "plan.json"
    before = hashlib.sha256(run.read_bytes()).hexdigest()
    run.write_bytes(run.read_bytes().replace(b"vaults/photos", b"vaults/others"))
    content = plan.read_text()
    assert before in content
    plan.write_text(content.replace(before, hashlib.sha256(run.read_bytes()).hexdigest()))
    [verdict] = verify_folder(folder)
    [fault] = verdict.found.faults
    assert (fault.file, fault.kind) == ("run.json", "changed")
    assert "which is not the plan's vault" in fault.message


def test_a_checkpoint_with_other_outcomes_than_the_log_is_found(files: dict[str, bytes], tmp_path: Path) -> None:
    """Its CRC recomputed: a resumed run would believe that archives are done which nobody deleted."""
    import zlib

    head, _, rest = files["checkpoint"].partition(b"\n")
    for changed in (head.replace(b'"deleted":60', b'"deleted":59') + b"\n" + rest, head + b"\n\x7f" + rest[1:]):
        content = changed[:-10]
        forged = content + b"\n%08x\n" % zlib.crc32(content)
        [fault] = verify(dump(files | {"checkpoint": forged}, tmp_path)).faults
        assert (fault.kind, fault.file) == ("checkpoint", "checkpoint")


def test_every_line_rechained_under_another_plan_is_told_by_the_plan(tmp_path: Path) -> None:
    folder = asyncio.run(certified(tmp_path / "run")).path
    plan = json.loads((folder / "plan.json").read_bytes())["digest"]
    lines = (folder / "audit" / "000003.jsonl").read_bytes().splitlines(keepends=True)
    other = "0" * 64
    (folder / "audit" / "000003.jsonl").write_bytes(
        b"".join(rechained(lines, other)).replace(plan.encode(), other.encode())
    )
    assert verify_folder(folder)[0].found.exit_code == 4
