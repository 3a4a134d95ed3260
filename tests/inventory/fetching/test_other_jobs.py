"""Other people's inventory jobs: what each is taken for, what is said, what is asked of the service, what is kept.

One row a situation.  Every row is begun by a call that does not wait, given again at once, and carried to its end; and
whatever else it shows, it ends with every archive the vault had at the inventory's date, never with a part.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from glacier_purge.errors import GlacierPurgeError
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.inventory.fetching.job_choice import WantedJob, mark
from glacier_purge.inventory.fetching.progress import FetchProgress, write_progress
from glacier_purge.inventory.fetching.retrieval import Retrieval
from tests.clients import HOUR, VAULT, Stepping, simulated
from tests.glacier_simulator.raw_client import ask
from tests.lifecycle.lifecycles import ids_of, upload

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.port import VaultDescription
    from glacier_purge.glacier.waiting import Waiter
    from glacier_simulator import SimulatedGlacier


ANY, NEW = WantedJob(), WantedJob(is_new=True)


@dataclass
class World:
    """A vault of 100 archives, somebody who begins jobs there, and our side's folder."""

    glacier: SimulatedGlacier
    control: GlacierControl
    folder: Path
    jobs: dict[str, str] = field(default_factory=dict)
    """Job ids by the names the rows give them."""
    asked: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)
    described: Callable[[VaultDescription], VaultDescription] | None = None
    """What becomes of the service's description of the vault on its way."""
    once_downloading: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.control, name)

    async def describe_vault(self) -> VaultDescription:
        described = await self.control.describe_vault()
        return described if self.described is None else self.described(described)

    async def initiate_inventory(self, description: str) -> str:
        self.asked["jobs"] += 1
        return await self.control.initiate_inventory(description)

    def job_output(self, job_id: str, first: int, last: int) -> Any:
        self.asked["downloads"] += 1
        happens, self.once_downloading = self.once_downloading, None
        if happens is not None:
            happens()
        return self._output(job_id, first, last)

    async def _output(self, job_id: str, first: int, last: int) -> AsyncGenerator[bytes, None]:
        async for piece in self.control.job_output(job_id, first, last):
            yield piece.replace(b'"ArchiveList":[', b'"ArchiveList":{') if job_id in self.damaged else piece

    @property
    def mark(self) -> str:
        return mark(Stepping(self.glacier).now())

    async def begin(self, name: str, description: str | None = None, **more: Any) -> None:
        """Begin an inventory job as anybody may; ``marker`` is a number, that of the archive it goes on behind."""
        if "marker" in more:
            more["Marker"] = ids_of(self.glacier)[more.pop("marker") - 1]
        body: dict[str, Any] = {"Type": "inventory-retrieval", "Description": description}
        body |= {key: more.pop(key) for key in ("Format", "SNSTopic") if key in more}
        body |= {"InventoryRetrievalParameters": more} if more else {}
        reply = await ask(self.glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", msgspec.json.encode(body))
        assert reply.status == 202, reply.body
        self.jobs[name] = reply.headers["x-amz-job-id"]

    def pass_hours(self, hours: float) -> None:
        self.glacier.clock.step(hours * HOUR)

    async def newer_inventory(self) -> None:
        """Somebody uploads, and a day later the service has an inventory of 101."""
        await upload(self.glacier)
        self.pass_hours(14)

    async def call(self, waiter: Waiter, wanted: WantedJob) -> tuple[int, str]:
        """One call: its exit code, and what it said, the error last."""
        self.asked.clear()
        self.said.clear()
        try:
            self.snapshot, self.job_id = await Retrieval(self, self.folder, wanted, waiter, self.said.append).fetch()
        except GlacierPurgeError as error:
            self.said.append(str(error))
            return error.exit_code, "\n".join(self.said)
        return 0, "\n".join(self.said)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A situation, and what a first call answers: exit code, something it says, downloads and jobs asked for.

    ``takes`` is the job it ends with in the end; None is one of our own that it asks for.
    """

    situation: str
    prepared: Callable[[World], Awaitable[None]]
    exit_code: int
    says: str = ""
    downloads: int = 0
    jobs: int = 0
    takes: str | None = None
    wanted: WantedJob = ANY
    names: str | None = None


def row(situation: str, **expected: Any) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    def add(prepared: Callable[[World], Awaitable[None]]) -> None:
        ROWS.append(Row(situation=situation, prepared=prepared, **expected))

    return add


ROWS: list[Row] = []
ASKS = {"exit_code": 75, "jobs": 1}
TAKEN = {"exit_code": 0, "downloads": 1}
FETCHED = {"retrieval.json", "inventory.json", "inventory.json.sha256"}


@row("a whole one of the last inventory", **TAKEN, takes="theirs")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(6)


@row("a whole one that tells a topic of its own", **TAKEN, takes="theirs")
async def _(world: World) -> None:
    await world.begin("theirs", "nightly", SNSTopic="arn:aws:sns:us-east-1:999999999999:theirs")
    world.pass_hours(6)


@row("a continuation", **ASKS, downloads=1, says="it lists 95 archives, and the service counts 100 as of the same")
async def _(world: World) -> None:
    await world.begin("theirs", marker=5)
    world.pass_hours(6)


@row("a continuation too short to be the whole", **ASKS, says="bytes can't list the 100 archives that the service cou")
async def _(world: World) -> None:
    await world.begin("theirs", marker=50)
    world.pass_hours(6)


@row("a continuation with nothing behind it", **ASKS, says="bytes can't list the 100 archives")
async def _(world: World) -> None:
    await world.begin("theirs", marker=100)
    world.pass_hours(6)


@row("a continuation, and a newer inventory since", **ASKS, says="the service has a newer inventory")
async def _(world: World) -> None:
    await world.begin("theirs", marker=5)
    world.pass_hours(6)
    await world.newer_inventory()


@row("a whole one, and a newer inventory since", **ASKS, says="the service has a newer inventory")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(6)
    await world.newer_inventory()


@row("a whole one under way", **ASKS, says="while it is not done nothing tells whether it lists the whole vault")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(1)


@row("a continuation under way", **ASKS, says="it lists only a part of the vault")
async def _(world: World) -> None:
    await world.begin("theirs", marker=5)
    world.pass_hours(1)


@row("ours under way, asked for in another folder", exit_code=75, says="waiting for inventory job", takes="ours")
async def _(world: World) -> None:
    await world.begin("ours", world.mark)
    world.pass_hours(1)


@row("two of ours under way, and a stranger's", exit_code=75, says="waiting for inventory job", takes="newer")
async def _(world: World) -> None:
    await world.begin("older", world.mark)
    world.pass_hours(1)
    await world.begin("newer", world.mark)
    await world.begin("theirs")
    world.pass_hours(0.5)


@row("ours, done, and a newer inventory since", **TAKEN, takes="ours")
async def _(world: World) -> None:
    await world.begin("ours", world.mark)
    world.pass_hours(6)
    await world.newer_inventory()


@row("ours, and a continuation that is newer", **TAKEN, takes="ours")
async def _(world: World) -> None:
    await world.begin("ours", world.mark)
    world.pass_hours(1)
    await world.begin("theirs", marker=5)
    world.pass_hours(6)


@row("a continuation that copied our mark, and a newer inventory since", **ASKS, says="it is not ours")
async def _(world: World) -> None:
    copied = world.mark
    world.pass_hours(4)
    await world.begin("theirs", copied, marker=5)
    world.pass_hours(6)
    await world.newer_inventory()


@row("a continuation with our mark of the right time", **ASKS, downloads=1, says="it lists 95 archives")
async def _(world: World) -> None:
    await world.begin("theirs", world.mark, marker=5)
    world.pass_hours(6)


@row("a continuation with the mark of an older version", **ASKS, says="it is not ours")
async def _(world: World) -> None:
    await world.begin("theirs", "glacier-purge", marker=5)
    world.pass_hours(6)
    await world.newer_inventory()


@row("a whole one with the mark of an older version", **TAKEN, takes="older")
async def _(world: World) -> None:
    await world.begin("older", "glacier-purge")
    world.pass_hours(6)


@row("one with a mark that is no date", **ASKS, says="it is not ours")
async def _(world: World) -> None:
    await world.begin("theirs", "glacier-purge of last year", marker=5)
    world.pass_hours(6)
    await world.newer_inventory()


@row("one in CSV", **ASKS, says="it is in CSV; only JSON names the vault and the date")
async def _(world: World) -> None:
    await world.begin("theirs", Format="CSV")
    world.pass_hours(6)


@row("one in CSV with our mark", **ASKS)
async def _(world: World) -> None:
    await world.begin("theirs", world.mark, Format="CSV")
    world.pass_hours(6)


@row("a limited one", **ASKS, says="it lists only a part of the vault")
async def _(world: World) -> None:
    await world.begin("theirs", Limit="50")
    world.pass_hours(6)


@row("one from a date on", **ASKS, says="it lists only a part of the vault")
async def _(world: World) -> None:
    await world.begin("theirs", StartDate="2012-01-01T00:00:00Z")
    world.pass_hours(6)


@row("one up to a date", **ASKS, says="it lists only a part of the vault")
async def _(world: World) -> None:
    await world.begin("theirs", EndDate="2112-01-01T00:00:00Z")
    world.pass_hours(6)


@row("one that failed", **ASKS, says="is passed over: it failed")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.glacier.service.doom_job(world.jobs["theirs"], "The service could not complete the job.")
    world.pass_hours(6)


@row("one whose output ends soon", **ASKS, says="its output expires 24 hours after")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(3)
    done = world.glacier.service.vault("photos", world.glacier.clock.now()).facts.jobs[world.jobs["theirs"]].completes
    world.pass_hours((done - world.glacier.clock.now()) / HOUR + 23.7)


@row("a continuation that is newer than a whole one: the longer is tried", **TAKEN, takes="whole")
async def _(world: World) -> None:
    await world.begin("whole")
    world.pass_hours(1)
    await world.begin("theirs", marker=5)
    world.pass_hours(6)


@row("many continuations: one is downloaded, all are named", **ASKS, downloads=1, says="was downloaded in vain")
async def _(world: World) -> None:
    for number in (1, 2, 3, 4):
        await world.begin(f"theirs {number}", marker=number)
    world.pass_hours(6)


@row("more than anybody wants to read about", **ASKS, says="3 more inventory jobs of photos will not do")
async def _(world: World) -> None:
    for number in range(8):
        await world.begin(f"theirs {number}", Limit="5")
    world.pass_hours(6)


@row("one that is gone between its description and its download", **ASKS, downloads=1, says="expired before it was")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(6)

    def expire() -> None:
        world.glacier.service.expire_job(world.jobs["theirs"], world.glacier.clock.now())

    world.once_downloading = expire


@row("an inventory that is made during the download", **ASKS, downloads=1, says="nothing tells whether it lists the")
async def _(world: World) -> None:
    await upload(world.glacier)
    world.glacier.service.vault("photos", world.glacier.clock.now()).take_inventory(world.glacier.clock.now())
    await world.begin("theirs")
    world.pass_hours(6)
    await upload(world.glacier)

    def a_day() -> None:
        vault = world.glacier.service.vault("photos", world.glacier.clock.now())
        vault.take_inventory(world.glacier.clock.now())

    world.once_downloading = a_day


@row("a service that counts nothing", **ASKS, says="the service has no count to hold it against")
async def _(world: World) -> None:
    world.described = lambda described: replace(described, archives=None)
    await world.begin("theirs")
    world.pass_hours(6)


@row("a service that counts nothing, and ours", **TAKEN, takes="ours")
async def _(world: World) -> None:
    await upload(world.glacier)
    world.described = lambda described: replace(described, archives=None, last_inventory=None)
    await world.begin("ours", world.mark)
    world.pass_hours(6)


@row("a count that lags behind the job", **ASKS, downloads=1, says="nothing tells whether it lists the whole vault")
async def _(world: World) -> None:
    def lagging(described: VaultDescription) -> VaultDescription:
        assert described.last_inventory is not None
        return replace(described, last_inventory=described.last_inventory.replace(year=2012))

    world.described = lagging
    await world.begin("theirs")
    world.pass_hours(6)


@row("an output that is damaged each time", **ASKS, downloads=3, says="is passed over: ")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(6)
    world.damaged.add(world.jobs["theirs"])


@row("a job that was taken up before anybody asked whose it is", **ASKS, says="while it is not done")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(1)
    begun = Stepping(world.glacier).now()
    write_progress(world.folder, FetchProgress(vault_arn=VAULT.arn, begun=begun, job_id=world.jobs["theirs"]))


@row("a part that was downloaded of a part", **ASKS, downloads=1, says="it lists 95 archives")
async def _(world: World) -> None:
    await world.begin("theirs", marker=5)
    world.pass_hours(6)
    begun = Stepping(world.glacier).now()
    write_progress(world.folder, FetchProgress(vault_arn=VAULT.arn, begun=begun, job_id=world.jobs["theirs"]))
    (world.folder / "inventory.part").write_bytes(b'{"VaultARN"')


@row("a whole one, and a new one is wanted", **ASKS, wanted=NEW)
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(6)


@row("ours, and a new one is wanted", **ASKS, wanted=NEW)
async def _(world: World) -> None:
    await world.begin("ours", world.mark)
    world.pass_hours(6)


@row("an inventory in the folder, and a new one is wanted", **ASKS, wanted=NEW)
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(6)
    assert (await world.call(Stepping(world.glacier), ANY))[0] == 0


@row("one that this folder asked for and fetched, and a new one is wanted", **ASKS, wanted=NEW)
async def _(world: World) -> None:
    assert (await world.call(Stepping(world.glacier), ANY))[0] == 0


@row("a whole one by its name", **TAKEN, takes="theirs", names="theirs")
async def _(world: World) -> None:
    await world.begin("theirs")
    await world.begin("other")
    world.pass_hours(6)


@row("one by its name that is under way", exit_code=75, says="waiting for", takes="theirs", names="theirs")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(1)


@row("a continuation by its name", exit_code=2, downloads=1, says="will not do: it lists 95 archives", names="theirs")
async def _(world: World) -> None:
    await world.begin("theirs", marker=5)
    world.pass_hours(6)


@row("one in CSV by its name, under way", exit_code=2, says="will not do: it is in CSV", names="theirs")
async def _(world: World) -> None:
    await world.begin("theirs", Format="CSV")
    world.pass_hours(1)


@row("one by its name of an older inventory", exit_code=2, says="the service has a newer inventory", names="theirs")
async def _(world: World) -> None:
    await world.begin("theirs")
    world.pass_hours(6)
    await world.newer_inventory()


@row("an inventory in the folder, and another job by its name", **TAKEN, takes="other", names="other")
async def _(world: World) -> None:
    await world.begin("theirs")
    await world.begin("other")
    world.pass_hours(6)
    assert (await world.call(Stepping(world.glacier), WantedJob(job_id=world.jobs["theirs"])))[0] == 0


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.situation)
async def test_no_part_is_ever_taken_for_the_vault(row: Row, tmp_path: Path) -> None:
    async with simulated(archives=100) as (glacier, client):
        world = World(glacier, client, tmp_path)
        await row.prepared(world)
        hasty = NoWait(clock=Stepping(glacier).now)
        wanted = WantedJob(job_id=world.jobs[row.names]) if row.names else row.wanted
        exit_code, said = await world.call(hasty, wanted)
        assert (exit_code, world.asked["downloads"], world.asked["jobs"]) == (row.exit_code, row.downloads, row.jobs)
        assert row.says in said
        if row.exit_code == 0 and not row.says:
            assert said == ""
        assert not row.says or any(job_id[:12] in said for job_id in world.jobs.values()), "by name"
        assert files(tmp_path) == ({"retrieval.json"} if row.exit_code else FETCHED)
        if row.exit_code != 0:
            again, _ = await world.call(hasty, wanted)  # at once, and costs nothing
            assert (again, world.asked["downloads"], world.asked["jobs"]) == (row.exit_code, 0, 0)
        if row.exit_code == 2:
            return
        if row.exit_code == 75:
            exit_code, _ = await world.call(Stepping(glacier), wanted)
            assert (exit_code, world.asked["jobs"]) == (0, 0)
        assert (world.job_id == world.jobs[row.takes]) if row.takes else (world.job_id not in world.jobs.values())
        assert world.snapshot.records == listed_at(glacier, world.job_id)


async def test_one_of_our_own_with_another_count_is_no_inventory_and_leaves_nothing(tmp_path: Path) -> None:
    async with simulated(archives=100) as (glacier, client):
        world = World(glacier, client, tmp_path, described=lambda described: replace(described, archives=101))
        exit_code, said = await world.call(Stepping(glacier), ANY)
        assert exit_code == 2
        assert "it lists 100 archives, and the service counts 101" in said
        assert (world.asked["downloads"], files(tmp_path)) == (3, {"retrieval.json"})
        again, _ = await world.call(NoWait(clock=Stepping(glacier).now), ANY)
        assert (again, world.asked["downloads"], world.asked["jobs"]) == (75, 0, 1), "another is asked for"


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def listed_at(glacier: SimulatedGlacier, job_id: str) -> int:
    """How many archives there were when the inventory of a job was made."""
    vault = glacier.service.vault("photos", glacier.clock.now())
    return vault.snapshots[vault.facts.jobs[job_id].snapshot or 0].live
