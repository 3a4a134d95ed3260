"""What protects a vault from being purged: its lock, its access policy, its tags.

Asked by ``doctor`` and ``run`` long before the first delete, and again by whatever is about to send one.  A lock or a
policy that denies deletes is enforced by the service; a tag that asks for the vault to be kept binds only those who
look.

The three are read whole or not at all: what the service answers is itself, "there is none" or "not allowed", and
anything else is no answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from glacier_purge.archive import Vault
from glacier_purge.errors import PlanRefused
from glacier_purge.glacier.control import ControlRefused, VaultLock
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.guard import vault as vault_findings
from glacier_purge.guard.findings import Finding, Weight
from glacier_purge.guard.policy import Denial, PolicyUnreadable, rules_against_deleting

_T = TypeVar("_T")


class Guarded(Protocol):
    """The part of ``GlacierControl`` that tells of protection."""

    async def vault_lock(self) -> VaultLock | None:
        """Ask for the vault's lock."""

    async def access_policy(self) -> str | None:
        """Ask for the vault's access policy, as JSON text."""

    async def tags(self) -> Mapping[str, str]:
        """Ask for the vault's tags."""


class Asking:
    """Asks the service, one thing after another. Keeps a refusal for which ``is_bearable`` holds, and raises others."""

    def __init__(self, is_bearable: Callable[[ControlRefused], bool]) -> None:
        self._is_bearable = is_bearable
        self.refused: dict[str, str] = {}
        """Operations that were refused, each with the service's error code."""

    async def __call__(self, operation: str, ask: Callable[[], Awaitable[_T]]) -> _T | None:
        """Give the answer; None when it was refused. Raises what ``GlacierControl`` raises otherwise."""
        try:
            return await ask()
        except ControlRefused as refusal:
            if not self._is_bearable(refusal):
                raise
            self.refused[operation] = refusal.reply.code or refusal.reply.meaning.value
            return None


class Asks(Protocol):
    """Who asks one thing after another, and keeps what could not be had."""

    @property
    def refused(self) -> Collection[str]:
        """The operations without an answer."""

    async def __call__(self, operation: str, ask: Callable[[], Awaitable[_T]]) -> _T | None:
        """Give the answer; None when there is none to be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """A vault's lock, access policy and tags. None: there is none, or it is ``unread``, which are operations."""

    lock: VaultLock | None
    policy: str | None
    tags: Mapping[str, str] | None
    unread: frozenset[str]

    def findings(self, described: VaultDescription) -> list[Finding]:
        """What lock, access policy and tags say; nothing of those that could not be read."""
        found: list[Finding] = []
        for operation, kind, text in (
            ("GetVaultLock", "lock", None if self.lock is None else self.lock.policy),
            ("GetVaultAccessPolicy", "access policy", self.policy),
        ):
            if operation not in self.unread:
                found += vault_findings.judge_policy(kind, text, self.tags, described)
        if self.tags is not None:
            found.append(vault_findings.judge_tags(self.tags))
        return found

    def held(self, described: VaultDescription, now: datetime) -> Held:
        """What forbids deleting all of it now, and what a part of it, as far as that can be judged from here."""
        blocking = [one for one in self.findings(described) if one.weight is Weight.BLOCKING]
        whole = [f"{one.subject}: {one.what}" for one in blocking]
        part = list[str]()
        for operation, kind, text in (
            ("GetVaultLock", "lock", None if self.lock is None else self.lock.policy),
            ("GetVaultAccessPolicy", "access policy", self.policy),
        ):
            if text is None or operation in self.unread:
                continue
            with suppress(PolicyUnreadable):  # which is blocking
                for rule in rules_against_deleting(text, self.tags):
                    if rule.denial is Denial.YOUNG and rule.days is not None:
                        oldest = None if described.created is None else rule.deletable_from(described.created)
                        is_all = described.created is not None and (oldest is None or oldest > now)
                        said = f"vault {kind}: {rule.sid} denies deleting archives younger than {rule.days:,.0f} days"
                        (whole if is_all else part).append(said)
        return Held(whole=tuple(whole), part=tuple(part))


class Held(NamedTuple):
    """Why nothing of a vault can be deleted now, and why some of it cannot."""

    whole: tuple[str, ...]
    part: tuple[str, ...]


async def protection(control: Guarded, asking: Asks) -> Protection:
    """Ask for all three."""
    tags = await asking("ListTagsForVault", control.tags)
    lock = await asking("GetVaultLock", control.vault_lock)
    policy = await asking("GetVaultAccessPolicy", control.access_policy)
    return Protection(lock=lock, policy=policy, tags=tags, unread=frozenset(asking.refused))


def check_clear(vault: Vault, findings: Sequence[Finding]) -> None:
    """Raise ``PlanRefused`` when something that was found stands in the way."""
    blocking = [finding for finding in findings if finding.weight is Weight.BLOCKING]
    if blocking:
        told = "; ".join(f"{finding.subject}: {finding.what} ({finding.advice})" for finding in blocking)
        raise PlanRefused(f"{vault.arn} can't be purged as things are: {told}. Nothing was sent.")
