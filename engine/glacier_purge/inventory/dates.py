from __future__ import annotations

from datetime import datetime


def creation_time(text: str) -> datetime | None:
    """Aware UTC datetime of an inventory's date, with or without milliseconds; None when it is not one."""
    raise NotImplementedError
