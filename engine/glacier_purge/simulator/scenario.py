"""A scenario: what happens to the pretended service, and when, in simulated seconds from the start.

Written in TOML, checked when it is read.  ``[start]`` holds what the service begins with, each ``[[change]]`` what is
different from a moment on, each ``[[fault]]`` a rule of ``faults``, and each ``[[request]]`` what somebody else sends:
an upload in the middle of a purge, or the start of a vault lock.  There are no timers: what is due is asked for
whenever a request arrives, so that a scenario runs the same in real, scaled and virtual time.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from glacier_purge.errors import UsageError
from glacier_purge.simulator.faults import Rule  # noqa: TC001 - msgspec reads the annotation

SHIPPED = ("calm", "busy-account", "bad-week", "locked-vault")


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many requests a real second the account may send; None leaves a figure as it is, a rate of 0 is no limit."""

    rate: float | None = None
    burst: float | None = None
    mode: Literal["bucket", "window"] | None = None
    charge_rejected: bool | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 <= self.rate <= 1e9:
            raise ValueError(f"rate {self.rate} is not a number of requests a second")
        if self.burst is not None and not 1 <= self.burst <= 1e9:
            raise ValueError(f"burst {self.burst} is not a number of requests, 1 at least")


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is different from ``at_seconds`` on."""

    at_seconds: float = 0.0
    limits: Limits | None = None
    latency_ms: float | None = None
    account_closed: bool | None = None


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request by somebody else at ``at_seconds``. ``{vault}`` in the path and body is the purged vault's name."""

    at_seconds: float
    method: str
    path: str
    body: str = ""
    headers: dict[str, str] = {}


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole scenario; ``about`` says in a sentence what it is like to live through."""

    about: str
    start: Change = Change()
    change: list[Change] = []
    fault: list[Rule] = []
    request: list[Sent] = []


Event = Change | Sent


class Timeline:
    """The events of a scenario that are still to come."""

    def __init__(self, scenario: Scenario) -> None:
        events: list[Event] = [*scenario.change, *scenario.request]
        self._events = sorted(events, key=lambda event: event.at_seconds)
        self._next = 0

    @property
    def next_at_seconds(self) -> float:
        """When the next event is due; infinity when there is none."""
        return self._events[self._next].at_seconds if self._next < len(self._events) else float("inf")

    def due(self, at_seconds: float) -> list[Event]:
        """The events due by now, in order, each given once."""
        first = self._next
        while self.next_at_seconds <= at_seconds:
            self._next += 1
        return self._events[first : self._next]


def load_scenario(name: str) -> Scenario:
    """Read a scenario that ships with the package, by name, or from a TOML file, by path.

    Raises ``UsageError`` that says what is wrong in it.
    """
    if name in SHIPPED:
        text = resources.files("glacier_purge.simulator").joinpath("scenarios", f"{name}.toml").read_text("utf-8")
    else:
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"no scenario {name!r}: give one of {', '.join(SHIPPED)}, or a TOML file ({error})."
            ) from error
    return read_scenario(text, name=name)


def read_scenario(text: str, *, name: str = "scenario") -> Scenario:
    """Read a scenario from the text of a TOML file."""
    try:
        return msgspec.convert(tomllib.loads(text), Scenario, strict=False)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"{name}: {error}") from error
