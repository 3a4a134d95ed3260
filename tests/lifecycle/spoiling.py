"""Ways in which a file of a folder can be other than it was written, for whoever shows what is made of it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Spoil = Callable[[Path, Path], None]
    """Takes the file and the same file of another lifecycle."""


def flip(file: Path, other: Path) -> None:
    del other
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x02
    file.write_bytes(content)


def cut(file: Path, other: Path) -> None:
    del other
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path, other: Path) -> None:
    del other
    os.truncate(file, 0)


def gone(file: Path, other: Path) -> None:
    del other
    file.unlink()


def doubled(file: Path, other: Path) -> None:
    del other
    file.write_bytes(file.read_bytes() * 2)


def swapped(file: Path, other: Path) -> None:
    shutil.copyfile(other, file)


def anybodys(file: Path, other: Path) -> None:
    """As much another owner's as a test that need not be root can make it: others may write it."""
    del other
    file.chmod(0o666)


WAYS: dict[str, Spoil] = {one.__name__: one for one in (flip, cut, empty, gone, doubled, swapped, anybodys)}
