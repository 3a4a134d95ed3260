"""The pretended service as one seed has it, and what it saw: every delete with its time, and what was in force then."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from glacier_simulator.clock import SimulatorClock
from glacier_simulator.desk import ServiceDesk
from glacier_simulator.exchange import Request
from glacier_simulator.faults import FaultPlan
from glacier_simulator.latency import Latency
from glacier_simulator.scenario import Limits, Scenario
from glacier_simulator.vault import PretendGlacier
from tests.reliability.simulation.machine import STARTS_AT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier_simulator.outbox import Outgoing
    from tests.reliability.simulation.fate import Fate
    from tests.reliability.simulation.machine import Machine

_DELETE = re.compile(r"/[^/]+/vaults/([^/]+)/archives/([^/]+)")
_VERSION = {"x-amz-glacier-version": "2012-06-01"}
FILM = b"film"
THROTTLED = 429
"""What the owner is told who asks too often, which the service itself says by 400 and a code."""


class Arrival(NamedTuple):
    """A delete as it reached the service: when, for what, and whether what became of it was told as it was."""

    seconds: float
    vault: str
    archive_id: str
    told: bool
    accepted: bool


@dataclass
class Seen:
    """What reached the service. ``on_delete`` may object to one, and is asked when it comes."""

    arrivals: list[Arrival] = field(default_factory=list)
    times: dict[str, list[Arrival]] = field(default_factory=lambda: defaultdict(list))
    objections: list[str] = field(default_factory=list)
    on_delete: list[Callable[[float, str, str], str | None]] = field(default_factory=list)


class WatchedDesk(ServiceDesk):
    """A desk that keeps what came for deletes, and what else was asked for the trace."""

    def watch(self, machine: Machine, seen: Seen) -> None:
        """Begin to keep it."""
        self._machine = machine
        self._seen = seen

    def answer_delete(self, url: bytes, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> Outgoing | None:
        """See ``ServiceDesk``."""
        authorization = next((value for name, value in headers if name.lower() == b"authorization"), b"").decode()
        self._machine.keys.used.add(self._machine.keys.key(authorization))
        if self._machine.keys.refusal(authorization) is not None:
            return None  # to be refused below
        outgoing = super().answer_delete(url, headers, keep_alive=keep_alive)
        if outgoing is not None:
            self._note(url.decode("ascii"), outgoing)
        return outgoing

    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        """See ``ServiceDesk``."""
        refused = self._machine.keys.refusal(request.headers.get("authorization", ""))
        if refused is not None:
            response = refused.response()
            response.headers.append(("x-amzn-RequestId", self.glacier.request_id()))
            outgoing = self._served(response, keep_alive=keep_alive)
        else:
            outgoing = super().answer(request, keep_alive=keep_alive)
        if request.method == "DELETE" and _DELETE.fullmatch(request.path):
            self._note(request.path, outgoing)
        else:
            because = self._because()
            self._machine.tell(f"asked {request.method} {request.path} {_status(outgoing)}{because}")
        return outgoing

    _strikes: Mapping[str, int] = MappingProxyType({})

    def _because(self) -> str:
        """Which fault struck the last request."""
        before, self._strikes = self._strikes, dict(self.faults.counts)
        return "".join(f" ({kind})" for kind, count in self._strikes.items() if count > before.get(kind, 0))

    def _note(self, path: str, outgoing: Outgoing) -> None:
        match = _DELETE.fullmatch(path)
        assert match is not None
        vault, archive_id, seconds = match[1], match[2], self._machine.seconds
        because = self._because()
        shelf = self.glacier.vault(vault, self.clock.now()).shelf
        index = shelf.find(archive_id)
        status = _status(outgoing)
        is_gone = index is not None and bool(shelf.gone[index]) and status not in {"400", "403", "404"}
        arrival = Arrival(seconds, vault, archive_id, not because, is_gone)
        self._seen.arrivals.append(arrival)
        self._seen.times[archive_id].append(arrival)
        self._machine.tell(f"delete {vault} {archive_id[:12]} {status}{because}")
        for object_to in self._seen.on_delete:
            if (why := object_to(seconds, vault, archive_id)) is not None:
                self._seen.objections.append(f"{seconds:.3f} s: {why}")


def _status(outgoing: Outgoing) -> str:
    payload = outgoing.payload
    return payload[9:12].decode("ascii") if isinstance(payload, bytes) else "..."


class Service:
    """Amazon Glacier for one seed, and the vaults' owner, who does things to it."""

    def __init__(self, machine: Machine, fate: Fate) -> None:
        self._machine = machine
        self.seen = Seen()
        self.glacier = PretendGlacier(seed=fate.seed)
        for vault, archives in fate.archives.items():
            self.glacier.generate_vault(vault, archives, STARTS_AT)
        self.desk = WatchedDesk(
            self.glacier,
            SimulatorClock(lambda: machine.seconds, start=STARTS_AT),
            vault=next(iter(fate.archives)),
            limits=Limits(rate=fate.rate_per_second, burst=fate.burst),
            latency=Latency(fate.latency_seconds, fate.seed),
            faults=FaultPlan(fate.faults, seed=fate.seed),
            scenario=Scenario(about="one seed"),
        )
        self.desk.watch(machine, self.seen)

    def ids(self, vault: str) -> list[str]:
        """The archives there now."""
        text = b"".join(self.desk.inventory_now(vault, "JSON").pieces())
        return [record["ArchiveId"] for record in json.loads(text)["ArchiveList"]]

    def own(self, method: str, path: str, body: object = None, query: dict[str, str] | None = None) -> int:
        """Have the owner of the vaults ask for something; return the status."""
        headers, content = dict(_VERSION), b"" if body is None else json.dumps(body).encode()
        if path.endswith("/archives"):
            hashed = hashlib.sha256(FILM).hexdigest()
            headers |= {"x-amz-content-sha256": hashed, "x-amz-sha256-tree-hash": hashed}
            content = FILM
        request = Request(method, f"/-/vaults/{path}", query or {}, headers, content)
        response = self.glacier.handle_as_owner(request, self._machine.true_seconds())
        was_throttled = isinstance(response.body, bytes) and b"ThrottlingException" in response.body
        status = THROTTLED if was_throttled else response.status
        self._machine.tell(f"the owner's {method} {path} {status}")
        return status

    def policy(self, vault: str) -> str | None:
        """The vault's access policy; None when there is none, or no vault."""
        vaults = self.glacier.vault_names()
        return self.glacier.vault(vault, self._machine.true_seconds()).facts.access_policy if vault in vaults else None
