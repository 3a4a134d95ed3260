from __future__ import annotations

from glacier_purge.inventory.batch import Batch


class CsvReader:
    mode: str
    vault_arn: str | None
    inventory_date: str | None

    def __init__(self, *, any_id_length: bool = False) -> None: ...

    def feed(self, data: bytes) -> list[Batch]:
        raise NotImplementedError

    def finish(self) -> list[Batch]:
        raise NotImplementedError
