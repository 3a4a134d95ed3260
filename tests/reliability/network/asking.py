"""Every question of a control client, and the download of a job's output, through the fault proxy.

Each answer is held against what the service says when it is asked directly; each error against what is right under the
kind of fault (``kinds.Right``), in what it says, in its exit code, and in how long it took.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glacier_purge.api.clients import Clients
from glacier_purge.aws.access import Access
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.glacier.control import NoAnswer, NotTrusted, Removal
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.inventory.fetching.download import FRUITLESS_TRIES_MAX, download
from tests.reliability.network.deleting import KEYS, VAULT
from tests.reliability.network.kinds import Right

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl
    from glacier_simulator import SimulatedGlacier
    from tests.reliability.network.proxy import FaultProxy

    Ask = Callable[[GlacierControl], Awaitable[Any]]

POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"no","Effect":"Deny","Principal":"*",'
    '"Action":"glacier:UploadArchive","Resource":"*"}]}'
)
_QUESTION_SECONDS_MAX = 200.0
"""Two minutes of patience, and what began within them."""
_DOWNLOAD_SECONDS_MAX = 1_500.0
"""Eight fruitless tries, each of them as patient as a question is."""
_CHUNK_BYTES = 2_048
_UNBELIEVED_TRIES = 3
_HOURS = 6 * 3600.0


@asynccontextmanager
async def control_at(endpoint_url: str, ca_file: Path | None = None) -> AsyncIterator[GlacierControl]:
    """A client of its own, as a command has it."""
    access = Access(endpoint_url=endpoint_url, credentials=KEYS, ca_bundle=ca_file)
    async with Clients() as clients:
        yield await clients.control(VAULT, access)


async def _all(items: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in items]


QUESTIONS: dict[str, Ask] = {
    "DescribeVault": lambda control: control.describe_vault(),
    "GetVaultLock": lambda control: control.vault_lock(),
    "GetVaultAccessPolicy": lambda control: control.access_policy(),
    "ListTagsForVault": lambda control: control.tags(),
    "GetVaultNotifications": lambda control: control.notifications(),
    "ListJobs": lambda control: _all(control.list_jobs()),
    "ListMultipartUploads": lambda control: _all(control.multipart_uploads()),
    "ListVaults": lambda control: _all(control.list_vaults()),
}


@dataclass
class Asking:
    """One client behind the proxy, one that asks directly, and what is right."""

    service: SimulatedGlacier
    proxy: FaultProxy
    struck: GlacierControl
    direct: GlacierControl
    refused: int = 0
    """Questions that had no answer."""

    async def every_question(self) -> int:
        """Ask all there is to ask, and order a policy, a job and the vault's end; return how many questions it were."""
        for name, ask in QUESTIONS.items():
            got = await self._judged(name, ask)
            if got is not _NOTHING:
                assert _plain(got) == _plain(await ask(self.direct)), f"{name} was answered wrongly: {got}"
        await self._order_a_policy()
        await self._order_a_job()
        got = await self._judged("DeleteVault", lambda control: control.delete_vault())
        assert got in {_NOTHING, Removal.NOT_YET}, f"DeleteVault of a full vault: {got}"
        return len(QUESTIONS) + 5

    async def _order_a_policy(self) -> None:
        got = await self._judged("SetVaultAccessPolicy", lambda control: control.set_access_policy(POLICY))
        if got is not _NOTHING:
            assert await self.direct.access_policy() == POLICY, "the policy was taken, and is not there"
        await self.direct.set_access_policy(POLICY)
        got = await self._judged("DeleteVaultAccessPolicy", lambda control: control.delete_access_policy())
        if got is not _NOTHING:
            assert await self.direct.access_policy() is None, "the policy was taken away, and is there"

    async def _order_a_job(self) -> None:
        job_id = await self._judged("InitiateJob", lambda control: control.initiate_inventory("glacier-purge"))
        known = [job.job_id for job in await _all(self.direct.list_jobs())]
        if job_id is _NOTHING:
            job_id = await self.direct.initiate_inventory("glacier-purge")
        else:
            assert job_id in known, "a job was begun that the service does not know"
        got = await self._judged("DescribeJob", lambda control: control.describe_job(job_id))
        if got is not _NOTHING:
            assert got == await self.direct.describe_job(job_id)

    async def output(self, folder: Path) -> int:
        """Download a job's output in ranges, on from where it broke off; return how many commands it took."""
        job_id = await self.direct.initiate_inventory("glacier-purge")
        self.service.clock.step(_HOURS)
        job = await self.direct.describe_job(job_id)
        assert job is not None
        assert job.size_bytes is not None
        part = folder / "inventory.part"
        size_bytes = job.size_bytes
        fetch: Ask = lambda control: download(  # noqa: E731 - a question like the others
            control, job_id, size_bytes, part, chunk_bytes=_CHUNK_BYTES, sleep=asyncio.sleep
        )
        commands = 1
        if await self._judged("GetJobOutput", fetch, _DOWNLOAD_SECONDS_MAX, FRUITLESS_TRIES_MAX) is _NOTHING:
            self.proxy.strikes.is_on = False
            await fetch(self.struck)
            commands += 1
        truth = b"".join([piece async for piece in self.direct.job_output(job_id, 0, size_bytes - 1)])
        assert part.read_bytes() == truth, "what was downloaded is not the job's output"
        return commands

    async def _judged(
        self, name: str, ask: Ask, seconds_max: float = _QUESTION_SECONDS_MAX, tries: int = _UNBELIEVED_TRIES
    ) -> Any:
        """The answer, or ``_NOTHING`` after an error that is right."""
        loop, strikes = asyncio.get_running_loop(), self.proxy.strikes
        began, done = loop.time(), strikes.done
        try:
            return await ask(self.struck)
        except GlacierPurgeError as error:
            self._check_right(name, error, strikes.done - done, tries)
            self.refused += 1
            return _NOTHING
        finally:
            took = loop.time() - began
            assert took <= seconds_max, f"{name} took {took:.0f} s"

    def _check_right(self, name: str, error: GlacierPurgeError, struck: int, tries: int) -> None:
        """Hold an error against what is right: its kind, its code, what it says, and that it was not given too soon."""
        said, kind = f"{name}: {type(error).__name__}: {error}", self.proxy.kind
        assert kind.right is not Right.BELIEVED, f"it was to be believed: {said}"
        if kind.right is Right.INTERCEPTED:
            assert isinstance(error, NotTrusted), said
            assert error.exit_code == 253, said
            assert "certificate" in str(error), said
            return
        assert isinstance(error, NoAnswer), said
        assert error.exit_code == 3, said
        assert struck >= tries or not kind.is_once_a_try, f"given up after {struck} strikes: {said}"
        assert name in str(error), said
        assert "he same command" in str(error), f"it does not say what to do: {said}"

    def check_refused(self, *, always: bool) -> None:
        """Where somebody else answers every time, something has to have been refused."""
        if always and self.proxy.kind.right in {Right.ANOTHERS, Right.INTERCEPTED}:
            assert self.refused, "every answer was another's, and each was believed"


class _Nothing:
    """No answer."""


_NOTHING = _Nothing()


def _plain(answer: Any) -> Any:
    """An answer without the time at which it was given."""
    if isinstance(answer, list):
        return [_plain(each) for each in answer]
    return replace(answer, service_time=None) if isinstance(answer, VaultDescription) else answer
