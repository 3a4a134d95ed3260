"""Whose credentials these are: STS GetCallerIdentity, for the check that a run acts in the account it was planned for.

Only meaningful against AWS itself; a pretended service has no identities, so callers skip it for loopback endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from glacier_purge.aws.credentials import Caller
from glacier_purge.aws.faults import told
from glacier_purge.errors import CredentialsFailed
from glacier_purge.glacier.control import NoAnswer, NotTrusted
from glacier_purge.glacier.reply import Meaning
from glacier_purge.glacier.sdk.answers import as_error, read_fault
from glacier_purge.long_work import Unit, long_work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier_purge.aws.session import AwsSession
    from glacier_purge.glacier.sdk.patience import ControlRetry


async def caller_identity(session: AwsSession, retry: ControlRetry) -> Caller:
    """Ask AWS whom the credentials belong to (no permission needed).

    Raises ``CredentialsFailed`` when AWS does not take them, ``NotTrusted`` for a certificate that does not hold, and
    ``NoAnswer`` when AWS does not say, however often it is asked.
    """
    async with session.client("sts") as client:
        with long_work("asking AWS whose credentials these are", unit=Unit.PARTS):
            answer: Mapping[str, Any] = await retry.policy()(_once, client)
    return Caller(account_id=answer["Account"], arn=answer["Arn"])


async def _once(client: Any) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = await client.get_caller_identity()
    except Exception as fault:  # whatever the SDK, or what it stands on, may raise; bugs are raised again
        reply = read_fault(fault)
        if reply.meaning is Meaning.REFUSED:  # nobody needs a permission to ask this
            reply = msgspec.structs.replace(reply, meaning=Meaning.CREDENTIALS)
        error = as_error(reply, "GetCallerIdentity", "these credentials")
        if not isinstance(error, CredentialsFailed | NotTrusted):
            error = NoAnswer(
                f"AWS did not say whose credentials these are: {told(fault)}. Nothing was sent. Run the same command "
                "again when STS can be reached.",
                operation="GetCallerIdentity",
                reply=reply,
            )
        raise error from fault
    return answer
