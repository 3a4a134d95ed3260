"""One vault's lifecycle over the simulator, in this process and with its days stepped, for whoever looks at one."""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from glacier_purge.api.clients import Clients
from glacier_purge.api.lifecycle import LifecycleOrder
from glacier_purge.api.member import Member
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.errors import RunStopped
from glacier_purge.fleet.fleet import Ending, Fleet
from glacier_purge.fleet.roster import Enlisted, Roster
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.plan.choices import EVERY_ARCHIVE, UNCAPPED, Caps, Choices
from glacier_purge.settings import Settings
from tests.clients import VAULT, Stepping
from tests.glacier_simulator.raw_client import ask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from pathlib import Path

    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.archive import Vault
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.lifecycle.phases import Event
    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder
    from glacier_simulator import SimulatedGlacier

    Ask = Callable[[RunFolder, Plan], Awaitable[Approval]]

NO_OPTIONS = LifecycleOptions()
FILM = b"film"
HASHED = hashlib.sha256(FILM).hexdigest()
UPLOAD = {"x-amz-content-sha256": HASHED, "x-amz-sha256-tree-hash": HASHED, "x-amz-archive-description": "a film"}


def events(place: Path) -> list[Event]:
    return [step.event for step in read_steps(place)]


async def said_yes(folder: RunFolder, plan: Plan) -> Approval:
    del folder
    return approve_by_digest(plan, plan.digest, "me@here")


async def upload(glacier: SimulatedGlacier, vault: Vault = VAULT) -> None:
    path = f"/-/vaults/{vault.name}/archives"
    assert (await ask(glacier.endpoint_url, "POST", path, FILM, **UPLOAD)).status == 201


async def carried(
    glacier: SimulatedGlacier,
    place: Path,
    choices: Choices = EVERY_ARCHIVE,
    *,
    caps: Caps = UNCAPPED,
    options: LifecycleOptions = NO_OPTIONS,
    approve: Ask | None = said_yes,
    waiter: Waiter | None = None,
    vault: Vault = VAULT,
    audit: Mapping[str, object] | None = None,
    approval: Mapping[str, object] | None = None,
    documents: Collection[bytes] = (),
    ends_after: Event | None = None,
) -> Ending:
    """One process's part of a lifecycle in ``place``; ``audit`` and ``approval`` are those sections of the settings,
    ``documents`` approvals that are brought along. It ends behind the step ``ends_after``, as if it were killed."""
    aws, pace = {"endpoint_url": glacier.endpoint_url}, {"first_per_second": 1000.0}
    settings = Settings.model_validate({"aws": aws, "pace": pace, "audit": audit or {}, "approval": approval or {}})
    waits = waiter or Stepping(glacier)

    def say(message: str) -> None:
        sys.stderr.write(f"{vault.name}: {message}\n")
        if ends_after is not None and message.endswith(f": {ends_after.value}"):
            raise RunStopped("it was killed. The same command goes on.")

    async def asked(request: ApprovalRequest) -> Approval:
        if approve is None:
            raise request.pending()
        return await approve(request.folder, request.plan)

    async with Clients() as clients:
        member = Member(
            vault,
            place,
            LifecycleOrder(options=options, choices=choices, caps=caps),
            settings,
            clients,
            lane=nullcontext,
            approve=asked,
            say=say,
            waiter_for=lambda _: waits,
            documents=documents,
        )
        fleet = Fleet({vault.name: member})
        await fleet.go_on()
    return fleet.endings[vault.name]


def ids_of(glacier: SimulatedGlacier) -> list[str]:
    return [record["ArchiveId"] for record in json.loads(glacier.inventory_text())["ArchiveList"]]


def listed(file: Path, ids: list[str]) -> str:
    file.write_text("\n".join(ids), "ascii")
    return str(file)


def listing(*vaults: Vault, endpoint_url: str = "http://127.0.0.1:1") -> Roster:
    """A fleet of these vaults, of which nothing is wished."""
    enlisted = tuple(
        Enlisted(
            vault_arn=vault.arn,
            endpoint_url=endpoint_url,
            profile=None,
            freeze=False,
            remove_vault=False,
            even_the_last_vault=False,
            set_aside_defects=False,
            max_rate=None,
        )
        for vault in vaults
    )
    return Roster(fleet_file_sha256="0" * 64, findings=("one thing",), vaults=enlisted)
