"""Carries a vault, or a fleet, from its beginning to its end through all that its fate has for it."""

from __future__ import annotations

import itertools
import json
from contextlib import asynccontextmanager, nullcontext
from random import Random
from typing import TYPE_CHECKING

from glacier_purge.api.clients import Clients
from glacier_purge.api.fleet import FleetPeople, opened_fleet
from glacier_purge.api.lifecycle import LifecycleOrder
from glacier_purge.api.member import Member
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.archive import Vault
from glacier_purge.errors import UsageError
from glacier_purge.fleet.fleet import Fleet, State, folder_name
from glacier_purge.glacier.waiting import NoWait, SleepingWaiter
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.run.steering import Pause, Resume, SetRate, Stop
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder
from glacier_simulator.scenario import Limits
from tests.reliability.simulation.checks import Checks, look_at_the_folder, look_at_the_rate
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
REFUSED = 2
"""What a vault ends with that is held; only the first ever is."""
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


def _fleet_file(fate: Fate) -> str:
    """The file of a fleet: one entry a vault, each with what is wished for the first."""
    lines = []
    for name in fate.archives:
        lines += ["[[vaults]]", f'name = "{name}"', f"freeze = {str(fate.freeze).lower()}"]
        lines += [f'delete_vault = ["{name}"]', "even_the_last_vault = true"] if fate.remove else []
        for choice in ("older_than", "limit"):
            if (value := getattr(fate.choices, choice)) is not None:
                lines.append(f"{choice} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"


class Lives:
    """One vault, or several as a fleet, and all the processes that carried them.

    What others do is done to the first vault; the others have to come to their end as if nothing was.
    """

    def __init__(self, fate: Fate, folder: Path) -> None:
        self.fate = fate
        self.machine = Machine(folder, Random(fate.seed), slow_work=fate.slow_work)
        self.service = Service(self.machine, fate)
        self.machine.network = Network(self.service.desk, self.machine, self.machine.chance)
        self.machine.keys.life_seconds = fate.keys_last_seconds
        self.run: PurgeRun | None = None
        """The run of the first vault, while it is carried out."""
        self.vaults = [Vault(account_id="123456789012", region="us-east-1", name=name) for name in fate.archives]
        self.is_fleet = len(self.vaults) > 1
        self.place = folder / ("fleet" if self.is_fleet else VAULT)
        self.settings = Settings.model_validate(
            {
                **fate.settings,
                "report": {"page": False},  # a sixth of the time, for what nothing here looks at
                "aws": {"endpoint_url": ENDPOINT_URL, "region": "us-east-1", **fate.settings.get("aws", {})},
            }
        )
        self.asked_before = not fate.asks_later
        self.checks = {each.name: Checks(self, each, self._folder(each)) for each in self.vaults}
        self.service.seen.on_delete += [self._sent, self._object_to]
        self.machine.died = self._died
        self.lives = 0
        self.deaths = 0

    def _folder(self, vault: Vault) -> Path:
        return self.place / folder_name(vault) if self.is_fleet else self.place

    def close(self) -> None:
        """Let go of what was opened."""
        self.machine.network.close()

    def live(self) -> None:
        """From the beginning to the end. Raises ``AssertionError`` for whatever does not hold."""
        machine, fate = self.machine, self.fate
        if fate.has_policy:
            self.service.own("PUT", f"{VAULT}/access-policy", {"Policy": THEIRS})
        if self.is_fleet:
            (machine.folder / "fleet.toml").write_text(_fleet_file(fate), "utf-8")
        for checks in self.checks.values():
            checks.begin()
        deaths = [*zip(fate.deaths, fate.pauses_seconds, strict=True), (NEVER, HOUR)]
        for self.lives in itertools.count(1):
            death, pause_seconds = deaths[self.deaths]
            machine.until = machine.seconds + 60 * DAY
            machine.tell(f"=== life {self.lives}")
            for checks in self.checks.values():
                checks.born()
            endings: dict[str, Ending] | None = machine.run(self._process, death)
            self.run = None
            self.deaths += endings is None
            for name, ending in (endings or {}).items():
                machine.tell(f"=== {name}: {ending.state.value} {ending.exit_code}: {ending.message}")
                assert name == VAULT or ending.exit_code != REFUSED, "what holds another vault ended this one"
            for name, checks in self.checks.items():
                checks.after_a_life(None if endings is None else endings[name])
            look_at_the_folder(self.place)
            assert not machine.unhandled, machine.unhandled
            assert not self.service.seen.objections, self.service.seen.objections[:5]
            if endings is not None:
                if all(ending.state is State.DONE for ending in endings.values()):
                    break
                untils = [ending.until for ending in endings.values() if ending.until is not None]
                # Somewhat later each hour: who always came outside of a few minutes' hours would never send.
                sooner_seconds = machine.chance.uniform(HOUR, 2 * HOUR)
                pause_seconds = max(sooner_seconds, *((until - machine.now).total_seconds() for until in untils), 0.0)
            assert self.lives < LIVES_MAX, "it does not come to its end"
            machine.idle(pause_seconds)
        for checks in self.checks.values():
            checks.at_the_end()
        look_at_the_rate(self)

    async def _process(self) -> dict[str, Ending]:
        async with Clients() as clients:
            if self.is_fleet:
                people = FleetPeople(
                    approve=self._approve, say=self._say, waiter_for=lambda _settings, _tell: self._waiter()
                )
                folder = RunFolder.open_or_create(self.place)
                file = self.machine.folder / "fleet.toml"
                async with opened_fleet(file, folder, lambda *_: self.settings, clients, people) as opened:
                    self._watch(opened.members[self.vaults[0].arn])
                    await opened.fleet.go_on()
                return {each.name: opened.fleet.endings[each.arn] for each in self.vaults}
            (vault,) = self.vaults
            options = LifecycleOptions(
                freeze=self.fate.freeze, remove_vault=VAULT if self.fate.remove else None, even_the_last=True
            )
            member = Member(
                vault,
                self.place,
                LifecycleOrder(options=options, choices=self.fate.choices),
                self.settings,
                clients,
                lane=nullcontext,
                approve=self._approve,
                say=lambda message: self._say(vault, message),
                waiter_for=lambda _: self._waiter(),
            )
            self._watch(member)
            fleet = Fleet({VAULT: member})
            await fleet.go_on()
        return fleet.endings

    def _watch(self, member: Member) -> None:
        """Know the run of this one while it sends, to give orders to it."""
        shown = member.watch

        @asynccontextmanager
        async def watch(run: PurgeRun, plan: Plan) -> AsyncIterator[None]:
            async with shown(run, plan):
                self.run = run
                try:
                    yield
                finally:
                    self.run = None

        member.watch = watch  # type: ignore[method-assign]  # whoever has the member is told of its run by nothing else

    def _say(self, vault: Vault, message: str) -> None:
        self.machine.tell(f"said of {vault.name}: {message}")

    def _waiter(self) -> Waiter:
        return NoWait() if self.fate.comes_by_cron else SleepingWaiter(tell=self._waits)

    def _waits(self, waiting: Waiting) -> None:
        self.machine.tell(f"waits for {waiting.what}")

    async def _approve(self, request: ApprovalRequest) -> Approval:
        if not self.asked_before:
            self.asked_before = True
            raise request.pending()
        self.checks[request.plan.vault.name].approved(request.folder, request.plan)
        return approve_by_digest(request.plan, request.plan.digest, "me@here")

    def _died(self) -> None:
        if self.run is not None and self.run.ledger is not None:
            self.checks[VAULT].died(self.run.ledger)

    def _object_to(self, seconds: float, vault: str, archive_id: str) -> str | None:
        checks = self.checks.get(vault)
        return f"a delete in {vault}" if checks is None else checks.object_to(seconds, archive_id)

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
        match verb:
            case "hold" | "lift":
                status = self._hold(rest, sets=verb == "hold")
            case "cut" | "mend":
                machine.network.cut = rest or None
            case "skew":
                machine.skew_seconds += event.value
            case "upload":
                status = service.own("POST", f"{VAULT}/archives")
            case "keys":
                machine.keys.fails, machine.keys.strange = rest == "fails", rest == "strange"
            case "limit":
                service.desk.change_limits(Limits(rate=event.value))
            case "thaw":
                if service.policy(VAULT) is not None:
                    status = service.own("DELETE", f"{VAULT}/access-policy")
            case _:
                self._order(verb, event.value)
        if status == THROTTLED:  # others are held to the account's limit, too
            machine.at(machine.seconds + 0.5, lambda: self._happen(event))
        else:
            assert status < 300 or verb == "lift" or (verb, status) == ("upload", 403), f"{event}: {status}"
            for name, checks in self.checks.items():
                checks.happened(event, is_about_it=name == VAULT)

    def _order(self, verb: str, value: float) -> None:
        run = self.run
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
            self.checks[VAULT].obeyed(verb)

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
