"""What a run has learnt about the pace of an account, region and endpoint, kept for the next forecast on this host.

One small file each below the state folder, replaced in one step when a run ends.  It decides nothing: a run finds its
limit anew.  So whatever goes wrong with it is only logged; a file that cannot be read counts as none.
"""

from __future__ import annotations

import hashlib
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog

from glacier_purge.archive import Vault
from glacier_purge.errors import DiskFailed, HostFailed, UsageError
from glacier_purge.plan.forecast import KnownRate
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import DocumentUnreadable, read_document, write_document

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))


class _Limit(msgspec.Struct, frozen=True, kw_only=True):
    account_id: str
    region: str
    endpoint_url: str
    per_second: float
    is_limit: bool
    seen: datetime


def remember_rate(vault: Vault, endpoint_url: str, known: KnownRate) -> None:
    """Write down the rate a run ended with."""
    limit = _Limit(
        account_id=vault.account_id,
        region=vault.region,
        endpoint_url=endpoint_url,
        per_second=known.per_second,
        is_limit=known.is_limit,
        seen=known.seen,
    )
    try:
        file = limits_file(vault, endpoint_url)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_document(FolderFiles(file.parent), file.name, limit)
    except (OSError, DiskFailed, UsageError) as error:
        _log.warning("limit.not_remembered", because=str(error))


def known_rate(vault: Vault, endpoint_url: str) -> KnownRate | None:
    """Read what the last run for this account, region and endpoint ended with; None when none did on this host."""
    try:
        limit = read_document(limits_file(vault, endpoint_url), _Limit)
    except (DocumentUnreadable, HostFailed, UsageError):
        return None
    if limit is None:
        return None
    if (limit.account_id, limit.region, limit.endpoint_url) != (vault.account_id, vault.region, endpoint_url):
        return None
    if not limit.per_second > 0 or limit.seen.tzinfo is None:
        return None
    return KnownRate(per_second=limit.per_second, is_limit=limit.is_limit, seen=limit.seen)


def limits_file(vault: Vault, endpoint_url: str) -> Path:
    """Where it is kept: by account, region and endpoint, because the service limits those and not the vault.

    Raises ``UsageError`` for a user without a home, as a container may have.
    """
    try:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError as error:
        raise UsageError("this user has no home folder. Set HOME or XDG_STATE_HOME.") from error
    address = hashlib.sha256(f"{vault.account_id} {vault.region} {endpoint_url}".encode()).hexdigest()[:32]
    return state / "glacier-purge" / "limits" / f"{address}.json"
