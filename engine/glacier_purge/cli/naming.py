"""Getting a yes for what concerns a whole vault: its name typed on a terminal, or given once more as an option."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from glacier_purge.cli.streams import typed_line
from glacier_purge.cli.voice import put
from glacier_purge.errors import PlanRefused
from glacier_purge.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterable


async def confirm_by_name(name: str, given: str | None, about: Iterable[str]) -> None:
    """Return when the vault's name was ``given`` or is typed now, after ``about`` was said.

    Raises ``PlanRefused`` for any other answer, and where there is nobody to ask.
    """
    if given is None:
        if not sys.stdin.isatty():
            raise PlanRefused(
                f"this needs a yes, and there is no terminal to ask on. Nothing was sent. Give the same command again "
                f"with --confirm-vault {name}"
            )
        asked = f"Type {name} to go on, anything else to stop: "
        put("\n".join([*map(safe, about), "", safe(asked)]))
        given = (await typed_line()).strip()
    if given != name:
        raise PlanRefused(f"{given!r} is not the vault's name, {name!r}. Nothing was sent.")
