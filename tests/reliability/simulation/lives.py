"""Carries one vault from its beginning to its end through all that its fate has for it, and looks after each life."""

from __future__ import annotations

import itertools
import json
from contextlib import asynccontextmanager, nullcontext
from random import Random
from typing import TYPE_CHECKING

from glacier_purge.api.clients import Clients
from glacier_purge.api.lifecycle import LifecycleOrder
from glacier_purge.api.member import Member
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.archive import Vault
from glacier_purge.aws.access import StaticCredentials
from glacier_purge.errors import UsageError
from glacier_purge.fleet.fleet import Fleet, State
from glacier_purge.glacier.waiting import NoWait, SleepingWaiter
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.run.steering import Pause, Resume, SetRate, Stop
from glacier_purge.settings import Settings
from tests.reliability.simulation.checks import Checks
from tests.reliability.simulation.fate import DAY, HOUR, VAULT, Fate
from tests.reliability.simulation.machine import NEVER, Machine
from tests.reliability.simulation.network import Network
from tests.reliability.simulation.service import THROTTLED, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.fleet.fleet import Ending
    from glacier_purge.glacier.waiting import Waiter, Waiting
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.run.steering import Order
    from tests.reliability.simulation.fate import Event

ENDPOINT_URL = "http://127.0.0.1:8080"
LIVES_MAX = 400
KEYS = StaticCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret")
THEIRS = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":"*",'
    '"Action":"glacier:UploadArchive","Resource":"arn:aws:glacier:us-east-1:123456789012:vaults/photos"}]}'
)
DENIES = {
    "Sid": "hold",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "glacier:DeleteArchive",
    "Resource": "arn:aws:glacier:us-east-1:123456789012:vaults/photos",
}


class Watched(Member):
    """The member whose run the operator gives orders to."""

    run: PurgeRun | None = None

    @asynccontextmanager
    async def watch(self, run: PurgeRun, plan: Plan) -> AsyncIterator[None]:
        """See ``Person``."""
        async with super().watch(run, plan):
            self.run = run
            try:
                yield
            finally:
                self.run = None


class Lives:
    """A vault and all the processes that carried it."""

    def __init__(self, fate: Fate, folder: Path) -> None:
        self.fate = fate
        self.folder = folder
        self.place = folder / VAULT
        self.machine = Machine(folder, Random(fate.seed), slow_work=fate.slow_work)
        self.service = Service(self.machine, fate)
        self.machine.network = Network(self.service.desk, self.machine, self.machine.chance)
        self.member: Watched | None = None
        self.asked_before = not fate.asks_later
        self.checks = Checks(self)
        self.service.seen.on_delete += [self._sent, self.checks.object_to]
        self.lives = 0
        self.deaths = 0
        self.vault = Vault(account_id="123456789012", region="us-east-1", name=VAULT)

    def close(self) -> None:
        """Let go of what was opened."""
        self.machine.network.close()

    def live(self) -> None:
        """From the beginning to the end. Raises ``AssertionError`` for whatever does not hold."""
        machine, fate = self.machine, self.fate
        if fate.has_policy:
            self.service.own("PUT", f"{VAULT}/access-policy", {"Policy": THEIRS})
        self.checks.begin()
        deaths = [*zip(fate.deaths, fate.pauses_seconds, strict=True), (NEVER, HOUR)]
        for self.lives in itertools.count(1):
            death, pause_seconds = deaths[self.deaths]
            machine.until = machine.seconds + 60 * DAY
            machine.tell(f"=== life {self.lives}")
            self.checks.born()
            ending: Ending | None = machine.run(self._process, death)
            if ending is None:
                self.deaths += 1
            else:
                machine.tell(f"=== {ending.state.value} {ending.exit_code}: {ending.message}")
            self.checks.after_a_life(ending)
            if ending is not None and ending.state is State.DONE:
                break
            assert self.lives < LIVES_MAX, "it does not come to its end"
            if ending is not None and ending.until is not None:
                pause_seconds = max(HOUR, (ending.until - machine.now).total_seconds())
            machine.idle(pause_seconds)
        self.checks.at_the_end()

    async def _process(self) -> Ending:
        settings = Settings.model_validate(
            {**self.fate.settings, "aws": {"endpoint_url": ENDPOINT_URL, **self.fate.settings.get("aws", {})}}
        )
        options = LifecycleOptions(
            freeze=self.fate.freeze, remove_vault=VAULT if self.fate.remove else None, even_the_last=True
        )
        async with Clients() as clients:
            self.member = Watched(
                self.vault,
                self.place,
                LifecycleOrder(options=options, choices=self.fate.choices),
                settings,
                clients,
                lane=nullcontext,
                approve=self._approve,
                say=lambda message: self.machine.tell(f"said: {message}"),
                waiter_for=lambda tell: self._waiter(),
            )
            fleet = Fleet({VAULT: self.member})
            await fleet.go_on()
        return fleet.endings[VAULT]

    def _waiter(self) -> Waiter:
        return NoWait() if self.fate.comes_by_cron else SleepingWaiter(tell=self._waits)

    def _waits(self, waiting: Waiting) -> None:
        self.machine.tell(f"waits for {waiting.what}")

    async def _approve(self, request: ApprovalRequest) -> Approval:
        if not self.asked_before:
            self.asked_before = True
            raise request.pending()
        self.checks.approved(request.folder, request.plan)
        return approve_by_digest(request.plan, request.plan.digest, "me@here")

    # What happens in the world, from the first delete on.

    def _sent(self, seconds: float, vault: str, archive_id: str) -> None:
        del vault, archive_id
        if len(self.service.seen.arrivals) == 1:
            for event in self.fate.events:
                self.machine.at(seconds + event.seconds, lambda event=event: self._happen(event))  # type: ignore[misc]  # bound per loop
        self.machine.sent()

    def _happen(self, event: Event) -> None:
        machine, service = self.machine, self.service
        machine.tell(f"=== {event.what} {event.value:g}")
        verb, _, rest = event.what.partition(" ")
        status = 0
        if verb in {"hold", "lift"}:
            status = self._hold(rest, sets=verb == "hold")
        elif verb == "cut":
            machine.network.cut = rest
        elif verb == "mend":
            machine.network.cut = None
        elif verb == "skew":
            machine.skew_seconds += event.value
        elif verb == "upload":
            status = service.own("POST", f"{VAULT}/archives")
        elif verb == "limit":
            service.desk.change_limits(type(service.desk.limits)(rate=event.value))
        elif verb == "thaw":
            if service.policy(VAULT) is not None:
                status = service.own("DELETE", f"{VAULT}/access-policy")
        else:
            self._order(verb, event.value)
        if status == THROTTLED:  # others are held to the account's limit, too
            machine.at(machine.seconds + 0.5, lambda: self._happen(event))
        else:
            assert status < 300 or verb == "lift" or (verb, status) == ("upload", 403), f"{event}: {status}"
            self.checks.happened(event)

    def _order(self, verb: str, value: float) -> None:
        run = None if self.member is None else self.member.run
        if self.machine.is_dead or run is None or run.ledger is None or run.ledger.finished is not None:
            return
        orders: dict[str, Order] = {
            "pause": Pause(by="op@here"),
            "resume": Resume(by="op@here"),
            "rate": SetRate(by="op@here", per_second=value or None),
            "stop": Stop(by="op@here"),
        }
        try:
            run.obey(orders[verb])
        except UsageError as refused:
            self.machine.tell(f"refused: {refused}")
        else:
            self.checks.obeyed(verb)

    def _hold(self, kind: str, *, sets: bool) -> int:
        """Have the owner set or lift a hold; return the status."""
        own = self.service.own
        if kind == "tag":
            how = {"operation": "add" if sets else "remove"}
            tags = {"Tags": {"legal-hold": "yes"}} if sets else {"TagKeys": ["legal-hold"]}
            return own("POST", f"{VAULT}/tags", tags, how)
        if kind == "lock":
            lock = json.dumps({"Version": "2012-10-17", "Statement": [DENIES]})
            return own("POST" if sets else "DELETE", f"{VAULT}/lock-policy", {"Policy": lock} if sets else None)
        there = self.service.policy(VAULT)
        statements = [] if there is None else json.loads(there)["Statement"]
        kept = [each for each in statements if each.get("Sid") != "hold"] + ([DENIES] if sets else [])
        if kept:
            policy = json.dumps({"Version": "2012-10-17", "Statement": kept})
            return own("PUT", f"{VAULT}/access-policy", {"Policy": policy})
        return own("DELETE", f"{VAULT}/access-policy")
