"""Before anything is sent: is this the vault of the plan, in the account of the plan?

DescribeVault is asked with the account's number in the path, so credentials for another account are denied by the
service instead of reaching a vault of the same name; the ARN in the answer is held against the plan all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from glacier_purge.errors import PlanRefused, RunStopped, ServiceRefused, WrongAccount
from glacier_purge.service.control import NoAnswer

if TYPE_CHECKING:
    from glacier_purge.plan.document import Plan
    from glacier_purge.service.port import Glacier, VaultDescription

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


def _may_pass(failure: BaseException) -> bool:
    return isinstance(failure, RunStopped) and (not isinstance(failure, NoAnswer) or failure.is_weather)


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
