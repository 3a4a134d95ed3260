"""What run this is: ``run.json``, and whether it belongs to the plan beside it.

What a run is called and when it was planned stands there and not in the plan, whose digest must not depend on where and
when it was made.  So ``plan.json`` carries the hash of the ``run.json`` that was written with it, and the log carries
it from the first approval on: another run's, or one that was made younger, is refused.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from glacier_purge.errors import PlanRefused
from glacier_purge.plan.document import Plan, read_run_sha256
from glacier_purge.storage.documents import DocumentUnreadable, decoded, encoded
from glacier_purge.storage.folder import IDENTITY_FILE, RunFolder
from glacier_purge.storage.ownership import read_own


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What run this is; written once when the folder is made. ``created`` is UTC, ISO 8601.

    ``retrievals_looked_at`` tells whether the service said which archives are being retrieved when the run was planned;
    it stands here and not in the plan, whose digest must not depend on where it was made.  None in older folders.
    """

    run: str
    vault_arn: str
    endpoint_url: str
    tool_version: str
    package_sha256: str
    created: str
    retrievals_looked_at: bool | None = None


def read_identity(folder: RunFolder, plan: Plan) -> Identity:
    """Read ``run.json``; raises ``PlanRefused`` when it cannot be read or is not the one written with ``plan``."""
    return hashed_identity(folder, plan)[0]


def hashed_identity(folder: RunFolder, plan: Plan) -> tuple[Identity, str]:
    """``read_identity``, and the SHA-256 (hex) of the bytes that say so."""
    file = folder.path / IDENTITY_FILE
    try:
        content = read_own(file)
        identity = decoded(content, Identity)
    except (OSError, DocumentUnreadable) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PlanRefused(f"{file} cannot be read ({reason}): this is not a whole run folder. Plan again.") from error
    sha256 = hashlib.sha256(content).hexdigest()
    planned_sha256 = read_run_sha256(folder.plan_file, plan)
    _check_belongs(file, identity, plan, sha256=sha256, planned_sha256=planned_sha256)
    return identity, sha256


def planned_at(folder: RunFolder, plan: Plan) -> str:
    """When the plan was made, for whoever approves it. Raises ``PlanRefused`` where nothing vouches for that."""
    created = read_identity(folder, plan).created
    if read_run_sha256(folder.plan_file, plan) is None:
        raise PlanRefused(
            f"{folder.plan_file} was made by an older version, and nothing in it vouches for its age. Plan again; "
            "nothing was sent."
        )
    return created


def write_identity(folder: RunFolder, identity: Identity) -> str:
    """Write ``run.json``, once; give its SHA-256 (hex)."""
    content = encoded(identity)
    folder.write_once(IDENTITY_FILE, content)
    return hashlib.sha256(content).hexdigest()


def check_same_as_logged(file: Path, sha256: str, logged: str | None) -> None:
    """Raise ``PlanRefused`` when the run was begun with another ``run.json``; None is a log that tells of none."""
    if logged not in (None, sha256):
        raise PlanRefused(
            f"{file} was changed since the run was begun: its hash is {sha256}, the audit log has {logged}. Put back "
            "the file that lay there. Nothing was sent."
        )


def _check_belongs(file: Path, identity: Identity, plan: Plan, *, sha256: str, planned_sha256: str | None) -> None:
    """Raise ``PlanRefused`` when ``file``, with this identity and hash, is not the one that was written with the plan.

    ``planned_sha256`` is the hash that ``plan.json`` has; None is an older version's, which kept none.
    """
    pairs = {
        "vault": (identity.vault_arn, plan.vault.arn),
        "endpoint": (identity.endpoint_url, plan.endpoint_url),
        "version": (identity.tool_version, plan.tool_version),
    }
    for what, (said, planned) in pairs.items():
        if said != planned:
            raise PlanRefused(
                f"{file} is another run's: it says {what} {said}, and the plan beside it {planned}. Put back the file "
                "that lay there, or plan again. Nothing was sent."
            )
    if planned_sha256 not in (None, sha256):
        raise PlanRefused(
            f"{file} is not the file that was written with the plan beside it (hash {sha256[:16]}..., planned "
            f"{planned_sha256[:16] if planned_sha256 else ''}...). Put it back, or plan again. Nothing was sent."
        )
