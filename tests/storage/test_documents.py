"""Our own documents have every key of their type and no other, however deep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from glacier_purge.storage.documents import DocumentUnreadable, decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    max_archives: int | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    cap: Cap = Cap()
    parts: tuple[Cap, ...] = ()
    counts: dict[int, Cap] = {}
    facts: dict[str, Any] = {}


GOOD = Entry(cap=Cap(max_archives=5), parts=(Cap(), Cap(max_archives=6)), counts={7: Cap()}, facts={"any": {"key": 8}})


def test_what_was_written_is_read() -> None:
    assert decoded(msgspec.json.encode(GOOD), Entry) == GOOD


@pytest.mark.parametrize(
    ("good", "damaged", "said"),
    [
        ('{"cap":', '{"cup":', "it has the key `cup`, which nobody knows - at `$`"),
        ('{"max_archives":5}', '{"max_archive":5}', "it has the key `max_archive`, which nobody knows - at `$.cap`"),
        ('{"max_archives":5}', "{}", "its key `max_archives` is missing - at `$.cap`"),
        ('{"max_archives":6}', '{"max_archives":6,"x":1}', "it has the key `x`, which nobody knows - at `$.parts[1]`"),
        ('"7":{"max_archives":null}', '"7":{}', "its key `max_archives` is missing - at `$.counts.7`"),
    ],
)
def test_an_unknown_or_missing_key_is_named_with_its_place(good: str, damaged: str, said: str) -> None:
    content = msgspec.json.encode(GOOD).decode()
    assert good in content
    with pytest.raises(DocumentUnreadable) as refused:
        decoded(content.replace(good, damaged), Entry)
    assert str(refused.value) == said


def test_facts_may_have_any_keys() -> None:
    assert decoded('{"any": [{"key": 1000000000000000000000000000000}]}', dict[str, Any])
