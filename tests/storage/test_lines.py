"""A file that grows by lines keeps every line that was promised, whatever a crash leaves of the next one."""

from __future__ import annotations

import random
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import DiskFailed, NotOurs
from glacier_purge.storage.disk import Files, FolderFiles
from glacier_purge.storage.lines import append_line, make_durable, read_lines, whole_lines
from glacier_purge.storage.pretend_disk import SECTOR_BYTES, PretendDisk, Survival

if TYPE_CHECKING:
    from pathlib import Path

FILE = "steps.jsonl"
LINES = [b'{"n":%d,"text":"%b"}' % (number, b"x" * length) for number, length in enumerate([3, 700, 40, 1900, 5])]


@pytest.fixture(params=["files", "pretended"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return FolderFiles(tmp_path) if request.param == "files" else PretendDisk()


def written(files: Files, *lines: bytes) -> None:
    for line in lines:
        append_line(files, FILE, line)


def test_what_was_written_is_read(files: Files) -> None:
    assert read_lines(files, FILE) == []
    written(files, *LINES)
    assert read_lines(files, FILE) == [line + b"\n" for line in LINES]


@pytest.mark.parametrize("cut", [1, 400, 706])
def test_a_torn_line_is_passed_over_and_the_next_one_stands_in_its_place(cut: int, files: Files) -> None:
    written(files, LINES[0])
    files.append(FILE, LINES[1][:cut])
    content = files.read(FILE)
    assert read_lines(files, FILE) == [LINES[0] + b"\n"]
    assert files.read(FILE) == content, "reading changes nothing: another process may be at it"
    written(files, LINES[2])
    assert files.read(FILE) == LINES[0] + b"\n" + LINES[2] + b"\n"


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"", 0),
        (b"\n", 1),
        (b'a\n{"b', 1),
        (b'a\n{"b\xc3', 1),
        (b'a\n{"b' + bytes(9), 1),
        (b"a\nb", 2),
        (b'a\n{"b\x07', 2),
        (b'a\n{"b\xc3"', 2),
        (b"a\n\xff", 2),
        (b"a\n\0\0\0", 1),
        (b"a" * 511 + b"\n" + b"b" * 512 + bytes(512) + b"c\n", 1),
        (bytes(512) + b"c\n", 0),
        (b"a\n" + bytes(510) + b"c\n", 1),
        (b"a\n" + bytes(509) + b"c\n", 2),
        (b"a\n" + b"b" * 9 + bytes(501) + b"c\n", 2),
        (b"a\n" + bytes(510) + b"c\nd\n", 3),
        (b"a\n" + bytes(510) + b"c\n{", 2),
    ],
)
def test_only_the_last_line_may_be_torn_and_only_by_whole_sectors(content: bytes, whole: int) -> None:
    """What is no line and was not left by a crash stays a line, for its reader to refuse."""
    assert len(whole_lines(content)) == whole


def sectors_lost(rng: random.Random, offset: int, data: bytes) -> bytes:
    found = bytearray(data[: rng.randint(0, len(data))] if rng.random() < 0.5 else data)
    for begin in range(-(offset % SECTOR_BYTES), len(found), SECTOR_BYTES):
        if rng.random() < 0.4:
            first, end = max(0, begin), min(begin + SECTOR_BYTES, len(found))
            found[first:end] = bytes(end - first)
    return bytes(found)


class PowerCut(Exception):
    """The power goes before an operation."""


def is_written(disk: PretendDisk, line: bytes) -> bool:
    try:
        append_line(disk, FILE, line)
    except PowerCut:
        return False
    return True


def test_a_power_cut_at_any_operation_costs_at_most_the_line_being_written() -> None:
    rng = random.Random(11)
    disk = PretendDisk()
    written(disk, *LINES)
    operations = disk.operations
    for at in range(1, operations + 1):
        for _ in range(60):
            disk = PretendDisk()

            def cut_power(_verb: str, _name: str, disk: PretendDisk = disk, at: int = at) -> None:
                if disk.operations >= at:
                    raise PowerCut

            disk.before = cut_power
            told = [line + b"\n" for line in takewhile(partial(is_written, disk), LINES)]
            image = disk.after_power_cut(
                Survival(
                    appended=lambda _, offset, data: sectors_lost(rng, offset, data),
                    names=lambda _, changes: rng.randint(0, changes),
                    cut=lambda _: rng.random() < 0.5,
                )
            )
            found = read_lines(image, FILE)
            following = [line + b"\n" for line in LINES[len(told) : len(told) + 1]]
            assert found in (told, told + following)
            written(image, b"{}")
            assert image.read(FILE) == b"".join([*found, b"{}\n"])
            assert image.promised() == image.contents()


def test_a_full_disk_tears_a_line_that_the_next_try_replaces() -> None:
    disk = PretendDisk()
    written(disk, LINES[0])

    def full(verb: str, _name: str) -> None:
        if verb == "append":
            raise OSError(28, "No space left on device")

    disk.before = full
    with pytest.raises(DiskFailed, match="No space"):
        written(disk, LINES[1])
    assert len(disk.read(FILE)) > len(LINES[0]) + 1
    disk.before = None
    written(disk, LINES[1])
    assert read_lines(disk, FILE) == [LINES[0] + b"\n", LINES[1] + b"\n"]


def test_a_file_in_which_others_have_a_hand_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious\n")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    files = FolderFiles(tmp_path)
    with pytest.raises(NotOurs):
        written(files, b"{}")
    with pytest.raises(NotOurs):
        read_lines(files, FILE)
    assert (tmp_path / "elsewhere").read_bytes() == b"precious\n"


def test_what_a_killed_process_wrote_outlasts_a_power_cut_once_it_is_gone_on_from() -> None:
    disk = PretendDisk()

    def killed(verb: str, name: str) -> None:
        del name
        if verb == "sync":
            raise OSError("the process is dead")

    disk.before = killed
    with pytest.raises(DiskFailed):
        append_line(disk, FILE, LINES[0])
    disk.before = None
    assert read_lines(PretendDisk(disk.promised()), FILE) == []
    make_durable(disk, FILE)
    assert read_lines(PretendDisk(disk.promised()), FILE) == [LINES[0] + b"\n"]
    make_durable(disk, "another.jsonl")  # there is none
