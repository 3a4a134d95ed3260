"""Lets whoever watches see how far a check of a folder is; the verifier itself imports nothing of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glacier_purge.audit.verification import reading_told
from glacier_purge.long_work import Unit, long_work


@contextmanager
def check_watched(folder: Path) -> Iterator[None]:
    """Have what the verifier reads in the context counted, of all the bytes that lie in ``folder``."""
    total = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    with long_work(f"checking {folder.resolve().name}", total=total, unit=Unit.BYTES) as work, reading_told(work.add):
        yield
