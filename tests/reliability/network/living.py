"""A whole lifecycle through the fault proxy: days of the service's time, and what is left of the vault at their end."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from glacier_purge.api.clients import Clients
from glacier_purge.api.lifecycle import LifecycleOrder
from glacier_purge.api.member import Member
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.aws.credentials import CredentialSource, Issued
from glacier_purge.clock import utc_now
from glacier_purge.fleet.fleet import Fleet, State
from glacier_purge.glacier.waiting import SleepingWaiter
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.plan.choices import EVERY_ARCHIVE
from glacier_purge.settings import Settings
from tests.reliability.network.deleting import VAULT

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.fleet.fleet import Ending
    from glacier_simulator import SimulatedGlacier
    from tests.reliability.network.proxy import FaultProxy

ISSUED = Issued(access_key="AKIDEXAMPLE", secret_key="secret", given_by="the test")
STARTS_MAX = 30
AGAIN_AFTER_SECONDS = 1_800.0
"""When somebody gives the same command again that ended with an outage."""
_ENDS_WITHIN_SECONDS = 14 * 86_400.0
_MAY_END_IT = {3, 75}


@dataclass
class Living:
    """One vault's lifecycle, begun again as often as it ends with an outage."""

    place: Path
    service: SimulatedGlacier
    proxy: FaultProxy
    transport: str
    endings: list[Ending] = field(default_factory=list)
    member: Member | None = None

    async def carry_to_its_end(self) -> None:
        """Give the same command until it is done. Raises ``AssertionError`` where that leads nowhere."""
        with anyio.fail_after(_ENDS_WITHIN_SECONDS):
            while len(self.endings) < STARTS_MAX:
                ending = await self._process()
                self.endings.append(ending)
                if ending.state is State.DONE:
                    return
                assert ending.exit_code in _MAY_END_IT, f"{ending.exit_code}: {ending.message}"
                await asyncio.sleep(AGAIN_AFTER_SECONDS)
        raise AssertionError(f"not done after {STARTS_MAX} starts: {self.endings[-1].message}")

    @property
    def phase(self) -> str:
        """Where it is now."""
        return "not begun" if self.member is None else self.member.phase.partition(",")[0]

    async def _process(self) -> Ending:
        trusted = None if self.proxy.certificates is None else str(self.proxy.certificates.ca_file)
        aws = {"endpoint_url": self.proxy.endpoint_url, "ca_bundle": trusted, "transport": self.transport}
        settings = Settings.model_validate({"aws": aws, "pace": {"first_per_second": 50.0}})
        options = LifecycleOptions(freeze=True, remove_vault=VAULT.name, even_the_last=True)
        async with Clients() as clients:
            _issuing(clients)
            self.member = Member(
                VAULT,
                self.place / "lifecycle",
                LifecycleOrder(options=options, choices=EVERY_ARCHIVE),
                settings,
                clients,
                lane=nullcontext,
                approve=_said_yes,
                say=lambda _: None,
                waiter_for=lambda tell: SleepingWaiter(tell=tell, clock=utc_now, sleep=asyncio.sleep),
            )
            fleet = Fleet({VAULT.name: self.member})
            await fleet.go_on()
        return fleet.endings[VAULT.name]


def _issuing(clients: Any) -> None:
    """Have the credentials at once: the chain is gone through in a thread, for which virtual time does not wait."""
    source = CredentialSource.of(ISSUED)
    clients._source = lambda *_: source


async def _said_yes(request: ApprovalRequest) -> Approval:
    return approve_by_digest(request.plan, request.plan.digest, "tester@network")
