"""A run whose log is kept in a bucket: what a lost disk, a bucket that is away and another host come to."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import msgspec
import pytest

from glacier_purge.audit.journal import Journal
from glacier_purge.aws.bucket import BucketAway
from glacier_purge.aws.pretend_bucket import PretendBucket
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.errors import AuditDamaged, GlacierPurgeError, PlanRefused, Superseded, one_error
from glacier_purge.plan.making import Selection
from glacier_purge.plan.reasons import DELETE, EXCLUDED
from glacier_purge.plan.selection import Filter
from glacier_purge.replica.chunk import ChunkHead, read_chunk, seal_chunk
from glacier_purge.replica.log_replica import LogKeeping
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import log_bytes
from tests.deletion.pretended import InProcessGlacier
from tests.replica.hosts import KEY, LOG, SETTINGS, Weather, contents, kept, killed, moved, restored
from tests.run.bench import START, Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.archive import Archive, ArchiveId
    from glacier_purge.run.purge import PurgeRun

pytestmark = IN_PROCESS

ARCHIVES = 900
RATE = 100
SLOW = PacerSettings(rate_per_second_first=10.0, rate_per_second_max=10.0, in_flight_max=4)


def chunk_keys(objects: dict[str, bytes]) -> list[str]:
    return sorted(key for key in objects if key.startswith(LOG))


async def test_a_run_is_in_the_bucket_to_its_last_byte_when_it_ends(tmp_path: Path) -> None:
    bucket = PretendBucket()
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, bucket)
    await bench.finish()
    ours = log_bytes(bench.disk.contents())
    held = b"".join(read_chunk(bucket.objects[key], key).log for key in chunk_keys(bucket.objects))
    assert held == ours
    made = await moved(bench, bucket.objects, tmp_path / "other")
    assert log_bytes(bench.disk.contents()) == ours
    assert (made.logs[0].records, made.logs[0].in_doubt) == (len(bench.log()), 0)


@pytest.mark.parametrize("seconds", [0.05, 0.9, 1.1, 3.3, 8.9])
async def test_a_lost_disk_costs_some_deletes_sent_again_and_no_truth(seconds: float, tmp_path: Path) -> None:
    bucket = PretendBucket()
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, bucket)
    await killed(bench, bucket.objects, seconds)
    sent_before = bench.service.requests
    made = await moved(bench, bucket.objects, tmp_path / "other")
    assert bench.events("restored") if sent_before else True
    kept(bench, bucket, lease_epoch=2)
    await bench.finish()
    per_archive = Counter(bench.service.sent)
    assert len(per_archive) == ARCHIVES
    assert max(per_archive.values()) <= 2
    assert sum(per_archive.values()) - ARCHIVES <= 1.2 * RATE + 2 * 16
    assert made.logs[0].in_doubt < RATE * 120
    await moved(bench, bucket.objects, tmp_path / "third")
    assert [line["event"] for line in bench.log()][-1] == "finished"


async def test_nothing_is_sent_that_the_bucket_would_not_know_of(tmp_path: Path) -> None:
    bucket = PretendBucket()
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, bucket)
    released = bench.service.before_send
    heads: dict[str, ChunkHead] = {}
    ordinals = {archive.archive_id: archive.ordinal for archive in bench.service.archives()}

    def check(archive_id: ArchiveId) -> None:
        assert released is not None
        released(archive_id)
        newest = chunk_keys(bucket.objects)[-1]
        if newest not in heads:
            heads[newest] = read_chunk(bucket.objects[newest], newest).head
        assert ordinals[archive_id] <= heads[newest].may_reach

    bench.service.before_send = check
    await bench.finish()
    assert bench.service.requests == ARCHIVES


async def test_what_is_kept_when_most_archives_stay_is_known_as_well(tmp_path: Path) -> None:
    bucket = PretendBucket()
    most_stay = Selection(filters=[Filter(_each_25th, {EXCLUDED: None})])
    bench = Bench(tmp_path, InProcessGlacier(10_000), most_stay)
    kept(bench, bucket)
    await bench.finish()
    chunks = chunk_keys(bucket.objects)
    assert len(chunks) <= anyio.current_time() + 5
    assert bench.service.requests == 400


async def test_a_bucket_that_is_away_pauses_within_the_margin_and_loses_nothing(tmp_path: Path) -> None:
    weather = Weather()
    bucket = PretendBucket(weather=weather)
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, bucket)
    async with bench.process(pace=SLOW) as run:
        await anyio.sleep(12)
        weather.away = BucketAway("the bucket is away")
        await anyio.sleep(8)
        assert run.telemetry()["paused_by"] == ["replica"]
        assert run.telemetry()["cause"] == "replica"
        assert "the bucket is away" in str(run.telemetry()["why"])
        sent = bench.service.requests
        assert sent <= 10 * (12 + 6 + 2)
        await anyio.sleep(600)
        assert bench.service.requests == sent
        weather.away = None
        await anyio.sleep(3)
        assert run.telemetry()["paused_by"] == []
        assert bench.service.requests > sent
    assert bench.log()[-1]["event"] == "finished"
    causes = {line.get("cause") for line in bench.events("telemetry")}
    assert "replica" in causes
    assert Counter(bench.service.sent) == Counter({archive.archive_id: 1 for archive in bench.service.archives()})
    await moved(bench, bucket.objects, tmp_path / "other")


@pytest.mark.parametrize("call", ["create", "read", "keys"])
async def test_a_bucket_that_denies_at_the_start_is_told_and_nothing_is_sent(call: str, tmp_path: Path) -> None:
    weather = Weather()
    bench = Bench(tmp_path, InProcessGlacier(50))

    async def denies(asked: str, key: str, *, is_done: bool) -> None:
        if asked == call:
            raise BucketAway("the bucket denies it", is_denied=True)

    objects: dict[str, bytes] = {}
    if call == "read":
        kept(bench, PretendBucket(objects))
        await killed(bench, objects, 0.2)
    sent = bench.service.requests
    kept(bench, PretendBucket(objects, denies))
    with pytest.raises(BucketAway, match="denies"):
        await bench.finish()
    assert bench.service.requests == sent
    kept(bench, PretendBucket(objects, weather))
    await bench.finish()


async def test_answers_that_are_lost_are_no_other_writer(tmp_path: Path) -> None:
    weather = Weather()
    bucket = PretendBucket(weather=weather)
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, bucket)
    async with bench.process():
        await anyio.sleep(2)
        for _ in range(6):
            weather.loses = 1
            await anyio.sleep(1)
    assert bench.log()[-1]["event"] == "finished"
    await moved(bench, bucket.objects, tmp_path / "other")


async def test_a_write_of_a_killed_process_that_comes_late_is_our_own(tmp_path: Path) -> None:
    objects: dict[str, bytes] = {}
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, PretendBucket(objects))
    await killed(bench, objects, 3.5)
    late = chunk_keys(objects)[-1]
    content = objects.pop(late)

    async def comes_late(call: str, key: str, *, is_done: bool) -> None:
        if call == "create" and key == late:
            objects.setdefault(late, content)

    kept(bench, PretendBucket(objects, comes_late))
    await bench.finish()
    assert objects[late] == content
    await moved(bench, objects, tmp_path / "other")


async def test_who_was_superseded_stops_and_another_host_finishes(tmp_path: Path) -> None:
    objects: dict[str, bytes] = {}
    weather = Weather()
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, PretendBucket(objects, weather))
    run = bench.purge_run()
    with pytest.raises(Superseded, match="another process went on with this run") as told:
        await _cut_off(bench, run, objects, weather, tmp_path / "other")
    assert told.value.exit_code == 75
    assert bench.service.requests <= 4 * RATE + 7 * RATE
    assert "another process went on" in bench.log()[-1]["reason"]
    await moved(bench, objects, tmp_path / "third")
    kept(bench, PretendBucket(objects), lease_epoch=3)
    await bench.finish()
    assert len(set(bench.service.sent)) == ARCHIVES


async def _cut_off(bench: Bench, run: PurgeRun, objects: dict[str, bytes], weather: Weather, place: Path) -> None:
    """Work; after four seconds this process reaches no bucket, another host takes over, and it reaches it again."""
    with one_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bench.carry_out, run)
            await anyio.sleep(4)
            weather.away = BucketAway("cut off")
            await restored(objects, place)
            journal = await Journal.open(
                PretendDisk(contents(place)),
                run=bench.log()[0]["run"],
                plan_digest=bench.plan.digest,
                records=ARCHIVES,
                wall_clock=lambda: START.timestamp() + 90_000,
            )
            going_on = LogKeeping(
                bucket=PretendBucket(objects),
                folder=LOG,
                settings=SETTINGS,
                tool_version="1.0",
                lease_epoch=lambda: 2,
            )
            replica = await going_on.attached(journal, PretendDisk(contents(place)), anyio.current_time)
            await replica.flush()
            weather.away = None


def _each_25th(archive: Archive) -> int:
    return EXCLUDED if archive.ordinal % 25 else DELETE


async def test_steps_of_the_wall_clock_change_nothing(tmp_path: Path) -> None:
    bucket = PretendBucket()
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, bucket)
    async with bench.process() as run:
        for step in (3_600.0, -86_400.0, 400.0):
            await anyio.sleep(2)
            bench.clock_set_by_seconds += step
            assert run.telemetry()["paused_by"] == []
    assert bench.log()[-1]["event"] == "finished"
    made = await moved(bench, bucket.objects, tmp_path / "other")
    assert made.logs[0].chunks == len(chunk_keys(bucket.objects)) <= 12


async def test_a_bucket_that_lost_its_last_chunks_gets_them_anew(tmp_path: Path) -> None:
    objects: dict[str, bytes] = {}
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, PretendBucket(objects))
    await killed(bench, objects, 5.5)
    for key in chunk_keys(objects)[1:]:
        del objects[key]
    kept(bench, PretendBucket(objects))
    await bench.finish(segment_records=150)
    await moved(bench, objects, tmp_path / "other")


@pytest.mark.parametrize("lost", ["all", "files", "content"])
async def test_a_bucket_that_lost_all_is_replicated_anew(lost: str, tmp_path: Path) -> None:
    objects: dict[str, bytes] = {}
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, PretendBucket(objects))
    await killed(bench, objects, 5.5, segment_records=200)
    for key in [key for key in objects if lost == "all" or key.startswith(f"{KEY}{lost}/")]:
        del objects[key]
    kept(bench, PretendBucket(objects))
    await bench.finish(segment_records=200)
    await moved(bench, objects, tmp_path / "other")
    assert len({json.loads(line)["event"] for line in log_bytes(bench.disk.contents()).splitlines()}) > 4


async def test_a_bucket_that_lost_one_in_the_middle_is_refused_by_name(tmp_path: Path) -> None:
    objects: dict[str, bytes] = {}
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, PretendBucket(objects))
    await killed(bench, objects, 5.5)
    sent = bench.service.requests
    del objects[chunk_keys(objects)[1]]
    kept(bench, PretendBucket(objects))
    with pytest.raises(AuditDamaged, match=r"00000002.*missing"):
        await bench.finish()
    assert bench.service.requests == sent


async def test_an_older_copy_of_the_folder_is_not_gone_on_with(tmp_path: Path) -> None:
    objects: dict[str, bytes] = {}
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, PretendBucket(objects))
    await killed(bench, objects, 2.5)
    older = bench.disk.contents()
    kept(bench, PretendBucket(objects))
    await killed(bench, objects, 2.5)
    sent = bench.service.requests
    bench.disk = PretendDisk(older)
    kept(bench, PretendBucket(objects))
    with pytest.raises(Superseded, match="another process went on with this run"):
        await bench.finish()
    assert bench.service.requests == sent


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def another_runs(content: bytes) -> bytes:
    chunk = read_chunk(content, "")
    return seal_chunk(msgspec.structs.replace(chunk.head, run="another"), chunk.log).content


def another_versions(content: bytes) -> bytes:
    chunk = read_chunk(content, "")
    return seal_chunk(msgspec.structs.replace(chunk.head, format=2, tool_version="9.0"), chunk.log).content


IN_THE_WAY = pytest.mark.parametrize(
    ("spoilt", "error", "says"),
    [
        (half, AuditDamaged, "log/0000000.*it is not whole"),
        (lambda _: b"", AuditDamaged, "log/0000000.*it is not whole"),
        (another_runs, AuditDamaged, "log/0000000.*of another run .*Give another prefix"),
        (another_versions, PlanRefused, "log/0000000.* was written by glacier-purge 9.0, in format 2"),
    ],
    ids=["half-written", "empty", "another run's", "another version's"],
)


@IN_THE_WAY
async def test_a_last_chunk_that_can_not_be_gone_by_ends_it_before_anything_is_sent(
    spoilt: Callable[[bytes], bytes], error: type[GlacierPurgeError], says: str, tmp_path: Path
) -> None:
    objects: dict[str, bytes] = {}
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, PretendBucket(objects))
    await killed(bench, objects, 3.5)
    last, sent = chunk_keys(objects)[-1], bench.service.requests
    whole, objects[last] = objects[last], spoilt(objects[last])
    kept(bench, PretendBucket(objects))
    with pytest.raises(error, match=says):
        await bench.finish()
    assert bench.service.requests == sent
    objects[last] = whole
    kept(bench, PretendBucket(objects))
    await bench.finish()
    await moved(bench, objects, tmp_path / "other")


@IN_THE_WAY
async def test_one_that_comes_in_the_way_while_it_sends_ends_it_in_good_order_and_loses_nothing(
    spoilt: Callable[[bytes], bytes], error: type[GlacierPurgeError], says: str, tmp_path: Path
) -> None:
    objects: dict[str, bytes] = {}
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, PretendBucket(objects))
    with pytest.raises(error, match=says):
        await _put_in_the_way(bench, objects, spoilt)
    assert bench.log()[-1]["event"] == "stopped"
    assert bench.log()[-1]["unknown"] == []
    assert len(bench.outcomes()) == bench.service.requests < ARCHIVES
    del objects[chunk_keys(objects)[-1]]
    kept(bench, PretendBucket(objects))
    await bench.finish()
    assert bench.service.requests == ARCHIVES
    await moved(bench, objects, tmp_path / "other")


async def _put_in_the_way(bench: Bench, objects: dict[str, bytes], spoilt: Callable[[bytes], bytes]) -> None:
    with one_error():
        async with bench.process():
            await anyio.sleep(3)
            last = chunk_keys(objects)[-1]
            objects[f"{last[:-8]}{int(last[-8:]) + 1:08}"] = spoilt(objects[last])


async def test_a_bucket_that_is_too_slow_pauses_and_is_said_to_be_slow(tmp_path: Path) -> None:
    takes_seconds = [0.01]

    async def slow(call: str, key: str, *, is_done: bool) -> None:
        await anyio.sleep(takes_seconds[0])

    bucket = PretendBucket(weather=slow)
    bench = Bench(tmp_path, InProcessGlacier(ARCHIVES))
    kept(bench, bucket)
    async with bench.process(pace=SLOW) as run:
        await anyio.sleep(5)
        takes_seconds[0] = 20.0
        await anyio.sleep(10)
        assert run.telemetry()["paused_by"] == ["replica"]
        assert "it answers, but too slowly" in str(run.telemetry()["why"])
        sent = bench.service.requests
        await anyio.sleep(5)
        assert bench.service.requests == sent
        takes_seconds[0] = 0.01
    assert bench.log()[-1]["event"] == "finished"
    assert Counter(bench.service.sent).total() == ARCHIVES
    await moved(bench, bucket.objects, tmp_path / "other")
