"""Listens to a queue for finished jobs, so that a job is looked at when it is done and not ten minutes later.

A message is never believed: one that names a job somebody waits for ends that wait, and the service is asked.  Only
when the service said that the job is done are the messages that named it deleted.  All others belong to somebody else,
or to nobody, and are let go at once: a queue may be shared by all vaults of a fleet, by several fleets, and by
strangers.  The same message is not looked at twice.

Whatever goes wrong with the queue costs time and never the run: it is told, and the wait goes on to its end without it.
However many wait in one process, one of them at a time reads the queue for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from glacier_purge.bundle import one_error
from glacier_purge.errors import CredentialsFailed, RunStopped, ServiceRefused
from glacier_purge.inventory.announced import announced_job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from glacier_purge.service.job_queue import JobQueue, QueueMessage
    from glacier_purge.waiting import Patience, Waiting

POLL_SECONDS = 20
"""How long one request waits for a message."""
PAUSE_SECONDS = 10.0
"""Between two readings of a queue that holds messages of others, so that they get at them too."""
TROUBLE_SECONDS = 60.0
"""Before a queue that gave no answer is asked again."""
_BREATH_SECONDS = 1.0
"""Between two readings in any case, since not everything that looks like a queue waits when asked to."""
_LET_GO_SECONDS_MAX = 5.0
"""What a stop waits for at most so that others see their messages; they would anyway, half a minute later."""
_RECEIVES_MAX = 20
"""Most requests for messages in one reading: 200 messages of others may lie before ours."""


class Announcements:
    """One queue and all who wait for its messages here. ``tell`` gets what a person should know, each thing once."""

    def __init__(
        self,
        queue: JobQueue,
        tell: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._queue = queue
        self._tell = tell
        self._sleep = sleep
        self._reading = anyio.Lock()
        self._awaited: dict[str, anyio.Event] = {}
        self._done: set[str] = set()
        self._named: dict[str, list[QueueMessage]] = {}
        self._looked_for_nothing: set[str] = set()
        self._told: set[str] = set()
        self.is_listening = True
        """False once the queue has refused: then there is no sense in waiting for it."""

    @property
    def queue_name(self) -> str:
        """What the queue is called."""
        return self._queue.name

    async def wait(self, job_id: str, waiting: Waiting, patience: Patience) -> None:
        """Return when the job is worth a look: a message names it, or ``waiting.until`` has come.

        What is in the queue already is looked at in any case.  Raises what ``patience`` raises.
        """
        in_vain = await self._put_back(job_id)
        event = self._awaited[job_id] = anyio.Event()
        try:
            if not in_vain:
                await self._glance()
            if not event.is_set():
                await self._race(event, waiting, patience, PAUSE_SECONDS if in_vain else 0.0)
        finally:
            del self._awaited[job_id]

    async def settle(self, job_id: str) -> None:
        """Delete the messages that named a job of which the service has said that it is done."""
        self._done.add(job_id)
        for message in self._named.pop(job_id, ()):
            await self._quietly(self._queue.delete, message)
        await self._glance()

    async def _race(self, event: anyio.Event, waiting: Waiting, patience: Patience, pause_seconds: float) -> None:
        with one_error():
            async with anyio.create_task_group() as tasks:

                async def listen() -> None:
                    await self._sleep(pause_seconds)
                    tasks.start_soon(self._read)
                    await event.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(listen)
                await patience.wait(waiting)
                tasks.cancel_scope.cancel()

    async def _read(self) -> None:
        """Read the queue for everybody, for as long as nobody else does."""
        async with self._reading:
            while self.is_listening:
                others = await self._go_through(POLL_SECONDS)
                await self._sleep(PAUSE_SECONDS if others else _BREATH_SECONDS)

    async def _glance(self) -> None:
        """Read what is in the queue now, unless somebody reads it anyway."""
        if self.is_listening and not self._reading.locked():
            async with self._reading:
                await self._go_through(0)

    async def _go_through(self, wait_seconds: int) -> int:
        """Go through the queue once and wake whom it is about; return how many messages are about nobody here.

        Those are let go also when the wait that this is part of ends meanwhile.
        """
        others: list[QueueMessage] = []
        heard: list[anyio.Event] = []
        try:
            for number in range(_RECEIVES_MAX):
                messages = await self._received(0 if number else wait_seconds)
                for message in messages:
                    await self._sort(message, heard, others)
                if heard or not messages:
                    break
        finally:
            with anyio.move_on_after(_LET_GO_SECONDS_MAX, shield=True):
                for message in others:
                    await self._quietly(self._queue.let_go, message)
        for event in heard:
            event.set()
        return len(others)

    async def _sort(self, message: QueueMessage, heard: list[anyio.Event], others: list[QueueMessage]) -> None:
        """Tell a message about a job that somebody here waits for, or is done with, from all others."""
        job_id = announced_job(message.body)
        if job_id in self._done:
            await self._quietly(self._queue.delete, message)
        elif job_id in self._awaited and message.message_id not in self._looked_for_nothing:
            self._named.setdefault(job_id, []).append(message)
            heard.append(self._awaited[job_id])
        else:
            others.append(message)

    async def _put_back(self, job_id: str) -> bool:
        """Let go what named the job when it was not done; tell whether there was anything."""
        messages = self._named.pop(job_id, ())
        for message in messages:
            self._looked_for_nothing.add(message.message_id)
            await self._quietly(self._queue.let_go, message)
        return bool(messages)

    async def _received(self, wait_seconds: int) -> Sequence[QueueMessage]:
        try:
            return await self._queue.receive(wait_seconds)
        except ServiceRefused as refused:
            self.is_listening = False
            self._say(f"{refused} Until then the service is asked for the job every few minutes.")
        except (RunStopped, CredentialsFailed) as fault:
            self._say(f"{fault} It is asked again; meanwhile the service is asked for the job every few minutes.")
            if wait_seconds:
                await self._sleep(TROUBLE_SECONDS)
        return ()

    async def _quietly(self, do: Callable[[QueueMessage], Awaitable[None]], message: QueueMessage) -> None:
        """Do something whose failure only leaves a message where it is."""
        try:
            await do(message)
        except (ServiceRefused, RunStopped, CredentialsFailed) as fault:
            self._say(f"{fault} A message stays in the queue for that, which does no harm.")

    def _say(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(what)
