"""The log's head kept elsewhere: at each checkpoint and at the end; what is wrong with that place stops nothing."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import anyio
import pytest
from structlog.testing import capture_logs

from glacier_purge.audit.anchor import Anchor
from glacier_purge.audit.verification import AnchorNote, read_notes, verify
from glacier_purge.errors import AuditDamaged, UsageError
from glacier_purge.run import anchor_file
from glacier_purge.run.anchor_file import AnchorFile
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import dump
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import START, Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = IN_PROCESS


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    place = tmp_path / "elsewhere"
    place.mkdir()
    return place / "anchors"


def kept(file: Path) -> list[AnchorNote]:
    return read_notes(file.read_bytes())


async def test_the_head_is_kept_at_each_checkpoint_and_at_the_end(tmp_path: Path, elsewhere: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(1500))
    bench.anchors = AnchorFile(elsewhere, None)
    seen = []
    async with bench.process(checkpoint_seconds=2.0):
        for _ in range(5):
            await anyio.sleep(2.5)
            seen += [note.seq for note in kept(elsewhere)]
    [last] = kept(elsewhere)
    log = bench.log()
    assert (last.seq, log[-1]["event"]) == (len(log) - 1, "finished")
    assert len(set(seen)) == 5
    assert seen == sorted(seen)
    folder = dump(bench.disk.contents(), tmp_path / "checked")
    assert verify(folder, anchor=f"{last.seq}:{last.digest}").faults == ()


async def test_an_older_copy_of_the_log_is_not_gone_on_with(tmp_path: Path, elsewhere: Path) -> None:
    service = InProcessGlacier(300)
    bench = Bench(tmp_path, service)
    await bench.kill_after(1.5)
    older = bench.disk.contents()
    bench.anchors = AnchorFile(elsewhere, None)
    await bench.finish()
    before, sent = kept(elsewhere), service.requests
    bench.disk = PretendDisk(older)
    with pytest.raises(AuditDamaged, match=r"vouches for .* records, and the log has"):
        await bench.purge_run().carry_out(None)  # type: ignore[arg-type]  # never looked at
    assert (service.requests, kept(elsewhere)) == (sent, before)


async def test_a_place_that_is_gone_is_told_once_and_the_run_goes_on(tmp_path: Path, elsewhere: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(1000))
    bench.anchors = AnchorFile(elsewhere, None)
    bench.anchors.check()
    take_away(elsewhere.parent)
    with capture_logs() as logs:
        await bench.finish(checkpoint_seconds=1.0)
    told = [line for line in logs if line["event"] == "anchor.not_kept"]
    assert [line["because"] for line in told] == ["No such file or directory"]
    put_back(elsewhere.parent)
    await bench.carry_out(bench.purge_run())  # finished before: nothing is sent, and the head is kept
    assert len(kept(elsewhere)) == 1


def test_a_file_that_is_none_of_anchors_is_not_written_over(elsewhere: Path) -> None:
    with pytest.raises(UsageError, match="is no file"):
        AnchorFile(elsewhere.parent, None).check()
    write_diary(elsewhere)
    anchors = AnchorFile(elsewhere, None)
    with pytest.raises(UsageError, match="Give another --anchor-file"):
        anchors.check()
    with capture_logs() as logs:
        anchors.keep(Anchor.of(f"3:{'ab' * 32}", run="run", plan_digest="cd" * 32, at=START))
    assert [line["event"] for line in logs] == ["anchor.not_kept"]
    assert is_diary(elsewhere)


async def test_a_place_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_end(_: object) -> None:
        await anyio.sleep_forever()

    bench = Bench(tmp_path, InProcessGlacier(50))
    bench.aside = no_end
    bench.anchors = AnchorFile(elsewhere, None)
    with capture_logs() as logs:
        await bench.finish(checkpoint_seconds=1.0)
    told = [line["because"] for line in logs if line["event"] == "anchor.not_kept"]
    assert told == ["no answer in 5 seconds"]

    monkeypatch.setattr(anchor_file, "_TURN_SECONDS_MAX", 0.01)
    with anchor_file._one_at_a_time, capture_logs() as logs:
        bench.anchors.keep(Anchor.of(f"3:{'ab' * 32}", run="run", plan_digest="cd" * 32, at=START))
    assert "still being written" in logs[0]["because"]
    assert not is_there(elsewhere)


def is_there(file: Path) -> bool:
    return file.exists()


def write_diary(file: Path) -> None:
    file.write_text("dear diary\n")


def is_diary(file: Path) -> bool:
    return file.read_text() == "dear diary\n"


def take_away(folder: Path) -> None:
    folder.rmdir()


def put_back(folder: Path) -> None:
    folder.mkdir()


@pytest.mark.parametrize(("records", "head", "is_refused"), [(4, "ab", False), (4, "cd", True), (3, "ab", True)])
def test_a_log_that_is_not_the_one_vouched_for_is_refused_and_not_written_over(
    *, records: int, head: str, is_refused: bool, elsewhere: Path
) -> None:
    anchors = AnchorFile(elsewhere, None)
    anchors.keep(Anchor.of(f"3:{'ab' * 32}", run="run", plan_digest="cd" * 32, at=START))
    before = kept(elsewhere)
    other = Anchor.of(f"{records - 1}:{head * 32}", run="run", plan_digest="cd" * 32, at=START)
    with pytest.raises(AuditDamaged) if is_refused else nullcontext():
        anchors.hold_against(other)
    with capture_logs() as logs:
        anchors.keep(other)
    assert bool(logs) == is_refused
    assert kept(elsewhere) == before


async def test_runs_keep_their_anchors_in_one_file(tmp_path: Path, elsewhere: Path) -> None:
    for number in range(2):
        put_back(tmp_path / str(number))
        bench = Bench(tmp_path / str(number), InProcessGlacier(30 + number))
        bench.anchors = AnchorFile(elsewhere, None)
        await bench.finish()
    assert len({note.plan for note in kept(elsewhere)}) == 2
