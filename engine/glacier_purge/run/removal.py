"""Removes the vault itself, the last step and the only one that takes the account's door with it.

Only after full accounting (I19): the run is finished, nothing failed, and the certificate's inventory lists nothing at
all.  The service refuses until it agrees ("Vault not empty or recently written to"), so it is asked again for up to
three days.  An account without any vault may count as a new customer of a service closed to them, who can never make
another; the last vault therefore needs a word of its own.

``removal.jsonl`` in the run folder has a line for each time the service is asked, written before, and for each answer.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec

from glacier_purge.audit.recovery import replay
from glacier_purge.errors import PlanRefused, RunStopped, ServiceRefused
from glacier_purge.json_document import DocumentUnreadable, decoded
from glacier_purge.run.certificate import read_certificate
from glacier_purge.run.soundness import sound_ledger
from glacier_purge.service.control import ControlRefused, Removal
from glacier_purge.waiting import Waiting, outlasting

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.certificate import Certificate
    from glacier_purge.run.folder import RunFolder
    from glacier_purge.service.control import GlacierControl
    from glacier_purge.waiting import Patience

REMOVAL_FILE = "removal.jsonl"
ASKED = "asked"
ANSWERED = "answered"
GIVEN_UP_AFTER = timedelta(days=3)
"""AWS's own guidance is 24 to 48 hours after the last write."""
_ASK_EVERY = timedelta(hours=1)


class WrittenTo(ServiceRefused):
    """Somebody wrote to the vault after it was proven empty. It was not removed."""


class RemovalLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of ``removal.jsonl``: ``event`` is "asked" or "answered"; ``at`` is UTC, ISO 8601."""

    at: str
    event: str
    by: str
    answer: str | None = None


def why_not(plan: Plan, ledger: Ledger, certificate: Certificate | None) -> list[str]:
    """Everything that speaks against removing the vault of a run; empty when nothing does."""
    reasons = []
    accounted = sum(ledger.counts.values())
    if ledger.finished is None or accounted != plan.counts.inventory:
        part = f"{accounted:,} of {plan.counts.inventory:,} records are accounted for"
        reasons.append(f"the run is not finished: {part} (go on with apply)")
    if ledger.counts.get("failed"):
        reasons.append(f"{ledger.counts['failed']:,} archives failed")
    if certificate is None:
        reasons.append("there is no certificate: run glacier-purge verify first")
        return reasons
    if certificate.plan_digest != plan.digest or certificate.vault_arn != plan.vault.arn:
        reasons.append("the certificate is of another run (verify this one again)")
    if not certificate.found.vault_is_empty:
        listed = f"the certificate's inventory lists {certificate.found.listed:,} archives"
        reasons.append(f"{listed} (plan and apply once more, from a new inventory, and remove by that)")
    return reasons


class VaultRemoval:
    """The removal of one run's vault. ``by`` is who confirmed it; ``even_the_last`` that the last vault may go too."""

    def __init__(
        self,
        control: GlacierControl,
        folder: RunFolder,
        plan: Plan,
        patience: Patience,
        *,
        by: str,
        even_the_last: bool = False,
    ) -> None:
        self._control = control
        self._folder = folder
        self._plan = plan
        self._patience = patience
        self._by = by
        self._even_the_last = even_the_last

    async def remove(self, confirmed_name: str) -> Removal:
        """Ask until the service lets the vault go; return its last answer (done, missing, or no longer supported).

        Raises ``PlanRefused`` when anything speaks against it (nothing was sent), ``WrittenTo`` when the vault was
        written to since, ``RunStopped`` after three days, and ``Pending`` as the patience has it.
        """
        certificate = await anyio.to_thread.run_sync(self._accounted, confirmed_name)
        if not self._even_the_last:
            await self._check_not_the_last()
        answer = await self._ask()
        while answer is Removal.NOT_YET:
            await self._check_not_written_to(certificate)
            await self._wait()
            answer = await outlasting(self._patience, self._ask)
        return answer

    async def _ask(self) -> Removal:
        self._note(ASKED)
        answer = await self._control.delete_vault()
        self._note(ANSWERED, answer)
        return answer

    def _accounted(self, confirmed_name: str) -> Certificate:
        if confirmed_name != self._plan.vault_name:
            raise PlanRefused(
                f"{confirmed_name!r} is not the name of this run's vault, {self._plan.vault_name!r}. Nothing was sent."
            )
        certificate = read_certificate(self._folder)
        reasons = why_not(self._plan, replay(self._folder.path), certificate)
        if certificate is None or reasons:
            raise PlanRefused(f"{self._plan.vault.arn} is not removed: {'; '.join(reasons)}. Nothing was sent.")
        _, anchor = sound_ledger(self._folder.path, self._plan)
        if anchor != certificate.audit_anchor:
            raise PlanRefused(
                f"{self._plan.vault.arn} is not removed: the audit log is not the one that the certificate rests on. "
                "Verify again. Nothing was sent."
            )
        return certificate

    async def _check_not_the_last(self) -> None:
        """Raise ``PlanRefused`` unless the account is seen to have another vault in the region."""
        try:
            async for vault in self._control.list_vaults():
                if vault.arn != self._plan.vault.arn:
                    return
        except ControlRefused as refused:
            told = f"the account's vaults could not be listed ({refused})"
        else:
            told = f"it is the account's only vault in {self._plan.region}"
        raise PlanRefused(
            f"{self._plan.vault.arn} is not removed: {told}. Amazon Glacier takes no new customers, and an account "
            "without vaults may count as one: it could never make another. To remove it all the same, add "
            "--even-the-last-vault. Nothing was sent."
        )

    async def _check_not_written_to(self, certificate: Certificate) -> None:
        described = await self._control.describe_vault()
        proven = datetime.fromisoformat(certificate.inventory_date)
        if described.last_inventory is not None and described.last_inventory > proven and described.archives:
            raise WrittenTo(
                f"{self._plan.vault.arn} holds {described.archives:,} archives as of "
                f"{described.last_inventory:%Y-%m-%dT%H:%M:%SZ}: somebody wrote to it after it was proven empty. "
                "Fetch a new inventory and look at them; the vault was not removed."
            )

    async def _wait(self) -> None:
        now, since = self._patience.now(), datetime.fromisoformat(read_removal(self._folder.path)[0].at)
        if now >= since + GIVEN_UP_AFTER:
            raise RunStopped(
                f"{self._plan.vault.arn} could not be removed in three days: the service still says that it is not "
                "empty or was recently written to. Verify again; if the vault is empty, ask AWS Support."
            )
        what = (
            f"the service to let vault {self._plan.vault_name} go (not empty or recently written to, by its last word)"
        )
        await self._patience.wait(Waiting(what=what, until=now + _ASK_EVERY))

    def _note(self, event: str, answer: Removal | None = None) -> None:
        at = f"{self._patience.now():%Y-%m-%dT%H:%M:%SZ}"
        line = RemovalLine(at=at, event=event, by=self._by, answer=None if answer is None else answer.value)
        file = self._folder.path / REMOVAL_FILE
        read_removal(self._folder.path)  # cuts off what a crash left of a line
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "ab") as target:
            target.write(msgspec.json.encode(line) + b"\n")
            target.flush()
            os.fsync(target.fileno())


def read_removal(folder: Path) -> list[RemovalLine]:
    """What was asked of the service and answered so far; a line that a crash tore is cut off.

    Raises ``PlanRefused`` for a file that is not what was written.
    """
    file = folder / REMOVAL_FILE
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return []
    whole, _, torn = content.rpartition(b"\n")
    if torn:
        os.truncate(file, len(content) - len(torn))
    try:
        return [decoded(line, RemovalLine) for line in whole.splitlines()]
    except DocumentUnreadable as error:
        raise PlanRefused(f"{file} cannot be read ({error}). Move it aside; nothing was sent.") from error
