"""A pytest fixture: a pretended Glacier for one test.  Not registered by itself; in your ``conftest.py``:

    pytest_plugins = ["glacier_simulator.pytest_plugin"]

    @pytest.mark.simulated_glacier(archives=1_000, rate=100)
    async def test_my_purge(simulated_glacier):
        ...  # simulated_glacier.endpoint_url, .ledger, .clock

The mark is optional and takes any argument of ``SimulatedGlacier``.  The fixture is asynchronous, so it needs
pytest-asyncio in auto mode, or another plugin that runs such fixtures.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from glacier_simulator.kit import SimulatedGlacier


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "simulated_glacier(**arguments): arguments of SimulatedGlacier")


@pytest.fixture
async def simulated_glacier(request: pytest.FixtureRequest) -> AsyncIterator[SimulatedGlacier]:
    """A pretended Glacier that serves until the test ends; empty unless the mark says otherwise."""
    mark = request.node.get_closest_marker("simulated_glacier")
    async with SimulatedGlacier(**(mark.kwargs if mark else {})) as glacier:
        yield glacier
