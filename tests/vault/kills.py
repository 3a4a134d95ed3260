"""Processes that freeze and thaw a vault, killed at any point of it, while the owner has other policies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from glacier_purge.guard.upload_denial import denial, sid_for, with_statement
from glacier_purge.lifecycle.phases import SETTLED, Event, Phase
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.storage.folder import RunFolder
from glacier_purge.vault.freeze import freeze, thaw
from tests.clients import VAULT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import pytest

    from glacier_purge.glacier.control import GlacierControl

THEIRS = """{
  "Version": "2012-10-17",
  "Statement": {"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteVault", "Resource": "*"}
}"""
ANOTHERS = with_statement(THEIRS, denial(sid_for(b"another lifecycle"), VAULT.arn))


def a_lifecycle(path: Path, begun: str = "2026-11-30T12:00:00Z") -> RunFolder:
    """The folder of a lifecycle that is about to freeze."""
    folder = RunFolder.create(path)
    folder.write_once("terms.json", json.dumps({"vault_arn": VAULT.arn, "begun": begun}).encode())
    return folder


class Between:
    """A client with something between it and the service."""

    def __init__(self, client: GlacierControl, **instead: Callable[..., Awaitable[Any]]) -> None:
        self._client = client
        self._instead = instead
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in self._instead:
            return self._instead[name]
        self.called.append(name)
        return getattr(self._client, name)


class KilledError(Exception):
    """What a kill -9 is in one process."""


class Fate:
    """Kills at the ``at``-th thing that is asked or written, counted before and after each; then never again."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.passed = 0

    def point(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise KilledError

    def mortal(self, client: GlacierControl) -> Any:
        def dying(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def once(*arguments: object) -> Any:
                self.point()
                answer = await call(*arguments)
                self.point()
                return answer

            return once

        asked = ("access_policy", "set_access_policy", "delete_access_policy")
        return Between(client, **{name: dying(getattr(client, name)) for name in asked})


NEXT = {
    Phase.PREFLIGHT: Event.CLEAR,
    Phase.INVENTORY: Event.FETCHED,
    Phase.PLAN: Event.PLANNED,
    Phase.APPROVAL: Event.APPROVED,
    Phase.FREEZE: Event.FROZEN,
    Phase.PURGE: Event.ACCOUNTED,
    Phase.VERIFY: Event.PROVEN,
    Phase.DELETE_VAULT: Event.KEPT,
    Phase.THAW: Event.THAWED,
}


SETTLES = {name: "0" * 64 for names in SETTLED.values() for name in names}
"""What steps name of other files, which are nobody's concern here."""


async def live(client: Any, place: Path) -> None:
    """One process's part of a lifecycle, as far as the policy is concerned: to the end, from where the folder says."""
    folder = RunFolder.open(place)
    lifecycle = LifecycleFile(place, lambda: datetime(2026, 11, 30, tzinfo=UTC))
    while lifecycle.phase is not Phase.DONE:
        if lifecycle.phase is Phase.FREEZE:
            await freeze(client, folder)
        if lifecycle.phase is Phase.THAW:
            await thaw(client, folder)
        lifecycle.advance(NEXT[lifecycle.phase], **SETTLES)


async def nothing(client: GlacierControl) -> None:
    del client


async def edits(client: GlacierControl) -> None:
    current = json.loads(await client.access_policy() or '{"Statement": []}')
    found = current["Statement"]
    statements = found if isinstance(found, list) else [found]
    mine = {"Sid": "b", "Effect": "Deny", "Principal": "*", "Action": "glacier:AddTagsToVault", "Resource": "*"}
    if mine not in statements:
        await client.set_access_policy(json.dumps(current | {"Statement": [*statements, mine]}))


async def takes_away(client: GlacierControl) -> None:
    await client.delete_access_policy()


async def replaces(client: GlacierControl) -> None:
    await client.set_access_policy(THEIRS.replace('"a"', '"of another day"'))


def kill_at_writes(patched: pytest.MonkeyPatch, fate: Fate) -> None:
    """Make the writing of each file of the lifecycle, before and after, a point to be killed at."""
    replace, advance = RunFolder.replace, LifecycleFile.advance

    def replacing(folder: RunFolder, name: str, content: bytes) -> None:
        fate.point()
        replace(folder, name, content)
        fate.point()

    def advancing(lifecycle: LifecycleFile, event: Event, **facts: Any) -> None:
        fate.point()
        advance(lifecycle, event, **facts)
        fate.point()

    patched.setattr(RunFolder, "replace", replacing)
    patched.setattr(LifecycleFile, "advance", advancing)
