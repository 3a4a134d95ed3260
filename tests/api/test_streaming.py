"""``delete_archives`` with an audit log and with policies of the caller's own, held against the server's ledger."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tenacity import AsyncRetrying, stop_after_attempt, stop_after_delay, stop_before_delay, wait_exception, wait_fixed

import glacier_purge
from glacier_purge.api import stream_log
from glacier_purge.audit.given_ids import GivenIds
from glacier_purge.audit.segments import find_segments, read_lines
from glacier_purge.audit.stream_document import read_stream
from glacier_purge.audit.verification import PlanFacts, verify
from glacier_purge.cli import main
from glacier_purge.deletion.retry import RetryPolicy, RetryPolicySettings, own_policies
from glacier_purge.errors import AuditDamaged, DiskFailed, NotOurs, RunLocked, UsageError
from glacier_purge.glacier.reply import Meaning
from glacier_purge.storage.disk import FileDisk, FolderFiles
from glacier_purge.storage.file_system import PROBE_FILE
from glacier_purge.storage.folder import RunFolder
from glacier_simulator.faults import Rule
from glacier_simulator.kit import SimulatedGlacier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from pathlib import Path

    from tenacity import BaseRetrying

VAULT = glacier_purge.Vault(account_id="123456789012", region="us-east-1", name="photos")
CREDENTIALS = glacier_purge.StaticCredentials(access_key_id="test", secret_access_key="test")


@pytest.fixture
async def glacier() -> AsyncIterator[SimulatedGlacier]:
    async with SimulatedGlacier(archives=200) as glacier:
        yield glacier


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def ids_in(glacier: SimulatedGlacier) -> list[str]:
    return [record["ArchiveId"] for record in json.loads(glacier.inventory_text())["ArchiveList"]]


def deleting(
    glacier: SimulatedGlacier,
    ids: Iterable[str] | AsyncIterator[str],
    log: Path | None,
    retry: dict[str, BaseRetrying] | None = None,
    **more: object,
) -> AsyncIterator[glacier_purge.Outcome]:
    settings = glacier_purge.Settings.model_validate(
        {
            "aws": {"endpoint_url": glacier.endpoint_url},
            "pace": {"first_per_second": 1000},
            "audit": {"commit_seconds": 0.02},
            **more,
        }
    )
    return glacier_purge.delete_archives(
        VAULT, ids, settings=settings, credentials=CREDENTIALS, audit_log=log, retry=retry
    )


async def outcomes_of(*arguments: Any, **more: Any) -> list[glacier_purge.Outcome]:
    return [outcome async for outcome in deleting(*arguments, **more)]


def lines_of(log: Path) -> list[dict[str, Any]]:
    disk = FileDisk(log)
    whole = (line for segment in find_segments(disk) for lines in read_lines(disk, segment) for line in lines)
    return [json.loads(line) for line in whole if line.endswith(b"\n")]


def recorded(log: Path) -> dict[str, str]:
    """Outcomes on disk, by id; none has two."""
    found = [line for line in lines_of(log) if line["event"] == "outcome"]
    assert len({line["ordinal"] for line in found}) == len(found)
    return {line["archive_id"]: line["outcome"] for line in found}


def check_sound(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the package's command, by the function alone, and held against the document that stands for a plan."""
    capsys.readouterr()
    assert main(["audit", "verify", str(log), "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "sound"
    found = read_stream(log)
    assert found is not None
    for plan in (None, PlanFacts(digest=found[1], records=found[0].records)):
        assert verify(log, plan=plan).faults == ()


# -- what is on record ------------------------------------------------------------------------------------------------


async def test_every_outcome_is_on_disk_when_the_caller_sees_it(
    glacier: SimulatedGlacier, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = ids_in(glacier)
    seen = set()
    async for outcome in deleting(glacier, ids, log):
        seen.add(outcome.archive_id)
        assert seen <= recorded(log).keys()
    assert recorded(log) == dict.fromkeys(ids, "deleted")
    assert glacier.ledger["archives_left"] == 0
    check_sound(log, capsys)
    assert main(["audit", "export", str(log)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(ids)


async def test_every_id_is_on_record_before_it_is_sent(
    glacier: SimulatedGlacier, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ids_in(glacier)
    released: set[str] = set()
    sync = FileDisk.sync

    def look(disk: FileDisk, name: str) -> None:
        received = {archive_id for archive_id in ids if glacier.service.ledger.times_received(archive_id)}
        assert received <= released, "sent before its record was durable"
        sync(disk, name)
        released.update(one for line in lines_of(log) if line["event"] == "released" for one in line["ids"].values())

    monkeypatch.setattr(FileDisk, "sync", look)
    assert len(await outcomes_of(glacier, ids, log)) == len(ids)
    assert released == set(ids)


async def test_ids_given_again_come_back_as_they_were_and_are_not_sent(
    glacier: SimulatedGlacier, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = ids_in(glacier)
    glacier.desk.faults.replace([Rule("throttle", count=2)])
    at_once = AsyncRetrying(stop=stop_after_attempt(1), wait=wait_fixed(0))
    first = await outcomes_of(glacier, ids[:2], log, {"throttled": at_once})
    assert [one.outcome for one in first] == ["failed", "failed"]
    first += await outcomes_of(glacier, [*ids[2:50], ".."], log)
    received = glacier.ledger["deletes_received"]
    again = await outcomes_of(glacier, [*ids[:60], ".."], log)
    assert glacier.ledger["deletes_received"] == received + 10
    earlier = {outcome.archive_id: outcome for outcome in again if outcome.code == "recorded earlier"}
    assert {name: (one.ordinal, one.outcome) for name, one in earlier.items()} == {
        one.archive_id: (one.ordinal, one.outcome) for one in first
    }
    assert {one.attempts for one in earlier.values()} == {0}
    assert len(again) == 61
    assert len(recorded(log)) == 61
    check_sound(log, capsys)


async def test_an_id_given_twice_in_one_call_is_sent_once(glacier: SimulatedGlacier, log: Path) -> None:
    ids = ids_in(glacier)[:20]
    found = await outcomes_of(glacier, ids * 2, log)
    assert sorted(one.outcome for one in found) == ["deleted"] * 20 + ["duplicate"] * 20
    assert {one.code for one in found if one.outcome == "duplicate"} == {f"duplicate_of:{at}" for at in range(20)}
    assert glacier.ledger["deletes_received"] == 20


async def test_what_is_no_archive_id_is_written_down_once_and_never_sent(
    glacier: SimulatedGlacier, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ["..", "", "x" * 10_000, "\x1b[31m", "\ud800", "=1+1"]
    for _ in range(2):
        found = await outcomes_of(glacier, wrong, log)
        assert [one.outcome for one in found] == ["invalid"] * 6
    assert glacier.ledger["deletes_received"] == 0
    assert len(recorded(log)) == 6
    check_sound(log, capsys)


async def test_an_early_end_leaves_in_doubt_what_was_under_way_and_sends_it_again(
    glacier: SimulatedGlacier, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = ids_in(glacier)
    glacier.desk.faults.replace([Rule("black-hole", share=0.1, count=3)])
    seen = 0
    async with aclosing(deleting(glacier, ids, log)) as outcomes:  # type: ignore[type-var]
        async for _ in outcomes:
            seen += 1
            if seen == 60:
                break
    stopped = lines_of(log)[-1]
    assert stopped["event"] == "stopped"
    in_doubt = set(stopped["unknown"])
    assert in_doubt
    glacier.desk.faults.replace([])
    await outcomes_of(glacier, ids, log)
    assert recorded(log) == dict.fromkeys(ids, "deleted")
    assert {line["ordinal"] for line in lines_of(log) if line.get("redelete")} == in_doubt
    check_sound(log, capsys)


async def test_ids_that_come_in_groups_are_not_kept_waiting(glacier: SimulatedGlacier) -> None:
    ids = ids_in(glacier)[:30]
    come_back: list[str] = []
    news = asyncio.Event()

    async def in_groups() -> AsyncIterator[str]:
        for start in range(0, 30, 5):
            for archive_id in ids[start : start + 5]:
                yield archive_id
            while len(come_back) < start + 5:  # the next five only when these are deleted
                news.clear()
                await news.wait()

    async for outcome in deleting(glacier, in_groups(), None):
        come_back.append(outcome.archive_id)
        news.set()
    assert sorted(come_back) == sorted(ids)


# -- what is refused --------------------------------------------------------------------------------------------------


@contextmanager
def nothing_sent(glacier: SimulatedGlacier) -> Iterator[None]:
    before = glacier.ledger["deletes_received"]
    yield
    assert glacier.ledger["deletes_received"] == before


def other_vault(log: Path) -> None:
    edit(log / "stream.json", b"vaults/photos", b"vaults/others")


def unreadable(log: Path) -> None:
    (log / "stream.json").write_bytes(b"{")


def other_document(log: Path) -> None:
    edit(log / "stream.json", b'"by": "', b'"by": "x')


def changed_line(log: Path) -> None:
    edit(log / "audit/000001.jsonl", b'"outcome":"deleted"', b'"outcome":"skipped"')


def lost_line(log: Path) -> None:
    lines = (log / "audit/000001.jsonl").read_bytes().splitlines(keepends=True)
    del lines[3]
    (log / "audit/000001.jsonl").write_bytes(b"".join(lines))


def no_document(log: Path) -> None:
    (log / "stream.json").unlink()


def others_may_write(log: Path) -> None:
    log.chmod(0o777)


def others_may_write_the_document(log: Path) -> None:
    (log / "stream.json").chmod(0o666)


def a_second_name_of_the_log(log: Path) -> None:
    (log.parent / "elsewhere").hardlink_to(log / "audit/000001.jsonl")


def a_plan_beside_it(log: Path) -> None:
    (log / "plan.json").write_bytes(b"{}")


def edit(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (other_vault, UsageError, "is the audit log of arn:aws:glacier:us-east-1:123456789012:vaults/others"),
        (unreadable, AuditDamaged, "cannot be read as the log's own"),
        (other_document, AuditDamaged, "does not follow the one before it|another"),
        (changed_line, AuditDamaged, "was changed"),
        (lost_line, AuditDamaged, "cut back"),
        (no_document, UsageError, "is no audit log of delete_archives"),
        (others_may_write, UsageError, "can be written by other users"),
        (others_may_write_the_document, NotOurs, "stream.json can be written by other users"),
        (a_second_name_of_the_log, NotOurs, "has 2 names"),
        (a_plan_beside_it, UsageError, r"holds plan\.json"),
    ],
)
async def test_a_folder_that_is_not_as_it_was_written_is_refused(
    glacier: SimulatedGlacier, log: Path, spoil: Any, error: type[Exception], said: str
) -> None:
    ids = ids_in(glacier)
    await outcomes_of(glacier, ids[:20], log)
    spoil(log)
    with nothing_sent(glacier), pytest.raises(error, match=said):
        await outcomes_of(glacier, ids, log)


def as_a_crash_leaves_it(log: Path) -> None:
    log.mkdir(0o700)
    (log / PROBE_FILE).touch(0o600)


async def test_a_log_begins_where_a_crash_left_only_what_was_tried_there(glacier: SimulatedGlacier, log: Path) -> None:
    as_a_crash_leaves_it(log)
    ids = ids_in(glacier)[:5]
    assert len(await outcomes_of(glacier, ids, log)) == 5


async def test_a_runs_folder_and_a_locked_one_are_refused(glacier: SimulatedGlacier, log: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "run/plan.json").touch()
    with nothing_sent(glacier), pytest.raises(UsageError, match=r"holds plan\.json"):
        await outcomes_of(glacier, ids_in(glacier), tmp_path / "run")
    await outcomes_of(glacier, [], log)
    with (
        nothing_sent(glacier),
        RunFolder.open(log).locked(VAULT, glacier.endpoint_url),
        pytest.raises(RunLocked, match="another process works on the run"),
    ):
        await outcomes_of(glacier, ids_in(glacier), log)


async def test_verbs_of_runs_say_whose_folder_it_is(
    glacier: SimulatedGlacier, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await outcomes_of(glacier, ids_in(glacier)[:5], log)
    verbs = ["status"], ["show"], ["apply"], ["verify"], ["pause"], ["delete-vault", "--confirm-vault", "photos"]
    for verb in verbs:
        assert await asyncio.to_thread(main, [*verb, str(log)]) == 2
        assert "is the audit log of a script that calls delete_archives" in capsys.readouterr().err


async def test_a_torn_tail_is_cut_off_and_told(
    glacier: SimulatedGlacier, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = ids_in(glacier)
    await outcomes_of(glacier, ids[:20], log)
    with (log / "audit/000001.jsonl").open("ab") as file:
        file.write(b'{"seq":%d,"ts":"2026-' % len(lines_of(log)))
    await outcomes_of(glacier, ids, log)
    assert recorded(log) == dict.fromkeys(ids, "deleted")
    assert "recovered" in {line["event"] for line in lines_of(log)}
    check_sound(log, capsys)


@pytest.fixture
def begun(log: Path) -> Path:
    """What a crash leaves that came before the document."""
    log.mkdir(mode=0o700)
    (log / "lock").touch()
    (log / ".stream.json.new").write_bytes(b"{")
    return log


async def test_a_begun_folder_without_its_document_is_begun_again(glacier: SimulatedGlacier, begun: Path) -> None:
    assert len(await outcomes_of(glacier, ids_in(glacier)[:5], begun)) == 5


async def test_a_failed_disk_ends_it_and_nothing_is_shown_that_is_not_on_disk(
    glacier: SimulatedGlacier, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, left, sync = ids_in(glacier), 6, FileDisk.sync

    def failing(disk: FileDisk, name: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(5, "Input/output error")
        sync(disk, name)

    seen: list[str] = []

    async def look() -> None:
        async for outcome in deleting(glacier, ids, log):
            seen.append(outcome.archive_id)  # noqa: PERF401 - an error would lose a list that is being made

    with monkeypatch.context() as patched:
        patched.setattr(FileDisk, "sync", failing)
        with pytest.raises(DiskFailed):
            await look()
    assert len(seen) < len(ids)
    assert set(seen) <= recorded(log).keys()
    await outcomes_of(glacier, ids, log)
    assert recorded(log) == dict.fromkeys(ids, "deleted")


@pytest.mark.parametrize(("owner", "method"), [(FolderFiles, "create"), (FileDisk, "read"), (FileDisk, "append")])
async def test_a_disk_that_fails_before_anything_is_sent_is_told_as_such(
    glacier: SimulatedGlacier, log: Path, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    if method != "create":
        await outcomes_of(glacier, ids_in(glacier)[:5], log)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(owner, method, fail)
    with nothing_sent(glacier), pytest.raises(DiskFailed, match="No space left on device"):
        await outcomes_of(glacier, ids_in(glacier), log)


async def test_a_full_log_says_so_after_the_outcomes_of_what_it_holds(
    glacier: SimulatedGlacier, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_log, "RECORDS_MAX", 8)
    ids = ids_in(glacier)
    with pytest.raises(UsageError, match="the audit log holds 8 ids, as many as one can"):
        await outcomes_of(glacier, ids, log)
    assert recorded(log) == dict.fromkeys(ids[:8], "deleted")


def test_many_ids_are_told_apart() -> None:
    given = GivenIds()
    for number in range(20_000):
        given.add(given.place(f"{number:0138d}"), number, ("", "deleted", "failed")[number % 3])
    for number in range(20_000):
        assert given.find(given.place(f"{number:0138d}")) == (number, ("", "deleted", "failed")[number % 3])
    assert given.find(given.place("x")) is None


# -- crashes ----------------------------------------------------------------------------------------------------------

SCRIPT = """
import asyncio, sys, glacier_purge

async def main(url, log, ids):
    vault = glacier_purge.Vault(account_id="123456789012", region="us-east-1", name="photos")
    settings = glacier_purge.Settings.model_validate(
        {"aws": {"endpoint_url": url}, "pace": {"first_per_second": 1000}, "audit": {"segment_records": 1000}}
    )
    credentials = glacier_purge.StaticCredentials(access_key_id="test", secret_access_key="test")
    with open(ids) as file:
        async for outcome in glacier_purge.delete_archives(
            vault, map(str.strip, file), settings=settings, credentials=credentials, audit_log=log
        ):
            print(outcome.archive_id, outcome.outcome, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_a_killed_script_goes_on_and_every_archive_is_accounted_for(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SimulatedGlacier(archives=2_000, latency_ms=5) as glacier:
        ids = ids_in(glacier)
        (tmp_path / "ids").write_text("\n".join(ids))
        script = [sys.executable, "-c", SCRIPT, glacier.endpoint_url, str(log), str(tmp_path / "ids")]
        shown: dict[str, str] = {}
        for kill_after in (300, 1_000, None):
            process = await asyncio.create_subprocess_exec(*script, stdout=subprocess.PIPE)
            while kill_after is not None and glacier.ledger["deletes_received"] < kill_after:
                assert process.returncode is None
                await asyncio.sleep(0.005)
            if kill_after is not None:
                process.kill()
            output, _ = await process.communicate()
            killed_here = kill_after is not None
            assert process.returncode == (-9 if killed_here else 0)
            told = dict(line.split() for line in output.decode().splitlines() if len(line.split()) == 2)
            assert told.keys() <= recorded(log).keys() or not killed_here
            shown = shown | told
        assert glacier.ledger["archives_left"] == 0
        assert recorded(log) == dict.fromkeys(ids, "deleted") == shown
        twice = {archive_id for archive_id in ids if glacier.service.ledger.times_received(archive_id) > 1}
        told_twice = {line["archive_id"] for line in lines_of(log) if line.get("redelete")}
        assert twice <= told_twice
        assert max(map(glacier.service.ledger.times_received, ids)) <= 3
        assert len(told_twice) < 2 * 1_000
        assert find_segments(FileDisk(log))[0].compressed, "no segment was closed and read back"
        check_sound(log, capsys)


# -- policies of the caller's own -------------------------------------------------------------------------------------


async def test_a_policy_of_the_callers_own_decides_when_to_give_up(glacier: SimulatedGlacier, log: Path) -> None:
    ids = ids_in(glacier)[:3]
    glacier.desk.faults.replace([Rule("throttle")])
    given_up = AsyncRetrying(stop=stop_after_attempt(2), wait=wait_fixed(0.01))
    found = await outcomes_of(glacier, ids, log, {"throttled": given_up})
    assert {(one.outcome, one.attempts) for one in found} == {("failed", 2)}
    assert recorded(log) == dict.fromkeys(ids, "failed")


@pytest.mark.parametrize(
    ("retry", "said"),
    [
        ({"throttling": AsyncRetrying()}, "retry has no 'throttling'; it may have throttled, server_fault, no_reply"),
        ({"credentials": AsyncRetrying()}, "retry has no 'credentials'"),
        ({"unknown": 3}, "can't be asked"),
        ({"unknown": AsyncRetrying(wait=wait_exception(lambda _: 1.0))}, "before outcome was set"),
        ({"unknown": AsyncRetrying(wait=lambda _: -1.0)}, r"would wait -1\.0 seconds"),
        ({"unknown": AsyncRetrying(wait=lambda _: float("nan"))}, "would wait nan seconds"),
    ],
)
async def test_policies_that_could_not_answer_are_refused(glacier: SimulatedGlacier, retry: Any, said: str) -> None:
    with nothing_sent(glacier), pytest.raises(UsageError, match=said):
        await outcomes_of(glacier, ids_in(glacier), None, retry)


async def test_a_policy_whose_answers_have_to_be_awaited_is_refused(glacier: SimulatedGlacier) -> None:
    async def stop(_: object) -> bool:
        return True

    with nothing_sent(glacier), pytest.raises(UsageError, match="have to be awaited"):
        await outcomes_of(glacier, ids_in(glacier), None, {"unknown": AsyncRetrying(stop=stop)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stop", "last_seconds"),
    [(stop_after_delay(60), 60.0), (stop_before_delay(60), 55.0), (stop_after_attempt(1), 0.0)],
)
def test_a_policy_learns_how_long_it_has_been_going_on(stop: Any, last_seconds: float) -> None:
    own = own_policies({"no_reply": AsyncRetrying(stop=stop, wait=wait_fixed(5))})
    policy = RetryPolicy(RetryPolicySettings(), lambda: 1.0, own)
    assert policy.wait_seconds(Meaning.NO_REPLY, 1, last_seconds) is None
    assert last_seconds == 0.0 or policy.wait_seconds(Meaning.NO_REPLY, 1, last_seconds - 0.1) == 5.0
    assert policy.wait_seconds(Meaning.THROTTLED, 1, 1e6) == 0.5
