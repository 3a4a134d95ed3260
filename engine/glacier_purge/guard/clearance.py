"""What is asked of the service before anything is sent, and again while it is: is this the plan's vault, and does its
lock, its access policy or one of its tags say no?

``doctor`` and ``run`` look when everything begins; days later, or where ``apply`` is all that is run, somebody may have
put the vault on hold meanwhile.  So each process that works on a run looks before it sends, resumed ones included, and
again and again while it sends (``holds``).  A look reads three things and changes nothing.

DescribeVault is asked with the account's number in the path, so credentials for another account are denied by the
service instead of reaching a vault of the same name; the ARN in the answer is held against the plan all the same.

What the service says may not be read is told and does not end the run.  The role that deletes should be able to do
little else; a lock or a policy binds it whether it can read them or not, the first delete, which goes alone, would be
refused; and whoever set a tag can be asked by a role that reads.  Any other answer than the three things themselves,
"there is none" or "not allowed" is no answer: then nothing is sent, and the run can be resumed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import anyio
import structlog
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from glacier_purge.archive import Vault
from glacier_purge.errors import PlanRefused, RunStopped, ServiceRefused, WrongAccount
from glacier_purge.glacier.control import ControlRefused, NoAnswer
from glacier_purge.glacier.port import Glacier, VaultDescription
from glacier_purge.glacier.reply import Meaning
from glacier_purge.guard.findings import Finding, Weight
from glacier_purge.guard.protection import Asking, Guarded, check_clear, protection
from glacier_purge.guard.vault import judge_unread
from glacier_purge.plan.document import Plan

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))
TRIES_MAX = 5


async def check_target(plan: Plan, service: Glacier) -> VaultDescription:
    """Ask the service for the vault and hold the answer against the plan.

    Raises ``PlanRefused`` when the plan is for another endpoint, ``WrongAccount`` when another vault answers,
    ``ServiceRefused`` and ``CredentialsFailed`` as the service answers,
    and ``RunStopped`` when it does not answer five times, or once with what is no answer of the service.
    """
    if service.endpoint_url != plan.endpoint_url:
        raise PlanRefused(
            f"the plan is for endpoint {plan.endpoint_url}, requests would go to {service.endpoint_url}. Use the "
            "plan's endpoint, or plan again. Nothing was sent."
        )
    patient = AsyncRetrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_exponential_jitter(multiplier=0.5, max=8.0),
        stop=stop_after_attempt(TRIES_MAX),
        sleep=anyio.sleep,
        reraise=True,
    )
    found: VaultDescription = await patient(service.describe_vault)
    if found.arn != plan.vault.arn:
        raise WrongAccount(
            f"these credentials reach {found.arn}, the plan is for {plan.vault.arn}. Use credentials of account "
            f"{plan.account_id}. No delete was sent."
        )
    return found


async def check_renewed(plan: Plan, service: Glacier) -> None:
    """Check as ``check_target`` does, with credentials fetched anew. Raises ``WrongAccount`` when they are refused.

    The ones before were let in, so a refusal now is about the new ones: another profile's, or another account's.
    """
    try:
        await check_target(plan, service)
    except ServiceRefused as refusal:
        raise WrongAccount(
            f"the credentials fetched anew are refused: {refusal} Use credentials of account {plan.account_id} that "
            "may delete from this vault, then run the same command again. No archive failed."
        ) from refusal


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


async def check_unprotected(vault: Vault, described: VaultDescription, guarded: Guarded) -> Look:
    """Look before anything is sent; log what is worth knowing.

    Raises what ``look`` raises, and ``PlanRefused`` when the vault must not be purged now.
    """
    found = await look(described, guarded)
    tell_warnings(found)
    check_clear(vault, found.findings)
    return found


async def look(described: VaultDescription, guarded: Guarded) -> Look:
    """Ask what protects the vault.

    Raises ``CredentialsFailed``, ``NoAnswer``, and ``ControlRefused`` when there is no such vault (any more).
    """
    asking = Asking(lambda refused: refused.is_denied)
    try:
        findings = (await protection(guarded, asking)).findings(described)
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


def tell_warnings(found: Look) -> None:
    """Log what is worth knowing."""
    for finding in found.warnings:
        _log.warning(
            "vault.protection", subject=finding.subject, found=finding.what, why=finding.why, advice=finding.advice
        )


def _may_pass(failure: BaseException) -> bool:
    return isinstance(failure, RunStopped) and (not isinstance(failure, NoAnswer) or failure.is_weather)
