"""A scenario: what happens to the pretended service, and when, in simulated seconds from the start.

Written in TOML, checked when it is read.  ``[start]`` holds what the service begins with, each ``[[change]]`` what is
different from a moment on, each ``[[fault]]`` a rule of ``faults``, each ``[[request]]`` what somebody else sends, as
the start of a vault lock, and each ``[[upload]]`` how many archives somebody else uploads.  There are no timers: what
is due is asked for whenever a request arrives, so that a scenario runs the same in real, scaled and virtual time.

Where it says ``after = "DeleteArchive"`` (or any other operation of the service's API), seconds are counted from the
first request of that operation, since nobody knows beforehand when a purge will begin.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from glacier_purge.errors import UsageError
from glacier_simulator.faults import Rule

_CHARACTERS_MAX = 1 << 15
"""The longest that ships has 3,000; more would let a parser take minutes for a name of many parts."""
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
    after: str | None = None
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
    after: str | None = None


class Upload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """So many small archives that somebody else uploads at ``at_seconds``."""

    at_seconds: float
    archives: int = 1
    description: str = "uploaded by somebody else"
    after: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.archives <= 1000:
            raise ValueError(f"archives {self.archives} of an upload are not between 1 and 1,000")

    def requests(self) -> list[Sent]:
        """What is sent."""
        headers = {"x-amz-archive-description": self.description}
        return [
            Sent(
                at_seconds=self.at_seconds,
                after=self.after,
                method="POST",
                path="/-/vaults/{vault}/archives",
                body=f"{self.description}, {number}",
                headers=headers,
            )
            for number in range(1, self.archives + 1)
        ]


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole scenario; ``about`` says in a sentence what it is like to live through."""

    about: str
    start: Change = Change()
    change: list[Change] = []
    fault: list[Rule] = []
    request: list[Sent] = []
    upload: list[Upload] = []


Event = Change | Sent


class Timeline:
    """The events of a scenario that are still to come.

    ``awaited`` are the operations whose first request begins a part of it.
    """

    def __init__(self, scenario: Scenario) -> None:
        uploads = [request for upload in scenario.upload for request in upload.requests()]
        self._later: list[Event] = [*scenario.change, *scenario.request, *uploads]
        self._dated: list[tuple[float, Event]] = []
        self.awaited = {event.after for event in self._later}
        self.begun(None, 0.0)

    @property
    def next_at_seconds(self) -> float:
        """When the next event is due; infinity when none has a time."""
        return self._dated[0][0] if self._dated else float("inf")

    def begun(self, operation: str | None, at_seconds: float) -> None:
        """Count from now on for what was to come after the first request of ``operation``."""
        self.awaited.discard(operation)
        dated = [(at_seconds + event.at_seconds, event) for event in self._later if event.after == operation]
        self._later = [event for event in self._later if event.after != operation]
        self._dated = sorted(self._dated + dated, key=lambda pair: pair[0])

    def due(self, at_seconds: float) -> list[Event]:
        """The events due by now, in order, each given once."""
        events = [event for moment, event in self._dated if moment <= at_seconds]
        del self._dated[: len(events)]
        return events


def load_scenario(name: str) -> Scenario:
    """Read a scenario that ships with the package, by name, or from a TOML file, by path.

    Raises ``UsageError`` that says what is wrong in it.
    """
    if name in SHIPPED:
        text = resources.files("glacier_simulator").joinpath("scenarios", f"{name}.toml").read_text("utf-8")
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
    if len(text) > _CHARACTERS_MAX:
        raise UsageError(f"{name} has more than {_CHARACTERS_MAX:,} characters, which no scenario has.")
    try:
        return msgspec.convert(tomllib.loads(text), Scenario, strict=False)
    except (ValueError, RecursionError) as error:  # what is no TOML, no scenario, or nested without end
        raise UsageError(f"{name}: {error}") from error
