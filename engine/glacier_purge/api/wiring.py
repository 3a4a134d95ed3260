"""Wires rooms together: from settings to a vault's address, an open service, a plan and a run.

The only place that chooses an adapter; the command line and the library's functions are thin over it.
"""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import structlog

from glacier_purge.api.deciding import Circumstances, decide
from glacier_purge.api.transport import choose, open_glacier
from glacier_purge.archive import EXACT, IdRule, Vault, check_vault_name
from glacier_purge.aws.access import Access
from glacier_purge.aws.dynamodb import scan_table
from glacier_purge.aws.endpoints import check_region, endpoint_of, is_loopback
from glacier_purge.aws.s3 import open_s3
from glacier_purge.clock import utc_now
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.deletion.retry import RetrySettings
from glacier_purge.errors import CredentialsFailed, InventoryDamaged, UsageError
from glacier_purge.glacier.waiting import Impatient
from glacier_purge.guard.fuse import Caution
from glacier_purge.guard.inventory_age import check_current
from glacier_purge.guard.noticed import keep_noticed
from glacier_purge.guard.rules import Rules, check_place, check_plan
from glacier_purge.guard.writers import signs_of_writers
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.lifecycle.terms import check_files
from glacier_purge.plan.choices import EVERY_ARCHIVE, check_standard_input
from glacier_purge.plan.first_reading import FirstReading, Target
from glacier_purge.plan.migration.proofs import Stores
from glacier_purge.run.planned import keep_plan, new_folder
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.run.windows import Window
from glacier_purge.storage.folder import run_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.aws.session import AwsSession
    from glacier_purge.glacier.port import Glacier
    from glacier_purge.glacier.sdk.control_client import ControlClient
    from glacier_purge.glacier.waiting import Patience
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.lifecycle.terms import Terms
    from glacier_purge.plan.choices import Caps, Choices
    from glacier_purge.plan.choosing import Earlier
    from glacier_purge.plan.document import Plan
    from glacier_purge.plan.making import Decided
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

IMPATIENT = Impatient()
LOOPBACK_REGION = "us-east-1"
"""A pretended service has one region; which one, matters to nobody."""


def purge_settings(settings: Settings) -> PurgeSettings:
    """The settings of a run, room by room."""
    pace, retry, audit = settings.pace, settings.retry, settings.audit
    return PurgeSettings(
        pace=PacerSettings(
            rate_per_second_first=pace.first_per_second,
            rate_per_second_max=pace.max_rate,
            in_flight_max=pace.max_in_flight,
            leave_share=pace.leave_share,
        ),
        retry=RetrySettings(
            unknown_attempts_max=retry.unknown_attempts_max,
            first_wait_seconds=retry.first_wait_seconds,
            wait_seconds_max=retry.wait_seconds_max,
        ),
        credentials_patience_seconds=retry.credentials_patience_seconds,
        commit_seconds=audit.commit_seconds,
        commit_records=audit.commit_records,
        segment_records=audit.segment_records,
        checkpoint_seconds=audit.checkpoint_seconds,
        telemetry_seconds=audit.telemetry_seconds,
        windows=tuple(Window.parse(text) for text in pace.windows),
        rules=rules(settings),
        caution=Caution(
            stages=settings.safety.canary,
            failed_max=settings.safety.fuse_failed_max,
            failed_share_max=settings.safety.fuse_failed_share,
        ),
        duration_seconds_max=settings.safety.max_duration_seconds,
        protection_interval_seconds=settings.safety.protection_interval_seconds,
    )


def rules(settings: Settings) -> Rules:
    """What is protected, and how much may be deleted at most."""
    safety = settings.safety
    return Rules(
        deny_vaults=safety.deny_vaults,
        deny_accounts=safety.deny_accounts,
        deny_id_files=safety.deny_id_files,
        max_archives=safety.max_archives,
        max_bytes=safety.max_bytes,
        inventory_age_seconds_max=safety.inventory_max_age_seconds,
    )


def recent(settings: Settings) -> timedelta:
    """How long ago an upload is a sign that somebody still writes to a vault."""
    return timedelta(days=settings.inventory.recent_upload_days)


def access(
    settings: Settings, endpoint_url: str, *, id_rule: IdRule = EXACT, credentials: StaticCredentials | None = None
) -> Access:
    """How the service at ``endpoint_url`` is reached; ``credentials`` replace the AWS chain."""
    aws = settings.aws
    return Access(
        endpoint_url=endpoint_url,
        profile=aws.profile,
        credentials=credentials,
        max_in_flight=settings.pace.max_in_flight,
        ca_bundle=Path(aws.ca_bundle) if aws.ca_bundle else None,
        verify_certificates=aws.verify_ssl,
        connect_timeout_seconds=aws.connect_timeout_seconds,
        request_timeout_seconds=aws.request_timeout_seconds,
        id_rule=id_rule,
    )


def endpoint(settings: Settings, region: str) -> str:
    """Where requests for ``region`` go. Raises ``UsageError`` for a region without the service."""
    check_region(region, settings.aws.endpoint_url)
    return settings.aws.endpoint_url or endpoint_of(region)


async def plan_in_new_folder(
    vault_name: str,
    inventory: str,
    settings: Settings,
    choices: Choices = EVERY_ARCHIVE,
    *,
    run_dir: Path | None,
    set_aside_defects: bool,
    patience: Patience = IMPATIENT,
) -> tuple[RunFolder, Plan]:
    """Spool the inventory (a path, or ``-`` for stdin) into a new run folder and plan in it.

    Without ``run_dir`` the folder is made below ``runs`` in the current one.  Raises ``UsageError`` and its children
    for anything in doubt (the folder is taken away again), and errors of the service when only it can tell the account.
    ``patience`` waits for archives that are being retrieved, where ``choices`` ask for that.  Kept beside the plan is
    what shows whether somebody still writes to the vault, of which the service is asked where it was reached anyway.
    """
    check_vault_name(vault_name)
    check_standard_input(inventory, choices)
    id_rule = settings.inventory.id_rule
    path = run_dir if run_dir is not None else Path("runs") / run_name(vault_name, utc_now())
    with Source(inventory) as content, new_folder(path) as folder:
        snapshot = await anyio.to_thread.run_sync(lambda: spool(content, folder.path, id_rule))
        vault = await _address(vault_name, snapshot, settings, content.name)
        check_place(vault, rules(settings))
        target = Target(
            vault=vault,
            endpoint_url=endpoint(settings, vault.region),
            tool_version=version("glacier-purge"),
            inventory_name=content.name,
            id_rule=id_rule,
        )
        with FirstReading(snapshot, target, set_aside_defects=set_aside_defects) as reading:
            await anyio.to_thread.run_sync(reading.read)  # before anybody is asked anything about it
            circumstances = _circumstances(target, settings, patience, patience.now())
            await check_current(snapshot.inventory_date, rules(settings), patience.now(), circumstances.control)
            decided = await decide(reading, choices, circumstances)
        control = circumstances.control if decided.retrievals_looked_at else None
        keep_noticed(folder, await signs_of_writers(snapshot, control, patience.now(), recent(settings)))
        keep_plan(folder, decided.plan, retrievals_looked_at=decided.retrievals_looked_at)
    return folder, decided.plan


async def decide_round(
    snapshot: Snapshot,
    target: Target,
    terms: Terms,
    settings: Settings,
    patience: Patience,
    earlier: Earlier | None,
    *,
    set_aside_defects: bool,
) -> Decided:
    """Plan one round of a calendar from the inventory in its folder, by the terms it began with; writes no plan.

    Raises ``InventoryDamaged``, ``NothingToDelete``, and ``PlanRefused`` for what is protected, for a plan larger than
    allowed and for files of the terms that were changed.
    """
    await anyio.to_thread.run_sync(check_files, terms)
    with FirstReading(snapshot, target, set_aside_defects=set_aside_defects) as reading:
        await anyio.to_thread.run_sync(reading.read)
        circumstances = _circumstances(target, settings, patience, terms.began, earlier)
        decided = await decide(reading, terms.choices, circumstances)
    check_plan(decided.plan, rules(settings))
    return decided


def capped(settings: Settings, caps: Caps) -> Settings:
    """The settings with the caps that somebody gave."""
    given = {name: cap for name, cap in asdict(caps).items() if cap is not None}
    return settings.model_copy(update={"safety": settings.safety.model_copy(update=given)})


def _circumstances(
    target: Target, settings: Settings, patience: Patience, now: datetime, earlier: Earlier | None = None
) -> Circumstances:
    reached = access(settings, target.endpoint_url, id_rule=target.id_rule)
    return Circumstances(
        stores=_stores(reached, target.vault.region),
        control=partial(open_control, target.vault, reached),
        patience=patience,
        now=now,
        deny_files=settings.safety.deny_id_files,
        earlier=earlier,
    )


def _stores(reached: Access, region: str) -> Stores:
    def session() -> AwsSession:
        from glacier_purge.aws.session import AwsSession  # noqa: PLC0415 - brings botocore in
        from glacier_purge.glacier.sdk.wire import scrutiny  # noqa: PLC0415 - brings botocore in

        return AwsSession(reached, region, scrutiny())

    return Stores(
        scan_table=lambda table: scan_table(table, session()),
        open_copies=lambda: open_s3(session()),
    )


@asynccontextmanager
async def open_service(vault: Vault, access: Access, settings: Settings) -> AsyncIterator[Glacier]:
    """Open the adapter that suits ``vault`` and the surroundings, after a check whose credentials these are.

    Raises ``CredentialsFailed`` for another account's and for the root user's.
    """
    if access.endpoint_url is None or not is_loopback(access.endpoint_url):
        await _check_caller(vault, access)
    choice = choose(
        settings.aws.transport, region=vault.region, endpoint_url=access.endpoint_url, environment=os.environ
    )
    _log.info("transport.chosen", transport=choice.name, because=choice.reason)
    async with open_glacier(choice, vault, access) as service:
        yield service


@asynccontextmanager
async def open_control(vault: Vault, access: Access) -> AsyncIterator[ControlClient]:
    """Open the door to everything around the deletes of ``vault``, after the same check as ``open_service``."""
    from glacier_purge.glacier.sdk import opening as sdk  # noqa: PLC0415 - keeps what only these verbs need out of the others

    if access.endpoint_url is None or not is_loopback(access.endpoint_url):
        await _check_caller(vault, access)
    async with sdk.open_control(vault, access) as control:
        yield control


async def vault_by_name(name: str, settings: Settings) -> Vault:
    """The full address of the vault ``name``: from the settings, else from the service itself."""
    check_vault_name(name)
    return await _find(name, None, settings)


async def vaults_there(settings: Settings) -> list[Vault]:
    """All vaults of the account and region that the settings, or the profile, say. Sends nothing but the question."""
    region = settings.aws.region or _region_of_profile(settings)
    from glacier_purge.glacier.sdk.lookup import list_vaults  # noqa: PLC0415 - brings botocore in

    reached = access(settings, endpoint(settings, region))
    return await list_vaults(region, reached, settings.aws.account_id)


async def _address(name: str, snapshot: Snapshot, settings: Settings, inventory_name: str) -> Vault:
    """The vault's full address: from the settings, else from the inventory, else from the service itself."""
    return await _find(name, _listed_vault(snapshot, inventory_name), settings)


async def _find(name: str, listed: Vault | None, settings: Settings) -> Vault:
    account_id = settings.aws.account_id or (listed and listed.account_id)
    region = settings.aws.region or (listed and listed.region) or _region_of_profile(settings)
    if account_id:
        return Vault(account_id=account_id, region=region, name=name)
    from glacier_purge.glacier.sdk.lookup import find_vault  # noqa: PLC0415 - brings botocore in

    return await find_vault(name, region, access(settings, endpoint(settings, region)))


def _listed_vault(snapshot: Snapshot, inventory_name: str) -> Vault | None:
    """The vault an inventory says it is of; CSV inventories do not say."""
    if snapshot.vault_arn is None:
        return None
    try:
        return Vault.from_arn(snapshot.vault_arn)
    except UsageError as error:
        raise InventoryDamaged(f"its VaultARN names no vault: {error}", offset_bytes=0, file=inventory_name) from error


def _region_of_profile(settings: Settings) -> str:
    if settings.aws.endpoint_url is not None and is_loopback(settings.aws.endpoint_url):
        return LOOPBACK_REGION
    from glacier_purge.glacier.sdk.lookup import profile_region  # noqa: PLC0415 - brings botocore in

    region = profile_region(settings.aws.profile)
    if region is None:
        raise UsageError("no region is known. Give the vault's with --region, AWS_REGION or the profile.")
    return region


async def _check_caller(vault: Vault, access: Access) -> None:
    from glacier_purge.glacier.sdk.caller import caller_identity  # noqa: PLC0415 - brings botocore in

    caller = await caller_identity(access, vault.region)
    if caller.is_root:
        raise CredentialsFailed(
            f"{caller.arn} is the account's root user, who is not let near a purge. Take a role that may delete from "
            "this vault and nothing else: config/iam/delete.json. Nothing was sent."
        )
    if caller.account_id != vault.account_id:
        raise CredentialsFailed(
            f"these credentials belong to account {caller.account_id} ({caller.arn}), the vault is {vault.arn}. "
            "Use credentials of that account. Nothing was sent."
        )
