"""The role that requests are made as, where that is not whoever holds the credentials. Pure.

A role is named whole, by its ARN, or by its name in the account that is worked in: so one word serves for every account
of a company.  What is asked for besides goes to the trust policy of the role (an external id, session tags), and the
name of the session to whoever reads CloudTrail later: which tool it was, and who.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from glacier_purge.errors import UsageError

TAGS_MAX = 50
"""Tags of a session at most (STS, "AssumeRole")."""
SESSION_NAME_MAX = 64

_ARN = re.compile(
    r"arn:(?:aws|aws-cn|aws-us-gov):iam::(?P<account_id>[0-9]{12}):role/(?P<name>[\w+=,.@/-]{1,576})", re.ASCII
)
_NAME = re.compile(r"(?:[\w+=,.@-]{1,64}/)*[\w+=,.@-]{1,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_TAG = re.compile(r"(?P<key>[\w\s.:/+\-@]{1,128})=(?P<value>[\w\s.:/=+\-@]{0,256})")
_NOT_IN_A_SESSION_NAME = re.compile(r"[^\w+=,.@-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role, and what it is asked for with. ``account_id`` (None: not known) is the account that is worked in."""

    named: str
    account_id: str | None
    partition: str
    session_name: str
    external_id: str | None = None
    session_tags: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        """Raise ``UsageError`` where only its name is known, and where it is another account's."""
        own = account_of(self.named)
        if own is None and self.account_id is None:
            raise UsageError(
                f"the role {self.named} may be any account's. Say which: --account-id, or the role's whole ARN. "
                "Nothing was sent."
            )
        if own is not None and self.account_id not in {None, own}:
            raise UsageError(
                f"the role {self.named} is of account {own}, and account {self.account_id} is worked in. Give a role "
                "of that account. Nothing was sent."
            )

    @property
    def arn(self) -> str:
        """Which role it is. Raises as ``check`` does."""
        self.check()
        if account_of(self.named) is not None:
            return self.named
        return f"arn:{self.partition}:iam::{self.account_id}:role/{self.named}"


def account_of(named: str) -> str | None:
    """The account of a role that is named by its ARN; None for one that is named only."""
    match = _ARN.fullmatch(named)
    return None if match is None else match["account_id"]


def checked_role(named: str) -> str:
    """Return the name or ARN of a role. Raises ``UsageError`` for what is neither."""
    if _ARN.fullmatch(named) is None and _NAME.fullmatch(named) is None:
        raise UsageError(f"{named!r} is no role: write its name, or arn:aws:iam::ACCOUNT:role/NAME.")
    return named


def checked_external_id(text: str) -> str:
    """Return an external id. Raises ``UsageError`` for what STS would not take for one."""
    if _EXTERNAL_ID.fullmatch(text) is None:
        raise UsageError("it is no external id: 2 to 1,224 letters, digits and +=,.@:/-_.")
    return text


def checked_tags(written: tuple[str, ...]) -> tuple[str, ...]:
    """Return session tags as they are written. Raises ``UsageError`` for what is none."""
    tags(written)
    return written


def tags(written: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Session tags as keys with their values. Raises ``UsageError`` for what STS would not take for some."""
    found = []
    for one in written:
        match = _TAG.fullmatch(one)
        if match is None or match["key"].lower().startswith("aws:"):
            raise UsageError(f"{one!r} is no session tag: write KEY=VALUE, with letters, digits, spaces and _.:/=+-@.")
        found.append((match["key"], match["value"]))
    if len({key.lower() for key, _ in found}) < len(found):
        raise UsageError("a session tag is given twice; upper and lower case are the same to AWS.")
    if len(found) > TAGS_MAX:
        raise UsageError(f"a session has {TAGS_MAX} tags at most, not {len(found)}.")
    return tuple(found)


def session_name(who: str) -> str:
    """What a session is called in CloudTrail: this tool, and ``who`` (user@host), as far as STS lets it be written."""
    return _NOT_IN_A_SESSION_NAME.sub("-", f"glacier-purge-{who}")[:SESSION_NAME_MAX]
