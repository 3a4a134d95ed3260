"""What a process does once, for a process that is given thousands of commands and opens thousands of sessions."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from types import CodeType, SimpleNamespace
from typing import Any

import cyclopts.argument._argument
from botocore.hooks import BaseEventHooks, EventAliaser


def parse_as_if_alone() -> None:
    """Keep cyclopts from making a model of pydantic's for each argument of each command line, 10 ms a line.

    It does so where somebody has imported pydantic, and a command of ours has not yet when its line is parsed.
    """
    cyclopts.argument._argument.sys = SimpleNamespace(modules={})  # type: ignore[assignment,attr-defined]  # its only use there


def know_botocores_names_once() -> None:
    """Let botocore's sessions share how their events are called today, and that its own handlers of them take whatever
    comes: each finds that out anew, 12 ms a session."""
    found: dict[str, str] = {}
    find = EventAliaser._alias_event_name

    def known(aliaser: Any, event_name: str) -> str:
        if (name := found.get(event_name)) is None:
            name = found[event_name] = find(aliaser, event_name)
        return name

    EventAliaser._alias_event_name = known
    take_all: set[CodeType] = set()
    look = BaseEventHooks._verify_accept_kwargs

    def looked_at(hooks: Any, handler: Any) -> None:
        code = getattr(handler, "__code__", None)  # a method's is its function's
        if code not in take_all:
            look(hooks, handler)
            if code is not None:
                take_all.add(code)

    BaseEventHooks._verify_accept_kwargs = looked_at


def know_our_version_once() -> None:
    """Keep the version that is installed, which each page, plan and session reads from a file anew, 2 ms each time."""
    metadata.Distribution.from_name = cache(metadata.Distribution.from_name)  # type: ignore[method-assign]
    read = metadata.Distribution.__dict__["version"].fget
    metadata.Distribution.version = property(cache(read))  # type: ignore[assignment,method-assign]
