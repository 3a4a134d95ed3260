"""Files of ours that grow by a line at a time: the steps of a lifecycle, what was asked when a vault was removed.

A line is one append, and it is begun when all lines before it are durable.  So a crash leaves these whole, and behind
them any of the 512-byte sectors of one more line as they were written, the others as zeros: a torn line, which was
never written as far as anybody was told.  Readers pass over it, since another process may be at it; whoever writes the
next line cuts it off first, and durably.  Everything else that is no line is damage, which its reader tells.

The audit log, whose appends are many lines, has rules of its own (``audit.torn_tail``).
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

from glacier_purge.host_faults import if_the_host_fails
from glacier_purge.storage.disk import Files, writing

_SECTOR_BYTES = 512
_ZEROS = re.compile(rb"\0+")
_CONTROLS = re.compile(rb"[\x01-\x1f]")


def read_lines(files: Files, name: str) -> list[bytes]:
    """The whole lines of a file, each with its end; none when there is no file.

    Raises ``OSError``, ``NotOurs``, and ``HostFailed`` where that says nothing of the file.
    """
    try:
        with if_the_host_fails(f"{files.place(name)} can't be read"):
            return whole_lines(files.read(name))
    except FileNotFoundError:
        return []


def whole_lines(content: bytes) -> list[bytes]:
    """The lines that stand in ``content``, each with its end, without what a crash left of the last one.

    What no crash leaves behind them stands last, as a line without an end, so that its reader finds that it is none.
    """
    *lines, rest = content.split(b"\n")
    if lines and not rest and _has_lost_sectors(lines[-1] + b"\n", len(content)):
        lines.pop()
    whole = [line + b"\n" for line in lines]
    return whole if _may_be_cut(rest) else [*whole, rest]


def _may_be_cut(rest: bytes) -> bool:
    """Tell whether what stands behind the last end of a line may be the beginning of one, or zeros in its place."""
    if not rest:
        return True
    if rest[:1] not in (b"{", b"\0") or _CONTROLS.search(rest):
        return False
    try:
        getincrementaldecoder("utf-8")().decode(rest.partition(b"\0")[0])
    except UnicodeDecodeError:
        return False
    return True


def append_line(files: Files, name: str, line: bytes) -> None:
    """Write one more line (without its end), durably, in the place of one that a crash tore. Raises ``DiskFailed``."""
    with writing(files, name):
        size_bytes = files.size(name)
        if size_bytes is None:
            files.create(name)
        whole_bytes = sum(map(len, read_lines(files, name)))
        if size_bytes is not None and whole_bytes < size_bytes:
            files.truncate(name, whole_bytes)
            files.sync(name)
        files.append(name, line + b"\n")
        files.sync(name)
        if not whole_bytes:  # a file without a line may have been made just before a crash
            files.sync_folder(".")


def make_durable(files: Files, name: str) -> None:
    """Have what is read here outlast a power cut, before anything is done because of it. Raises ``DiskFailed``.

    A process that was killed, and not its host, may have written a line and not have synced it.
    """
    with writing(files, name):
        if files.size(name):
            files.sync(name)
            files.sync_folder(".")


def _has_lost_sectors(line: bytes, end_bytes: int) -> bool:
    """Tell whether sectors of the last line are zeros, and nothing but sectors; ``end_bytes`` is where it ends."""
    begin_bytes = end_bytes - len(line)
    zeros = [match.span() for match in _ZEROS.finditer(line)]
    return bool(zeros) and all(
        (begin == 0 or (begin_bytes + begin) % _SECTOR_BYTES == 0) and (begin_bytes + end) % _SECTOR_BYTES == 0
        for begin, end in zeros
    )
