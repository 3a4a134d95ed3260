"""Signatures first; the body follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from glacier_purge.audit.disk import Disk
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.audit.record import Outcome


class Journal:
    """The append-only audit log of one run, for its one writing process."""

    ledger: Ledger
    epoch: int
    pending: int
    """Outcomes and notes not yet durable."""
    pacer_state: dict[str, Any] | None
    """What the last checkpoint kept for the pacer."""
    anchor: str
    """``SEQ:HASH`` of the last durable line: worth keeping outside of the run folder."""

    @classmethod
    async def open(
        cls,
        disk: Disk,
        *,
        run: str,
        plan_digest: str,
        records: int,
        wall_clock: Callable[[], float],
        commit_seconds: float = 0.1,
        commit_records: int = 256,
        segment_records: int = 1_000_000,
    ) -> Journal:
        """Repair a torn tail, replay, and make ready to append. Raises ``AuditDamaged`` and ``DiskFailed``."""
        raise NotImplementedError

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes for the next commit. Raises ``ValueError`` for a second outcome of one record."""
        raise NotImplementedError

    def note(self, event: str, /, **facts: Any) -> None:
        """Take an event for the next commit."""
        raise NotImplementedError

    async def room(self) -> None:
        """Wait while too much is not yet durable. Raises ``DiskFailed`` once the disk has failed."""
        raise NotImplementedError

    async def durable(self) -> None:
        """Return when everything taken so far is on disk. Raises ``DiskFailed`` when it never will be."""
        raise NotImplementedError

    async def run(self) -> None:
        """Commit until closed and all is durable. Raises ``DiskFailed`` at the first failed write or fsync."""
        raise NotImplementedError

    async def checkpoint(self, pacer: dict[str, Any]) -> None:
        """Write a checkpoint of what is durable now."""
        raise NotImplementedError

    def close(self) -> None:
        """Ask ``run`` to end once all is durable (sync; ``aclose`` waits for it and closes the files)."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Commit what is left if ``run`` has not failed, end ``run``, close the files."""
        raise NotImplementedError


def replay(folder: Path) -> Ledger:
    """Read a run's log, tolerate a torn tail, repair nothing, need no lock: for ``status`` (module ``replay``)."""
    raise NotImplementedError
