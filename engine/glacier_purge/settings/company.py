"""What later layers cannot take back: lists that add up, and figures that a company's file lets be made stricter only.

A deny list in one place is no reason to forget another, so those of all layers hold together; whoever wants an entry
gone takes it out where it stands.  Of the company's file (``places.COMPANY_FILE``) a few figures are walls besides:
another layer may say less, and one that says more is refused, because somebody asked for it and would not get it.
Everything else in that file is a default like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Path = tuple[str, ...]

ADDED_UP: frozenset[_Path] = frozenset(
    {("safety", "deny_vaults"), ("safety", "deny_accounts"), ("safety", "deny_id_files"), ("hooks",)}
)
"""The settings of which those of all layers hold together."""


def _at_most(limit: Any, asked: Any) -> bool:
    return limit is None or (asked is not None and asked <= limit)


def _at_least(limit: Any, asked: Any) -> bool:
    return bool(asked >= limit)


def _the_same(limit: Any, asked: Any) -> bool:
    return bool(asked == limit)


_WORDS = {_at_most: "at most", _at_least: "at least", _the_same: "only"}
WALLS: Mapping[_Path, Callable[[Any, Any], bool]] = {
    ("pace", "max_rate"): _at_most,
    ("pace", "max_in_flight"): _at_most,
    ("pace", "leave_share"): _at_least,
    ("pace", "windows"): _the_same,
    ("safety", "max_archives"): _at_most,
    ("safety", "max_bytes"): _at_most,
    ("safety", "inventory_max_age_seconds"): _at_most,
    ("safety", "max_duration_seconds"): _at_most,
    ("safety", "protection_interval_seconds"): _at_most,
    ("safety", "canary"): _the_same,
    ("safety", "fuse_failed_max"): _at_most,
    ("safety", "fuse_failed_share"): _at_most,
    ("approval", "approvals"): _at_least,
    ("approval", "allowed_signers"): _the_same,
    ("approval", "revoked"): _the_same,
    ("approval", "not_the_planner"): _at_least,
}
"""What a company's file settles, each with what tells whether a figure is as strict as the limit."""


def allowed_in_words(path: _Path, limit: Any) -> str:
    """What the company's file lets somebody ask for."""
    shown = list(limit) if isinstance(limit, tuple) else limit
    return f"{_WORDS[WALLS[path]]} {shown}"  # type: ignore[index]  # each is one of those three


def added_up(path: _Path, below: object, above: object) -> object:
    """What two layers say together. A value that is no list stays, so that it is refused and not passed over."""
    if path not in ADDED_UP:
        return above
    if not isinstance(below, list | tuple):
        return below
    return [*below, *(one for one in above if one not in below)] if isinstance(above, list | tuple) else above
