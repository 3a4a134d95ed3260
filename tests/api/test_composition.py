"""A run, a lifecycle, and the ear for stop signals are put together in one place each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ("PurgeRun(", "api/purging.py"),
        ("LifecycleContext(", "api/lifecycle.py"),
        ("Lifecycle(", "api/lifecycle.py"),
        ("signal.signal(", "cli/signals.py"),
        ("open_signal_receiver(", None),  # it listens to what was to be ignored, and puts back what kills
        ("add_signal_handler(", None),
    ],
)
def test_what_is_put_together_in_one_place_is_in_no_other(call: str, place: str | None, repository: Path) -> None:
    engine = repository / "engine/glacier_purge"
    places = {
        file.relative_to(engine).as_posix()
        for file in engine.rglob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if call in line.replace(f"class {call}", "").replace(f"_{call}", "").replace(f"``{call}", "")
    }
    assert places == ({place} if place else set())
