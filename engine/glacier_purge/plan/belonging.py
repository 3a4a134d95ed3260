"""Does ``run.json`` belong to the plan beside it?

What a run is called and when it was planned stands there and not in the plan, whose digest must not depend on where and
when it was made.  So ``plan.json`` carries the hash of the ``run.json`` that was written with it, and the log carries
it from the first approval on: another run's, or one that was made younger, is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.errors import PlanRefused

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import Identity


def check_belongs(file: Path, identity: Identity, plan: Plan, *, sha256: str, planned_sha256: str | None) -> None:
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


def check_same_as_logged(file: Path, sha256: str, logged: str | None) -> None:
    """Raise ``PlanRefused`` when the run was begun with another ``run.json``; None is a log that tells of none."""
    if logged not in (None, sha256):
        raise PlanRefused(
            f"{file} was changed since the run was begun: its hash is {sha256}, the audit log has {logged}. Put back "
            "the file that lay there. Nothing was sent."
        )
