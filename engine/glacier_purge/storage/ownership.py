"""Whose files are these?  What decides a deletion may lie only where nobody but its owner can have a hand in it.

A file of a run folder is used when it is a regular file, belongs to whom its folder belongs to, can be written by
nobody else and has one name.  A folder is worked in when it belongs to who works in it.  So whoever sends, sends from
files that are all their own, root too; and whoever only looks (``status``, ``audit verify``, ``audit export``) may look
into a folder of somebody else that they can read.  Files are judged by their open descriptor: what was judged is what
is read.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

from glacier_purge.errors import NotOurs
from glacier_purge.host_faults import if_the_host_fails
from glacier_purge.storage.file_system import described

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # nobody hangs at a pipe that lies in a file's place
_NO_FILE = {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR, errno.EOPNOTSUPP}
"""What opening says of a symbolic link, a pipe, a socket or a folder, on one system or another."""


def open_own(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file of a run folder and give its descriptor; a new one (``O_CREAT``) gets the rights 0600.

    Raises ``NotOurs`` for what is no regular file or in which others have a hand, and ``OSError`` as opening does.
    """
    try:
        descriptor = os.open(path, flags | _SAFELY, 0o600)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise NotOurs(_NO_REGULAR_FILE.format(path=path)) from error
        raise
    try:
        check_own_file(path, os.fstat(descriptor), path.parent.stat().st_uid)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_own(path: Path) -> bytes:
    """Read a whole file of a run folder.

    Raises as ``open_own`` does, and ``HostFailed`` for a limit, or a disk that fails: that says nothing of the file.
    """
    with if_the_host_fails(f"{path} can't be read"), os.fdopen(open_own(path), "rb") as file:
        return file.read()


def check_own_folder(path: Path) -> None:
    """Raise ``NotOurs`` unless a folder is this user's and no other's. Raises ``OSError`` where there is none."""
    if check_owner(path).st_mode & _OTHERS_WRITE:
        raise NotOurs(
            f"{path} can be written by other users, so its plan proves nothing. Run: chmod 0700 {path} (where that "
            f"changes nothing, {described(path)} keeps no rights: move it to a disk that does)"
        )


def check_owner(path: Path) -> os.stat_result:
    """Raise ``NotOurs`` unless a folder is this user's; give its facts. Raises ``OSError`` where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise NotOurs(
                f"{path} is no folder, or a symbolic link; those are not followed. Give the folder."
            ) from error
        raise
    try:
        facts = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if facts.st_uid != os.geteuid():
        raise NotOurs(
            f"{path} belongs to {_user(facts.st_uid)}, and you are {_user(os.geteuid())}: who owns it can change what "
            "is deleted. Work in it as its owner; or, if you know every file in it, take it over first: "
            f"chown -R {_user(os.geteuid())} {path}"
        )
    return facts


def check_way_to(path: Path) -> None:
    """Raise ``NotOurs`` when anybody could put another folder in the place of ``path``, which need not exist yet."""
    for parent in path.resolve().parents:
        try:
            facts = parent.stat()
        except OSError:  # it is still to be made, by us
            continue
        if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
            raise NotOurs(
                f"every user can rename what lies in {parent}, and so put another folder in the place of {path}. Move "
                "it to where only you can write, or give a folder there."
            )


def check_own_file(path: Path, facts: os.stat_result, owner: int) -> None:
    """Raise ``NotOurs`` unless a file with these ``facts`` is a regular one and ``owner``'s alone."""
    if not stat.S_ISREG(facts.st_mode):
        raise NotOurs(_NO_REGULAR_FILE.format(path=path))
    if facts.st_uid != owner:
        raise NotOurs(
            f"{path} belongs to {_user(facts.st_uid)} and not to {_user(owner)}: who owns it can change it at any "
            f"time. It is not used. If you know what is in it: chown {_user(owner)} {path}"
        )
    if facts.st_mode & _OTHERS_WRITE:
        raise NotOurs(
            f"{path} can be written by other users. It is not used. If you know what is in it: chmod 0600 {path}"
        )
    if facts.st_nlink > 1:
        raise NotOurs(
            f"{path} has {facts.st_nlink} names (hard links), so it can be changed where nobody looks. It is not used. "
            f"If you know what is in it, give it a copy of its own: cp -p {path} {path}.own && mv {path}.own {path}"
        )


def check_writable_by_us_alone(path: Path, facts: os.stat_result) -> None:
    """Raise ``NotOurs`` where somebody else than root and this user can write a file with these ``facts``.

    For what people keep in their own places, links and pipes included: it may be root's, or linked from elsewhere.
    """
    if facts.st_uid not in {0, os.geteuid()}:
        raise NotOurs(
            f"{path} belongs to {_user(facts.st_uid)}, who can change it at any time; it has to be root's or "
            f"{_user(os.geteuid())}'s. It is not used. If you know what is in it: chown {_user(os.geteuid())} {path}"
        )
    if facts.st_mode & _OTHERS_WRITE and not stat.S_ISCHR(facts.st_mode):
        raise NotOurs(
            f"{path} can be written by other users. It is not used. If you know what is in it: chmod go-w {path}"
        )


_NO_REGULAR_FILE = (
    "{path} is a symbolic link, a pipe or something else that is no regular file. It is not used. Put the file itself "
    "back in its place."
)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
