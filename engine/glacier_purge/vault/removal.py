"""Removes the vault itself, the last step and the only one that takes the account's way to Glacier with it.

Only a vault that is shown to be empty (``emptiness`` says by what) and that nothing holds when that is asked for: a tag
or a policy may be younger than the last delete by days.  The service has the last word: it refuses until it agrees
("Vault not empty or recently written to"), so it is asked again for up to three days, unless it shows that somebody
wrote.  An account without any vault may count as a new customer of a service closed to them, who can never
make another; the last vault therefore needs a word of its own.

``removal.jsonl`` in the run folder has a line for each time the service is asked, written before, and for each answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import anyio.to_thread
import msgspec
from anyio.lowlevel import checkpoint

from glacier_purge.errors import AuditDamaged, GivenUp, PlanRefused, ServiceRefused
from glacier_purge.glacier.control import ControlRefused, GlacierControl, Removal
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.glacier.reply import Meaning
from glacier_purge.glacier.waiting import Waiter, Waiting, outlasting
from glacier_purge.guard.clearance import look, tell_warnings
from glacier_purge.guard.findings import Weight
from glacier_purge.guard.vault import weighed_for_removal
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import DocumentUnreadable, decoded
from glacier_purge.storage.lines import append_line, read_lines
from glacier_purge.vault.emptiness import ProofOfEmptiness

REMOVAL_FILE = "removal.jsonl"
ASKED = "asked"
ANSWERED = "answered"
GIVEN_UP_AFTER = timedelta(days=3)
"""AWS's own guidance is 24 to 48 hours after the last write."""
_ASK_EVERY = timedelta(hours=1)


class RemovalLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of ``removal.jsonl``: ``event`` is "asked" or "answered"; ``at`` is UTC, ISO 8601."""

    at: str
    event: str
    by: str
    answer: str | None = None


class WrittenTo(ServiceRefused):
    """Somebody wrote to the vault after it was found to be empty. It was not removed."""


class VaultRemoval:
    """The removal of one vault, noted in ``place``. ``by`` is who confirmed it; ``even_the_last`` that the last vault
    may go too; ``keep_others_out`` returns when no other host changes anything at it."""

    def __init__(
        self,
        control: GlacierControl,
        place: Path,
        proof: ProofOfEmptiness,
        waiter: Waiter,
        *,
        by: str,
        even_the_last: bool = False,
        keep_others_out: Callable[[], Awaitable[None]] = checkpoint,
    ) -> None:
        self._control = control
        self._place = place
        self._proof = proof
        self._vault = proof.vault
        self._waiter = waiter
        self._by = by
        self._even_the_last = even_the_last
        self._keep_others_out = keep_others_out

    async def remove(self, confirmed_name: str) -> Removal:
        """Ask until the service lets the vault go; return its last answer (done, missing, or no longer supported).

        Raises ``PlanRefused`` when anything speaks against it or holds the vault (the service was not asked then),
        ``WrittenTo`` when the vault was written to since, ``GivenUp`` after three days, ``Pending`` as the waiter has
        it.
        """
        if confirmed_name != self._vault.name:
            raise PlanRefused(
                f"{confirmed_name!r} is not the name of this run's vault, {self._vault.name!r}. Nothing was sent."
            )
        empty_as_of = await anyio.to_thread.run_sync(self._proof.check)
        if not self._even_the_last:
            await self._check_not_the_last()
        answer = await self._ask(empty_as_of)
        while answer is Removal.NOT_YET:
            await self._wait(empty_as_of)
            answer = await outlasting(self._waiter, lambda: self._ask(empty_as_of))
        return answer

    async def _ask(self, empty_as_of: datetime | None) -> Removal:
        await self._check_nothing_stands_in_the_way(empty_as_of)
        await self._keep_others_out()
        self._note(ASKED)
        answer = await self._control.delete_vault()
        self._note(ANSWERED, answer)
        return answer

    async def _check_not_the_last(self) -> None:
        """Raise ``PlanRefused`` unless the account is seen to have another vault in the region."""
        try:
            async for vault in self._control.list_vaults():
                if vault.arn != self._vault.arn:
                    return
        except ControlRefused as refused:
            told = f"the account's vaults could not be listed ({refused})"
        else:
            told = f"it is the account's only vault in {self._vault.region}"
        raise PlanRefused(
            f"{self._vault.arn} is not removed: {told}. Amazon Glacier takes no new customers, and an account "
            "without vaults may count as one: it could never make another. To remove it all the same, add "
            "--even-the-last-vault. Nothing was sent."
        )

    async def _check_nothing_stands_in_the_way(self, empty_as_of: datetime | None) -> None:
        """Raise ``PlanRefused`` for a vault that something holds, ``WrittenTo`` for one that is not empty any more.

        What is gone has nothing to look at; the service says so when it is asked to remove it.
        """
        try:
            described = await self._control.describe_vault()
            found = await look(described, self._control)
        except ControlRefused as refused:
            if refused.reply.meaning in {Meaning.VAULT_MISSING, Meaning.NO_LONGER_SUPPORTED}:
                return
            raise
        self._check_not_written_to(described, empty_as_of)
        tell_warnings(found)
        holds = [finding for finding in weighed_for_removal(found.findings) if finding.weight is Weight.BLOCKING]
        if holds:
            told = "; ".join(f"{finding.subject}: {finding.what} ({finding.advice})" for finding in holds)
            raise PlanRefused(
                f"{self._vault.arn} is not removed as things are: {told}. The service was not asked to remove it. "
                "Once nothing holds it the same command does; without --delete-vault a lifecycle ends and keeps it."
            )

    def _check_not_written_to(self, described: VaultDescription, empty_as_of: datetime | None) -> None:
        if described.archives and (empty_as_of is None or (described.last_inventory or empty_as_of) > empty_as_of):
            when = "" if described.last_inventory is None else f" as of {described.last_inventory:%Y-%m-%dT%H:%M:%SZ}"
            raise WrittenTo(
                f"{self._vault.arn} holds {described.archives:,} archives{when}: somebody wrote to it after it was "
                "proven empty. Fetch a new inventory and look at them; the vault was not removed."
            )

    async def _wait(self, empty_as_of: datetime | None) -> None:
        if empty_as_of is None:
            raise WrittenTo(
                f"{self._vault.arn} has no inventory and is not empty or was recently written to, by the service's "
                "word. Its first inventory, a day after the first upload, will show what is in it; the vault was not "
                "removed."
            )
        now, since = self._waiter.now(), datetime.fromisoformat(read_removal(self._place)[0].at)
        if now >= since + GIVEN_UP_AFTER:
            raise GivenUp(
                f"{self._vault.arn} could not be removed in three days: the service still says that it is not "
                "empty or was recently written to. Verify again; if the vault is empty, ask AWS Support."
            )
        what = f"the service to let vault {self._vault.name} go (not empty or recently written to, by its last word)"
        await self._waiter.wait(Waiting(what=what, until=now + _ASK_EVERY))

    def _note(self, event: str, answer: Removal | None = None) -> None:
        at = f"{self._waiter.now():%Y-%m-%dT%H:%M:%SZ}"
        line = RemovalLine(at=at, event=event, by=self._by, answer=None if answer is None else answer.value)
        read_removal(self._place)  # nothing is written behind a line that was changed
        append_line(FolderFiles(self._place), REMOVAL_FILE, msgspec.json.encode(line))


def read_removal(folder: Path) -> list[RemovalLine]:
    """What was asked of the service and answered so far; a line that a crash tore is passed over.

    Raises ``AuditDamaged`` for a file that is not what was written.
    """
    file, lines, at_byte = folder / REMOVAL_FILE, list[RemovalLine](), 0
    try:
        content = read_lines(FolderFiles(folder), REMOVAL_FILE)
    except OSError as error:
        raise _damaged(file, f"it cannot be read: {error.strerror}") from error
    for number, line in enumerate(content):
        try:
            lines.append(decoded(line, RemovalLine))
        except DocumentUnreadable as error:
            raise _damaged(file, f"not a line of it ({error})", at_byte, number) from error
        at_byte += len(line)
    return lines


def _damaged(file: Path, why: str, offset_bytes: int = 0, line: int | None = None) -> AuditDamaged:
    return AuditDamaged(
        f"{why}. Restore the file, or move it aside, and give the same command again.",
        file=str(file),
        offset_bytes=offset_bytes,
        record=line,
    )
