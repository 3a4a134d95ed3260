"""Every file of a run folder, damaged in every way, by every verb that reads it: a verdict, a place, and never a bug.

Nobody answers at the plan's endpoint, so whoever sent a request would fail with another code than the ones here.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = (
    "plan.json",
    "run.json",
    "decisions",
    "inventory.json",
    "inventory.json.sha256",
    "audit/000001.jsonl.zst",
    "audit/000002.jsonl.zst",
    "audit/000003.jsonl",
    "audit/manifest.jsonl",
    "checkpoint",
    "checkpoint.previous",
    "certificate.json",
    "certificate.txt",
    "verification/inventory.json",
    "verification/inventory.json.sha256",
)


def flip(file: Path, _: Path) -> None:
    """In the name of something, at the middle of the file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def cut(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def empty(file: Path, _: Path) -> None:
    file.write_bytes(b"")


def gone(file: Path, _: Path) -> None:
    file.unlink()


def doubled(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes() * 2)


def swapped(file: Path, others: Path) -> None:
    shutil.copy(others, file)


def a_folder(file: Path, _: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGE: tuple[Callable[[Path, Path], None], ...] = (flip, cut, empty, gone, doubled, swapped, a_folder)
