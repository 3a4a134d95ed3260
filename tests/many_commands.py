"""What a process does once, for a process that is given thousands of commands and opens thousands of sessions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cyclopts.argument._argument
from botocore.hooks import EventAliaser


def parse_as_if_alone() -> None:
    """Keep cyclopts from making a model of pydantic's for each argument of each command line, 10 ms a line.

    It does so where somebody has imported pydantic, and a command of ours has not yet when its line is parsed.
    """
    cyclopts.argument._argument.sys = SimpleNamespace(modules={})  # type: ignore[assignment,attr-defined]  # its only use there


def know_botocores_names_once() -> None:
    """Let botocore's sessions share how their events are called today: each finds that out anew, 5 ms a session."""
    found: dict[str, str] = {}
    find = EventAliaser._alias_event_name

    def known(aliaser: Any, event_name: str) -> str:
        if (name := found.get(event_name)) is None:
            name = found[event_name] = find(aliaser, event_name)
        return name

    EventAliaser._alias_event_name = known
