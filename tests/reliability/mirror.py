"""What a process does to the files of a folder, done to a pretended disk as well: so that a power cut can be had at
any of its operations, whoever asked for it and whether it went through the seam of the disk or past it."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from glacier_purge.storage import disk as seam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from glacier_purge.storage.pretend_disk import PretendDisk

_REAL: dict[str, Callable[..., Any]] = {
    name: getattr(os, name)
    for name in (
        *("open", "close", "write", "pwrite", "fsync", "fdatasync", "ftruncate"),
        *("replace", "rename", "unlink", "remove", "mkdir", "rmdir"),
    )
}


@contextmanager
def mirrored(root: Path, disk: PretendDisk) -> Iterator[None]:
    """Do every operation of this process below ``root`` on ``disk`` first, where ``disk.before`` may forbid it."""
    mirror = _Mirror(root, disk)
    doubles = {name: partial(mirror.do, name) for name in _REAL}
    with replaced(os, doubles), replaced(seam, {"_data_sync": doubles["fdatasync"]}):
        yield


@contextmanager
def replaced(owner: object, doubles: dict[str, Any]) -> Iterator[None]:
    """Put doubles in the place of what a module or a class has under their names."""
    with ExitStack() as stack:
        for name, double in doubles.items():
            stack.enter_context(patch.object(owner, name, double))
        yield


def files_in(root: Path) -> dict[str, bytes]:
    """Every regular file below a folder, by its name there."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if stat.S_ISREG(path.lstat().st_mode)
    }


def laid_out(disk: PretendDisk, root: Path) -> Path:
    """Write what lies on a pretended disk into a new folder."""
    root.mkdir()
    for folder in disk.folders():
        (root / folder).mkdir(mode=0o700)
    for name, content in disk.contents().items():
        (root / name).write_bytes(content)
    return root


class _Mirror:
    def __init__(self, root: Path, disk: PretendDisk) -> None:
        self._root = f"{root}/"
        self._disk = disk
        self._opened: dict[int, tuple[str, tuple[int, int] | None]] = {}
        self._one_at_a_time = RLock()

    def do(self, verb: str, what: Any, *more: Any, **named: Any) -> Any:
        with self._one_at_a_time:
            below = named.get("dir_fd")
            assert below is None or self._name(below) is None, f"{verb} {what} in {self._name(below)}: not by its path"
            mirrored: Callable[..., None] | None = getattr(self, f"_{verb}", None)
            if mirrored is not None and (name := self._name(what)) is not None:
                mirrored(name, *more)
            result = _REAL[verb](what, *more, **named)
            if verb == "open":
                self._note_opened(what, result)
            return result

    def _name(self, what: Any) -> str | None:
        """What a path or a descriptor is called on the disk; None for what lies elsewhere."""
        if isinstance(what, int):
            name, whose = self._opened.get(what, (None, None))
            return name if name is not None and _identity(what) == whose else None
        path = f"{os.path.abspath(os.fsdecode(what))}/"  # noqa: PTH100 - what os takes
        return (path[len(self._root) : -1] or ".") if path.startswith(self._root) else None

    def _note_opened(self, what: object, handle: int) -> None:
        name = self._name(what)
        if name is not None:
            self._opened[handle] = (name, _identity(handle))

    def _open(self, name: str, flags: int, *_: object) -> None:
        if flags & os.O_CREAT and name not in self._disk.contents():
            self._disk.create(name)

    def _write(self, name: str, data: Any) -> None:
        self._disk.append(name, bytes(data))

    def _pwrite(self, name: str, data: bytes, offset: int) -> None:
        assert offset == self._disk.size(name), "nothing of ours is written over"
        self._disk.append(name, data)

    def _fsync(self, name: str) -> None:
        if self._disk.size(name) is None:
            self._disk.sync_folder(name)
        else:
            self._disk.sync(name)

    _fdatasync = _fsync

    def _ftruncate(self, name: str, size: int) -> None:
        self._disk.truncate(name, size)

    def _replace(self, old: str, new: Any) -> None:
        whither = self._name(new)
        assert whither is not None, "moved out of sight"
        self._disk.rename(old, whither)

    _rename = _replace

    def _unlink(self, name: str) -> None:
        if name in self._disk.contents():
            self._disk.remove(name)

    _remove = _unlink

    def _mkdir(self, name: str, *_: object) -> None:
        self._disk.make_folder(name)


def _identity(handle: int) -> tuple[int, int] | None:
    try:
        facts = os.fstat(handle)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
