"""Takes a role with the credentials that AWS's chain gave, by botocore's own way of doing it.

A session is held in memory alone, and had again by going through the chain anew, as any other set of credentials is: so
it is renewed while the one before still holds, and by credentials that may have changed meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiobotocore.credentials import AioAssumeRoleCredentialFetcher
from botocore.exceptions import ClientError
from botocore.utils import parse_timestamp

from glacier_purge.aws.faults import Fault, fault_of
from glacier_purge.aws.refusals import role_refused
from glacier_purge.errors import CredentialsFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from glacier_purge.aws.roles import Role


class Session(NamedTuple):
    """What STS gave."""

    access_key: str
    secret_key: str
    token: str
    expires: datetime


async def assumed(role: Role, by: Any, client: Callable[..., Any]) -> Session:
    """Have a session of ``role`` with the credentials ``by``; ``client`` opens a client of STS.

    Raises ``CredentialsFailed`` where it is refused, and what botocore raises where nobody answers.
    """
    asked: dict[str, Any] = {"RoleSessionName": role.session_name}
    if role.external_id is not None:
        asked["ExternalId"] = role.external_id
    if role.session_tags:
        asked["Tags"] = [{"Key": key, "Value": value} for key, value in role.session_tags]
    fetcher = AioAssumeRoleCredentialFetcher(client, by, role.arn, extra_args=asked)
    fetcher.feature_ids = set()
    try:
        given = await fetcher.fetch_credentials()
    except ClientError as fault:
        if fault_of(fault) in {Fault.CLOCK, Fault.NO_ANSWER}:
            raise
        raise role_refused(fault, role) from fault
    account_id = role.arn.split(":")[4]
    if given["account_id"] != account_id:
        raise CredentialsFailed(
            f"{role.arn} was asked for, and a session of account {given['account_id']} was given. It is not used. Look "
            "at what answers for STS, then run the same command again. Nothing was sent."
        )
    return Session(given["access_key"], given["secret_key"], given["token"], parse_timestamp(given["expiry_time"]))
