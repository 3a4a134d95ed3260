"""Roles of pretended accounts, and the sessions that are had of them: who may take which, with what, for how long.

Both sides have to allow it, as across accounts in IAM: the trust policy of the role, and the policy of who asks, where
that has one.  Whoever may not is told one thing, and not why: that a role is missing, or wants another external id, is
nobody's business who may not take it.  A session acts in the account of its role and in no other, with the policy of
the role, and its tags are the principal's in every policy from then on.

Sources: IAM User Guide, "Policy evaluation logic", "The confused deputy problem", "Pass session tags in AWS STS"; STS
API Reference, "AssumeRole", "Tag"; messages as botocore's users quote them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from glacier_simulator import policy
from glacier_simulator.account import Caller, Credential
from glacier_simulator.identifiers import Identifiers
from glacier_simulator.policy import Statement

DURATION_SECONDS = 3600
"""How long a session lasts where nobody says ("AssumeRole", DurationSeconds)."""
DURATION_SECONDS_MIN, DURATION_SECONDS_MAX = 900, 43_200
CHAINED_SECONDS_MAX = 3600
"""A session that was had by a session: "role chaining" is limited to an hour."""
TAGS_MAX = 50
_REMEMBERED_SECONDS = 7 * 86_400.0
"""So long a key is known to have expired; after that it is one like any that never was."""

_ROLE_ARN = re.compile(r"arn:(?:aws|aws-cn|aws-us-gov):iam::(?P<account>[0-9]{12}):role/(?P<path>[\w+=,.@/-]{1,512})")
_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")
_TAG_KEY, _TAG_VALUE = re.compile(r"[\w\s.:/=+\-@]{1,128}"), re.compile(r"[\w\s.:/=+\-@]{0,256}")


class StsRefusal(Exception):
    """STS says no: a code with its status, and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role. ``lasts_seconds`` is how long its sessions last whatever is asked for, to rehearse their renewal.

    Without a ``policy`` its sessions may do everything in their account.
    """

    arn: str
    trust: tuple[Statement, ...]
    policy: tuple[Statement, ...] | None = None
    session_seconds_max: int = DURATION_SECONDS
    lasts_seconds: float | None = None


class Asked(NamedTuple):
    """What AssumeRole is asked for."""

    role_arn: str
    session_name: str
    external_id: str | None
    tags: tuple[tuple[str, str], ...]
    duration_seconds: int


class Given(NamedTuple):
    """What AssumeRole gives: the key, and what it is good for."""

    access_key_id: str
    credential: Credential


class Roles:
    """The roles there are, by ARN, and their sessions, by key. ``sessions`` may be those of before a restart."""

    def __init__(
        self,
        identifiers: Identifiers,
        roles: Mapping[str, Role] | None = None,
        sessions: dict[str, Credential] | None = None,
    ) -> None:
        self.roles = dict(roles or {})
        self.sessions = dict(sessions or {})
        self._identifiers = identifiers

    def assume(self, caller: Caller, asked: Asked, now: float) -> Given:
        """Give a session of a role to who may have one. Raises ``StsRefusal``."""
        _check(asked)
        role = self.roles.get(asked.role_arn)
        for action in ("sts:AssumeRole", "sts:TagSession") if asked.tags else ("sts:AssumeRole",):
            if role is None or not _may(caller, action, role, asked, now):
                who = caller.principal_arn
                message = f"User: {who} is not authorized to perform: {action} on resource: {asked.role_arn}"
                raise StsRefusal(403, "AccessDenied", message)
        assert role is not None
        _check_duration(caller, asked, role)
        return self._session(role, asked, now)

    def _session(self, role: Role, asked: Asked, now: float) -> Given:
        self.sessions = {
            key: one for key, one in self.sessions.items() if now - (one.expires or now) <= _REMEMBERED_SECONDS
        }
        account_id, name = role.arn.split(":")[4], role.arn.rpartition("/")[2]
        credential = Credential(
            secret=self._identifiers.next_id()[:40],
            account_id=account_id,
            principal_arn=f"{role.arn.partition(':iam:')[0]}:sts::{account_id}:assumed-role/{name}/{asked.session_name}",
            session_token=self._identifiers.next_id() + self._identifiers.next_id(),
            expires=now + (asked.duration_seconds if role.lasts_seconds is None else role.lasts_seconds),
            policy=role.policy,
            role_arn=role.arn,
            tags=asked.tags,
        )
        key = "ASIA" + re.sub("[^A-Z0-9]", "", self._identifiers.next_id().upper())[:16]
        self.sessions[key] = credential
        return Given(key, credential)


def _may(caller: Caller, action: str, role: Role, asked: Asked, now: float) -> bool:
    context = {
        "sts:rolesessionname": asked.session_name,
        **{f"aws:requesttag/{key.lower()}": value for key, value in asked.tags},
        **{f"aws:principaltag/{key.lower()}": value for key, value in caller.tags},
    }
    if asked.external_id is not None:
        context["sts:externalid"] = asked.external_id
    question = policy.Question(
        action=action,
        resource=role.arn,
        principal_arn=caller.principal_arn,
        role_arn=caller.role_arn,
        account_id=caller.account_id,
        now=now,
        tags={},
        region=caller.region,
        context=context,
    )
    both = [role.trust] if caller.policy is None else [role.trust, caller.policy]
    return all(policy.is_allowed(one, question) and not policy.is_denied(one, question) for one in both)


def _check(asked: Asked) -> None:
    if _ROLE_ARN.fullmatch(asked.role_arn) is None:
        raise StsRefusal(400, "ValidationError", f"{asked.role_arn} is invalid")
    for name, value, pattern in (
        ("roleSessionName", asked.session_name, _NAME),
        ("externalId", asked.external_id, _EXTERNAL_ID),
    ):
        if value is not None and pattern.fullmatch(value) is None:
            raise _constraint(name, value, f"Member must satisfy regular expression pattern: {pattern.pattern}")
    _check_tags(asked.tags)
    least, most = DURATION_SECONDS_MIN, DURATION_SECONDS_MAX
    if not least <= asked.duration_seconds <= most:
        raise _constraint("durationSeconds", str(asked.duration_seconds), f"Member must have value {least} to {most}")


def _check_tags(tags: tuple[tuple[str, str], ...]) -> None:
    if len(tags) > TAGS_MAX:
        raise _constraint("tags", "[...]", f"Member must have length less than or equal to {TAGS_MAX}")
    for number, tag in enumerate(tags, 1):
        for part, text, pattern in zip(("key", "value"), tag, (_TAG_KEY, _TAG_VALUE), strict=True):
            if pattern.fullmatch(text) is None:
                why = f"Member must satisfy regular expression pattern: {pattern.pattern}"
                raise _constraint(f"tags.{number}.member.{part}", text, why)
        if tag[0].lower().startswith("aws:"):
            raise StsRefusal(400, "InvalidParameterValue", f"Tag key {tag[0]} begins with aws:, which is reserved.")
    if len({key.lower() for key, _ in tags}) != len(tags):
        message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        raise StsRefusal(400, "InvalidParameterValue", message)


def _check_duration(caller: Caller, asked: Asked, role: Role) -> None:
    if caller.role_arn is not None and asked.duration_seconds > CHAINED_SECONDS_MAX:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        raise StsRefusal(400, "ValidationError", message)
    if asked.duration_seconds > role.session_seconds_max:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise StsRefusal(400, "ValidationError", message)


def _constraint(name: str, value: str, why: str) -> StsRefusal:
    return StsRefusal(
        400,
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {why}",
    )
