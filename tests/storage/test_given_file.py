from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from glacier_purge.storage.given_file import (
    TEXT_BYTES_MAX,
    GivenFileWrong,
    as_text,
    open_given,
    other_kind,
    parsed_toml,
    read_given,
    read_text,
)

if TYPE_CHECKING:
    from pathlib import Path

BEGINNINGS = {
    "UTF-16": (b"\xff\xfea\0", b"\xfe\xff\0a", b"a\0b\0", b"\0a\0b"),
    "UTF-32": (b"\xff\xfe\0\0a\0\0\0", b"\0\0\xfe\xff\0\0\0a", b"a\0\0\0", b"\0\0\0a"),
    "NUL bytes": (b"\0", b"\0\0", bytes(5000)),
    "gzip": (b"\x1f\x8b\x08",),
    "zstd": (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18", b"\x5f\x2a\x4d\x18"),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "bzip2": (b"BZh9",),
    "xz": (b"\xfd7zXZ\0",),
    "lz4": (b"\x04\x22\x4d\x18",),
    "compress": (b"\x1f\x9d",),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c",),
    "RAR": (b"Rar!\x1a\x07\1",),
    "tar archive": (b"\nname".ljust(257, b"\1") + b"ustar",),
    "Office": (b"\xd0\xcf\x11\xe0",),
    "PDF": (b"%PDF-1.7",),
    "Parquet": (b"PAR1\x15",),
    "ORC": (b"ORC\x08",),
    "SQLite": (b"SQLite format 3\0",),
    "web page": (b"<html>", b"\n\n <!DOCTYPE html>", b"\xef\xbb\xbf<?xml", b"<Error>"),
    "CR alone": (b"a\rb\r", b"[pace]\r"),
}
TEXTS = (
    b"",
    b"\n",
    b"a",
    b"{}",
    b'{"a":\r1}',
    b"a\r\nb\r\n",
    b"\xef\xbb\xbfa",
    b"PKCS",
    b"7z",
    b"ORANGE\n",
    b"\xc3\xa9",
    b"< 3",
)


@pytest.mark.parametrize(("name", "beginning"), [(name, one) for name, all_ in BEGINNINGS.items() for one in all_])
def test_what_is_no_text_is_called_what_it_is(name: str, beginning: bytes) -> None:
    said = other_kind(beginning)
    assert said is not None
    assert name in said


@pytest.mark.parametrize("beginning", TEXTS)
def test_text_is_called_nothing(beginning: bytes) -> None:
    assert other_kind(beginning) is None
    assert not as_text(beginning).startswith("\ufeff")


def test_a_byte_that_is_no_text_is_named_with_its_place() -> None:
    with pytest.raises(GivenFileWrong, match=r"byte 2 \(0xe9\) is not UTF-8; it may be text in Latin-1"):
        as_text(b"caf\xe9"[1:] + b"\n")


def test_a_pipe_and_the_null_device_are_read_like_files(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\xef\xbb\xbfa = 1\r\n")
    os.close(writing)
    assert parsed_toml(read_text(tmp_path / f"/dev/fd/{reading}")) == {"a": 1}
    os.close(reading)
    assert read_given(tmp_path / os.devnull) == b""


def test_what_can_not_be_opened_is_said_in_a_sentence(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    try:
        listener.bind(str(tmp_path / "s"))
        for name, said in {
            "missing": "No such file",
            ".": "it is a folder. Give a file",
            "/dev/zero": "it is a device. Give a file",
            "s": "No such device",
            "loop": "Too many levels",
            "x" * 300: "File name too long",
            "a\0b": "no file has such a name",
            "\ud800": "no file has such a name",
        }.items():
            with pytest.raises(GivenFileWrong, match=said):
                open_given(tmp_path / name)
    finally:
        listener.close()


def test_no_more_is_read_whole_than_there_is_room_for(tmp_path: Path) -> None:
    with (tmp_path / "long").open("wb") as file:
        file.truncate(TEXT_BYTES_MAX + 1)
    with pytest.raises(GivenFileWrong, match="it has more than 16,777,216 bytes"):
        read_given(tmp_path / "long")
    os.truncate(tmp_path / "long", TEXT_BYTES_MAX)
    assert len(read_given(tmp_path / "long")) == TEXT_BYTES_MAX


@pytest.mark.parametrize("text", ["a", "a = " + "[" * 100_000, "a = " + "9" * 5000, "a = 1\0"])
def test_what_is_no_toml_is_said_however_it_fails(text: str) -> None:
    with pytest.raises(GivenFileWrong, match="it is not TOML: "):
        parsed_toml(text)


@pytest.mark.parametrize("part", ["a.", "a . ", '"a b".', "'a\"'\t."])
def test_a_name_of_parts_without_end_is_refused_at_once(part: str) -> None:
    """``tomllib`` takes the square of their number, minutes for a file of a megabyte."""
    with pytest.raises(GivenFileWrong, match="line 2 has a name of more than 64 parts"):
        parsed_toml("x = 1\n" + part * 300_000 + "a = 1")
    assert "x" in parsed_toml(f"x = '{'a.b' * 30}'\n{part * 40}a = 1")


def test_a_pipe_without_a_writer_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glacier_purge.storage.given_file._WRITER_SECONDS_MAX", 0.1)
    os.mkfifo(tmp_path / "pipe")
    threads = threading.active_count()
    with pytest.raises(GivenFileWrong, match=r"^it is a pipe into which nobody writes, waited for 0\.1 s"):
        read_given(tmp_path / "pipe")
    assert threading.active_count() == threads, "nobody is left waiting for it"


def test_a_pipe_is_read_by_whoever_came_first(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Timer(0.1, (tmp_path / "pipe").write_bytes, [b"an inventory"])
    writer.start()
    assert read_given(tmp_path / "pipe") == b"an inventory"
    writer.join()
