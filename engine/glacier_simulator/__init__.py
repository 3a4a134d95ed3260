"""Amazon Glacier pretended: a pure state machine in its own time, faults by seed, HTTP in front.

``SimulatedGlacier`` (see ``kit``) is the way in; a pytest fixture lies in ``glacier_simulator.pytest_plugin``.
The names below are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glacier_simulator.faults import Rule as FaultRule
    from glacier_simulator.kit import SimulatedGlacier
    from glacier_simulator.scenario import load_scenario

__all__ = ["FaultRule", "SimulatedGlacier", "load_scenario"]

_HOMES = {
    "FaultRule": ("faults", "Rule"),
    "SimulatedGlacier": ("kit", "SimulatedGlacier"),
    "load_scenario": ("scenario", "load_scenario"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
