"""Virtual time for tests whose whole world is in this process, in which nothing is ever under way from outside."""

from __future__ import annotations

import pytest

IN_PROCESS = pytest.mark.looptime(noop_cycles=1)
"""looptime's own 42 empty rounds before each step of its clock are for sockets; here they took two thirds of a run."""
