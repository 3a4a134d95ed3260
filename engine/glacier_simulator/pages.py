"""The simulator's own pages under ``/_simulator/``: the ledger, the clock, limits, faults, and inventories as of now.

They are for tests and for whoever rehearses; nothing about them is Glacier's, and they know no signatures.  Bodies and
replies are JSON; a body that is not understood changes nothing and is answered with 400 and the reason.  The
clock's ``now_seconds`` (since 1970, with fractions) and ``time_scale`` (simulated seconds a real second) are what a
client needs to live on the simulator's time.

    GET  /_simulator/ledger                                   what was asked for, by operation, and what is left
    GET  /_simulator/clock                                    simulated time, and how fast it runs:
                             {"now": "2027-01-15T08:00:00.250Z", "now_seconds": 1800000000.25, "time_scale": 3600.0}
    POST /_simulator/clock   {"step_seconds": 86400}          let time pass at once
                             {"time_scale": 3600}             another speed; 0 stops it
    GET  /_simulator/limits, /_simulator/faults               what is in force
    POST /_simulator/limits  {"rate": 30, "burst": 30, "mode": "bucket"|"window", "charge_rejected": false}
                             with "account_id" and "region": of that account there, and no other
    GET  /_simulator/accounts                                 vaults of each account and region, and its limits
    POST /_simulator/faults  {"rules": [{"kind": "reset-after", "share": 0.01}, ...]}      instead of all before
    GET  /_simulator/vaults/{vault}/inventory?format=json|csv the state as of now, streamed
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from glacier_simulator import dates
from glacier_simulator.clock import SimulatorClock
from glacier_simulator.exchange import Request, Response
from glacier_simulator.fault_kinds import KINDS
from glacier_simulator.faults import (
    FaultPlan,
    Rule,
)
from glacier_simulator.inventory import InventoryFormat, InventoryText
from glacier_simulator.scenario import Limits

PREFIX = "/_simulator/"
_INVENTORY = re.compile(r"/_simulator/vaults/([A-Za-z0-9_.-]{1,255})/inventory")


class ClockOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What ``POST /_simulator/clock`` takes."""

    step_seconds: float | None = None
    time_scale: float | None = None


class FaultOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What ``POST /_simulator/faults`` takes."""

    rules: list[Rule]


class LimitOrder(Limits, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``POST /_simulator/limits`` takes."""

    account_id: str | None = None
    region: str | None = None

    @property
    def whose(self) -> tuple[str, str] | None:
        """The account and region it is about; None: all that have no limits of their own. Raises ``ValueError``."""
        if self.account_id is None and self.region is None:
            return None
        if self.account_id is None or self.region is None:
            raise ValueError("account_id and region go together")
        return self.account_id, self.region

    @property
    def limits(self) -> Limits:
        """The limits alone."""
        return Limits(**{name: getattr(self, name) for name in Limits.__struct_fields__})


class Controls(Protocol):
    """What the pages read and turn: the desk, as far as they know it."""

    clock: SimulatorClock
    limits: Limits
    faults: FaultPlan

    def rescale(self, scale: float) -> None:
        """Let simulated time run at another speed."""

    def change_limits(self, limits: Limits, whose: tuple[str, str] | None = None) -> None:
        """Put other limits in force, for one account and region or for all that have none of their own."""

    def accounts(self) -> list[dict[str, Any]]:
        """Tell what there is in each account and region."""

    def ledger(self) -> dict[str, Any]:
        """Tell what was asked of the service and what is left."""

    def inventory_now(self, vault: str, form: InventoryFormat) -> InventoryText:
        """Take an inventory now. Raises ``KeyError`` when there is no such vault."""


def answer(controls: Controls, request: Request) -> Response:
    """Answer one of the simulator's own pages."""
    page = _PAGES.get((request.method, request.path))
    try:
        if page is not None:
            return page(controls, request)
        if request.method == "GET" and (match := _INVENTORY.fullmatch(request.path)):
            return _inventory(controls, match[1], request.query.get("format", "json"))
    except (ValueError, msgspec.MsgspecError) as error:
        return _say(400, f"{request.path}: {error}")
    pages = ", ".join(f"{method} {path}" for method, path in _PAGES)
    return _say(404, f"no page {request.method} {request.path}. There are: {pages}.")


def _ledger(controls: Controls, request: Request) -> Response:
    return _json(controls.ledger())


def _clock(controls: Controls, request: Request) -> Response:
    now = controls.clock.now()
    return _json({"now": dates.with_milliseconds(now), "now_seconds": now, "time_scale": controls.clock.scale})


def _set_clock(controls: Controls, request: Request) -> Response:
    order = msgspec.json.decode(request.body, type=ClockOrder)
    if order.time_scale is not None:
        controls.rescale(order.time_scale)
    if order.step_seconds is not None:
        controls.clock.step(order.step_seconds)
    return _clock(controls, request)


def _limits(controls: Controls, request: Request) -> Response:
    return _json(controls.limits)


def _set_limits(controls: Controls, request: Request) -> Response:
    order = msgspec.json.decode(request.body, type=LimitOrder)
    controls.change_limits(order.limits, order.whose)
    return _limits(controls, request)


def _accounts(controls: Controls, request: Request) -> Response:
    return _json({"accounts": controls.accounts()})


def _faults(controls: Controls, request: Request) -> Response:
    kinds = {name: kind.about for name, kind in KINDS.items()}
    return _json({"rules": controls.faults.rules, "struck": controls.faults.counts, "kinds": kinds})


def _set_faults(controls: Controls, request: Request) -> Response:
    controls.faults.replace(msgspec.json.decode(request.body, type=FaultOrder).rules)
    return _faults(controls, request)


def _inventory(controls: Controls, vault: str, form: str) -> Response:
    if form not in ("json", "csv"):
        raise ValueError(f"format {form!r} is neither json nor csv")
    try:
        text = controls.inventory_now(vault, "JSON" if form == "json" else "CSV")
    except KeyError:
        return _say(404, f"there is no vault {vault!r}")
    kind = "application/json" if form == "json" else "text/csv"
    return Response(200, [("Content-Type", kind)], text.pieces(), text.length_bytes)


_PAGES: dict[tuple[str, str], Callable[[Controls, Request], Response]] = {
    ("GET", "/_simulator/ledger"): _ledger,
    ("GET", "/_simulator/clock"): _clock,
    ("POST", "/_simulator/clock"): _set_clock,
    ("GET", "/_simulator/accounts"): _accounts,
    ("GET", "/_simulator/limits"): _limits,
    ("POST", "/_simulator/limits"): _set_limits,
    ("GET", "/_simulator/faults"): _faults,
    ("POST", "/_simulator/faults"): _set_faults,
}


def _json(body: object, status: int = 200) -> Response:
    return Response(status, [("Content-Type", "application/json")], msgspec.json.encode(body) + b"\n")


def _say(status: int, message: str) -> Response:
    return _json({"message": message}, status)
