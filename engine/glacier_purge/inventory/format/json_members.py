"""Where the members of one JSON object stand, to the byte.

The object is scanned as Latin-1, in which a character is a byte, so that every position is a byte offset whatever the
bytes are.  Values are only measured here, never converted: Python refuses to make an integer of 5,000 digits, and no
record may be able to raise that.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple, NoReturn

_SPACE = re.compile(r"[ \t\n\r]*")


class NotJson(Exception):
    """Where in the object, and why, it stops being JSON."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


class JsonMember(NamedTuple):
    """A key, and the value's place in the bytes: from ``start`` up to, not including, ``end``."""

    key: str
    start: int
    end: int


def members(raw: bytes) -> list[JsonMember]:
    """List the members of the JSON object ``raw``, which must not be nested deeply. Raises ``NotJson``."""
    text = raw.decode("latin-1")
    found: list[JsonMember] = []
    position = _past(text, "{", 0)
    while not (found == [] and _next(text, position) == "}"):
        key, position = _key(text, position)
        start = _after_space(text, _past(text, ":", position))
        _, end = _value(text, start)
        found.append(JsonMember(key, start, end))
        if _next(text, end) == "}":
            position = end
            break
        position = _past(text, ",", end)
    end = _after_space(text, _past(text, "}", position))
    if end != len(text):
        raise NotJson("something stands behind the object", end)
    return found


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_scan = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_not_a_number).raw_decode


def _key(text: str, position: int) -> tuple[str, int]:
    start = _after_space(text, position)
    if text[start : start + 1] != '"':
        raise NotJson("a key was expected here", start)
    return _value(text, start)


def _value(text: str, start: int) -> tuple[str, int]:
    """The value (a str where it is a string) and where it ends."""
    try:
        return _scan(text, start)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, error.pos) from None
    except ValueError as error:
        raise NotJson(str(error), start) from None


def _past(text: str, mark: str, position: int) -> int:
    at = _after_space(text, position)
    if text[at : at + 1] != mark:
        raise NotJson(f"'{mark}' was expected here", at)
    return at + 1


def _next(text: str, position: int) -> str:
    at = _after_space(text, position)
    return text[at : at + 1]


def _after_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    assert space is not None, "it matches the empty text too"
    return space.end()
