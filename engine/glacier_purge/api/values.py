"""From what somebody set to what each room takes: the rooms' own values, whose defaults stand with them."""

from __future__ import annotations

import os
import resource
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.approval.signers import SIGNERS_BYTES_MAX
from glacier_purge.approval.signers import approvers as settled_approvers
from glacier_purge.archive import EXACT, IdRule, partition_of
from glacier_purge.aws.access import Access
from glacier_purge.aws.bucket import BucketAccess
from glacier_purge.aws.endpoints import check_fips, check_region, endpoint_of
from glacier_purge.aws.roles import Role, account_of, session_name, tags
from glacier_purge.deletion.pace import PacerSettings
from glacier_purge.deletion.retry import RetryPolicySettings
from glacier_purge.errors import UsageError
from glacier_purge.guard.fuse import FuseSettings
from glacier_purge.guard.rules import Rules
from glacier_purge.run.anchor_file import AnchorFile
from glacier_purge.run.host import who
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.run.windows import Window
from glacier_purge.storage.ownership import check_writable_by_us_alone

if TYPE_CHECKING:
    from glacier_purge.approval.signers import Approvers
    from glacier_purge.archive import Vault
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.fleet.file import Assumed
    from glacier_purge.plan.choices import Caps
    from glacier_purge.settings import Settings
    from glacier_purge.settings.model import AwsSettings


_OTHER_FILES = 64
"""Open files of a run that are no connections for deletes: plan, log, locks, orders, questions, the event loop."""


def purge_settings(settings: Settings) -> PurgeSettings:
    """The settings of a run, room by room."""
    pace, retry, audit = settings.pace, settings.retry, settings.audit
    return PurgeSettings(
        pace=PacerSettings(
            rate_per_second_first=pace.first_per_second,
            rate_per_second_max=pace.max_rate,
            in_flight_max=in_flight_max(settings),
            leave_share=pace.leave_share,
        ),
        retry=RetryPolicySettings(
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
        caution=FuseSettings(
            stages=settings.safety.canary,
            failed_max=settings.safety.fuse_failed_max,
            failed_share_max=settings.safety.fuse_failed_share,
        ),
        duration_seconds_max=settings.safety.max_duration_seconds,
        protection_interval_seconds=settings.safety.protection_interval_seconds,
        rate_per_second_wall=settings.wall("pace", "max_rate"),
    )


def sign_key(settings: Settings) -> Path | None:
    """The key that signs what is to be proven; None signs nothing."""
    return None if settings.audit.sign_key is None else Path(settings.audit.sign_key).expanduser()


def anchor_file(settings: Settings) -> AnchorFile | None:
    """Where a run's anchors are kept, tried before anything is sent; None where they are not. Raises ``UsageError``."""
    if settings.audit.anchor_file is None:
        return None
    anchors = AnchorFile(Path(settings.audit.anchor_file).expanduser(), sign_key(settings))
    anchors.check()
    return anchors


def replica_bucket(settings: Settings) -> BucketAccess | None:
    """The bucket that keeps what must outlive this host; None where there is none."""
    replica = settings.replica
    return None if replica.address is None else BucketAccess(replica.address, replica.region, replica.endpoint_url)


def approvers(settings: Settings) -> Approvers | None:
    """Who has to approve by documents, as is asked for now; None where a typed yes will do. Raises ``UsageError``."""
    asked = settings.approval
    if not asked.approvals:
        for name in ("allowed_signers", "not_the_planner"):
            if getattr(asked, name):
                option = "--" + name.replace("_", "-")
                raise UsageError(f"{option} is about approvals that people sign. Say how many: --approvals 2.")
        return None
    if asked.allowed_signers is None:
        raise UsageError(
            f"{asked.approvals} approvals are wanted, and nobody is named who may give them. Give --allowed-signers "
            "FILE, with NAME KEY-TYPE KEY in each line."
        )
    file = Path(asked.allowed_signers).expanduser()
    try:
        with file.open("rb") as opened:
            check_writable_by_us_alone(file, os.fstat(opened.fileno()))
            content = opened.read(SIGNERS_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{file}, which says who may approve, can't be read: {error.strerror}.") from error
    return settled_approvers(
        asked.approvals,
        content,
        called=str(file),
        revoked=revoked(settings),
        not_the_planner=asked.not_the_planner,
    )


def revoked(settings: Settings) -> tuple[str, ...]:
    """The files of keys that count no more, from the root."""
    named = settings.approval.revoked
    return () if named is None else (str(Path(named).expanduser().absolute()),)


def in_flight_max(settings: Settings) -> int:
    """How many requests may be under way: as many as were asked for, or as this process has room for connections."""
    open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if open_files == resource.RLIM_INFINITY:
        return settings.pace.max_in_flight
    return max(1, min(settings.pace.max_in_flight, open_files - _OTHER_FILES))


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
    settings: Settings,
    endpoint_url: str | None,
    *,
    vault: Vault | None = None,
    id_rule: IdRule = EXACT,
    credentials: StaticCredentials | None = None,
) -> Access:
    """How the service at ``endpoint_url`` is reached, None: at the region's. ``credentials`` replace the chain.

    ``vault`` is the one it is reached for, where that is known: whose account a role is in that is only named.

    Raises ``ConfigurationFailed`` where FIPS is asked for and the endpoint is none, and ``UsageError`` where another
    endpoint is asked for than the one that was settled before.
    """
    aws = settings.aws
    if endpoint_url is not None and aws.endpoint_url not in {None, endpoint_url}:
        raise UsageError(
            f"this was planned for {endpoint_url}, and {aws.endpoint_url} is asked for now (--endpoint-url, "
            "AWS_ENDPOINT_URL_GLACIER, AWS_ENDPOINT_URL, a settings file or the AWS profile). Take that out to go on, "
            "or plan anew. Nothing was sent."
        )
    if aws.use_fips_endpoint and endpoint_url is not None:
        check_fips(endpoint_url)
    return Access(
        endpoint_url=endpoint_url,
        use_fips_endpoint=bool(aws.use_fips_endpoint),
        profile=aws.profile,
        credentials=credentials,
        role=_role(aws, vault),
        max_in_flight=in_flight_max(settings),
        ca_bundle=Path(aws.ca_bundle) if aws.ca_bundle else None,
        verify_certificates=aws.verify_ssl,
        connect_timeout_seconds=aws.connect_timeout_seconds,
        request_timeout_seconds=aws.request_timeout_seconds,
        credentials_timeout_seconds=aws.credentials_timeout_seconds,
        id_rule=id_rule,
        record_wire=Path(aws.record_wire) if aws.record_wire else None,
    )


def _role(aws: AwsSettings, vault: Vault | None) -> Role | None:
    if aws.role is None:
        return None
    region = aws.region if vault is None else vault.region
    return Role(
        named=aws.role,
        account_id=aws.account_id if vault is None else vault.account_id,
        partition=partition_of(region or ""),
        session_name=session_name(who()),
        external_id=aws.external_id,
        session_tags=tags(aws.session_tags),
    )


def assuming(settings: Settings, assumed: Assumed | None) -> Settings:
    """The settings with the role that a fleet names, and what it is asked for with; None leaves them as they are."""
    if assumed is None:
        return settings
    return settings.model_copy(update={"aws": settings.aws.model_copy(update=msgspec.structs.asdict(assumed))})


def account_id(settings: Settings) -> str | None:
    """The account that the settings name, outright or by its role; None leaves it to the credentials."""
    aws = settings.aws
    return aws.account_id or (account_of(aws.role) if aws.role is not None else None)


def endpoint(settings: Settings, region: str) -> str:
    """Where requests for ``region`` go. Raises ``UsageError`` for a region without the service, and
    ``ConfigurationFailed`` for one without FIPS where that is asked for.
    """
    aws = settings.aws
    check_region(region, aws.endpoint_url)
    return aws.endpoint_url or endpoint_of(region, fips=bool(aws.use_fips_endpoint))


def capped(settings: Settings, caps: Caps) -> Settings:
    """The settings with the caps that somebody gave, as far as a company's file allows that much."""
    given = {
        name: cap if (wall := settings.wall("safety", name)) is None else min(cap, wall)
        for name, cap in asdict(caps).items()
        if cap is not None
    }
    return settings.model_copy(update={"safety": settings.safety.model_copy(update=given)})
