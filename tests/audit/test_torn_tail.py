"""What a crash may leave is cut off, anything else is refused; both who write and who check go by the same rule."""

from __future__ import annotations

import asyncio
import random
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from glacier_purge.audit.recovery import LogIdentity, read_log
from glacier_purge.audit.torn_tail import is_torn_tail
from glacier_purge.audit.verification import a_crash_may_leave, verify
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.pretend_disk import SECTOR_BYTES, PretendDisk
from tests.audit.logs import PLAN, RUN, commit, dump, open_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "audit/000001.jsonl"


class Log(NamedTuple):
    """A log of four commits, and where its last commit begins: byte and record."""

    content: bytes
    last_commit: int
    seq: int


@cache
def log() -> Log:
    disk = PretendDisk()

    async def write() -> Log:
        journal = await open_journal(disk, records=60)
        for first in (0, 5, 10):
            await commit(journal, range(first, first + 5))
        before = disk.contents()[NAME]
        await commit(journal, range(20, 28))
        return Log(disk.contents()[NAME], len(before), before.count(b"\n"))

    return asyncio.run(write())


def crashed(rng: random.Random) -> bytes:
    """The log as a crash in its last commit may leave it."""
    content, start, _ = log()
    image = bytearray(content)
    for sector in range(start // SECTOR_BYTES, len(content) // SECTOR_BYTES + 1):
        if rng.random() < 0.3:
            first, end = max(start, sector * SECTOR_BYTES), min(len(content), (sector + 1) * SECTOR_BYTES)
            image[first:end] = bytes(end - first)
    return bytes(image[: rng.choice([len(content), rng.randrange(start, len(content) + 1)])])


def rest_of(content: bytes) -> tuple[bytes, int, int]:
    """What stands behind the last whole record of a damaged copy, where that is, and the number expected there."""
    whole, offset, seq = log().content.splitlines(keepends=True), 0, 0
    for line, good in zip(content.splitlines(keepends=True), whole, strict=False):
        if line != good:
            break
        offset, seq = offset + len(line), seq + 1
    return content[offset:], offset, seq


def test_whatever_a_crash_leaves_is_cut_off_and_raises_no_alarm(tmp_path: Path) -> None:
    rng = random.Random(1)
    for number in range(300):
        image = crashed(rng)
        rest, offset_bytes, seq = rest_of(image)
        assert is_torn_tail(rest, offset_bytes=offset_bytes, seq=seq), number
        read = read_log(PretendDisk({NAME: image}), LogIdentity(RUN, PLAN, 60))
        assert (read.torn, read.position.offset) == (rest, offset_bytes)
        if number % 10 == 0:
            assert verify(dump({NAME: image}, tmp_path / str(number))).faults == ()


def mutilated(rng: random.Random) -> bytes:
    """A log after anything at all: a crash's doing or not, and often both."""
    image = bytearray(crashed(rng) if rng.random() < 0.5 else log().content)
    for _ in range(rng.randrange(1, 4)):
        if not image:
            break
        at = rng.randrange(len(image) // 2, len(image)) if rng.random() < 0.8 else rng.randrange(len(image))
        match rng.randrange(6):
            case 0:
                image[at] ^= 1 << rng.randrange(8)
            case 1:
                del image[at:]
            case 2:
                image[at : at + rng.randrange(1, 900)] = bytes(rng.randrange(1, 900))
            case 3:
                image[at:at] = rng.choice([b"\n", b"\0", b'"}\n', b"{", b"x", bytes(SECTOR_BYTES)])
            case 4:
                image += rng.choice([b"\n", b"\0" * 7, log().content[at : at + 90], rng.randbytes(5)])
            case _:
                del image[at : at + rng.randrange(1, 600)]
    return bytes(image)


def test_writer_and_verifier_agree_about_thousands_of_tails() -> None:
    rng = random.Random(2)
    verdicts: list[bool] = []
    for _ in range(6_000):
        rest, offset_bytes, seq = rest_of(mutilated(rng))
        ours = is_torn_tail(rest, offset_bytes=offset_bytes, seq=seq)
        assert a_crash_may_leave(rest, offset_bytes=offset_bytes, seq=seq) == ours, (offset_bytes, rest[:200])
        verdicts.append(ours)
    assert 300 < sum(verdicts) < 5_000


def is_refused(image: bytes) -> bool:
    try:
        read_log(PretendDisk({NAME: image}), LogIdentity(RUN, PLAN, 60))
    except AuditDamaged:
        return True
    return False


def test_recovery_refuses_what_the_check_calls_damage_and_cuts_what_it_does_not(tmp_path: Path) -> None:
    """A changed last record that is whole is the one thing only an anchor shows, to both."""
    rng = random.Random(3)
    refused = 0
    for number in range(400):
        image = mutilated(rng)
        verdict = verify(dump({NAME: image}, tmp_path / str(number)))
        assert is_refused(image) == (verdict.exit_code == 4), (number, verdict.faults)
        refused += verdict.exit_code == 4
    assert 100 < refused < 390


def in_line(place: int, old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        assert old in lines[place]
        lines[place] = lines[place].replace(old, new, 1)
        return b"".join(lines)

    return change


NO_CRASH: dict[str, Callable[[bytes], bytes]] = {
    "the last record is no JSON any more": in_line(-1, b'"outcome":', b'"outcome:'),
    "the last record has a zero in it": in_line(-1, b'"outcome":', b'"out\0ome":'),
    "the last record ends otherwise": in_line(-1, b'"}\n', b'"]\n'),
    "the last line's end is another byte": lambda content: content[:-1] + b"J",
    "a record of the last commit is no JSON": in_line(-4, b'"size":', b'"size:'),
    "a record of the commit before is no JSON": in_line(-9, b'"size":', b'"size:'),
    "the last record is another's number and cut": lambda content: in_line(-1, b'{"seq":', b'{"seq":9')(content)[:-20],
    "something else stands behind": lambda content: content + b"<html>",
    "a line end stands behind": lambda content: content + b"\n",
}


@pytest.mark.parametrize("case", NO_CRASH)
def test_a_changed_record_is_no_torn_tail(case: str, tmp_path: Path) -> None:
    """Somebody changed it when it was on disk: nothing is cut, and file and byte are named."""
    content = NO_CRASH[case](log().content)
    _, offset_bytes, seq = rest_of(content)
    disk = PretendDisk({NAME: content})
    with pytest.raises(AuditDamaged) as damaged:
        read_log(disk, LogIdentity(RUN, PLAN, 60))
    assert (damaged.value.file, damaged.value.offset_bytes, damaged.value.record) == (NAME, offset_bytes, seq)
    assert disk.contents() == {NAME: content}
    [fault, *_] = verify(dump({NAME: content}, tmp_path)).faults
    assert (fault.file, fault.offset_bytes, fault.record) == (NAME, offset_bytes, seq)
