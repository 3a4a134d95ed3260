"""What happens to the work in one folder, told to hooks: once each, also over restarts.

Whoever opens the work makes one ``News`` of it while it holds the folder, and everything goes through that: an approval
that nobody gives, a hold, a long wait, and how it ended.  What the process before said and this one would say again is
not said again: a clock that starts a lifecycle every ten minutes tells of one approval once.  That is kept in
``told.json``, with which hook took what; a hook that did not take something is told once more by the next process.

Nothing here stops or slows the work.  At its end the last events are given some seconds to get out.
"""

from __future__ import annotations

import shlex
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
import msgspec

from glacier_purge.api.purging import alone_with
from glacier_purge.api.telling import approving
from glacier_purge.clock import utc_now
from glacier_purge.deletion.pauses import Side
from glacier_purge.errors import ApprovalWanted as NobodyApproved
from glacier_purge.errors import (
    Needs,
    NobodyToAsk,
    RunStopped,
    each_error,
    first_sentence,
    one_error,
)
from glacier_purge.fleet.fleet import Ending, State
from glacier_purge.happenings import Happening
from glacier_purge.hooks.event import cloud_event
from glacier_purge.hooks.told import Said, Told, keep_told, read_told
from glacier_purge.report.results.happened import (
    ApprovalWanted,
    Failed,
    Finished,
    Happened,
    Held,
    Stopped,
    VaultDeleted,
    WaitingLong,
)
from glacier_purge.run.host import who
from glacier_purge.run.windows import in_words
from glacier_purge.text import size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from glacier_purge.api.telling import Telling
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.glacier.waiting import Waiter, Waiting
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.storage.folder import RunFolder

UNANSWERED_SECONDS = 60.0
"""Who sits at the terminal says yes or no within that; after it, hooks are told that an approval is wanted."""
SOMEBODY_SECONDS = 900.0
"""A wait that only a person ends is told after so long at most."""
LAST_WORDS_SECONDS = 10.0
"""What the end of a process waits for the last events to get out."""
_LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where a lifecycle is; nowhere, where it is a run by itself."""

    phase: str | None = None
    round: int | None = None


class News:
    """The news of one vault's work in one folder. ``now`` is the time of whoever waits for it; ``telling`` None tells
    nobody. ``again`` is the command that goes on, where the process's own is not known."""

    def __init__(
        self, folder: RunFolder, vault: str, telling: Telling | None, *, now: Callable[[], datetime], again: str
    ) -> None:
        self._folder = folder
        self._vault = vault
        self._telling = telling
        self._now = now
        self._again = again
        self._before = read_told(folder.path) if telling is not None else Told()
        self._said: dict[str, Said] = {}
        self._waits: dict[str, datetime] = {}
        self._under_way: set[tuple[str, str]] = set()
        self._all_out = anyio.Event()
        self._run: PurgeRun | None = None
        self._plan: Plan | None = None
        self.vault_arn: str | None = None
        self.endpoint_url: str | None = None
        self.stand: Callable[[], Stand] = Stand

    @property
    def vault(self) -> str:
        """The vault's name; of a fleet as a whole, that of its folder."""
        return self._vault

    @property
    def is_told(self) -> bool:
        """Whether anybody is told."""
        return self._telling is not None

    def about(self, plan: Plan) -> None:
        """Know the plan that is carried out."""
        self._plan, self.vault_arn, self.endpoint_url = plan, plan.vault.arn, plan.endpoint_url

    # -- what is told -------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def asking(self, plan: Plan, place: Path) -> AsyncIterator[None]:
        """Tell that an approval is wanted, where nobody gives it in the context, or nobody does soon."""
        self._plan = plan
        if not self.is_told:
            yield
            return
        with one_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._while_nobody_answers, plan, place)
                try:
                    yield
                except NobodyApproved as nobody:
                    self.approval_wanted(plan, place, nobody.needed, nobody.approved_by)
                    self._wait("approval", first_sentence(nobody.what), None, Needs.APPROVAL)
                    raise
                finally:
                    tasks.cancel_scope.cancel()

    def approval_wanted(self, plan: Plan, place: Path, needed: int = 0, approved_by: Sequence[str] = ()) -> None:
        """Tell that a plan waits for somebody's yes; of several who have to sign, anew whenever one did."""
        self._plan, counts = plan, plan.counts
        whose, then, folder = "somebody's approval", self._command(plan.digest), shlex.quote(str(place.absolute()))
        if needed:
            whose = f"approvals, of which {len(approved_by)} of {needed} are there"
            then = f"glacier-purge approve {folder} --key FILE --who NAME"
        self._tell(
            ApprovalWanted,
            " ".join([plan.digest, *approved_by]),
            f"A plan for {plan.vault_name} waits for {whose}: {counts.selected:,} archives "
            f"({size(plan.selected_bytes)}) would be deleted for ever. glacier-purge show {folder} prints it.",
            then=then,
            bytes=plan.selected_bytes,
            kept=counts.inventory - counts.selected,
            approvals_needed=needed,
            approved_by=list(approved_by),
        )

    def held(self, since: str, found: str) -> None:
        """Tell that something holds the run that was set meanwhile."""
        self._tell(
            Held,
            f"{since} {found}",
            f"The purge of {self._vault} is held since {since}: {found}. It goes on by itself when nothing holds it.",
            then=f"glacier-purge status {shlex.quote(str(self._folder.path.absolute()))}",
            since=since,
            found=found,
        )

    def vault_deleted(self, answer: str) -> None:
        """Tell that the vault is no more."""
        self._tell(VaultDeleted, "", f"The vault {self._vault} was removed.", then=None, answer=answer)

    def finished(
        self,
        message: str,
        *,
        exit_code: int = 0,
        certificate: str | None = None,
        kept: int | None = None,
        kept_gone: int | None = None,
        vault_deleted: bool = False,
        then: str | None = None,
    ) -> None:
        """Tell that the work is done, and how it came out."""
        self._tell(
            Finished,
            certificate or "",
            message,
            then=then,
            exit_code=exit_code,
            certificate=certificate,
            kept=kept,
            kept_gone=kept_gone,
            vault_deleted=vault_deleted,
        )

    def stopped(self, why: str, exit_code: int) -> None:
        """Tell that the process ended before its end, and the same command goes on."""
        deleted = self._counts()["deleted"]
        message = f"The work on {self._vault} stopped before its end: {why}"
        self._tell(Stopped, f"{deleted}", message, then=self._command(), exit_code=exit_code)

    def carried_out(self, ledger: Ledger, stopped_as: type[RunStopped] | None = None) -> None:
        """Tell how a run that is carried out by itself came out."""
        if ledger.finished is None:
            why = ledger.stop_reason or "its log does not say why"
            self.stopped(f"{why}.", (stopped_as or RunStopped).exit_code)
            return
        counts, place = ledger.counts, shlex.quote(str(self._folder.path.absolute()))
        failed = f", {counts['failed']:,} failed" if counts["failed"] else ""
        self.finished(
            f"The purge of {self._vault} is done: {counts['deleted']:,} archives deleted{failed}.",
            exit_code=1 if failed else 0,
            kept=counts["skipped"],
            then=f"glacier-purge verify {place}",
        )

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Tell what ends the work in the context before its end."""
        try:
            yield
        except NobodyToAsk:  # of which is told that an approval is wanted
            raise
        except Exception as error:
            self._ended(Ending.by(error), type(next(each_error(error))).__name__)
            raise
        except BaseException:  # cancelled
            self.stopped("it was told to stop.", RunStopped.exit_code)
            raise

    def waiting(self, waiter: Waiter) -> Waiter:
        """A waiter that waits as ``waiter`` does, and tells when that takes long."""
        return _Noticing(waiter, self) if self.is_told else waiter

    @asynccontextmanager
    async def watching(self, run: PurgeRun, plan: Plan) -> AsyncIterator[None]:
        """While a run is carried out in the context, tell of a pause in it that lasts long."""
        self._run, self._plan = run, plan
        if not self.is_told:
            yield
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, run)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def waits(self, waiting: Waiting) -> None:
        """Note what is waited for; tell it when that takes long."""
        self._wait(waiting.needs.value, waiting.what, waiting.until, waiting.needs)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _ended(self, ending: Ending, kind: str) -> None:
        match ending.state:
            case State.STOPPED:
                self.stopped(ending.message, ending.exit_code)
            case State.FAILED:
                message = f"The work on {self._vault} ended, and somebody has to look: {ending.message}"
                facts = {"exit_code": ending.exit_code, "needs": ending.needs}
                self._tell(Failed, f"{kind} {ending.exit_code}", message, then=self._command(), **facts)

    async def _while_nobody_answers(self, plan: Plan, place: Path) -> None:
        await anyio.sleep(UNANSWERED_SECONDS)
        self.approval_wanted(plan, place)
        while True:
            self._wait("approval", f"somebody's approval of the plan in {place}", None, Needs.APPROVAL)
            await anyio.sleep(UNANSWERED_SECONDS)

    async def _watch(self, run: PurgeRun) -> None:
        while True:
            await anyio.sleep(_LOOK_SECONDS)
            moment = run.telemetry()
            sides = set(moment.get("paused_by") or []) - {Side.WINDOW.value}  # type: ignore[call-overload]  # names
            needs = Needs.CREDENTIALS if Side.CREDENTIALS.value in sides else Needs.OPERATOR
            needs = Needs.TIME if sides == {Side.REPLICA.value} else needs
            self._waits = {key: since for key, since in self._waits.items() if key.split()[-1] in sides}
            for side in sides:
                self._wait(side, str(moment["why"]), None, needs)

    def _wait(self, kind: str, what: str, until: datetime | None, needs: Needs) -> None:
        """Note the wait, as one that goes on from the process before where it did; tell it when its time has come."""
        if self._telling is None:
            return
        stand, now = self.stand(), self._now()
        key = f"{stand.phase} {stand.round} {kind}"
        if needs is Needs.TIME:  # then nobody is waited for any more
            self._waits = {other: since for other, since in self._waits.items() if other.endswith(Needs.TIME.value)}
        if key not in self._waits:
            self._waits[key] = self._before.waits.get(key, now)
            self._keep()
        since = self._waits[key]
        waited, long = (now - since).total_seconds(), self._telling.long_seconds
        is_told_already = kind in {"approval", Side.HOLD.value}
        first = long if needs is Needs.TIME or is_told_already else min(long, SOMEBODY_SECONDS)
        if waited < first:
            return
        times = 1 + int((waited - first) // long)
        self._tell(
            WaitingLong,
            f"{key} {in_words(since)} {times}",
            f"The work on {self._vault} waits since {in_words(since)} for {what}.",
            then=self._command() if needs is not Needs.TIME else None,
            waiting_for=what,
            since=in_words(since),
            seconds=int(waited),
            until=in_words(until),
            needs=needs,
        )

    def _command(self, digest: str | None = None) -> str:
        own = self._telling.again if self._telling is not None else None
        return (own or approving(self._again))(digest)

    def _counts(self) -> dict[str, Any]:
        ledger = None if self._run is None else self._run.ledger
        return {name: None if ledger is None else ledger.counts[name] for name in ("deleted", "failed")}

    def _tell(self, kind: type[Happened], what: str, message: str, *, then: str | None, **facts: Any) -> None:
        """Hand an event over, unless the process before said the same. ``what`` tells it from others of its kind."""
        if self._telling is None:
            return
        stand, happening = self.stand(), Happening(str(kind.__struct_config__.tag))
        key = f"{happening} {stand.phase} {stand.round} {what}"
        if key in self._said:
            return
        plan = self._plan
        data = kind(
            vault=self._vault,
            vault_arn=self.vault_arn,
            endpoint_url=self.endpoint_url,
            run_dir=str(self._folder.path.absolute()),
            by=who(),
            message=message,
            next=then,
            phase=stand.phase,
            round=stand.round,
            digest=None if plan is None else plan.digest,
            selected=None if plan is None else plan.counts.selected,
            **self._counts(),
            **facts,
        )
        before = self._before.said.get(key)
        taken = [] if before is None else before.taken_by
        event = cloud_event(happening, msgspec.to_builtins(data), event_id=str(uuid4()), at=self._now())
        self._said[key] = Said(event=happening, at=in_words(self._now()) or "", by_hook=dict.fromkeys(taken))
        under_way = self._telling.delivery.hand_over(event, lambda hook, why: self._done(key, hook, why), but=taken)
        self._under_way |= {(key, hook) for hook in under_way}
        self._keep()

    def _done(self, key: str, hook: str, why: str | None) -> None:
        self._said[key].by_hook[hook] = why
        self._under_way.discard((key, hook))
        if why is not None and self._telling is not None:
            self._telling.say(f"the hook {hook} was not told of {self._said[key].event}: {why}")
        self._keep()
        if not self._under_way:
            self._all_out.set()

    def _keep(self) -> None:
        keep_told(self._folder.files, Told(said=self._said, waits=self._waits))

    async def close(self) -> None:
        """Give the last events some time to get out, then tell which hooks they did not reach."""
        if self._telling is None:
            return
        with anyio.move_on_after(LAST_WORDS_SECONDS, shield=True):
            while self._under_way:
                self._all_out = anyio.Event()
                await self._all_out.wait()
        for key, hook in sorted(self._under_way):
            self._done(key, hook, f"it took longer than the {LAST_WORDS_SECONDS:g} s there are at the end of a process")
        if self._said or self._waits or self._before != Told():
            self._keep()


@asynccontextmanager
async def news_of(
    folder: RunFolder,
    vault: str,
    telling: Telling | None,
    *,
    now: Callable[[], datetime],
    again: str,
) -> AsyncIterator[News]:
    """The news of the work in the context, which holds the folder meanwhile; what ends it is news, too."""
    news = News(folder, vault, telling, now=now, again=again)
    try:
        with news.ending():
            yield news
    finally:
        await news.close()


@asynccontextmanager
async def news_of_run(folder: RunFolder, plan: Plan, telling: Telling | None) -> AsyncIterator[News]:
    """The news of a run that is carried out by itself, with which nobody else is at work. Raises as ``alone_with``."""
    again = f"glacier-purge apply {shlex.quote(str(folder.path.absolute()))}"
    with alone_with(folder, plan):
        async with news_of(folder, plan.vault_name, telling, now=utc_now, again=again) as news:
            news.about(plan)
            yield news


class _Noticing:
    """A waiter whose waits are noted."""

    def __init__(self, waiter: Waiter, news: News) -> None:
        self._waiter = waiter
        self._news = news

    def now(self) -> datetime:
        """The time now."""
        return self._waiter.now()

    async def wait(self, waiting: Waiting) -> None:
        """Wait as the waiter does."""
        self._news.waits(waiting)
        await self._waiter.wait(waiting)
