"""What a user asked to be chosen, from text to values: ages, sizes, limits. Pure; the time now is a value.

An age becomes the moment it means, and only that moment counts from then on: it stands in the plan, so that a plan
made again with it has the same digest.

The fields of ``Choices`` and ``Caps`` are the only list of what can be chosen.  Each says by its type how it is
written, and whoever reads, compares or keeps choices goes by that: a new filter is a field here, a judge in ``filters``
and a reason to stay, and the command line declares its option.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Annotated, Any, Literal, get_args, get_type_hints

from glacier_purge.errors import UsageError
from glacier_purge.plan.selection import Filter, at_least, at_most, described_like, newer_than, older_than

_SPAN = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SPAN_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SIZE = re.compile(r"(\d{1,19})(?:\s?([kKMGTP]i?)?B?)?", re.ASCII)
_POWERS = "kMGTP"


class Kind(Enum):
    """How a choice or a cap is written."""

    AGE = auto()
    TEXT = auto()
    SIZE = auto()
    ID_LIST = auto()
    MANIFESTS = auto()
    RETRIEVALS = auto()
    COUNT = auto()
    BYTES = auto()
    SECONDS = auto()


InRetrieval = Literal["hold", "wait", "delete"]
Age = Annotated[str, Kind.AGE]
Text = Annotated[str, Kind.TEXT]
Size = Annotated[str, Kind.SIZE]
IdList = Annotated[str, Kind.ID_LIST]
Manifests = Annotated[tuple[str, ...], Kind.MANIFESTS]
Retrievals = Annotated[InRetrieval, Kind.RETRIEVALS]
Count = Annotated[int, Kind.COUNT]
Bytes = Annotated[int, Kind.BYTES]
Seconds = Annotated[int, Kind.SECONDS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Which archives a user wants gone; what is None does not choose. Ages, sizes and patterns are as typed.

    ``ids`` and ``exclude_ids`` name files of archive ids, or ``-`` for standard input; ``migrated`` names files and
    ``dynamodb://`` tables of what was migrated, ``check_s3`` the bucket and prefix where the copies are looked at.
    ``in_retrieval`` is what becomes of archives somebody is retrieving; None holds back what the service tells of.
    """

    older_than: Age | None = None
    newer_than: Age | None = None
    description: Text | None = None
    min_size: Size | None = None
    max_size: Size | None = None
    ids: IdList | None = None
    exclude_ids: IdList | None = None
    migrated: Manifests = ()
    check_s3: Text | None = None
    in_retrieval: Retrievals | None = None
    limit: Count | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit {self.limit} would choose nothing. Give 1 or more.")
        if self.check_s3 is not None and not self.migrated:
            raise UsageError("--check-s3 looks at the copies that --migrated names. Give a manifest with --migrated.")


EVERY_ARCHIVE = Choices()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much may be deleted at most; None leaves it to the settings. ``max_duration_seconds`` is of one process."""

    max_archives: Count | None = None
    max_bytes: Bytes | None = None
    max_duration_seconds: Seconds | None = None


UNCAPPED = Caps()


def _kinds(of: type[Choices | Caps]) -> dict[str, Kind]:
    hints = get_type_hints(of, include_extras=True)
    return {field.name: _kind(hints[field.name]) for field in fields(of)}


def _kind(hint: Any) -> Kind:
    said = [part for part in get_args(hint) if part is not type(None)]
    return next((part for part in said if isinstance(part, Kind)), None) or _kind(said[0])


KINDS = _kinds(Choices) | _kinds(Caps)
"""How each choice and each cap is written, by the name of its field and in their order."""


def given(chosen: Choices | Caps, *kinds: Kind) -> dict[str, Any]:
    """What was chosen, by name: of these ``kinds``, or of all where none is said."""
    wanted = kinds or tuple(Kind)
    values = {field.name: getattr(chosen, field.name) for field in fields(chosen) if KINDS[field.name] in wanted}
    return {name: value for name, value in values.items() if value is not None and value != ()}


def check_standard_input(inventory: str, choices: Choices) -> None:
    """Raise ``UsageError`` when standard input is to be read for two things at once."""
    from_stdin = [option for option, file in [("--inventory", inventory), *named_files(choices)] if file == "-"]
    if len(from_stdin) > 1:
        raise UsageError(f"{' and '.join(from_stdin)} cannot both be read from standard input. Give a file for one.")


def named_files(choices: Choices) -> list[tuple[str, str]]:
    """Every list of ids and every manifest, each with the option that names it."""
    lists = [(as_option(name), file) for name, file in given(choices, Kind.ID_LIST).items()]
    manifests = given(choices, Kind.MANIFESTS)
    return lists + [(as_option(name), file) for name, files in manifests.items() for file in files]


def as_written(name: str) -> str:
    """How a choice or a cap is called where a user writes it: a span of time says its own unit."""
    return name.removesuffix("_seconds")


def as_option(name: str) -> str:
    """How a choice or a cap is called on the command line."""
    return "--" + as_written(name).replace("_", "-")


def filters(choices: Choices, now: datetime, called: Callable[[str], str] = as_option) -> list[Filter]:
    """Turn choices into filters, all but the limit.

    Raises ``UsageError`` for text that means nothing, by what it is ``called`` where it was written.
    """
    found = []
    if choices.older_than is not None:
        found.append(older_than(cut_off(choices.older_than, now, called("older_than"))))
    if choices.newer_than is not None:
        found.append(newer_than(cut_off(choices.newer_than, now, called("newer_than"))))
    if choices.description is not None:
        found.append(described_like(choices.description, called("description")))
    if choices.min_size is not None:
        found.append(at_least(size_bytes(choices.min_size, called("min_size"))))
    if choices.max_size is not None:
        found.append(at_most(size_bytes(choices.max_size, called("max_size"))))
    return found


def cut_off(text: str, now: datetime, option: str) -> datetime:
    """The moment an age (``90d`` or ``12h`` before ``now``) or an ISO 8601 date means, in UTC, to the second."""
    if _SPAN.fullmatch(text):
        try:
            return (now - timedelta(seconds=span_seconds(text, option))).astimezone(UTC).replace(microsecond=0)
        except OverflowError:
            raise UsageError(f"{option} {text} reaches back before the calendar begins.") from None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is neither an age like 90d, 12h or 2w nor a date like 2024-01-31 or "
            "2024-01-31T12:00:00Z."
        ) from None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.replace(microsecond=0)


def span_seconds(text: str, option: str) -> int:
    """Seconds of a span of time like ``90d``, ``12h``, ``30m``, ``2w``. Raises ``UsageError``."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise UsageError(f"{option} {text!r} is not a span of time like 90d, 12h, 30m or 2w.")
    return int(match[1]) * _SPAN_SECONDS[match[2]]


def size_bytes(text: str, option: str) -> int:
    """Bytes of a size like ``1048576``, ``10MiB`` or ``10MB`` (powers of 1,024 with the i, of 1,000 without)."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} {text!r} is not a size like 1048576, 10MiB or 2GB.")
    unit = match[2] or ""
    factor = 1
    if unit:
        factor = (1024 if unit.endswith("i") else 1000) ** (_POWERS.index(unit[0].replace("K", "k")) + 1)
    return int(match[1]) * factor
