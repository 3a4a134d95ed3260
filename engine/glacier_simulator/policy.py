"""Policies: what a vault's access policy, a lock policy or the policy of an identity says about one request.

Understood are the parts the Developer Guide uses for vaults: Effect, Principal, Action, Resource (with their
Not- forms) and Condition with the numeric, string, boolean, date and Null operators on
``glacier:ArchiveAgeInDays``, ``glacier:ResourceTag/KEY``, ``aws:CurrentTime``, ``aws:MultiFactorAuthPresent``,
``aws:RequestedRegion``, ``aws:PrincipalArn`` (of a session its role's) and ``aws:PrincipalTag/KEY``; where a role is
taken ``sts:ExternalId``, ``sts:RoleSessionName`` and ``aws:RequestTag/KEY`` besides.  A condition on a key the request
does not carry does not hold, except for negated and ``...IfExists`` operators, as in IAM.  What this does not
understand is refused when the policy is set, never ignored: a rehearsal must not be milder than the vault.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import msgspec

from glacier_simulator import dates

POLICY_BYTES_MAX = 20 * 1024
"""Lock and access policies are 20 KB at most ("InitiateVaultLock")."""


class MalformedPolicyError(ValueError):
    """The text is not a policy this understands; says why."""


class Question(msgspec.Struct, frozen=True):
    """One request, as far as policies may ask. ``age_days`` is None unless the request names an archive.

    ``role_arn`` is the role whose session asks; ``context`` has further condition keys (lower case).
    """

    action: str
    resource: str
    principal_arn: str
    account_id: str
    now: float
    tags: Mapping[str, str]
    age_days: float | None = None
    region: str | None = None
    role_arn: str | None = None
    context: Mapping[str, str] = {}


class Statement(msgspec.Struct, frozen=True):
    """One statement. Patterns are lower case for actions; ``conditions`` are (operator, key, values)."""

    effect: str
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]
    excluded: frozenset[str] = frozenset()

    def applies_to(self, question: Question) -> bool:
        """Tell whether every part of the statement matches."""
        return (
            self._about("principal", any(_is_principal(one, question) for one in self.principals))
            and self._about("action", _matches(question.action.lower(), self.actions))
            and self._about("resource", _matches(question.resource, self.resources))
            and all(_holds(operator, _value(key, question), values) for operator, key, values in self.conditions)
        )

    def _about(self, part: str, matched: bool) -> bool:
        return matched is not (part in self.excluded)


def is_denied(statements: Sequence[Statement], question: Question) -> bool:
    """Tell whether a Deny applies; it wins over everything."""
    return any(one.effect == "Deny" and one.applies_to(question) for one in statements)


def is_allowed(statements: Sequence[Statement], question: Question) -> bool:
    """Tell whether an Allow applies. It does not look for a Deny."""
    return any(one.effect == "Allow" and one.applies_to(question) for one in statements)


def parse(text: str) -> list[Statement]:
    """Read a vault's policy. Raises ``MalformedPolicyError``."""
    return [_statement(one) for one in _statements(text)]


def parse_identity(text: str) -> tuple[Statement, ...]:
    """Read an identity's policy, which names no principal: it is about whoever has it. Raises as ``parse``."""
    return tuple(_statement(_about_its_bearer(one)) for one in _statements(text))


def parse_trust(text: str) -> tuple[Statement, ...]:
    """Read a role's trust policy, which names no resource: it is about the role that has it. Raises as ``parse``."""
    return tuple(_statement(_about_its_role(one)) for one in _statements(text))


def _about_its_role(raw: object) -> object:
    if not isinstance(raw, dict):
        return raw
    if "Resource" in raw or "NotResource" in raw:
        raise MalformedPolicyError("the trust policy of a role names no Resource")
    return {**raw, "Resource": "*"}


def _about_its_bearer(raw: object) -> object:
    if not isinstance(raw, dict):
        return raw
    if "Principal" in raw or "NotPrincipal" in raw:
        raise MalformedPolicyError("the policy of an identity names no Principal")
    return {**raw, "Principal": "*"}


def _statements(text: str) -> list[object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedPolicyError(f"not JSON: {error}") from error
    if not isinstance(document, dict) or "Statement" not in document:
        raise MalformedPolicyError("there is no Statement")
    statements = document["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _statement(raw: object) -> Statement:
    if not isinstance(raw, dict):
        raise MalformedPolicyError("a statement is not an object")
    if raw.get("Effect") not in {"Allow", "Deny"}:
        raise MalformedPolicyError("Effect is neither Allow nor Deny")
    excluded: set[str] = set()
    return Statement(
        effect=raw["Effect"],
        principals=_principals(_either(raw, "Principal", excluded)),
        actions=tuple(action.lower() for action in _texts(_either(raw, "Action", excluded))),
        resources=_texts(_either(raw, "Resource", excluded)),
        conditions=tuple(_conditions(raw.get("Condition", {}))),
        excluded=frozenset(excluded),
    )


def _either(raw: dict[str, Any], part: str, excluded: set[str]) -> object:
    if part in raw:
        return raw[part]
    if f"Not{part}" not in raw:
        raise MalformedPolicyError(f"a statement has no {part}")
    excluded.add(part.lower())
    return raw[f"Not{part}"]


def _principals(raw: object) -> tuple[str, ...]:
    if isinstance(raw, dict):
        return tuple(one for value in raw.values() for one in _texts(value))
    return _texts(raw)


def _texts(raw: object) -> tuple[str, ...]:
    values = raw if isinstance(raw, list) else [raw]
    if not all(isinstance(one, (str, bool, int, float)) for one in values):
        raise MalformedPolicyError(f"{raw!r} is neither a value nor a list of values")
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in values)


def _conditions(raw: object) -> list[tuple[str, str, tuple[str, ...]]]:
    if not isinstance(raw, dict) or not all(isinstance(keys, dict) for keys in raw.values()):
        raise MalformedPolicyError("Condition is not an object of objects")
    found = [(operator, key.lower(), _texts(values)) for operator, keys in raw.items() for key, values in keys.items()]
    for operator, _, values in found:
        kind, _ = _operator(operator)
        if kind != "Null" and kind not in _COMPARISONS:
            raise MalformedPolicyError(f"the operator {operator} is not known")
        try:
            _holds(operator, values[0] if values else "0", values)
        except ValueError as error:
            raise MalformedPolicyError(f"{operator}: {error}") from error
    return found


def _is_principal(pattern: str, question: Question) -> bool:
    account = question.account_id
    root = f":iam::{account}:root"
    return pattern in {"*", account, question.principal_arn, question.role_arn} or (
        pattern.startswith("arn:") and pattern.endswith(root)
    )


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern.replace("[", "[[]")) for pattern in patterns)


def _value(key: str, question: Question) -> str | None:
    """What the request says under a condition key (lower case); None when it says nothing."""
    if key.startswith("glacier:resourcetag/"):
        wanted = key.partition("/")[2]
        return next((value for tag, value in question.tags.items() if tag.lower() == wanted), None)
    if key == "glacier:archiveageindays":
        return None if question.age_days is None else str(int(question.age_days))
    if key in question.context:
        return question.context[key]
    return {
        "aws:currenttime": dates.in_seconds(question.now),
        "aws:epochtime": str(int(question.now)),
        "aws:principalarn": question.role_arn or question.principal_arn,
        "aws:principalaccount": question.account_id,
        "aws:requestedregion": question.region,
    }.get(key)


def _date(text: str) -> float:
    moment = dates.read(text)
    return float(text) if moment is None else moment


def _like(value: str, pattern: str) -> bool:
    return _matches(value, (pattern,))


def _unlike(value: str, pattern: str) -> bool:
    return not _like(value, pattern)


def _same_folded(value: str, other: str) -> bool:
    return value.lower() == other.lower()


def _different_folded(value: str, other: str) -> bool:
    return value.lower() != other.lower()


_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "Equals": eq,
    "NotEquals": ne,
    "LessThan": lt,
    "LessThanEquals": le,
    "GreaterThan": gt,
    "GreaterThanEquals": ge,
}


def _reading(read: Callable[[str], float], compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda value, other: compare(read(value), read(other))


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "Bool": _same_folded,
    "StringEquals": eq,
    "StringNotEquals": ne,
    "StringEqualsIgnoreCase": _same_folded,
    "StringNotEqualsIgnoreCase": _different_folded,
    "StringLike": _like,
    "StringNotLike": _unlike,
    "ArnEquals": _like,
    "ArnLike": _like,
    "ArnNotEquals": _unlike,
    "ArnNotLike": _unlike,
    **{f"Numeric{name}": _reading(float, compare) for name, compare in _ORDERS.items()},
    **{f"Date{name}": _reading(_date, compare) for name, compare in _ORDERS.items()},
}


def _operator(name: str) -> tuple[str, bool]:
    """The operator without its suffix, and whether a missing key satisfies it."""
    kind = name.removesuffix("IfExists")
    return kind, kind != name or "Not" in kind


def _holds(operator: str, value: str | None, wanted: tuple[str, ...]) -> bool:
    kind, holds_without = _operator(operator)
    if kind == "Null":
        return any((value is None) is (one == "true") for one in wanted)
    if value is None:
        return holds_without
    outcomes = [_COMPARISONS[kind](value, one) for one in wanted]
    return all(outcomes) if "Not" in kind else any(outcomes)
