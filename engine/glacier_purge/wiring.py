"""Wires rooms together: from settings to a vault's address, an open service, a plan and a run.

The only place that chooses an adapter; the command line and the library's functions are thin over it.
"""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import structlog

from glacier_purge.archive import Vault, check_vault_name
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.deletion.retry import RetrySettings
from glacier_purge.errors import CredentialsFailed, UsageError
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.plan.making import Target
from glacier_purge.run.folder import run_name
from glacier_purge.run.planning import new_folder, write_plan
from glacier_purge.run.purge import PurgeSettings
from glacier_purge.service.access import Access
from glacier_purge.service.endpoint import check_region, endpoint_of, is_loopback
from glacier_purge.service.transport import choose, open_glacier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.folder import RunFolder
    from glacier_purge.service.access import StaticCredentials
    from glacier_purge.service.port import Glacier
    from glacier_purge.settings import Settings

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

LOOPBACK_REGION = "us-east-1"
"""A pretended service has one region; which one, matters to nobody."""


def purge_settings(settings: Settings) -> PurgeSettings:
    """The settings of a run, room by room."""
    pace, retry, audit = settings.pace, settings.retry, settings.audit
    return PurgeSettings(
        pace=PacerSettings(
            rate_per_second_first=pace.first_per_second,
            rate_per_second_max=pace.max_per_second,
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
    )


def access(
    settings: Settings, endpoint_url: str, *, any_id_length: bool, credentials: StaticCredentials | None = None
) -> Access:
    """How the service at ``endpoint_url`` is reached; ``credentials`` replace the AWS chain."""
    aws = settings.aws
    return Access(
        endpoint_url=endpoint_url,
        profile=aws.profile,
        credentials=credentials,
        max_in_flight=settings.pace.max_in_flight,
        ca_bundle=Path(aws.ca_bundle) if aws.ca_bundle else None,
        verify_certificates=aws.verify_certificates,
        connect_timeout_seconds=aws.connect_timeout_seconds,
        request_timeout_seconds=aws.request_timeout_seconds,
        any_id_length=any_id_length,
    )


def endpoint(settings: Settings, region: str) -> str:
    """Where requests for ``region`` go. Raises ``UsageError`` for a region without the service."""
    check_region(region, settings.aws.endpoint_url)
    return settings.aws.endpoint_url or endpoint_of(region)


async def plan_in_new_folder(
    vault_name: str, inventory: str, settings: Settings, *, run_dir: Path | None, set_aside_defects: bool
) -> tuple[RunFolder, Plan]:
    """Spool the inventory (a path, or ``-`` for stdin) into a new run folder and plan in it.

    Without ``run_dir`` the folder is made below ``runs`` in the current one.  Raises ``UsageError`` and its children
    for anything in doubt (the folder is taken away again), and errors of the service when only it can tell the account.
    """
    check_vault_name(vault_name)
    any_id_length = settings.inventory.any_id_length
    path = run_dir if run_dir is not None else Path("runs") / run_name(vault_name, datetime.now(UTC))
    with Source(inventory) as content, new_folder(path) as folder:
        snapshot = await anyio.to_thread.run_sync(lambda: spool(content, folder.path, any_id_length=any_id_length))
        vault = await _address(vault_name, snapshot, settings)
        target = Target(
            vault=vault,
            endpoint_url=endpoint(settings, vault.region),
            tool_version=version("glacier-purge"),
            inventory_name=content.name,
            any_id_length=any_id_length,
        )
        plan = await anyio.to_thread.run_sync(
            lambda: write_plan(folder, snapshot, target, set_aside_defects=set_aside_defects)
        )
    return folder, plan


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


async def _address(name: str, snapshot: Snapshot, settings: Settings) -> Vault:
    """The vault's full address: from the settings, else from the inventory, else from the service itself."""
    listed = Vault.from_arn(snapshot.vault_arn) if snapshot.vault_arn is not None else None
    account_id = settings.aws.account_id or (listed and listed.account_id)
    region = settings.aws.region or (listed and listed.region) or _region_of_profile(settings)
    if account_id:
        return Vault(account_id=account_id, region=region, name=name)
    from glacier_purge.service.lookup import find_vault  # noqa: PLC0415 - brings botocore in

    return await find_vault(name, region, access(settings, endpoint(settings, region), any_id_length=False))


def _region_of_profile(settings: Settings) -> str:
    if settings.aws.endpoint_url is not None and is_loopback(settings.aws.endpoint_url):
        return LOOPBACK_REGION
    from glacier_purge.service.lookup import profile_region  # noqa: PLC0415 - brings botocore in

    region = profile_region(settings.aws.profile)
    if region is None:
        raise UsageError("no region is known. Give the vault's with --region, AWS_REGION or the profile.")
    return region


async def _check_caller(vault: Vault, access: Access) -> None:
    from glacier_purge.service.identity import caller_identity  # noqa: PLC0415 - brings botocore in

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
