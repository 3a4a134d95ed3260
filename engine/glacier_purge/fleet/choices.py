"""Which archives go and how much at most, as a ``[[vaults]]`` of a fleet file says it: the options by their names, with
underscores. Pure.

    older_than = "90d"                      # an age or a date; newer_than likewise
    description = "tmp/*"                   # a glob, or a "/regular expression/"
    min_size = "10MiB"                      # or bytes as a number; max_size likewise
    ids = "lists/these.ids"                 # a file; exclude_ids likewise
    migrated = ["moved.csv", "objects.csv"] # one or a list
    check_s3 = "bucket/prefix"
    in_retrieval = "wait"
    limit = 1000                            # of each of these vaults; max_archives, max_bytes and max_duration likewise
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import get_args

from glacier_purge.errors import UsageError
from glacier_purge.plan.choices import (
    KINDS,
    Caps,
    Choices,
    InRetrieval,
    Kind,
    as_written,
    filters,
    size_bytes,
    span_seconds,
)

_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""Whether a text is an age does not depend on the day; what it means is settled when a lifecycle begins."""


def read_choices(table: Mapping[str, object], what: str) -> Choices:
    """The choices in one entry of a fleet file, which ``what`` names. Raises ``UsageError``."""
    given = {name: read(table[name], f"{what}: {name}") for name, read in CHOICES.items() if name in table}
    if "check_s3" in given and "migrated" not in given:
        raise UsageError(f"{what}: check_s3 looks at the copies that migrated names. Give a manifest with migrated.")
    choices = Choices(**given)  # type: ignore[arg-type]  # each was read to the type of its field
    filters(choices, _ANY_DAY, lambda name: f"{what}: {name}")
    return choices


def read_caps(table: Mapping[str, object], what: str) -> Caps:
    """The caps in one entry of a fleet file, which ``what`` names. Raises ``UsageError``."""
    given = {field: read(table[name], f"{what}: {name}") for name, (field, read) in CAPS.items() if name in table}
    return Caps(**given)  # type: ignore[arg-type]  # each was read to the type of its field


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{what} has to be a text, not {value!r}.")
    return value


def _file(value: object, what: str) -> str:
    if _text(value, what) == "-":
        raise UsageError(f"{what} has to be a file: a fleet lives for days, and standard input is read once.")
    return str(value)


def _files(value: object, what: str) -> tuple[str, ...]:
    files = tuple(_file(one, what) for one in (value if isinstance(value, list) else [value]))
    if not files:
        raise UsageError(f"{what} is an empty list, which would prove nothing. Leave it away, or name a file.")
    return files


def _size(value: object, what: str) -> str:
    return str(_count(value, what, least=0)) if isinstance(value, int) else _text(value, what)


def _count(value: object, what: str, *, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{what} has to be a whole number, {least} or more, not {value!r}.")
    return value


def _retrieval(value: object, what: str) -> str:
    known = get_args(InRetrieval)
    if value not in known:
        raise UsageError(f"{what} has to be one of {', '.join(known)}, not {value!r}.")
    return str(value)


def _bytes(value: object, what: str) -> int:
    return _count(size_bytes(_size(value, what), what), what)


def _seconds(value: object, what: str) -> int:
    return _count(span_seconds(_text(value, what), what), what)


_READ: dict[Kind, Callable[[object, str], object]] = {
    Kind.AGE: _text,
    Kind.TEXT: _text,
    Kind.SIZE: _size,
    Kind.ID_LIST: _file,
    Kind.MANIFESTS: _files,
    Kind.RETRIEVALS: _retrieval,
    Kind.COUNT: _count,
    Kind.BYTES: _bytes,
    Kind.SECONDS: _seconds,
}
CHOICES = {field.name: _READ[KINDS[field.name]] for field in fields(Choices)}
CAPS = {as_written(field.name): (field.name, _READ[KINDS[field.name]]) for field in fields(Caps)}
"""Names of the file, each with the cap's own name and who reads it."""
