from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import NotOurs
from glacier_purge.storage.disk import FileDisk, Files, FolderFiles
from glacier_purge.storage.pretend_disk import PretendDisk, Survival

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=["kept open", "opened each time", "pretended"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    made: dict[str, Files] = {
        "kept open": FileDisk(tmp_path),
        "opened each time": FolderFiles(tmp_path),
        "pretended": PretendDisk(),
    }
    return made[request.param]


def test_all_disks_do_the_same(disk: Files) -> None:
    disk.make_folder("audit")
    disk.make_folder("audit")
    assert disk.names("audit") == []
    assert disk.names("nowhere") == []
    assert disk.size("audit/a") is None
    disk.create("audit/a")
    disk.append("audit/a", b"one")
    disk.append("audit/a", b"two")
    disk.sync("audit/a")
    disk.sync_folder("audit")
    assert (disk.size("audit/a"), disk.read("audit/a"), disk.read("audit/a", 2, 2)) == (6, b"onetwo", b"et")
    assert disk.read("audit/a", 6, 10) == b""
    disk.truncate("audit/a", 3)
    disk.append("audit/a", b"!")
    disk.rename("audit/a", "audit/b")
    disk.create("audit/c")
    disk.append("audit/c", b"other")
    disk.rename("audit/c", "audit/b")
    disk.append("audit/b", b"s")
    assert disk.names("audit") == ["b"]
    assert disk.read("audit/b") == b"others"
    disk.remove("audit/b")
    assert disk.names("audit") == []


def test_all_disks_refuse_the_same(disk: Files) -> None:
    disk.make_folder("audit")
    disk.create("audit/a")
    with pytest.raises(FileExistsError):
        disk.create("audit/a")
    verbs: list[Callable[[str], object]] = [
        disk.read,
        disk.sync,
        disk.remove,
        lambda name: disk.append(name, b"x"),
        lambda name: disk.truncate(name, 0),
        lambda name: disk.rename(name, "audit/b"),
    ]
    for verb in verbs:
        with pytest.raises(FileNotFoundError):
            verb("audit/none")


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    disk.make_folder("audit")
    disk.create("audit/a")
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "audit" / "a").stat().st_mode) == 0o600


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    disk = FileDisk(tmp_path)
    for verb in (disk.read, disk.sync, lambda name: disk.append(name, b"x")):
        with pytest.raises(NotOurs, match="symbolic link"):
            verb("a")
    with pytest.raises(FileExistsError):
        disk.create("a")
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


async def test_the_log_has_one_writer_thread_and_slow_work_another(tmp_path: Path) -> None:
    """A log written by two threads could be torn in more ways than recovery knows."""
    disk = FileDisk(tmp_path)
    writers = {await disk.in_writer(threading.get_ident) for _ in range(5)}
    aside = {await disk.aside(threading.get_ident) for _ in range(5)}
    assert len(writers) == len(aside) == 1
    assert len(writers | aside | {threading.get_ident()}) == 3
    await disk.aclose()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux shows its open files there")
async def test_closing_lets_go_of_every_file(tmp_path: Path) -> None:
    before = open_files()
    disk = FileDisk(tmp_path)
    for name in ("a", "b"):
        disk.create(name)
    disk.rename("b", "c")
    await disk.aclose()
    assert open_files() == before


def found(disk: PretendDisk, *, names: int, appended: bytes = b"", cut: bool = False) -> dict[str, bytes]:
    survival = Survival(appended=lambda *_: appended, names=lambda *_: names, cut=lambda _: cut)
    return disk.after_power_cut(survival).contents()


def test_a_power_cut_leaves_what_was_promised_and_a_choice_of_the_rest() -> None:
    disk = PretendDisk()
    disk.create("log")
    disk.append("log", b"one")
    assert found(disk, names=0) == {}
    assert found(disk, names=1) == {"log": b""}
    disk.sync("log")
    disk.sync_folder(".")
    disk.append("log", b"two")
    assert found(disk, names=0) == {"log": b"one"}
    assert found(disk, names=0, appended=b"tw\0") == {"log": b"onetw\0"}
    disk.rename("log", "old")
    assert (list(found(disk, names=0)), list(found(disk, names=1))) == (["log"], ["old"])


def test_a_cut_not_synced_may_not_have_happened() -> None:
    disk = PretendDisk({"log": b"onetwo"})
    disk.truncate("log", 3)
    assert disk.promised() == {"log": b"onetwo"}
    assert found(disk, names=0, cut=False) == {"log": b"onetwo"}
    assert found(disk, names=0, cut=True) == {"log": b"one"}
    disk.sync("log")
    assert disk.promised() == found(disk, names=0) == {"log": b"one"}
