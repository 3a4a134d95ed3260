"""The options that say how fast and when deletes are sent, the same for every verb that sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from glacier_purge.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOptions:
    """How fast and when requests may leave. None leaves it to the settings."""

    max_rate: float | None = None
    """Most requests a second."""
    max_in_flight: int | None = None
    """Most requests under way at once."""
    leave: str | None = None
    """Part of the limit found that is left to others of the account, 0% to 90%."""
    window: tuple[str, ...] = ()
    """Hours in which to send: 22:00-06:00 by this host's clock, or '22:00-06:00 Europe/Berlin'. May be repeated."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given. Raises ``UsageError``."""
        return {
            "max_per_second": self.max_rate,
            "max_in_flight": self.max_in_flight,
            "leave_share": None if self.leave is None else _share(self.leave),
            "windows": self.window or None,
        }


def _share(percent: str) -> float:
    """``30%``, or ``30``, is 0.3."""
    try:
        share = float(percent.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 0.9:
        raise UsageError(f"--leave {percent} is no part that can be left to others; write 0% to 90%.")
    return share


Pace = Annotated[PaceOptions, Parameter(name="*", group="Pace")]
