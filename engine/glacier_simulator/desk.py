"""What becomes of a request: struck by a fault, answered by the pretended service, or one of our own pages.

This is where time, throttling, latency and faults meet the pure state machine.  An ordinary DeleteArchive takes a
short way: no request object, no table of headers, a reply in which only the request id is new.  Everything else goes
the long way, and both give the same replies.

A request takes effect when it arrives; its reply leaves after the latency.  Rates are meant per real second whatever
the time scale, since it is real clients that are slowed down.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from email.utils import formatdate
from hashlib import sha256
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from glacier_simulator import pages as control
from glacier_simulator import sts
from glacier_simulator.clock import SimulatorClock, wall_seconds
from glacier_simulator.exchange import Request, Response
from glacier_simulator.fault_kinds import KINDS
from glacier_simulator.faults import Fault, FaultPlan
from glacier_simulator.inventory import InventoryFormat, InventoryText
from glacier_simulator.latency import REFUSED_SHARE, Latency
from glacier_simulator.outbox import Outgoing
from glacier_simulator.refusal import Refusal
from glacier_simulator.routing import route
from glacier_simulator.scenario import Change, Limits, Scenario, Sent, Timeline
from glacier_simulator.signature import region_of_scope
from glacier_simulator.spoil import Whole
from glacier_simulator.throttle import Limit
from glacier_simulator.treehash import tree_hash
from glacier_simulator.vault import PretendGlacier
from glacier_simulator.wire import body_length_bytes, body_pieces, read_request, render_head

BODY_BYTES_MAX = 64 * 1024 * 1024
_DELETE_ARCHIVE = re.compile(rb"/(-|[0-9]{12})/vaults/([A-Za-z0-9_.-]{1,255})/archives/([A-Za-z0-9_-]+)")

_log = logging.getLogger("glacier_simulator")


class ServiceDesk:
    """The pretended service as connections see it. ``vault`` is the name that a scenario means by ``{vault}``.

    ``own_limits`` are those of single accounts in single regions, in place of ``limits``.
    """

    def __init__(
        self,
        glacier: PretendGlacier,
        clock: SimulatorClock,
        *,
        vault: str,
        limits: Limits,
        own_limits: Mapping[tuple[str, str], Limits] | None = None,
        latency: Latency,
        faults: FaultPlan,
        scenario: Scenario,
    ) -> None:
        self.body_bytes_max = BODY_BYTES_MAX
        self.requests = 0
        self.operations: dict[str, int] = {}
        """Requests by the operation they asked for, whatever became of them; "" is none of the service's."""
        self.glacier = glacier
        self.clock = clock
        self.faults = faults
        self.limits = limits
        self.own_limits = dict(own_limits or {})
        self._latency = latency
        self._vault = vault
        self._timeline = Timeline(scenario)
        self._started = clock.now()
        self._date = _Date()
        self._meter = _Meter()
        self._set_limit()
        self._change(scenario.start)

    # Requests.

    def answer_delete(self, url: bytes, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> Outgoing | None:
        """Answer a DeleteArchive in which nothing is unusual; None for any other request."""
        match = _DELETE_ARCHIVE.fullmatch(url)
        if match is None or not keep_alive or not self._is_plain(match[1].decode(), headers):
            return None
        now = self._arrived("DeleteArchive")
        self._meter.count(self.clock.real_seconds())
        fault = self.faults.decide("DeleteArchive", match[3], now - self._started, self.glacier.region)
        if fault is not None:
            return self._struck(fault, read_request(b"DELETE", url, headers, b""), now, keep_alive=True)
        refused = self.glacier.delete_archive(match[2].decode(), match[3].decode(), now)
        if refused is not None:
            return self._served(refused, keep_alive=True)
        request_id = self.glacier.request_id().encode()
        head = b"HTTP/1.1 204 No Content\r\nx-amzn-RequestId: %b\r\nDate: %b\r\n\r\n" % (request_id, self._date.now())
        return Outgoing(head, self._latency.seconds())

    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        """Answer any request."""
        if request.path.startswith(control.PREFIX):
            response = control.answer(self, request)
            response.headers.append(("x-amzn-RequestId", self.glacier.request_id()))
            return self._rendered(response, keep_alive=keep_alive)
        operation, key = _whom(request)
        now = self._arrived(operation)
        if operation == "DeleteArchive":
            self._meter.count(self.clock.real_seconds())
        region = region_of_scope(request, self.glacier.region)
        fault = self.faults.decide(operation, key, now - self._started, region)
        if fault is not None:
            return self._struck(fault, request, now, keep_alive=keep_alive)
        return self._served(self.glacier.handle(request, now, wall=wall_seconds()), keep_alive=keep_alive)

    def refuse(self, response: Response) -> bytes:
        """Refuse what is not even a request; the connection ends."""
        response.headers.append(("x-amzn-RequestId", self.glacier.request_id()))
        return render_head(response, date=self._date.now(), keep_alive=False) + b"".join(body_pieces(response))

    def _is_plain(self, account_id: str, headers: list[tuple[bytes, bytes]]) -> bool:
        version = authorization = None
        for name, value in headers:
            lowered = name.lower()
            if lowered == b"x-amz-glacier-version":
                version = value.decode("latin-1")
            elif lowered == b"authorization":
                authorization = value.decode("latin-1")
        return self.glacier.is_plain(account_id, version, authorization)

    def _struck(self, fault: Fault, request: Request, now: float, *, keep_alive: bool) -> Outgoing:
        kind = KINDS[fault.kind]
        response = Response(204, [])
        if kind.beforehand is not None:
            kind.beforehand(self.glacier, request, now)
        if kind.reaches_service:
            response = self.glacier.handle(request, now, wall=wall_seconds())
        if kind.aftermath is not None:
            kind.aftermath(self.glacier, response)
        if kind.instead is not None:
            response = kind.instead(self.glacier.request_id(), fault)
        if kind.change is not None:
            response = kind.change(response, fault)
        if kind.wire is None:
            return self._served(response, keep_alive=keep_alive)
        head = render_head(response, date=self._date.now(), keep_alive=keep_alive)
        whole = Whole(head, body_pieces(response), body_length_bytes(response) or 0)
        return Outgoing(kind.wire(whole, fault), self._latency.seconds(), close=not keep_alive)

    def _served(self, response: Response, *, keep_alive: bool) -> Outgoing:
        seconds = self._latency.seconds()
        if response.status >= 400:
            seconds *= REFUSED_SHARE
        return self._rendered(response, seconds, keep_alive=keep_alive)

    def _rendered(self, response: Response, seconds: float = 0.0, *, keep_alive: bool) -> Outgoing:
        head = render_head(response, date=self._date.now(), keep_alive=keep_alive)
        if isinstance(response.body, bytes):
            return Outgoing(head + b"".join(body_pieces(response)), seconds, close=not keep_alive)
        return Outgoing(chain((head,), body_pieces(response)), seconds, close=not keep_alive)

    # Time and what it brings.

    def _arrived(self, operation: str) -> float:
        """Note a request; return when it came, everything having happened that was due before."""
        self.operations[operation] = self.operations.get(operation, 0) + 1
        if operation in self._timeline.awaited:
            self._timeline.begun(operation, self.clock.now() - self._started)
        return self._now()

    def _now(self) -> float:
        self.requests += 1
        now = self.clock.now()
        if now - self._started >= self._timeline.next_at_seconds:
            for event in self._timeline.due(now - self._started):
                if isinstance(event, Change):
                    self._change(event)
                else:
                    self._send(event, now)
        return now

    def _change(self, change: Change) -> None:
        if change.limits is not None:
            self.change_limits(change.limits)
        if change.latency_ms is not None:
            self._latency.change(change.latency_ms / 1000)
        if change.account_closed is not None:
            (self.glacier.close_account if change.account_closed else self.glacier.reopen_account)()

    def _send(self, sent: Sent, now: float) -> None:
        """Let somebody else send a request; the checksums of an upload are made here, as the SDKs do."""
        path, body = (text.replace("{vault}", self._vault) for text in (sent.path, sent.body))
        headers = {"x-amz-glacier-version": "2012-06-01", **{name.lower(): text for name, text in sent.headers.items()}}
        path, _, query = path.partition("?")
        if path.endswith("/archives"):
            headers["x-amz-content-sha256"] = sha256(body.encode()).hexdigest()
            headers["x-amz-sha256-tree-hash"] = tree_hash(body.encode())
        response = self.glacier.handle_as_owner(
            Request(sent.method, path, dict(parse_qsl(query)), headers, body.encode()), now
        )
        if response.status >= 400:
            _log.warning("the scenario's %s %s was refused: %r", sent.method, path, response.body)

    # What the pages under /_simulator/ do.

    def rescale(self, scale: float) -> None:
        """Let simulated time run at another speed."""
        self.clock.rescale(scale)
        self._set_limit()

    def change_limits(self, limits: Limits, whose: tuple[str, str] | None = None) -> None:
        """Put other limits in force; what is None stays as it is.

        ``whose`` is one account and region that has its own from now on; None: all that have none.
        """
        given = {name: value for name, value in msgspec.structs.asdict(limits).items() if value is not None}
        if whose is None:
            self.limits = msgspec.structs.replace(self.limits, **given)
        else:
            self.own_limits[whose] = msgspec.structs.replace(self.own_limits.get(whose, self.limits), **given)
        self._set_limit()

    def accounts(self) -> list[dict[str, Any]]:
        """What there is in each account and region, and what has become of it."""
        return [
            {
                "account_id": account.facts.account_id,
                "region": account.facts.region,
                "limits": self.own_limits.get((account.facts.account_id, account.facts.region), self.limits),
                "vaults": {name: account.vaults[name].shelf.live for name in sorted(account.vaults)},
            }
            for account in self.glacier.accounts()
        ]

    def ledger(self) -> dict[str, Any]:
        """What was asked of the service and what is left."""
        return {
            **self.glacier.ledger.summary(),
            "requests": self.requests,
            "operations": dict(self.operations),
            "peak_deletes_a_second": self._meter.peak,
            "faults": dict(self.faults.counts),
        }

    def inventory_now(self, vault: str, form: InventoryFormat) -> InventoryText:
        """The inventory that would be if it were taken now. Raises ``KeyError`` when there is no such vault."""
        return self.glacier.inventory_now(vault, form, self._now())

    def _set_limit(self) -> None:
        now = self.clock.now()
        self.glacier.set_limit(self._in_service_time(self.limits), now)
        for (account_id, region), limits in self.own_limits.items():
            self.glacier.set_own_limit(account_id, region, self._in_service_time(limits), now)

    def _in_service_time(self, limits: Limits) -> Limit | None:
        if not limits.rate:
            return None
        # A stopped clock has no real second to speak of: its limit is per simulated second.
        return Limit(
            limits.rate / (self.clock.scale or 1.0),
            limits.burst or max(limits.rate, 1.0),
            limits.mode or "bucket",
            bool(limits.charge_rejected),
        )


class _Meter:
    """How many deletes came in the busiest second, answered or not, struck or throttled."""

    def __init__(self) -> None:
        self.peak = 0
        self._second = 0
        self._count = 0

    def count(self, real_seconds: float) -> None:
        second = int(real_seconds)
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        self.peak = max(self.peak, self._count)


class _Date:
    """The ``Date`` header: the wall's, since that is what clients correct their clocks by, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = b""

    def now(self) -> bytes:
        second = int(wall_seconds())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode()
        return self._text


def _whom(request: Request) -> tuple[str, bytes]:
    """The operation and the key by which faults are decided: for archives their id, so that both ways agree."""
    if (action := sts.action_of(request)) is not None:
        return action, request.body
    try:
        where = route(request)
    except Refusal:
        return "", request.path.encode()
    return where.operation, (where.names[-1] if where.operation == "DeleteArchive" else request.path).encode()
