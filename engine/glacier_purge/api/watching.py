"""Looking at a run, a lifecycle or a fleet while it goes on: the live page, the metrics, and the report at its end.

A run of this very process is asked; of another one's the log is followed and its process asked how it goes.  Nothing is
read while nobody looks.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import structlog

from glacier_purge.api.purging import at_work_here
from glacier_purge.api.reporting import reported
from glacier_purge.archive import Vault
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.recovery import FollowedLog
from glacier_purge.clock import utc_now
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.fleet.roster import settled_roster
from glacier_purge.lifecycle.state import is_lifecycle, read_state
from glacier_purge.plan.document import read_plan
from glacier_purge.report.lifecycle_view import LifecycleView, of_lifecycle, told_of
from glacier_purge.report.snapshot import Told, of_run, of_unreadable, sent_by
from glacier_purge.storage.documents import DocumentUnreadable, encoded, read_document
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from glacier_purge.page.door import Place
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.snapshot import Snapshot
    from glacier_purge.settings import Settings

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

PAGE_FILE = "page.json"
"""Where the page of this folder is, with the secret in its address: so that it is there again after a restart."""
_FRESH_SECONDS = 0.5
"""However many look, the files are looked at no oftener than this."""
_TEXTFILE_SECONDS = 15.0


class Looking:
    """Snapshots of what a folder holds, a fleet's one by one."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._followed: dict[Path, FollowedLog] = {}
        self._last: Sequence[Snapshot] = ()
        self._last_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def look(self) -> Sequence[Snapshot]:
        """How everything stands now. What can't be read is told in its place; what was not begun is left out."""
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            if loop.time() - self._last_at >= _FRESH_SECONDS:
                tried = [await self._tried(place, vault) for place, vault in self._places()]
                self._last = [one for one in tried if one is not None]
                self._last_at = loop.time()
            return self._last

    def log_head(self, folder: str) -> str | None:
        """The hash that the log of the run in ``folder`` ended with when it was last looked at."""
        followed = self._followed.get(Path(folder))
        return None if followed is None else followed.head

    def _places(self) -> list[tuple[RunFolder, Vault | None]]:
        """Folders, and the vaults they are of where that is known without looking into them."""
        roster = settled_roster(self._folder)
        if roster is None:
            return [(self._folder, None)]
        vaults = [Vault.from_arn(one.vault_arn) for one in roster.vaults]
        places = [(RunFolder(self._folder.path / folder_name(vault)), vault) for vault in vaults]
        return [(place, vault) for place, vault in places if place.path.exists()]

    async def _tried(self, place: RunFolder, vault: Vault | None) -> Snapshot | None:
        try:
            return await (self._lifecycle(place) if is_lifecycle(place.path) else self._run(place))
        except (GlacierPurgeError, OSError) as fault:
            return of_unreadable(place.path.resolve().name, str(place.path), str(fault), utc_now(), vault)

    async def _run(self, place: RunFolder) -> Snapshot | None:
        if not place.plan_file.exists():
            return None
        plan = await anyio.to_thread.run_sync(read_plan, place.plan_file)
        ledger, told = await self._sent(place, plan, Told.asked)
        return of_run(str(place.path), plan, ledger, told, utc_now())

    async def _lifecycle(self, place: RunFolder) -> Snapshot | None:
        standing = await anyio.to_thread.run_sync(read_state, place)
        sent = None
        if standing.planned is not None:
            run, plan = standing.planned
            ledger, told = await self._sent(run, plan, partial(told_of, standing))
            sent = sent_by(str(run.path), plan, ledger, told)
        return of_lifecycle(LifecycleView(folder=place, standing=standing, sent=sent), utc_now())

    async def _sent(self, place: RunFolder, plan: Plan, asked: Callable[[RunFolder], Told]) -> tuple[Ledger, Told]:
        run = at_work_here(place.path)
        if run is not None and run.ledger is not None:
            return run.ledger, Told(True, run.telemetry())
        return await anyio.to_thread.run_sync(self._followed_by, place, plan, asked)

    def _followed_by(self, place: RunFolder, plan: Plan, asked: Callable[[RunFolder], Told]) -> tuple[Ledger, Told]:
        told = asked(place)  # before the log is read, or one that ends between the two would seem not to have ended
        followed = self._followed.setdefault(place.path, FollowedLog(place.path, plan.digest))
        return followed.look() or Ledger(plan.counts.inventory), told


@asynccontextmanager
async def shown(folder: RunFolder, settings: Settings, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Show what goes on in the context as the settings have it, and write the report when it is over.

    ``say`` is told where the page is.  Raises ``UsageError`` for a place that can't be taken.
    """
    async with AsyncExitStack() as opened:
        looking = Looking(folder)
        if settings.report.live_page is not None:
            wanted = _place(folder, settings.report.live_page)
            place = await opened.enter_async_context(page_open(looking, folder, wanted))
            folder.replace(PAGE_FILE, encoded(place))
            say(f"the live page is at {place.address}")
        if settings.report.metrics_textfile is not None:
            await opened.enter_async_context(_textfile_written(looking, Path(settings.report.metrics_textfile)))
        await opened.enter_async_context(reported(folder, settings))
        yield


def _place(folder: RunFolder, wanted: str) -> Place:
    from glacier_purge.page.door import Place, place  # noqa: PLC0415 - only those who want a page pay for it

    kept = None
    with suppress(DocumentUnreadable):
        kept = read_document(folder.path / PAGE_FILE, Place)
    return place("" if wanted == "any" else wanted, kept)


@asynccontextmanager
async def page_open(looking: Looking, folder: RunFolder, where: Place) -> AsyncIterator[Place]:
    """Open the live page of what ``looking`` sees; gives where it is. Raises ``UsageError``."""
    from glacier_purge.page.door import Shown, open_door  # noqa: PLC0415 - only those who want a page pay for it
    from glacier_purge.page.metrics import exposition  # noqa: PLC0415
    from glacier_purge.report.html.live_page import live_page, news_of  # noqa: PLC0415

    async def page() -> tuple[str, str]:
        return live_page(await looking.look(), str(folder.path))

    async def news(with_chart: bool) -> dict[str, object]:
        return news_of(await looking.look(), with_chart=with_chart)

    async def metrics() -> bytes:
        return exposition(await looking.look())

    async with open_door(where, Shown(page=page, news=news, metrics=metrics)) as found:
        yield found


@asynccontextmanager
async def _textfile_written(looking: Looking, file: Path) -> AsyncIterator[None]:
    """Write metrics into a file now and then, and once more at the end; one that can't be written is told once."""
    told: set[str] = set()

    async def write() -> None:
        from glacier_purge.page.metrics import exposition  # noqa: PLC0415 - only those who want metrics pay for it

        try:
            content = exposition(await looking.look())
            await anyio.to_thread.run_sync(_replace, file, content)
        except OSError as fault:
            if str(fault) not in told:
                told.add(str(fault))
                _log.warning("metrics.not_written", file=str(file), why=str(fault))

    async def go_on() -> None:
        while True:
            await write()
            await asyncio.sleep(_TEXTFILE_SECONDS)

    writing = asyncio.create_task(go_on())
    try:
        yield
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        with anyio.CancelScope(shield=True):
            await write()


def _replace(file: Path, content: bytes) -> None:
    """Put a file in another's place at once, to be read by whoever collects it."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.chmod(0o644)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
