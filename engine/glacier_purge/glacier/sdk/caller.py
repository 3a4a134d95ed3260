"""Whose credentials these are: STS GetCallerIdentity, for the check that a run acts in the account it was planned for.

Only meaningful against AWS itself; a pretended service has no identities, so callers skip it for loopback endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from glacier_purge.aws.credentials import Caller
from glacier_purge.errors import CredentialsFailed
from glacier_purge.glacier.control import NoAnswer
from glacier_purge.glacier.reply import Meaning
from glacier_purge.glacier.sdk.answers import as_error, read_fault

if TYPE_CHECKING:
    from glacier_purge.aws.session import AwsSession


async def caller_identity(session: AwsSession) -> Caller:
    """Ask AWS whom the credentials belong to (no permission needed).

    Raises ``CredentialsFailed`` when AWS does not take them, ``NotTrusted`` for a certificate that does not hold, and
    ``NoAnswer`` when AWS does not say.
    """
    async with session.client("sts") as client:
        try:
            answer = await client.get_caller_identity()
        except (BotoCoreError, ClientError, ResponseParserError) as fault:
            reply = read_fault(fault)
            if reply.meaning is Meaning.UNTRUSTED:
                raise as_error(reply, "GetCallerIdentity", "these credentials") from fault
            what = f"AWS did not say whose credentials these are: {fault}."
            if reply.meaning in {Meaning.CREDENTIALS, Meaning.REFUSED}:
                raise CredentialsFailed(f"{what} Renew them, then run the same command again.") from fault
            raise NoAnswer(
                f"{what} Nothing was sent. Run the same command again when STS can be reached.",
                operation="GetCallerIdentity",
                reply=reply,
            ) from fault
    return Caller(account_id=answer["Account"], arn=answer["Arn"])
