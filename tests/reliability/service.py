"""The pretended service in this process, and what its doorkeeper saw: when each request came, and whose it was.

It serves in a thread of its own, so that whoever watches can wait for a request and act at the very moment it comes,
before anything is answered.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import anyio
import anyio.from_thread

from glacier_simulator import SimulatedGlacier
from glacier_simulator.exchange import Request
from glacier_simulator.refusal import Refusal
from glacier_simulator.routing import route
from glacier_simulator.server import SimulatorServer
from tests.e2e.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from glacier_simulator.desk import ServiceDesk
    from glacier_simulator.exchange import Response
    from glacier_simulator.outbox import Outgoing

_T = TypeVar("_T")
_KEY = re.compile(r"Credential=([^/]+)/")
_GONE_SECONDS_MAX = 20.0


class Came(NamedTuple):
    """A request that came: when (seconds of the monotonic clock), what for, and under which access key."""

    at: float
    operation: str
    key_id: str
    archive_id: str


class Doorkeeper:
    """Stands before a desk. ``call`` has something done, in the service's thread, when the next fitting request comes.

    What is done is done before the request takes effect.
    """

    def __init__(self, desk: ServiceDesk) -> None:
        self.body_bytes_max = desk.body_bytes_max
        self.came: list[Came] = []
        self._desk = desk
        self._awaited: dict[str, tuple[int, Callable[[], None]]] = {}
        self._numbers: dict[str, int] = {}

    def call(self, operation: str, number: int, act: Callable[[], None]) -> None:
        """Have ``act`` done when the ``number``-th request for an operation comes, from 1, counted from now on."""
        self._awaited[operation] = self._numbers.get(operation, 0) + number, act

    def forget(self, operation: str) -> None:
        """Have nothing done for that operation any more."""
        self._awaited.pop(operation, None)

    def answer_delete(self, url: bytes, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> Outgoing | None:
        """See ``glacier_simulator.protocol.Desk``."""
        way, _, archive_id = url.rpartition(b"/")
        if way.endswith(b"/archives"):
            signed = next((value for name, value in headers if name.lower() == b"authorization"), b"").decode()
            self._note("DeleteArchive", signed, archive_id.decode())
        return self._desk.answer_delete(url, headers, keep_alive=keep_alive)

    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        """See ``glacier_simulator.protocol.Desk``."""
        try:
            operation = route(request).operation
        except Refusal:
            operation = ""
        if operation not in {"", "DeleteArchive"}:  # a delete was offered to ``answer_delete`` before
            self._note(operation, request.headers.get("authorization", ""), "")
        return self._desk.answer(request, keep_alive=keep_alive)

    def refuse(self, response: Response) -> bytes:
        """See ``glacier_simulator.protocol.Desk``."""
        return self._desk.refuse(response)

    def _note(self, operation: str, signed: str, archive_id: str) -> None:
        found = _KEY.search(signed)
        self.came.append(Came(time.monotonic(), operation, found[1] if found else "", archive_id))
        number = self._numbers[operation] = self._numbers.get(operation, 0) + 1
        awaited, act = self._awaited.get(operation, (0, None))
        if act is not None and number == awaited:
            del self._awaited[operation]
            act()


@dataclass(kw_only=True)
class Service(Simulator):
    """The service as its campaign sees it; everything of it happens in its own thread."""

    glacier: SimulatedGlacier
    door: Doorkeeper
    _server: SimulatorServer
    _portal: anyio.from_thread.BlockingPortal = field(repr=False)

    def do(self, act: Callable[[], _T]) -> _T:
        """Do something in the service's thread."""
        return self._portal.call(act)

    def deletes(self) -> list[Came]:
        """The deletes that came, in order."""
        return [came for came in self.do(self.door.came.copy) if came.operation == "DeleteArchive"]

    @contextmanager
    def calling(self, operation: str, number: int, act: Callable[[], None]) -> Iterator[None]:
        """Have ``act`` done when the ``number``-th request for an operation comes from now on; see ``Doorkeeper``."""
        self.do(partial(self.door.call, operation, number, act))
        try:
            yield
        finally:
            self.do(partial(self.door.forget, operation))

    def vaults(self) -> set[str]:
        """The names of the vaults there are."""
        listed = json.loads(_whole(self.ask("GET", "vaults").body))
        return {vault["VaultName"] for vault in listed["VaultList"]}

    def ledger(self) -> dict[str, Any]:
        """See ``Simulator``."""
        return self.do(lambda: self.glacier.ledger)

    def ask(self, method: str, path: str, body: bytes = b"") -> Response:
        """Ask something as the account's owner; ``path`` is below the account."""
        hashed = sha256(body).hexdigest()
        headers = {"x-amz-content-sha256": hashed, "x-amz-sha256-tree-hash": hashed}
        headers["x-amz-glacier-version"] = "2012-06-01"
        request = Request(method, f"/-/{path}", {}, headers, body)
        answered = self.do(lambda: self.glacier.service.handle_as_owner(request, self.glacier.clock.now()))
        assert answered.status < 300, answered
        return answered

    def policy(self, vault: str) -> bytes:
        """The text of a vault's access policy, with what is around it."""
        found = self.do(
            lambda: self.glacier.service.handle_as_owner(
                Request("GET", f"/-/vaults/{vault}/access-policy", {}, {"x-amz-glacier-version": "2012-06-01"}), 0.0
            )
        )
        return f"{found.status} ".encode() + _whole(found.body)

    def stock(self, vault: str, archives: int) -> None:
        """Make another vault with so many small archives."""
        self.ask("PUT", f"vaults/{vault}")
        for number in range(archives):
            self.ask("POST", f"vaults/{vault}/archives", f"{vault} {number}".encode())

    def let_everybody_go(self) -> None:
        """Return when nobody is connected any more: then what was sent by who is gone has come."""
        until = time.monotonic() + _GONE_SECONDS_MAX
        while self.do(lambda: self._server.open_connections):
            assert time.monotonic() < until, "somebody is connected still"
            time.sleep(0.002)


@contextmanager
def service(vault: str = "photos", **options: Any) -> Iterator[Service]:
    """Serve, until left. ``options`` are those of ``SimulatedGlacier``."""
    with (
        anyio.from_thread.start_blocking_portal(backend_options={"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(_served(portal, vault, options)) as serving,
    ):
        yield serving


@asynccontextmanager
async def _served(
    portal: anyio.from_thread.BlockingPortal, vault: str, options: dict[str, Any]
) -> AsyncIterator[Service]:
    async with SimulatedGlacier(vault=vault, **options) as glacier:
        door = Doorkeeper(glacier.desk)
        server = SimulatorServer(door)
        await server.start()
        try:
            yield Service(
                endpoint_url=server.endpoint_url,
                account_id=glacier.account_id,
                vault=vault,
                archives=glacier.archives,
                glacier=glacier,
                door=door,
                _server=server,
                _portal=portal,
            )
        finally:
            await server.close()


def _whole(body: bytes | Iterable[bytes]) -> bytes:
    return body if isinstance(body, bytes) else b"".join(body)
