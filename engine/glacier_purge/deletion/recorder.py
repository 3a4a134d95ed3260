"""Where outcomes go: the audit journal of a run, or the caller of ``delete_archives``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.audit.record import Outcome


class Recorder(Protocol):
    """Takes outcomes at once and tells when it needs a pause; the pool stops sending until it has room again."""

    @property
    def pending(self) -> int:
        """Outcomes taken and not yet where they belong."""

    def record(self, outcomes: Sequence[Outcome], /) -> None:
        """Take outcomes; never waits."""

    async def room(self) -> None:
        """Wait until there is room for more."""
