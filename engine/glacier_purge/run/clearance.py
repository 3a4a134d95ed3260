"""The last look before a process sends deletes: does the vault's lock, its access policy or one of its tags say no?

``doctor`` and ``run`` look when everything begins; days later, or where ``apply`` is all that is run, somebody may have
put the vault on hold meanwhile.  So each process that works on a run looks again, resumed ones included.  It reads
three things and changes nothing.

What the service refuses to show is told and does not end the run.  The role that deletes should be able to do little
else; a lock or a policy binds it whether it can read them or not, the first delete, which goes alone, would be refused;
and whoever set a tag can be asked by a role that reads.  A service that does not answer is another thing: then nothing
is sent, and the run can be resumed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import structlog

from glacier_purge.plan.finding import Weight
from glacier_purge.plan.protection import Asking, check_clear, protections
from glacier_purge.plan.vault_findings import judge_unread

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from glacier_purge.archive import Vault
    from glacier_purge.plan.protection import Guarded
    from glacier_purge.service.port import VaultDescription

    OpenGuarded = Callable[[], AbstractAsyncContextManager[Guarded]]

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))


async def check_unprotected(vault: Vault, described: VaultDescription, open_guarded: OpenGuarded) -> None:
    """Ask what protects the vault; log what is worth knowing.

    Raises ``PlanRefused`` when it must not be purged now, ``CredentialsFailed``, and ``RunStopped`` when the service
    does not answer.
    """
    asking = Asking(lambda refused: not refused.is_vault_missing)
    async with open_guarded() as control:
        findings = await protections(control, described, asking)
    if asking.refused:
        findings.append(judge_unread(asking.refused))
    for finding in findings:
        if finding.weight is Weight.WARNING:
            _log.warning(
                "vault.protection", subject=finding.subject, found=finding.what, why=finding.why, advice=finding.advice
            )
    check_clear(vault, findings)
