"""Numbers in words, as people read them: durations, sizes and rates; and foreign text for cells of tables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float | None) -> str:
    """``75`` is "1 min 15 s"; None is "unknown"."""
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left_seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left_seconds, "s")]
    told = [f"{value} {unit}" for value, unit in parts if value]
    return " ".join(told[:2]) or "0 s"


def size(size_bytes: int) -> str:
    """``1536`` is "1.5 KiB"."""
    value = float(size_bytes)
    for unit in _SIZES[:-1]:
        if round(value, 1) < 1024:  # as it would be shown: 1,048,575 bytes are a MiB, not 1,024.0 KiB
            return f"{size_bytes:,} B" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} {_SIZES[-1]}"


def rate(per_second: float | None) -> str:
    """``97.32`` is "97.3/s"; None is "-"."""
    return "-" if per_second is None else f"{per_second:,.1f}/s"


def share(part: int, whole: int) -> str:
    """``1`` of ``3`` is "33.3%"; rounded down, so that only all of it is "100.0%"."""
    tenths = part * 1000 // whole if whole else 1000
    return f"{tenths // 10}.{tenths % 10}%"


def money(amount: float | None, currency: str) -> str:
    """``1234.5`` is "1,234.50 USD"; None, where there is no price, is "unknown USD"."""
    return f"{'unknown' if amount is None else format(amount, ',.2f')} {currency}"


def stamp(at: datetime) -> str:
    """A time (UTC) to the second, as it stands before a line of a log: ``2026-11-23T12:00:00Z``."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def inert(text: str) -> str:
    """Foreign text for a cell of a table: no spreadsheet takes it for a formula and no terminal for a command."""
    if not text:
        return text
    if text.isprintable():
        return "'" + text
    return "'" + "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
