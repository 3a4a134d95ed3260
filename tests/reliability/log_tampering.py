"""Ways to tamper with a finished run's log: each at a place drawn, with the record that has to be named."""

from __future__ import annotations

import asyncio
import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import zstandard

from glacier_purge.audit.verification import PlanFacts
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import PLAN, RUN, commit, finished_run, log_bytes, open_journal, plain_segments, rechained

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Files = dict[str, bytes]


class Tampered(NamedTuple):
    """Files somebody changed, the record that must be named (None: a file is), and what the log is held against."""

    files: Files
    record: int | None
    anchor: str | None = None
    plan: PlanFacts | None = None


@cache
def whole_run(run: str = RUN, plan: str = PLAN) -> tuple[Files, str]:
    disk = PretendDisk()
    anchor = asyncio.run(finished_run(disk, run=run, plan_digest=plan))
    return disk.contents(), anchor


def lines_of(files: Files) -> list[bytes]:
    return log_bytes(files).splitlines(keepends=True)


def shapes(files: Files) -> list[int]:
    return [len(data.splitlines()) for data in plain_segments(files).values()]


def packed(files: Files, lines: list[bytes], shape: list[int] | None = None) -> Files:
    """Put lines back into segments of the given lengths (the last takes the rest), compressed where they were."""
    changed = dict(files)
    lengths = shape or shapes(files)
    lines = list(lines)
    for place, name in enumerate(plain_segments(files)):
        length = len(lines) if place == len(lengths) - 1 else lengths[place]
        data, lines = b"".join(lines[:length]), lines[length:]
        if name + ".zst" in files:
            changed[name + ".zst"] = zstandard.ZstdCompressor(3, write_checksum=True).compress(data)
        else:
            changed[name] = data
    return changed


def segment_of(files: Files, seq: int) -> int:
    for place, length in enumerate(shapes(files)):
        if seq < length:
            return place
        seq -= length
    raise AssertionError


def without(shape: list[int], segment: int, records: int = 1) -> list[int]:
    return [length - records * (place == segment) for place, length in enumerate(shape)]


def unvouched(files: Files) -> Files:
    return {name: data for name, data in files.items() if "manifest" not in name and "checkpoint" not in name}


def any_record(rng: random.Random, files: Files) -> int:
    return rng.randrange(1, len(lines_of(files)) - 1)


def outcome_record(rng: random.Random, files: Files) -> int:
    return rng.choice([seq for seq, line in enumerate(lines_of(files)) if b'"event":"outcome"' in line])


def one_byte(rng: random.Random, files: Files) -> Tampered:
    """Any byte of any record: fields, separators, hashes, all but the line's end."""
    lines = lines_of(files)
    seq = rng.randrange(len(lines))
    at = rng.randrange(len(lines[seq]) - 1)
    other = rng.choice([byte for byte in range(32, 127) if byte != lines[seq][at]])
    lines[seq] = lines[seq][:at] + bytes([other]) + lines[seq][at + 1 :]
    return Tampered(packed(files, lines), seq)


def one_field(rng: random.Random, files: Files) -> Tampered:
    lines = lines_of(files)
    seq = outcome_record(rng, files)
    said = json.loads(lines[seq])
    key = rng.choice(list(said))
    said[key] = said[key] + 1 if isinstance(said[key], int | float) else str(said[key])[:-1] + "0"
    changed = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    if changed == lines[seq]:
        return one_field(rng, files)
    lines[seq] = changed
    return Tampered(packed(files, lines), seq)


def line_end(rng: random.Random, files: Files) -> Tampered:
    lines = lines_of(files)
    seq = any_record(rng, files)
    lines[seq] = lines[seq][:-1] + b" "
    return Tampered(packed(files, lines), seq)


def delete_one(rng: random.Random, files: Files) -> Tampered:
    lines, seq = lines_of(files), any_record(rng, files)
    del lines[seq]
    return Tampered(packed(files, lines, without(shapes(files), segment_of(files, seq))), seq)


def delete_some(rng: random.Random, files: Files) -> Tampered:
    lines, shape = lines_of(files), shapes(files)
    seq = rng.randrange(1, 15)
    many = rng.randrange(2, 8)
    del lines[seq : seq + many]
    return Tampered(packed(files, lines, without(shape, 0, many)), seq)


def swap_two(rng: random.Random, files: Files) -> Tampered:
    lines = lines_of(files)
    first, second = sorted(rng.sample(range(1, len(lines) - 1), 2))
    lines[first], lines[second] = lines[second], lines[first]
    return Tampered(packed(files, lines), first)


def insert_forged(rng: random.Random, files: Files) -> Tampered:
    """A well-made record that carries the right hash and number: the one after it can't be right any more."""
    lines, shape = lines_of(files), shapes(files)
    seq = outcome_record(rng, files)
    said = json.loads(lines[seq]) | {"ordinal": 3, "outcome": "skipped"}
    lines.insert(seq, json.dumps(said, separators=(",", ":")).encode() + b"\n")
    return Tampered(packed(files, lines, without(shape, segment_of(files, seq), -1)), seq)


def duplicate_record(rng: random.Random, files: Files) -> Tampered:
    lines, shape = lines_of(files), shapes(files)
    seq = any_record(rng, files)
    lines.insert(seq, lines[seq])
    return Tampered(packed(files, lines, without(shape, segment_of(files, seq), -1)), seq)


def last_name(files: Files) -> str:
    return list(plain_segments(files))[-1]


def cut_at_record(rng: random.Random, files: Files) -> Tampered:
    lines, shape = lines_of(files), shapes(files)
    left = rng.randrange(sum(shape[:-1]) + 1, len(lines))
    return Tampered(packed(files, lines[:left]), left)


def cut_in_record(rng: random.Random, files: Files) -> Tampered:
    lines, shape = lines_of(files), shapes(files)
    left = rng.randrange(sum(shape[:-1]) + 1, len(lines))
    part = lines[left][: rng.randrange(1, len(lines[left]))]
    return Tampered(packed(files, [*lines[:left], part]), left)


def cut_at_segment(rng: random.Random, files: Files) -> Tampered:
    changed, shape = dict(files), shapes(files)
    del changed[last_name(files)]
    return Tampered(changed, sum(shape[:-1]))


def remove_segment(rng: random.Random, files: Files) -> Tampered:
    changed, shape = dict(files), shapes(files)
    segment = rng.randrange(2)
    del changed[f"audit/{segment + 1:06d}.jsonl.zst"]
    return Tampered(changed, sum(shape[:segment]))


def swap_segments(rng: random.Random, files: Files) -> Tampered:
    one, two = "audit/000001.jsonl.zst", "audit/000002.jsonl.zst"
    return Tampered(files | {one: files[two], two: files[one]}, 0)


def duplicate_segment(rng: random.Random, files: Files) -> Tampered:
    segment = rng.randrange(1, 3)
    changed = files | {"audit/000003.jsonl": plain_segments(files)[f"audit/{segment:06d}.jsonl"]}
    return Tampered(changed, sum(shapes(files)[: segment - 1]))


def splice_other_run(rng: random.Random, files: Files) -> Tampered:
    """In the first segment nothing says which run is the right one but the manifest, by the segment's last record."""
    other, _ = whole_run("other-2026-11-22T15-14-03Z")
    name, record = rng.choice([("audit/000001.jsonl.zst", 24), ("audit/000002.jsonl.zst", 25)])
    return Tampered(files | {name: other[name]}, record)


def change_checkpoint(rng: random.Random, files: Files) -> Tampered:
    data = bytearray(files["checkpoint"])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return Tampered(files | {"checkpoint": bytes(data)}, None)


def remove_checkpoint_and_cut(rng: random.Random, files: Files) -> Tampered:
    changed = cut_at_record(rng, files)
    return Tampered(
        {name: data for name, data in changed.files.items() if name != "checkpoint"},
        changed.record,
        anchor=whole_run()[1],
    )


def rechain_a_change(rng: random.Random, files: Files) -> Tampered:
    """Every hash recomputed after one change: the checkpoint was written after another log."""
    lines, seq = lines_of(files), outcome_record(rng, files)
    lines[seq] = lines[seq].replace(b'"ms":41.25', b'"ms":14.52')
    changed = packed(files, rechained(lines))
    del changed["audit/manifest.jsonl"]
    return Tampered(changed, len(lines) - 1)


def rewrite_everything(rng: random.Random, files: Files) -> Tampered:
    """Log, manifest and checkpoint all made anew: only an anchor kept elsewhere tells."""
    lines, seq = lines_of(files), outcome_record(rng, files)
    lines[seq] = lines[seq].replace(b'"ms":41.25', b'"ms":14.52')
    plain = unvouched(packed(files, rechained(lines)))
    return Tampered(plain, len(lines) - 1, anchor=whole_run()[1])


def roll_back(rng: random.Random, files: Files) -> Tampered:
    """An older copy of the folder, whole in itself."""
    disk = PretendDisk()

    async def begin() -> None:
        journal = await open_journal(disk, records=60, segment_records=25)
        await commit(journal, range(rng.randrange(1, 20)))
        await journal.aclose()

    asyncio.run(begin())
    return Tampered(disk.contents(), len(lines_of(disk.contents())), anchor=whole_run()[1])


def second_outcome(rng: random.Random, files: Files) -> Tampered:
    lines = lines_of(files)
    first, second = sorted(rng.sample([n for n, line in enumerate(lines) if b'"event":"outcome"' in line], 2))
    said = json.loads(lines[second]) | {"ordinal": json.loads(lines[first])["ordinal"]}
    lines[second] = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    return Tampered(unvouched(packed(files, rechained(lines))), second)


def outcome_not_in_plan(rng: random.Random, files: Files) -> Tampered:
    lines, seq = lines_of(files), outcome_record(rng, files)
    said = json.loads(lines[seq]) | {"ordinal": 60 + rng.randrange(100)}
    lines[seq] = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    return Tampered(unvouched(packed(files, rechained(lines))), seq)


def outcome_not_selected(rng: random.Random, files: Files) -> Tampered:
    seq = outcome_record(rng, files)
    ordinal = json.loads(lines_of(files)[seq])["ordinal"]
    selected = bytearray(b"\xff" * 8)
    selected[ordinal >> 3] ^= 1 << (ordinal & 7)
    return Tampered(files, seq, plan=PlanFacts(digest=PLAN, records=60, selected=bytes(selected)))


def outcome_before_release(rng: random.Random, files: Files) -> Tampered:
    """I3: every release but the first says less than it did."""
    lines = lines_of(files)
    later = [n for n, line in enumerate(lines) if b'"event":"released"' in line][1:]
    seq = rng.choice(later)
    said = json.loads(lines[seq])
    lines[seq] = json.dumps(said | {"last": said["first"]}, separators=(",", ":")).encode() + b"\n"
    segment_begins = any(b'"event":"segment"' in line for line in lines[seq + 1 : seq + 3])
    return Tampered(unvouched(packed(files, rechained(lines))), seq + 2 + segment_begins)


def other_plan(rng: random.Random, files: Files) -> Tampered:
    return Tampered(files, 0, plan=PlanFacts(digest=hashlib.sha256(rng.randbytes(4)).hexdigest(), records=60))


def trailing_garbage(rng: random.Random, files: Files) -> Tampered:
    name = last_name(files)
    return Tampered(files | {name: files[name] + rng.randbytes(rng.randrange(1, 600))}, len(lines_of(files)))


def crlf(rng: random.Random, files: Files) -> Tampered:
    segment = rng.randrange(3)
    lines, first = lines_of(files), sum(shapes(files)[:segment])
    last = first + shapes(files)[segment]
    lines[first:last] = [line.replace(b"\n", b"\r\n") for line in lines[first:last]]
    return Tampered(packed(files, lines), first)


def byte_order_mark(rng: random.Random, files: Files) -> Tampered:
    segment = rng.randrange(3)
    lines, first = lines_of(files), sum(shapes(files)[:segment])
    lines[first] = b"\xef\xbb\xbf" + lines[first]
    return Tampered(packed(files, lines), first)


def invalid_utf8(rng: random.Random, files: Files) -> Tampered:
    lines, seq = lines_of(files), any_record(rng, files)
    at = rng.randrange(len(lines[seq]) - 1)
    lines[seq] = lines[seq][:at] + bytes([rng.randrange(128, 256)]) + lines[seq][at + 1 :]
    return Tampered(packed(files, lines), seq)


def change_manifest(rng: random.Random, files: Files) -> Tampered:
    data = bytearray(files["audit/manifest.jsonl"])
    at = rng.choice([place for place in range(len(data)) if data[place : place + 1].isalnum()])
    data[at] = data[at] + 1 if chr(data[at]) in "abcdef012345678" else ord("0")
    if bytes(data) == files["audit/manifest.jsonl"]:
        return change_manifest(rng, files)
    return Tampered(files | {"audit/manifest.jsonl": bytes(data)}, None)


def remove_manifest(rng: random.Random, files: Files) -> Tampered:
    changed = dict(files)
    del changed["audit/manifest.jsonl"]
    return Tampered(changed, None)


def flip_a_packed_bit(rng: random.Random, files: Files) -> Tampered:
    """As a disk turns it: in what is packed, or where it says nothing of that."""
    name = f"audit/{rng.randint(1, 2):06d}.jsonl.zst"
    data = bytearray(files[name])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return Tampered(files | {name: bytes(data)}, None)


def pack_anew(rng: random.Random, files: Files) -> Tampered:
    """The same log in other bytes: no record is another, and the file is not what was written."""
    name = f"audit/{rng.randint(1, 2):06d}.jsonl"
    level = rng.choice([1, 9, 19])
    packed = zstandard.ZstdCompressor(level, write_checksum=False).compress(plain_segments(files)[name])
    return Tampered(files | {f"{name}.zst": packed}, None)


FOUND_AS: dict[Callable[[random.Random, Files], Tampered], set[str]] = {
    one_byte: {"changed", "manifest", "outcome"},
    one_field: {"changed", "outcome"},
    line_end: {"changed"},
    delete_one: {"missing"},
    delete_some: {"missing"},
    swap_two: {"missing"},
    insert_forged: {"outcome", "changed"},
    duplicate_record: {"inserted"},
    cut_at_record: {"truncated"},
    cut_in_record: {"changed"},
    cut_at_segment: {"segment"},
    remove_segment: {"segment"},
    swap_segments: {"missing"},
    duplicate_segment: {"inserted"},
    splice_other_run: {"changed", "manifest"},
    change_checkpoint: {"checkpoint"},
    remove_checkpoint_and_cut: {"truncated"},
    rechain_a_change: {"changed"},
    rewrite_everything: {"changed"},
    roll_back: {"truncated"},
    second_outcome: {"outcome"},
    outcome_not_in_plan: {"outcome"},
    outcome_not_selected: {"outcome"},
    outcome_before_release: {"outcome"},
    other_plan: {"plan"},
    trailing_garbage: {"changed"},
    crlf: {"changed"},
    byte_order_mark: {"changed"},
    invalid_utf8: {"changed"},
    change_manifest: {"manifest", "changed"},
    remove_manifest: {"manifest"},
    flip_a_packed_bit: {"changed", "unreadable"},
    pack_anew: {"changed"},
}
"""Each way, and the kinds of fault that it may be called."""


def places_of(files: Files, record: int) -> set[tuple[str, int]]:
    """Where a record begins, by its place in the log, and where it ends; a whole segment may be told as well."""
    found, at, name, offset = set[tuple[str, int]](), 0, "", 0
    for name, data in plain_segments(files).items():
        offset = 0
        for line in data.removesuffix(b"\n").split(b"\n"):
            if at in (record, record + 1):
                found.add((name, offset))
            at, offset = at + 1, offset + len(line) + 1
    segments = {f"audit/{number:06d}.jsonl" for number in range(1, 4)}
    return found | {(name, offset)} | {(segment, 0) for segment in segments}
