"""A small disk of one's own: a tmpfs in a mount namespace that only one forked process and what it starts live in.

Nothing of it is seen outside, nothing has to be taken down, and nobody needs to be root.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
from traceback import format_exc
from typing import TYPE_CHECKING

from tests.reliability.forked import end_with_parent, start

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

_CONTEXT = multiprocessing.get_context("fork")
_NEW_USERS, _NEW_MOUNTS = 0x1000_0000, 0x0002_0000
"""CLONE_NEWUSER and CLONE_NEWNS of unshare(2)."""
_READ_ONLY, _REMOUNT, _SLAVE, _BELOW = 1, 32, 1 << 19, 1 << 14
"""MS_RDONLY, MS_REMOUNT, MS_SLAVE and MS_REC of mount(2)."""


class OwnDisk:
    """A tmpfs mounted at ``folder``, of so many KiB."""

    def __init__(self, folder: Path, kib: int) -> None:
        self.folder = folder
        self._kib = kib
        folder.mkdir()
        _mount("none", folder, "tmpfs", 0, f"mode=700,size={kib}k")

    def resize(self, kib: int) -> None:
        """Make it larger, or smaller."""
        self._kib = kib
        self._remount(0)

    def set_read_only(self, *, read_only: bool) -> None:
        """Let nobody write to it, or everybody; refused while somebody has a file open to write."""
        self._remount(_READ_ONLY if read_only else 0)

    def used_kib(self) -> int:
        """How much of it is used."""
        facts = os.statvfs(self.folder)
        return (facts.f_blocks - facts.f_bfree) * facts.f_bsize // 1024

    def _remount(self, flags: int) -> None:
        _mount("none", self.folder, None, _REMOUNT | flags, f"mode=700,size={self._kib}k")


def on_own_disk(folder: Path, kib: int, act: Callable[[OwnDisk], Counter[str]]) -> Counter[str]:
    """Do something in a process that has a disk of its own at ``folder``, and answer what it does; it may raise."""
    line, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_apart, args=(folder, kib, act, theirs))
    start(process)
    theirs.close()
    try:
        answer: Counter[str] | str = line.recv()
    except EOFError:
        answer = "the process on a disk of its own has died"
    line.close()
    process.join()
    process.close()
    assert not isinstance(answer, str), answer
    return answer


def _apart(folder: Path, kib: int, act: Callable[[OwnDisk], Counter[str]], line: Connection) -> None:
    end_with_parent()
    try:
        _unshare()
        line.send(act(OwnDisk(folder, kib)))
    except BaseException:
        line.send(format_exc())


def _unshare() -> None:
    """Have users and mounts of one's own, and be root among them."""
    user, group = os.geteuid(), os.getegid()
    _checked(_libc().unshare(_NEW_USERS | _NEW_MOUNTS), "unshare: no disk can be mounted here, so none gets full")
    for file, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{file}", "w", encoding="ascii") as opened:  # noqa: PTH123 - not a file of a folder
            opened.write(text)
    _mount(None, "/", None, _SLAVE | _BELOW, None)


def _mount(source: str | None, target: Path | str, kind: str | None, flags: int, options: str | None) -> None:
    words = [None if word is None else str(word).encode() for word in (source, target, kind, options)]
    _checked(_libc().mount(*words[:3], ctypes.c_ulong(flags), words[3]), f"mount {target}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
