"""Who may approve, and how many of them have to: settled when a lifecycle begins, and kept by every log.

The people are those of ssh's own file of allowed signers, whose whole content is kept: who is put into the file later
approves nothing, and who is taken out of it approves still.  What takes a key back is a file of revoked ones, which is
read at every use.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from glacier_purge.audit.verification import NotToBeChecked, read_signers
from glacier_purge.errors import UsageError

SIGNERS_BYTES_MAX = 1 << 16
"""Some six hundred people. It stands in each run's log."""


class Approvers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``needed`` of the people in ``allowed_signers``, a file's content, have to approve a plan.

    ``revoked`` are absolute paths of files with keys that count no more.  With ``not_the_planner`` nobody approves the
    plan that they made.
    """

    needed: Annotated[int, msgspec.Meta(ge=1)]
    allowed_signers: str
    revoked: tuple[str, ...] = ()
    not_the_planner: bool = False


def asks_the_same(begun: Approvers, now: Approvers) -> bool:
    """Whether two ask for the same of whoever approves; the people may be others, and those of then hold."""
    return (begun.needed, begun.not_the_planner) == (now.needed, now.not_the_planner)


def approvers(
    needed: int, allowed_signers: bytes, *, called: str, revoked: tuple[str, ...] = (), not_the_planner: bool = False
) -> Approvers:
    """Who may approve, by the content of the file that is ``called`` so.

    Raises ``UsageError`` for what is no such file, for names that are patterns, and where it names too few people.
    """
    if len(allowed_signers) > SIGNERS_BYTES_MAX:
        raise UsageError(f"{called} has more than {SIGNERS_BYTES_MAX:,} bytes. Put in it who may approve, and no more.")
    try:
        text = allowed_signers.decode("utf-8")
        signers = read_signers(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{called} is no text in UTF-8. Give a file of allowed signers.") from error
    except NotToBeChecked as error:
        raise UsageError(f"{called}: {error}. Give a file of allowed signers, as ssh-keygen reads it.") from error
    if signers.patterns:
        raise UsageError(
            f"{called}: {', '.join(signers.patterns)} is a pattern, so whoever has that key could approve under many "
            "names. Write one person's names; patterns are for cert-authority lines."
        )
    if needed > len(signers.people) and not signers.vouches:
        raise UsageError(
            f"{needed} approvals are wanted, and {called} names {_people(len(signers.people))}: nobody could ever give "
            "them. Add people, or want fewer approvals."
        )
    return Approvers(needed=needed, allowed_signers=text, revoked=revoked, not_the_planner=not_the_planner)


def _people(number: int) -> str:
    return {0: "nobody", 1: "one person"}.get(number, f"{number} people")
