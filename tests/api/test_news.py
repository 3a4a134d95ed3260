"""Hooks against a real receiver and a real program, while vaults are carried over the simulator."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import glacier_purge
from glacier_purge import LifecycleListener, LifecycleOptions, LifecycleOrder, Settings
from glacier_purge.api import news
from glacier_purge.api.news import News, Stand, news_of
from glacier_purge.api.telling import Telling, telling
from glacier_purge.audit.verification import verify_folder
from glacier_purge.clock import utc_now
from glacier_purge.errors import (
    AuditDamaged,
    ConfigurationFailed,
    CredentialsFailed,
    Needs,
    Pending,
    PlanRefused,
    RunLocked,
    RunStopped,
)
from glacier_purge.glacier.waiting import Waiting
from glacier_purge.happenings import Happening
from glacier_purge.hooks.delivery import Line, delivering
from glacier_purge.hooks.event import NotTold
from glacier_purge.hooks.told import TOLD_FILE
from glacier_purge.storage.folder import RunFolder
from tests.answers import SCHEMAS
from tests.clients import VAULT, Stepping, simulated
from tests.hooks.receiver import receiving
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

    from glacier_purge import PlanView
    from glacier_purge.hooks.event import Event
    from glacier_purge.plan.document import Plan
    from glacier_simulator import SimulatedGlacier

HOUR = timedelta(hours=1)


def settings_for(glacier: SimulatedGlacier, *hooks: dict[str, Any], **report: float) -> Settings:
    return Settings.model_validate(
        {
            "aws": {"endpoint_url": glacier.endpoint_url},
            "pace": {"first_per_second": 1000.0},
            "hooks": hooks,
            "report": report,
        }
    )


async def yes(view: PlanView) -> str:
    return view.plan.digest


def check_data(event: dict[str, Any]) -> None:
    """Each member of the data is in the event's schema, and none is missing."""
    kind = event["data"]["result"]
    schema = json.loads((SCHEMAS / f"event-{kind}.json").read_text("utf-8"))
    (definition,) = (one for one in schema["$defs"].values() if "result" in one["properties"])
    assert set(event["data"]) == set(definition["properties"]) == set(definition["required"])
    assert event["dataschema"] == schema["$id"]


@pytest.mark.usefixtures("credentials")
async def test_a_lifecycle_tells_once_that_its_approval_is_wanted_and_how_it_ended(tmp_path: Path) -> None:
    """Started again and again by a clock, then approved; the hooks are a receiver and a program."""
    order = LifecycleOrder(options=LifecycleOptions(remove_vault="photos", even_the_last=True))
    said: list[str] = []
    listener = LifecycleListener(say=said.append)
    log = tmp_path / "program.jsonl"
    program = f"import sys; open({str(log)!r}, 'a').write(sys.stdin.read())"
    async with simulated(archives=12) as (glacier, _), receiving() as receiver:
        hooks: tuple[dict[str, Any], ...] = (
            {"url": receiver.url},
            {"command": [sys.executable, "-c", program], "events": ["finished"]},
        )
        settings = settings_for(glacier, *hooks)
        how: dict[str, Any] = {"run_dir": tmp_path / "run", "order": order, "settings": settings, "listener": listener}
        for _ in range(3):
            with pytest.raises(Pending, match="somebody's approval"):
                await glacier_purge.run_lifecycle("photos", waiter=Stepping(glacier), **how)
        assert receiver.kinds == ["approval_wanted"]
        wanted = receiver.events[0]
        report = await glacier_purge.run_lifecycle("photos", approve=yes, waiter=Stepping(glacier), **how)
        assert report.vault_deleted
        assert receiver.kinds == ["approval_wanted", "vault_deleted", "finished"]
        await glacier_purge.run_lifecycle("photos", approve=yes, waiter=Stepping(glacier), **how)
        assert receiver.kinds == ["approval_wanted", "vault_deleted", "finished"]
    for event in receiver.events:
        check_data(event)
    digest = wanted["data"]["digest"]
    assert wanted["data"]["next"] == f"glacier-purge run photos --run-dir {tmp_path}/run --confirm-digest {digest}"
    assert (wanted["data"]["selected"], wanted["data"]["phase"], wanted["data"]["round"]) == (12, "approval", 1)
    finished = receiver.events[-1]["data"]
    assert {event["data"]["endpoint_url"] for event in receiver.events} == {settings.aws.endpoint_url}
    assert (finished["deleted"], finished["failed"], finished["digest"]) == (12, 0, digest)
    assert (finished["certificate"], finished["vault_deleted"]) == (report.certificate, True)
    assert json.loads(log.read_text("utf-8")) == receiver.events[-1] | {"id": json.loads(log.read_text("utf-8"))["id"]}
    assert not [one for one in said if "hook" in one]
    assert not [one for one in verify_folder(tmp_path / "run") if one.found.faults]


@pytest.mark.usefixtures("credentials")
async def test_a_fleet_tells_of_each_vault_and_once_of_them_all(tmp_path: Path) -> None:
    fleet_file = tmp_path / "fleet.toml"
    fleet_file.write_text('[[vaults]]\nname = "*"\n', "utf-8")
    async with simulated(archives=4) as (glacier, _), receiving() as receiver:
        glacier.service.generate_vault("films", 5, 1_000_000_000.0)
        settings = settings_for(glacier, {"url": receiver.url})
        for approve in (None, yes, None):
            await glacier_purge.run_fleet(
                fleet_file,
                run_dir=tmp_path / "fleet",
                approve=approve,
                settings=settings,
                waiter=Stepping(glacier),
            )
    told = [(event["data"]["vault"], event["data"]["result"]) for event in receiver.events]
    assert sorted(told[:2]) == [("films", "approval_wanted"), ("photos", "approval_wanted")]
    assert sorted(told[2:4]) == [("films", "finished"), ("photos", "finished")]
    assert told[4:] == [("fleet", "finished")]
    whole = receiver.events[-1]
    check_data(whole)
    assert whole["data"]["message"] == "The fleet in fleet is done, all 2 vaults of it."
    assert (whole["data"]["vault_arn"], whole["data"]["exit_code"], whole["data"]["next"]) == (None, 0, None)
    assert not [one for one in verify_folder(tmp_path / "fleet") if one.found.faults]
    assert f"--confirm-digest {receiver.events[0]['data']['digest']}" in receiver.events[0]["data"]["next"]
    assert receiver.events[0]["data"]["next"].startswith(f"glacier-purge fleet {fleet_file} --run-dir {tmp_path}/fleet")


@pytest.mark.usefixtures("credentials")
async def test_a_fleet_of_which_a_vault_needs_somebody_tells_how_many_are_done(tmp_path: Path) -> None:
    fleet_file = tmp_path / "fleet.toml"
    fleet_file.write_text('[[vaults]]\nname = "photos"\n[[vaults]]\nname = "films"\nmax_archives = 3\n', "utf-8")
    async with simulated(archives=4) as (glacier, _), receiving() as receiver:
        glacier.service.generate_vault("films", 5, 1_000_000_000.0)
        settings = settings_for(glacier, {"url": receiver.url})
        await glacier_purge.run_fleet(
            fleet_file, run_dir=tmp_path / "fleet", approve=yes, settings=settings, waiter=Stepping(glacier)
        )
    whole = receiver.events[-1]["data"]
    assert (whole["vault"], whole["result"]) == ("fleet", "stopped")
    assert "1 of its 2 vaults are done, 1 failed." in whole["message"]
    assert f"glacier-purge fleet {fleet_file} --run-dir {tmp_path}/fleet" == whole["next"]


@pytest.mark.usefixtures("credentials")
async def test_a_run_by_itself_tells_that_it_is_done_and_a_hook_that_hangs_costs_its_end_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(news, "LAST_WORDS_SECONDS", 0.3)
    async with simulated(archives=7) as (glacier, _), receiving(None) as receiver:
        inventory = tmp_path / "inventory.json"
        inventory.write_bytes(glacier.inventory_text())
        settings = settings_for(glacier, {"url": receiver.url})
        plan = await glacier_purge.make_plan("photos", inventory=inventory, run_dir=tmp_path / "run", settings=settings)
        report = await glacier_purge.purge(tmp_path / "run", confirm_digest=plan.digest, settings=settings)
    assert (report.complete, report.deleted) == (True, 7)
    assert receiver.kinds == ["finished"]
    assert receiver.events[0]["data"]["next"] == f"glacier-purge verify {tmp_path}/run"
    assert "was not told of finished: it took longer than the 0.3 s there are at the end" in caplog.text
    assert "very-secret" not in caplog.text


class Listening:
    """A line that keeps what it is told; ``fails`` says why it takes nothing."""

    def __init__(self) -> None:
        self.came: list[tuple[str, dict[str, Any]]] = []
        self.said: list[str] = []
        self.fails: str | None = None

    async def take(self, event: Event) -> None:
        if self.fails is not None:
            raise NotTold(self.fails)
        self.came.append((event.happening.value, json.loads(event.body)["data"]))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.came]


class Day:
    """A time that stands still until a test lets it pass."""

    def __init__(self) -> None:
        self.at = utc_now()

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def day() -> Day:
    return Day()


@pytest.fixture
def listening() -> Listening:
    return Listening()


class Work:
    """Processes that work in one folder, one after the other."""

    def __init__(self, path: Path, listening: Listening, day: Day) -> None:
        self.folder = RunFolder.create(path)
        self._listening = listening
        self._day = day

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[News]:
        lines = [Line(name="ours", happenings=frozenset(Happening), send=self._listening.take)]
        async with delivering(lines) as delivery:
            told = Telling(delivery=delivery, say=self._listening.said.append, again=None, long_seconds=7200.0)
            async with news_of(self.folder, "photos", told, now=self._day.now, again="glacier-purge again") as one:
                one.stand = lambda: Stand(phase="verify", round=1)
                yield one

    async def process(self, act: Any = lambda news: None, ended: BaseException | None = None) -> None:
        try:
            async with self.opened() as one:
                act(one)
                await anyio.sleep(0.01)
                if ended is not None:
                    raise ended
        except BaseException as error:
            if error is not ended and error not in getattr(ended, "exceptions", ()):
                raise


@pytest.fixture
def work(tmp_path: Path, listening: Listening, day: Day) -> Work:
    return Work(tmp_path / "run", listening, day)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RunStopped("worked for 8 h."), ("stopped", 3)),
        (PlanRefused("it is not allowed."), ("failed", 2)),
        (CredentialsFailed("they expired."), ("failed", 253)),
        (AuditDamaged("changed", file="x", offset_bytes=3), ("failed", 4)),
        (ZeroDivisionError("a bug"), ("failed", 255)),
        (Pending("an inventory", until=None), None),
        (RunLocked("another process is at it"), None),
        (asyncio.CancelledError(), ("stopped", 3)),
        (BaseExceptionGroup("of one", [RunStopped("in a task")]), ("stopped", 3)),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_how_a_process_ended_is_told(
    error: BaseException, told: tuple[str, int] | None, work: Work, listening: Listening
) -> None:
    await work.process(ended=error)
    assert [(kind, data["exit_code"]) for kind, data in listening.came] == ([] if told is None else [told])
    for _, data in listening.came:
        assert (data["next"], data["phase"], data["vault"]) == ("glacier-purge again", "verify", "photos")


async def test_what_the_process_before_said_is_not_said_again_until_another_did_not(
    work: Work, listening: Listening
) -> None:
    for _ in range(3):
        await work.process(ended=CredentialsFailed("they expired."))
    assert listening.kinds == ["failed"]
    await work.process(ended=Pending("time", until=None))
    await work.process(ended=CredentialsFailed("they expired."))
    assert listening.kinds == ["failed", "failed"]
    await work.process(ended=PlanRefused("something else."))
    assert listening.kinds == ["failed", "failed", "failed"]


async def test_what_a_hook_did_not_take_is_told_and_sent_once_more_by_the_next_process(
    work: Work, listening: Listening
) -> None:
    listening.fails = "it answered 500, 5 times"
    await work.process(ended=CredentialsFailed("they expired."))
    assert listening.said == ["the hook ours was not told of failed: it answered 500, 5 times"]
    listening.fails = None
    for _ in range(2):
        await work.process(ended=CredentialsFailed("they expired."))
    assert listening.kinds == ["failed"]


@pytest.mark.parametrize("spoilt", [b"", b"{", b'{"said":3}', b'{"said":{},"waits":{},"more":1}', b"\0" * 600])
async def test_a_spoilt_note_costs_an_event_said_twice(spoilt: bytes, work: Work, listening: Listening) -> None:
    await work.process(ended=CredentialsFailed("they expired."))
    (work.folder.path / TOLD_FILE).write_bytes(spoilt)
    await work.process(ended=CredentialsFailed("they expired."))
    assert listening.kinds == ["failed", "failed"]


async def test_a_wait_is_told_when_it_takes_long_and_again_after_as_long(
    work: Work, listening: Listening, day: Day
) -> None:
    """Two hours are long here. Processes that wait for nothing come every half an hour."""
    waiting = Waiting(what="an inventory", until=day.at + 90 * HOUR)
    for _ in range(13):
        await work.process(lambda news: news.waits(waiting), ended=Pending("an inventory", until=None))
        day.at += HOUR / 2
    assert [data["seconds"] for _, data in listening.came] == [7200, 14400, 21600]
    assert {data["needs"] for _, data in listening.came} == {"time"}
    assert listening.came[0][1]["next"] is None


async def test_a_wait_that_a_person_ends_is_told_after_a_quarter_of_an_hour_and_counted_anew_each_time(
    work: Work, listening: Listening, day: Day
) -> None:
    expired = Waiting(what="new AWS credentials", until=day.at, needs=Needs.CREDENTIALS)

    def wait(news: News) -> None:
        for _ in range(4):  # 20 minutes, told after 15
            news.waits(expired)
            day.at += HOUR / 12
        news.waits(Waiting(what="an inventory", until=day.at))  # they were renewed
        for _ in range(4):
            news.waits(expired)
            day.at += HOUR / 12

    await work.process(wait)
    assert [(kind, data["seconds"]) for kind, data in listening.came] == [("waiting_long", 900)] * 2
    assert listening.came[0][1]["next"] == "glacier-purge again"


async def test_holds_are_told_each_and_a_second_look_at_the_same_is_not(work: Work, listening: Listening) -> None:
    def hold(news: News) -> None:
        news.held("2026-01-01T00:00:00Z", "tags: purge:deny")
        news.held("2026-01-01T00:00:00Z", "tags: purge:deny")
        news.held("2026-01-01T00:00:00Z", "vault lock: keep")
        news.held("2026-01-02T00:00:00Z", "vault lock: keep")  # it was lifted meanwhile

    await work.process(hold)
    assert [data["found"] for _, data in listening.came] == ["tags: purge:deny", *["vault lock: keep"] * 2]
    assert listening.came[0][1]["next"] == f"glacier-purge status {work.folder.path}"


async def test_without_hooks_nothing_is_kept(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    async with telling(Settings(), print) as told:
        assert told is None
        with pytest.raises(RunStopped):  # noqa: PT012 - it is told as it leaves the context
            async with news_of(folder, "photos", told, now=utc_now, again="") as one:
                one.held("2026-01-01T00:00:00Z", "x")
                raise RunStopped("x")
    assert not list(folder.path.iterdir())


async def test_a_secret_that_is_not_there_is_told_before_anything_begins(tmp_path: Path) -> None:
    hook = {"url": "https://hooks.example.com/x", "secret_env": "NO_SUCH_VARIABLE"}
    with pytest.raises(ConfigurationFailed, match=r"hooks.example.com/… is to be in .* NO_SUCH_VARIABLE"):
        async with telling(Settings.model_validate({"hooks": [hook]}), print):
            pass
    for content, why in ((None, "No such file"), (" \n", "there is nothing in it")):
        file = tmp_path / "secret"
        if content is not None:
            file.write_text(content)
        hook = {"url": "https://hooks.example.com/x", "secret_file": str(file)}
        with pytest.raises(ConfigurationFailed, match=f"secret: {why}"):
            async with telling(Settings.model_validate({"hooks": [hook]}), print):
                pass


@IN_PROCESS
async def test_who_answers_soon_is_not_reminded_and_who_does_not_is(work: Work, listening: Listening, day: Day) -> None:
    """Two hours are long here. The first yes comes after half a minute, the second after five hours."""
    began = anyio.current_time()

    async def ask(news: News, digest: str, seconds: float) -> None:
        async with news.asking(plan(digest), work.folder.path):
            for _ in range(int(seconds / 10)):
                await anyio.sleep(10)
                day.at += timedelta(seconds=10)

    async with work.opened() as one:
        await ask(one, "a" * 64, 30)
        assert not listening.kinds
        await ask(one, "b" * 64, 5 * 3600)
    assert anyio.current_time() - began > 5 * 3600
    assert listening.kinds == ["approval_wanted", "waiting_long", "waiting_long"]
    assert f"--confirm-digest {'b' * 64}" in listening.came[0][1]["next"]


@IN_PROCESS
async def test_a_pause_that_lasts_is_told_and_a_closed_window_is_not(
    work: Work, listening: Listening, day: Day
) -> None:
    run = Paused()

    async def passes(seconds: int) -> None:
        for _ in range(seconds // 10):
            await anyio.sleep(10)
            day.at += timedelta(seconds=10)

    async with work.opened() as one, one.watching(run, plan("a" * 64)):  # type: ignore[arg-type]  # what is asked of it
        run.by = ["window"]
        await passes(7 * 3600)
        assert not listening.kinds
        run.by = ["operator", "window"]
        await passes(600)
        run.by = []
        await passes(600)
        run.by = ["operator"]
        await passes(800)
        assert not listening.kinds
        await passes(200)
    assert [(kind, data["waiting_for"], data["needs"]) for kind, data in listening.came] == [
        ("waiting_long", "paused by dave", "operator")
    ]


class Paused:
    """As much of a run as is watched."""

    ledger = None

    def __init__(self) -> None:
        self.by: list[str] = []

    def telemetry(self) -> dict[str, object]:
        return {"paused_by": self.by, "why": "paused by dave"}


def plan(digest: str) -> Plan:
    """As much of a plan as is told."""
    counts = SimpleNamespace(selected=3, inventory=5)
    facts = {"digest": digest, "vault_name": "photos", "counts": counts, "selected_bytes": 7, "vault": VAULT}
    return SimpleNamespace(**facts)  # type: ignore[return-value]
