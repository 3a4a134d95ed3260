"""Our own documents have every key of their type and no other, however deep, and are written whole or not at all."""

from __future__ import annotations

import ast
import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from glacier_purge.errors import DiskFailed
from glacier_purge.storage.disk import Files, FolderFiles
from glacier_purge.storage.documents import DocumentUnreadable, decoded, new_file, write_document
from glacier_purge.storage.pretend_disk import PretendDisk, Survival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    max_archives: int | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    cap: Cap = Cap()
    parts: tuple[Cap, ...] = ()
    counts: dict[int, Cap] = {}
    facts: dict[str, Any] = {}


GOOD = Entry(cap=Cap(max_archives=5), parts=(Cap(), Cap(max_archives=6)), counts={7: Cap()}, facts={"any": {"key": 8}})


def test_what_was_written_is_read() -> None:
    assert decoded(msgspec.json.encode(GOOD), Entry) == GOOD


@pytest.mark.parametrize(
    ("good", "damaged"),
    [
        ('{"max_archives":5}', '{"max_archives":1,"max_archives":5}'),
        ('{"key":8}', '{"key":9,"key":8}'),
        ('{"key":8}', '{"k\\u0065y":8,"key":8}'),
    ],
)
def test_a_key_that_stands_twice_is_refused(good: str, damaged: str) -> None:
    """Read by the last of them, it would be another document than people see who read the first."""
    content = msgspec.json.encode(GOOD).decode()
    assert good in content
    for text in (content.replace(good, damaged), content.replace(good, damaged).encode()):
        with pytest.raises(DocumentUnreadable, match="stands twice in one object"):
            decoded(text, Entry)


@pytest.mark.parametrize(
    ("good", "damaged", "said"),
    [
        ('{"cap":', '{"cup":', "it has the key `cup`, which nobody knows - at `$`"),
        ('{"max_archives":5}', '{"max_archive":5}', "it has the key `max_archive`, which nobody knows - at `$.cap`"),
        ('{"max_archives":5}', "{}", "its key `max_archives` is missing - at `$.cap`"),
        ('{"max_archives":6}', '{"max_archives":6,"x":1}', "it has the key `x`, which nobody knows - at `$.parts[1]`"),
        ('"7":{"max_archives":null}', '"7":{}', "its key `max_archives` is missing - at `$.counts.7`"),
    ],
)
def test_an_unknown_or_missing_key_is_named_with_its_place(good: str, damaged: str, said: str) -> None:
    content = msgspec.json.encode(GOOD).decode()
    assert good in content
    with pytest.raises(DocumentUnreadable) as refused:
        decoded(content.replace(good, damaged), Entry)
    assert str(refused.value) == said


def test_facts_may_have_any_keys() -> None:
    assert decoded('{"any": [{"key": 1000000000000000000000000000000}]}', dict[str, Any])


@pytest.fixture(params=["files", "pretended"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return FolderFiles(tmp_path) if request.param == "files" else PretendDisk()


def test_a_document_is_written_for_people_and_read_back(files: Files) -> None:
    write_document(files, "entry.json", GOOD)
    write_document(files, "entry.json", {"one": [1]})
    assert files.read("entry.json") == b'{\n  "one": [\n    1\n  ]\n}\n'
    write_document(files, "entry.json", GOOD)
    assert decoded(files.read("entry.json"), Entry) == GOOD
    assert files.names(".") == ["entry.json"]


def test_a_new_file_takes_pieces_and_is_new(files: Files) -> None:
    with new_file(files, "list") as file:
        for number in range(50_000):
            file.write(b"%d\n" % number)
    assert files.read("list") == b"".join(b"%d\n" % number for number in range(50_000))
    with pytest.raises(FileExistsError), new_file(files, "list") as file:
        file.write(b"never")
    assert files.read("list").endswith(b"49999\n")


def test_nothing_is_left_of_a_new_file_that_failed(files: Files) -> None:
    def failing() -> Iterator[bytes]:
        yield b"x" * 200_000
        raise KeyError

    with pytest.raises(KeyError), new_file(files, "list") as file:
        file.writelines(failing())
    assert files.names(".") == []


class PowerCut(Exception):
    """The power goes before an operation."""


@pytest.mark.parametrize("names", [lambda _: 0, lambda changes: changes // 2, lambda changes: changes])
@pytest.mark.parametrize("appended", [lambda *_: b"", lambda *found: found[2], lambda *found: bytes(len(found[2]))])
def test_a_power_cut_leaves_the_old_document_or_the_new_one(
    names: Callable[[int], int], appended: Callable[[str, int, bytes], bytes]
) -> None:
    at = 0
    while True:
        disk = PretendDisk({"entry.json": b"old", ".entry.json.new": b"of a crash"})

        def cut_power(_verb: str, _name: str, disk: PretendDisk = disk, at: int = at) -> None:
            if disk.operations > at:
                raise PowerCut

        disk.before = cut_power
        try:
            write_document(disk, "entry.json", "new")
        except PowerCut:
            image = disk.after_power_cut(
                Survival(appended=appended, names=lambda _, changes: names(changes), cut=lambda _: True)
            )
            assert image.read("entry.json") in (b"old", b'"new"\n')
            write_document(image, "entry.json", "again")
            assert image.promised() == {"entry.json": b'"again"\n'}
            at += 1
        else:
            break
    assert disk.promised() == {"entry.json": b'"new"\n'}
    assert at == 6


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_a_disk_that_fails_at_any_operation_is_named_by_file_and_leaves_the_old_document_or_the_new_one(
    error: int,
) -> None:
    for at in range(1, 7):
        disk = PretendDisk({"entry.json": b"old", ".entry.json.new": b"of a crash"})

        def fail(_verb: str, _name: str, disk: PretendDisk = disk, at: int = at) -> None:
            if disk.operations == at:
                raise OSError(error, os.strerror(error))

        disk.before = fail
        with pytest.raises(DiskFailed, match=rf"entry\.json.* can't be written: {os.strerror(error)}\. Mend the disk"):
            write_document(disk, "entry.json", "new")
        assert disk.read("entry.json") in (b"old", b'"new"\n')
        disk.before = None
        write_document(disk, "entry.json", "again")
        assert disk.promised() == {"entry.json": b'"again"\n'}


@pytest.mark.parametrize("verb", ["create", "append", "sync", "sync_folder"])
def test_a_disk_that_fails_while_a_new_file_is_written_is_named_and_leaves_nothing(verb: str) -> None:
    def fail(this: str, _name: str) -> None:
        if this == verb:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    disk = PretendDisk(before=fail)
    with pytest.raises(DiskFailed, match=r"^ids can't be written"), new_file(disk, "ids") as file:
        file.write(b"one\n")
    assert disk.contents() == {}


def test_a_link_in_the_temporary_files_place_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / ".entry.json.new").symlink_to(tmp_path / "elsewhere")
    write_document(FolderFiles(tmp_path), "entry.json", GOOD)
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
    assert stat.S_IMODE((tmp_path / "entry.json").stat().st_mode) == 0o600


WRITES = {"fsync", "fdatasync", "ftruncate", "write_bytes", "write_text", "unlink", "O_CREAT", "O_WRONLY", "O_RDWR"}
NO_FILES = {
    ("glacier_purge/run/socket.py", "unlink"),
    ("glacier_purge/aws/mfa.py", "O_RDWR"),
    ("glacier_purge/api/bundling.py", "unlink"),
    ("glacier_purge/api/bundling.py", "xb"),
    ("glacier_purge/proof/bundle.py", "w"),
    ("glacier_purge/page/door.py", "unlink"),
    ("glacier_purge/api/watching.py", "write_bytes"),
    ("glacier_purge/api/watching.py", "unlink"),
    ("glacier_purge/audit/verification.py", "write_bytes"),
    ("glacier_purge/audit/verification.py", "write_text"),
}
"""Sockets; the terminal at which a person types a code; and a bundle for an auditor and metrics for a collector, which
like all that the command line writes lie where their user says; what the verifier hands to ``ssh-keygen``, which stands
alone and shares no code."""


def test_what_lies_in_our_folders_is_written_by_storage_alone(repository: Path) -> None:
    """So that a crash can be tried on all of it, on the pretended disk."""
    engine = repository / "engine"
    found = {
        (str(file.relative_to(engine)), verb)
        for file in (engine / "glacier_purge").rglob("*.py")
        if file.relative_to(engine).parts[1] not in {"storage", "cli"}
        for node in ast.walk(ast.parse(file.read_bytes()))
        if (verb := verb_of(node)) is not None
    }
    assert found == NO_FILES


def verb_of(node: ast.AST) -> str | None:
    """By what an expression writes a file; None where it does not."""
    match node:
        case ast.Attribute(attr=verb) if verb in WRITES:
            return verb
        case ast.Call(func=ast.Attribute(attr="open") | ast.Name(id="open"), args=[*_, ast.Constant(value=str(mode))]):
            return mode if set("wxa+") & set(mode) else None
        case _:
            return None
