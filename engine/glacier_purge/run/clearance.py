"""One look at what says no to a purge: does the vault's lock, its access policy or one of its tags?

``doctor`` and ``run`` look when everything begins; days later, or where ``apply`` is all that is run, somebody may have
put the vault on hold meanwhile.  So each process that works on a run looks before it sends, resumed ones included, and
again and again while it sends (``holds``).  A look reads three things and changes nothing.

What the service says may not be read is told and does not end the run.  The role that deletes should be able to do
little else; a lock or a policy binds it whether it can read them or not, the first delete, which goes alone, would be
refused; and whoever set a tag can be asked by a role that reads.  Any other answer than the three things themselves,
"there is none" or "not allowed" is no answer: then nothing is sent, and the run can be resumed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from glacier_purge.plan.finding import Weight
from glacier_purge.plan.protection import Asking, check_clear, protections
from glacier_purge.plan.vault_findings import judge_unread
from glacier_purge.service.control import ControlRefused, NoAnswer
from glacier_purge.service.reply import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from glacier_purge.archive import Vault
    from glacier_purge.plan.finding import Finding
    from glacier_purge.plan.protection import Guarded
    from glacier_purge.service.port import VaultDescription

    OpenGuarded = Callable[[], AbstractAsyncContextManager[Guarded]]

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look found at a vault as ``described``. ``unreadable`` are the operations that are denied."""

    described: VaultDescription
    findings: tuple[Finding, ...]
    unreadable: frozenset[str]

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What says no."""
        return tuple(finding for finding in self.findings if finding.weight is Weight.BLOCKING)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is worth knowing and says no to nothing."""
        return tuple(finding for finding in self.findings if finding.weight is Weight.WARNING)


async def look(described: VaultDescription, open_guarded: OpenGuarded) -> Look:
    """Ask what protects the vault.

    Raises ``CredentialsFailed``, ``NoAnswer``, and ``ControlRefused`` when there is no such vault (any more).
    """
    asking = Asking(lambda refused: refused.is_denied)
    try:
        async with open_guarded() as control:
            findings = await protections(control, described, asking)
    except ControlRefused as refused:
        if refused.reply.meaning is not Meaning.UNKNOWN:
            raise
        raise NoAnswer(
            f"{refused} So it is not known whether the vault is protected. Try again later.",
            operation=refused.operation,
            reply=refused.reply,
        ) from refused
    if asking.refused:
        findings.append(judge_unread(asking.refused))
    return Look(described=described, findings=tuple(findings), unreadable=frozenset(asking.refused))


async def check_unprotected(vault: Vault, described: VaultDescription, open_guarded: OpenGuarded) -> Look:
    """Look before anything is sent; log what is worth knowing.

    Raises what ``look`` raises, and ``PlanRefused`` when the vault must not be purged now.
    """
    found = await look(described, open_guarded)
    tell_warnings(found)
    check_clear(vault, found.findings)
    return found


def tell_warnings(found: Look) -> None:
    """Log what is worth knowing."""
    for finding in found.warnings:
        _log.warning(
            "vault.protection", subject=finding.subject, found=finding.what, why=finding.why, advice=finding.advice
        )
