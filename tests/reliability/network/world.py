"""A service, the fault proxy before it, and a clock that jumps: what every case of the campaigns happens in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import patch

from glacier_simulator import SimulatedGlacier
from tests.reliability.network import virtual_loop
from tests.reliability.network.proxy import Certificates, FaultProxy, Strikes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from tests.reliability.network.kinds import Kind
    from tests.reliability.network.virtual_loop import Address

    Case = Callable[[SimulatedGlacier, FaultProxy, Path], Coroutine[None, None, None]]


def carry_out(
    case: Case,
    kind: Kind,
    strikes: Strikes,
    place: Path,
    *,
    archives: int,
    certificates: Certificates | None = None,
    checks_signatures: bool = False,
    in_real_time: bool = False,
) -> None:
    """Carry ``case`` out in virtual time, in a folder of its own, with nothing of the user's around it."""
    names: list[Callable[[str, int], Sequence[Address]]] = []

    async def world() -> None:
        keys = {"ASIANOBODY": "x"} if checks_signatures else None
        async with SimulatedGlacier(archives=archives, secret_keys=keys) as service:
            behind = ("127.0.0.1", int(service.endpoint_url.rpartition(":")[2]))
            async with FaultProxy(kind, strikes, certificates, behind) as proxy:
                names.append(proxy.names)
                await case(service, proxy, place)

    def looked_up(host: str, port: int) -> Sequence[Address]:
        (look_up,) = names
        return look_up(host, port)

    clean = {name: value for name, value in os.environ.items() if not _is_of_the_user(name)}
    ours = {"AWS_EC2_METADATA_DISABLED": "true", "XDG_STATE_HOME": str(place / "state")}
    with patch.dict(os.environ, clean | ours, clear=True):
        run = virtual_loop.run_in_real_time if in_real_time else virtual_loop.run
        run(world(), looked_up)


def _is_of_the_user(name: str) -> bool:
    return name.startswith(("AWS_", "GLACIER_PURGE_")) or name.lower().endswith(("_proxy", "_ca_bundle"))
