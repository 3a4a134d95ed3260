"""What a file system has to be able to do before a run is begun on it, and what it is called when it can't.

A run keeps other processes out by a lock on a file (flock), its promises by making a folder's entries durable (fsync of
the folder), and other users' hands off by rights and ownership.  Network shares (NFS without a lock daemon, SMB), some
of FUSE, and disks of Windows lack one or the other, and say so only when it is asked for: so it is tried, in a new
folder before anything lies in it, and before anything is sent from one, which may have been moved.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from glacier_purge.errors import UsageError

_MOUNTS = Path("/proc/self/mountinfo")
_LACKS = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.ENOTTY}
"""What a file system says of an operation that it does not have; all else is a fault of the disk."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
PROBE_FILE = ".file-system"
"""Tried and removed again in a folder that is begun; a crash may leave it there, and it is no matter."""
ADVICE = "Give a folder on a disk of this host (in WSL: not below /mnt/c; in a container: a volume)."


def check_file_system(folder: Path) -> None:
    """Try in a folder of ours, in which nobody else works, all that a run needs there; nothing is left of it.

    Raises ``UsageError`` where something is lacking, and ``OSError`` as a disk that fails.
    """
    probe = folder / PROBE_FILE
    descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        facts = os.fstat(descriptor)
        if facts.st_uid != os.geteuid():
            raise _unfit(folder, f"gives what you make there to another user (number {facts.st_uid})")
        if facts.st_mode & _OTHERS_WRITE:
            raise _unfit(folder, "lets everybody write to what you make there, whatever its rights")
        _tried(folder, "has no locks (flock)", lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
        _tried(folder, "can't make a folder durable (fsync)", lambda: sync_folder(folder))
    finally:
        os.close(descriptor)
        with suppress(OSError):
            probe.unlink()


def is_lacking(error: OSError) -> bool:
    """Tell whether the file system does not have the operation at all, so that trying again is no help."""
    return error.errno in _LACKS


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable (fsync). Raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_name(folder: Path) -> None:
    """Make a folder's own name durable, in the folder above it: without it all that lies in it may be lost.

    One above that may not be read, or lies where no folder is made durable, has to do as it is.  Raises ``OSError``.
    """
    try:
        sync_folder(folder.resolve().parent)
    except OSError as error:
        if not (is_lacking(error) or isinstance(error, PermissionError)):
            raise


def takes_names_for_one(folder: Path) -> bool:
    """Tell whether names that differ in upper and lower case only are one in a folder of ours, as macOS has it."""
    probe = folder / PROBE_FILE
    probe.touch(mode=0o600)
    try:
        return probe.with_name(PROBE_FILE.upper()).exists()
    finally:
        probe.unlink()


def described(path: Path) -> str:
    """What the file system of ``path`` is called: its type and where it is mounted, as far as the system says."""
    whole = path.resolve()
    found = "this file system"
    try:
        mounts = _MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:  # not Linux
        return found
    longest = 0
    for fields in map(str.split, mounts):
        mounted = Path(_unescaped(fields[4]))
        if whole.is_relative_to(mounted) and len(mounted.parts) >= longest:  # a later one lies over an earlier
            kind, source = fields[fields.index("-") + 1 :][:2]
            longest, found = len(mounted.parts), f"{kind} ({_unescaped(source)} at {mounted})"
    return found


def _tried(folder: Path, lack: str, act: Callable[[], object]) -> None:
    try:
        act()
    except OSError as error:
        if is_lacking(error):
            raise _unfit(folder, f"{lack}: {error.strerror}") from error
        raise


def _unfit(folder: Path, lack: str) -> UsageError:
    return UsageError(
        f"{folder} is on {described(folder)}, which {lack}. A run needs that to be safe. Nothing was sent. {ADVICE}"
    )


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), text)
