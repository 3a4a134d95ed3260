"""What every answer to a program has, and how a field says what it means.

Answers are frozen structs, so that what is printed and what the schema says can't differ.  ``result`` names the kind of
answer where a command has several, and ``format`` is its version: it grows when a field goes or means something else,
and not when one is added.  A field that an answer leaves out is ``UNSET``; one that is there and not known is None.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = ["UNSET", "Result", "UnsetType", "about", "as_members", "moment"]

_FOR_PROGRAMS_ONLY = frozenset({"result", "format"})


def about(description: str) -> Meta:
    """What a field means, for whoever reads the schema."""
    return Meta(description=description)


def moment(description: str) -> Meta:
    """What a field means that is a time: UTC, ISO 8601 to the second."""
    return Meta(description=description, extra_json_schema={"format": "date-time"})


class Result(msgspec.Struct, frozen=True, kw_only=True, tag_field="result"):
    """One answer of a command."""

    format: Annotated[int, about("Version of this answer: it grows when a field goes or means something else.")] = 1


def as_members(result: Result) -> dict[str, Any]:
    """The answer's own members, in their order, without what only programs want."""
    members: dict[str, Any] = msgspec.to_builtins(result)
    return {name: value for name, value in members.items() if name not in _FOR_PROGRAMS_ONLY}
