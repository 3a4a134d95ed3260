from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.source import Source

Format = Literal["json", "csv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    path: Path
    format: Format
    sha256: str
    size_bytes: int
    records: int
    vault_arn: str | None
    inventory_date: str | None


def spool(source: Source, folder: Path, *, any_id_length: bool = False) -> Snapshot:
    raise NotImplementedError


def verify(snapshot: Snapshot) -> None:
    raise NotImplementedError


def batches(path: Path, format: Format, *, any_id_length: bool = False) -> Iterator[Batch]:
    raise NotImplementedError  # noqa: A002
