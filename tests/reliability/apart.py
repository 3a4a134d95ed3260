"""Hosts of one's own on one machine: a network namespace each, so that neither locks nor ports of one are another's,
and a name.

In such a namespace there is a loopback and nothing else.  What a host may reach comes to it through sockets in a
folder, which know no namespaces: a door in the command's own process takes connections on the very port that the
service has outside, and a bridge outside leads on.  A bridge can be taken up, and then that host is cut off from it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NEW_USERS, _NEW_NETWORK, _NEW_NAMES = 0x1000_0000, 0x4000_0000, 0x0400_0000
"""CLONE_NEWUSER, CLONE_NEWNET and CLONE_NEWUTS of unshare(2)."""
_SET_FLAGS, _UP = 0x8914, 0x1
"""SIOCSIFFLAGS and IFF_UP of netdevice(7)."""
_PIECE_BYTES = 1 << 16


class Bridge:
    """Leads from a socket in a folder to a port on this machine's loopback, while it is not taken up."""

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self._port = port
        self._is_up = True
        self._open: set[socket.socket] = set()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Let nothing through any more."""
        self._is_up = False
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let it through again."""
        self._is_up = True

    def close(self) -> None:
        """Take it down for good."""
        self.cut()
        self._listening.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                come, _ = self._listening.accept()
            except OSError:
                return
            if not self._is_up:
                come.close()
                continue
            try:
                there = socket.create_connection(("127.0.0.1", self._port), timeout=10)
            except OSError:
                come.close()
                continue
            there.settimeout(None)
            self._open |= {come, there}
            _join(come, there, self._open)


def live_apart(doors: dict[int, Path]) -> None:
    """Go into a network namespace of one's own, where each of these ports leads to a bridge; for a forked process."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USERS | _NEW_NETWORK | _NEW_NAMES) != 0:
        raise OSError(ctypes.get_errno(), "unshare: no network of one's own can be had here")
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{file}", "w", encoding="ascii") as opened:  # noqa: PTH123 - not a file of a folder
            opened.write(text)
    socket.sethostname(f"host-{os.getpid()}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    for port, path in doors.items():
        listening = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=_open_door, args=(listening, path), daemon=True).start()


def _open_door(listening: socket.socket, path: Path) -> None:
    while True:
        come, _ = listening.accept()
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(str(path))
        except OSError:
            come.close()
            continue
        _join(come, there, set())


def _join(one: socket.socket, other: socket.socket, kept: set[socket.socket]) -> None:
    for source, target in ((one, other), (other, one)):
        threading.Thread(target=_pump, args=(source, target, kept), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket, kept: set[socket.socket]) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    kept.discard(source)
    source.close()
