"""What a vault's lock or access policy says against an action, as far as it can be told before trying. Pure.

Asked about are deleting archives and deleting the vault.  Read are the forms the Developer Guide uses: Deny on the
action (also by wildcard or ``NotAction``), always, by the archive's age, or by a tag of the vault.  What is not
understood is called unclear and never taken for harmless.  An Allow is not judged: whether it is enough depends on
policies nobody here can see.  Whom it names can be told.

How the service rounds an archive's age is not documented, so dates here are a day later than arithmetic has them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from glacier_purge.storage.documents import DocumentUnreadable, decoded

AGE_KEY = "glacier:archiveageindays"
_TAG_KEY = "glacier:resourcetag/"
_VARIABLE = "${"
"""What begins a policy variable, which stands for something of whoever sends the delete."""
_ROUNDING = timedelta(days=1)
DELETE_ARCHIVE = "glacier:DeleteArchive"
DELETE_VAULT = "glacier:DeleteVault"
_ABOUT_AN_ARCHIVE = frozenset({DELETE_ARCHIVE})
"""Actions whose requests have an archive, and so an age to go by."""


class Denial(Enum):
    """When deletes are denied."""

    ALWAYS = "always"
    YOUNG = "while an archive is young"
    OLD = "once an archive is old"
    TAG = "by a tag the vault has now"
    UNCLEAR = "under a condition that can't be judged from here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One Deny that concerns the action. ``days`` is the age it turns on, for ``YOUNG`` and ``OLD``."""

    denial: Denial
    sid: str
    days: float | None = None

    def deletable_from(self, created: datetime) -> datetime | None:
        """When an archive uploaded at ``created`` can be deleted for all this rule says; None when never or unknown."""
        if self.denial is not Denial.YOUNG or self.days is None:
            return None
        try:
            return created + timedelta(days=self.days) + _ROUNDING
        except OverflowError:  # an age that nothing will ever have
            return None


class PolicyUnreadable(ValueError):
    """The text is not a policy document."""


def rules_against_deleting(policy: str, tags: Mapping[str, str] | None) -> list[Rule]:
    """Every Deny in ``policy`` that concerns DeleteArchive, as ``rules_against`` gives them."""
    return rules_against(DELETE_ARCHIVE, policy, tags)


def rules_against(action: str, policy: str, tags: Mapping[str, str] | None) -> list[Rule]:
    """Every Deny in ``policy`` that concerns ``action``, given the vault's ``tags``. Raises ``PolicyUnreadable``.

    A Deny by a tag that the vault does not have now is left out, and one by an archive's age where there is no archive.
    ``tags`` is None where nobody may read them; then a Deny by a tag is unclear.
    """
    return [
        rule
        for number, statement in enumerate(_statements(policy), 1)
        if statement.get("Effect") == "Deny" and _concerns(action, statement)
        for rule in _rules(action, statement, str(statement.get("Sid") or f"statement {number}"), tags)
    ]


def named_by_allow(actions: Collection[str], policy: str) -> list[str]:
    """Whom an Allow in ``policy`` names for any of ``actions``, as it names them. Raises ``PolicyUnreadable``.

    Its conditions are not judged, and what IAM allows the account's own users and roles stands in no vault's policy.
    """
    named: dict[str, None] = {}
    for statement in _statements(policy):
        if statement["Effect"] == "Allow" and any(_concerns(action, statement) for action in actions):
            under = ", under a condition" if statement.get("Condition") else ""
            named |= dict.fromkeys(f"{who}{under}" for who in _principals(statement))
    return list(named)


def _principals(statement: dict[str, Any]) -> list[str]:
    """The principals of a statement in words."""
    if "NotPrincipal" in statement:
        return [f"anybody but {', '.join(_named(statement['NotPrincipal']))}"]
    return ["anybody" if who == "*" else who for who in _named(statement.get("Principal"))]


def _named(principal: object) -> list[str]:
    """``"*"``, or the names below each kind; what is neither is shown as it stands."""
    kinds = list(principal.values()) if isinstance(principal, dict) else [principal]
    return [name for names in kinds for name in _texts(names) or [str(names)]]


def _statements(policy: str) -> list[dict[str, Any]]:
    try:
        found = decoded(policy, dict[str, Any])["Statement"]
    except DocumentUnreadable as error:
        raise PolicyUnreadable(str(error)) from error
    except KeyError as error:
        raise PolicyUnreadable("it has no Statement") from error
    statements = found if isinstance(found, list) else [found]
    for number, statement in enumerate(statements, 1):
        if not isinstance(statement, dict):
            raise PolicyUnreadable(f"statement {number} is no object")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise PolicyUnreadable(f"statement {number} says neither Allow nor Deny")
        if not _texts(statement.get("Action")) and not _texts(statement.get("NotAction")):
            raise PolicyUnreadable(f"statement {number} names no action")
    return statements


def _concerns(action: str, statement: dict[str, Any]) -> bool:
    if "NotAction" in statement:
        return not _names(action, statement["NotAction"])
    return _names(action, statement.get("Action"))


def _names(action: str, patterns: object) -> bool:
    return any(_is_like(action.lower(), pattern.lower()) for pattern in _texts(patterns))


def _is_like(text: str, pattern: str) -> bool:
    """Match as policies do: ``*`` and ``?`` stand for something, every other character for itself."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _texts(value: object) -> list[str]:
    """The texts of a value that may be one of them or a list; none when it is neither."""
    found = value if isinstance(value, list) else [value]
    texts = [one for one in found if isinstance(one, str)]
    return texts if len(texts) == len(found) else []


def _rules(action: str, statement: dict[str, Any], sid: str, tags: Mapping[str, str] | None) -> Iterator[Rule]:
    """The statement as one rule, or as none when its condition does not hold."""
    if statement.get("Principal") not in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        yield Rule(denial=Denial.UNCLEAR, sid=sid)  # whether it means us, depends on who will delete
        return
    conditions = statement.get("Condition") or {}
    if not isinstance(conditions, dict) or not all(isinstance(keys, dict) for keys in conditions.values()):
        raise PolicyUnreadable(f"the condition of {sid} is none")
    judged = [
        _judge(action, operator, key, _values(values), sid, tags)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    if None in judged:  # all conditions of a statement have to hold, and one does not
        return
    rules = [rule for rule in judged if rule is not None]
    about_the_archive = [rule for rule in rules if rule.denial is not Denial.TAG]
    if not rules:
        yield Rule(denial=Denial.ALWAYS, sid=sid)
    elif not about_the_archive:
        yield rules[0]
    elif len(about_the_archive) == 1:
        yield about_the_archive[0]
    else:
        yield Rule(denial=Denial.UNCLEAR, sid=sid)


def _judge(
    action: str, operator: str, key: str, values: list[str], sid: str, tags: Mapping[str, str] | None
) -> Rule | None:
    """One condition as a rule; None when it does not hold for this vault."""
    if key.lower() == AGE_KEY:
        return _by_age(operator, values, sid) if action in _ABOUT_AN_ARCHIVE else _by_no_age(operator, sid)
    if key.lower().startswith(_TAG_KEY):
        return _by_tag(operator, key[len(_TAG_KEY) :], values, sid, tags)
    return Rule(denial=Denial.UNCLEAR, sid=sid)


def _values(value: object) -> list[str]:
    """What a condition compares with: texts, numbers or truth values, one or a list of them."""
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def _by_age(operator: str, values: list[str], sid: str) -> Rule:
    kind = operator.removesuffix("IfExists")
    try:
        days = [float(value) for value in values]
    except ValueError:
        return Rule(denial=Denial.UNCLEAR, sid=sid)
    if not all(map(isfinite, days)):
        return Rule(denial=Denial.UNCLEAR, sid=sid)
    if kind in {"NumericLessThan", "NumericLessThanEquals"} and days:
        return Rule(denial=Denial.YOUNG, sid=sid, days=max(days))
    if kind in {"NumericGreaterThan", "NumericGreaterThanEquals"} and days:
        return Rule(denial=Denial.OLD, sid=sid, days=min(days))
    return Rule(denial=Denial.UNCLEAR, sid=sid)


def _by_no_age(operator: str, sid: str) -> Rule | None:
    """A condition on an age that the request does not have: most do not hold then, some hold all the more."""
    holds_without = operator.endswith("IfExists") or "Not" in operator or operator == "Null"
    return Rule(denial=Denial.UNCLEAR, sid=sid) if holds_without else None


def _by_tag(operator: str, tag: str, values: list[str], sid: str, tags: Mapping[str, str] | None) -> Rule | None:
    kind = operator.removesuffix("IfExists")
    if tags is None or any(_VARIABLE in text for text in values):
        return Rule(denial=Denial.UNCLEAR, sid=sid)
    value = next((text for name, text in tags.items() if name.lower() == tag.lower()), None)
    if kind not in {"StringEquals", "StringLike", "StringEqualsIgnoreCase"}:
        return Rule(denial=Denial.UNCLEAR, sid=sid)
    if value is None:
        return Rule(denial=Denial.TAG, sid=sid) if kind != operator else None
    if kind == "StringEqualsIgnoreCase":
        value, values = value.lower(), [text.lower() for text in values]
    matches = any(_is_like(value, text) for text in values) if kind == "StringLike" else value in values
    return Rule(denial=Denial.TAG, sid=sid) if matches else None
