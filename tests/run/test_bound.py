"""Approved is what is sent, also when the files of the plan are changed while a run works by them.

Each change is made while deletes are under way.  What the plan keeps is on the server's shelf afterwards, the run has
ended with exit code 4 and named the file, and with the approved file back in its place it goes on to its end.
"""

from __future__ import annotations

import errno
import os
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import anyio
import msgspec
import pytest

from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.record import Outcome
from glacier_purge.errors import FileChanged, FileUnreadable, NotAsApproved, PlanRefused, one_error
from glacier_purge.guard.rules import Rules, check_archives
from glacier_purge.plan.document import Plan, plan_bytes, read_plan
from glacier_purge.plan.files import plan_files
from glacier_purge.plan.identity import hashed_identity
from glacier_purge.plan.making import Selection
from glacier_purge.plan.reasons import DELETE, EXCLUDED
from glacier_purge.plan.selection import Filter
from glacier_purge.run.bounds import Allowance, check_outcomes
from glacier_purge.storage.bound_file import BLOCK_BYTES
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from glacier_purge.archive import Archive

STRANGER = 65_534
ARCHIVES = 900
"""Five blocks of inventory, of which two are left to be read a second and a half after the start."""
KEPT_EACH = 3

pytestmark = IN_PROCESS


def is_kept(ordinal: int) -> bool:
    return ordinal % KEPT_EACH == 0


def judged(archive: Archive) -> int:
    return EXCLUDED if is_kept(archive.ordinal) else DELETE


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("glacier_purge.plan.files.READ_RECORDS", 100)
    made = Bench(tmp_path, InProcessGlacier(ARCHIVES), Selection(filters=[Filter(judged, {EXCLUDED: None})]))
    yield made
    ids = [archive.archive_id for archive in made.service.archives()]
    touched = {archive_id for archive_id, times in made.service.sent.items() if times}
    assert touched <= {archive_id for ordinal, archive_id in enumerate(ids) if not is_kept(ordinal)}
    assert all(made.service.pretended.ledger.times_received(ids[ordinal]) == 0 for ordinal in range(0, ARCHIVES, 3))


def in_place(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def the_last_decisions_say_delete(folder: Path) -> None:
    in_place(folder / "decisions", ARCHIVES - 300, bytes(300))


def decisions_already_carried_out_say_delete(folder: Path) -> None:
    in_place(folder / "decisions", 0, bytes(3))


def one_id_is_a_kept_archives(folder: Path) -> None:
    inventory = (folder / "inventory.json").read_bytes()
    records = inventory.split(b'{"ArchiveId":"')
    kept, goes = records[ARCHIVES][:138], records[ARCHIVES - 1][:138]
    assert is_kept(ARCHIVES - 3)
    in_place(folder / "inventory.json", inventory.rindex(goes), records[ARCHIVES - 2][:138])
    assert kept != goes


def the_inventory_ends_early(folder: Path) -> None:
    content = (folder / "inventory.json").read_bytes()
    (folder / "inventory.json").write_bytes(content[: len(content) // 2])


def the_decisions_end_early(folder: Path) -> None:
    (folder / "decisions").write_bytes((folder / "decisions").read_bytes()[:-300])


def the_decisions_are_empty(folder: Path) -> None:
    (folder / "decisions").write_bytes(b"")


def there_are_more_decisions(folder: Path) -> None:
    with (folder / "decisions").open("ab") as file:
        file.write(bytes(10))


def there_is_more_inventory(folder: Path) -> None:
    with (folder / "inventory.json").open("ab") as file:
        file.write(b" ")


def the_decisions_are_others(folder: Path) -> None:
    (folder / "new").write_bytes(bytes(ARCHIVES))
    (folder / "new").rename(folder / "decisions")


def the_inventory_is_another_with_the_same_bytes(folder: Path) -> None:
    (folder / "new").write_bytes((folder / "inventory.json").read_bytes())
    (folder / "new").rename(folder / "inventory.json")


def the_decisions_are_gone(folder: Path) -> None:
    (folder / "decisions").unlink()


def there_are_duplicates(folder: Path) -> None:
    (folder / "duplicates").write_bytes(bytes(16))


def the_inventory_has_a_second_name(folder: Path) -> None:
    (folder.parent / "second").hardlink_to(folder / "inventory.json")


def everybody_may_write_the_decisions(folder: Path) -> None:
    (folder / "decisions").chmod(0o666)


def the_decisions_belong_to_somebody_else(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(folder, STRANGER, STRANGER)
    os.chown(folder / "decisions", STRANGER, STRANGER)


def a_pipe_lies_where_the_decisions_were(folder: Path) -> None:
    (folder / "decisions").unlink()
    os.mkfifo(folder / "decisions")


def the_inventory_is_cut_and_made_as_long_with_a_hole(folder: Path) -> None:
    size = (folder / "inventory.json").stat().st_size
    os.truncate(folder / "inventory.json", size - BLOCK_BYTES)
    os.truncate(folder / "inventory.json", size)


def the_folder_was_renamed(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def the_folder_is_another_with_the_same_files(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    shutil.copytree(folder.with_name("elsewhere"), folder, ignore=shutil.ignore_patterns("control"))


CHANGES: dict[Callable[[Path], None], str] = {
    the_last_decisions_say_delete: "decisions",
    decisions_already_carried_out_say_delete: "decisions",
    one_id_is_a_kept_archives: "inventory.json",
    the_inventory_ends_early: "inventory.json",
    the_decisions_end_early: "decisions",
    the_decisions_are_empty: "decisions",
    there_are_more_decisions: "decisions",
    there_is_more_inventory: "inventory.json",
    the_decisions_are_others: "decisions",
    the_inventory_is_another_with_the_same_bytes: "inventory.json",
    the_decisions_are_gone: "decisions",
    there_are_duplicates: "duplicates",
    the_inventory_has_a_second_name: "inventory.json",
    everybody_may_write_the_decisions: "decisions",
    the_decisions_belong_to_somebody_else: "decisions",
    a_pipe_lies_where_the_decisions_were: "decisions",
    the_inventory_is_cut_and_made_as_long_with_a_hole: "inventory.json",
    the_folder_was_renamed: "inventory.json",
    the_folder_is_another_with_the_same_files: "inventory.json",
}


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("at_seconds", [1.6, 4.6], ids=["early", "late"])
async def test_a_change_in_a_run_stops_it_and_deletes_nothing_that_is_kept(
    bench: Bench, change: Callable[[Path], None], at_seconds: float
) -> None:
    folder, name = bench.folder.path, CHANGES[change]
    approved = (folder / name).read_bytes()

    async def tamper() -> None:
        await anyio.sleep(at_seconds)
        change(folder)

    run = bench.purge_run()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tamper)
        with pytest.raises(FileChanged) as stopped, one_error():
            await bench.carry_out(run)
    assert stopped.value.exit_code == 4
    assert stopped.value.file == str(folder / name)
    assert f"block {stopped.value.block} (bytes " in str(stopped.value)
    assert 0 < bench.service.requests < ARCHIVES - ARCHIVES // KEPT_EACH
    last = bench.events("stopped")[-1]
    assert (last["unknown"], last["reason"]) == ([], str(stopped.value))
    outcomes = [line for line in bench.outcomes().values() if line["outcome"] == "deleted"]
    assert len(outcomes) == bench.service.requests, "what was in flight is recorded"
    if folder.with_name("elsewhere").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name("elsewhere").rename(folder)
    os.chown(folder, os.geteuid(), os.getegid())
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_bytes(approved)
    (folder / name).chmod(0o600)
    if at_seconds < 2.0:
        await bench.finish()
        assert bench.events("finished")[0]["counts"]["skipped"] == ARCHIVES // KEPT_EACH


async def test_the_feed_itself_gives_nothing_of_a_block_that_was_changed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glacier_purge.run.sending._LOOK_AT_FILES_SECONDS", 3600.0)

    async def tamper() -> None:
        await anyio.sleep(0.5)
        one_id_is_a_kept_archives(bench.folder.path)

    run = bench.purge_run()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tamper)
        with pytest.raises(FileChanged, match=r"inventory.json, block 4 "), one_error():
            await bench.carry_out(run)
    assert 0 < bench.service.requests < 600


async def test_a_deny_list_is_held_against_the_archives_that_will_be_sent(bench: Bench, tmp_path: Path) -> None:
    """One whose id was overwritten for the moment of that look would pass it, and be sent afterwards."""
    denied = bench.service.archives()[ARCHIVES - 1].archive_id
    (tmp_path / "deny").write_text(denied)
    rules = Rules(deny_id_files=(str(tmp_path / "deny"),))
    with plan_files(bench.folder.path, bench.plan) as files:
        with pytest.raises(PlanRefused, match="stands on a deny list"):
            check_archives(files, rules, lambda _: False)
        inventory = bench.folder.path / "inventory.json"
        content = inventory.read_bytes()
        in_place(inventory, content.index(denied.encode()), b"A" * 138)
        with pytest.raises(FileChanged, match=r"inventory\.json"):
            check_archives(files, rules, lambda _: False)


def longer(deny: Path, archive_id: str) -> None:
    deny.write_text(f"{deny.read_text()}\n{archive_id}")


def replaced(deny: Path, archive_id: str) -> None:
    deny.with_name("new").write_text(archive_id)
    deny.with_name("new").rename(deny)


@pytest.mark.parametrize("change", [longer, replaced])
async def test_an_archive_put_on_a_deny_list_in_a_run_is_not_sent(
    bench: Bench, change: Callable[[Path, str], None], tmp_path: Path
) -> None:
    deny, last = tmp_path / "deny", bench.service.archives()[ARCHIVES - 1].archive_id
    deny.write_text("A" * 138)
    rules = Rules(deny_id_files=(str(deny),))
    async with bench.process(rules=rules) as run:
        await anyio.sleep(1.5)
        change(deny, last)
    assert run.ledger is not None
    assert run.ledger.finished is None
    assert str(deny) in bench.events("stopped")[-1]["reason"]
    with pytest.raises(PlanRefused, match="stands on a deny list"):
        await bench.finish(rules=rules)
    assert bench.service.sent.get(last, 0) == 0
    deny.write_text("A" * 138)
    await bench.finish(rules=rules)


async def test_a_change_that_is_changed_back_deletes_nothing_that_is_kept(bench: Bench) -> None:
    decisions = bench.folder.path / "decisions"
    approved = decisions.read_bytes()

    async def tamper() -> None:
        for _ in range(40):
            in_place(decisions, 0, bytes(ARCHIVES))
            await anyio.sleep(0.2)
            in_place(decisions, 0, approved)
            await anyio.sleep(0.13)

    run = bench.purge_run()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tamper)
        with pytest.raises(FileChanged), one_error():
            await bench.carry_out(run)
    in_place(decisions, 0, approved)
    await bench.finish()


@pytest.mark.parametrize(("call", "at_seconds"), [("pread", 0.3), ("fstat", 1.6)])
async def test_a_file_that_the_system_gives_no_more_stops_the_run_and_accuses_nobody(
    bench: Bench, call: str, at_seconds: float
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patched:

        async def fail() -> None:
            await anyio.sleep(at_seconds)
            patched.setattr("glacier_purge.storage.bound_file.os", SimpleNamespace(**{**vars(os), call: refuse}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)
            with pytest.raises(FileUnreadable, match="Input/output error") as stopped, one_error():
                await bench.carry_out(bench.purge_run())
    assert stopped.value.exit_code == 3
    assert "changed" not in str(stopped.value)
    assert 0 < bench.service.requests < ARCHIVES - ARCHIVES // KEPT_EACH
    outcomes = [line for line in bench.outcomes().values() if line["outcome"] == "deleted"]
    assert len(outcomes) == bench.service.requests, "what was in flight is recorded"
    await bench.finish()


async def test_a_file_that_was_only_touched_stops_nothing(bench: Bench) -> None:
    async with bench.process():
        await anyio.sleep(1.5)
        (bench.folder.path / "decisions").chmod(0o400)
        (bench.folder.path / "inventory.json").touch()
    assert bench.log()[-1]["event"] == "finished"


async def test_every_block_is_read_as_it_was_bound(bench: Bench) -> None:
    """What the changes above rest on: the inventory has blocks that are read while deletes are under way."""
    assert (bench.folder.path / "inventory.json").stat().st_size > 4 * BLOCK_BYTES


# -- what was told to whoever approves, and what came of it -----------------------------------------------------------


def told(**counts: int) -> Callable[[Plan], Plan]:
    return lambda plan: msgspec.structs.replace(plan, counts=msgspec.structs.replace(plan.counts, **counts))


def other_reasons(plan: Plan) -> Plan:
    first, second, *rest = plan.reasons
    one_less = msgspec.structs.replace(first, records=first.records - 1)
    return msgspec.structs.replace(
        plan, reasons=[one_less, msgspec.structs.replace(second, records=second.records + 1), *rest]
    )


@pytest.mark.parametrize(
    "lie",
    [
        told(selected=10, skipped=890),
        told(selected=10),
        told(inventory=901),
        told(duplicates=1),
        told(invalid=1),
        other_reasons,
    ],
)
async def test_a_plan_that_tells_other_numbers_than_its_decisions_is_refused(
    bench: Bench, lie: Callable[[Plan], Plan]
) -> None:
    bench.plan = lie(bench.plan)
    with pytest.raises(PlanRefused, match="Plan again; nothing was sent"):
        await bench.purge_run().carry_out(None)  # type: ignore[arg-type]  # refused before anybody is asked
    assert bench.service.requests == 0


def ledger(*outcomes: str, size: int = 1) -> Ledger:
    made = Ledger(10)
    records = [
        Outcome(ordinal=ordinal, archive_id="A" * 138, size=size, outcome=outcome)
        for ordinal, outcome in enumerate(outcomes)
    ]
    made.apply(records, ts="2026-11-22T12:00:00.000Z", epoch=1)
    return made


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        (ledger(), True),
        (ledger("deleted", "failed"), True),
        (ledger("deleted", "skipped", "failed", "invalid"), True),
        (ledger("deleted", "deleted", "failed"), False),
        (ledger("deleted", "deleted", "deleted"), False),
        (ledger("failed", "failed", "failed"), False),
        (ledger("deleted", "deleted", size=2), False),
    ],
)
async def test_more_outcomes_of_deletes_than_were_approved_are_not_as_approved(
    bench: Bench, found: Ledger, *, holds: bool
) -> None:
    counts = msgspec.structs.replace(bench.plan.counts, selected=2)
    plan = msgspec.structs.replace(bench.plan, counts=counts, selected_bytes=3)
    if holds:
        check_outcomes(plan, found)
        return
    with pytest.raises(NotAsApproved, match="Nothing more is sent"):
        check_outcomes(plan, found)


async def test_no_more_is_handed_on_than_is_left_of_what_was_approved() -> None:
    allowance = Allowance(5, ledger("deleted", "failed", "skipped"))
    allowance.take(2)
    allowance.take(1)
    with pytest.raises(NotAsApproved, match="more archives go than the plan says"):
        allowance.take(1)


async def test_a_log_with_more_deletes_than_were_approved_is_not_gone_on_with(bench: Bench) -> None:
    await bench.kill_after(3.0)
    sent = bench.service.requests
    counts = bench.plan.counts
    few = msgspec.structs.replace(counts, selected=100, skipped=counts.inventory - 100)
    plan = msgspec.structs.replace(bench.plan, counts=few)
    assert len(bench.outcomes()) > 100
    with pytest.raises(NotAsApproved):
        check_outcomes(plan, _replayed(bench))
    assert bench.service.requests == sent


def _replayed(bench: Bench) -> Ledger:
    made = Ledger(ARCHIVES)
    records = [
        Outcome(ordinal=line["ordinal"], archive_id=line["archive_id"], size=line["size"], outcome=line["outcome"])
        for line in bench.outcomes().values()
    ]
    made.apply(records, ts="2026-11-22T12:00:00.000Z", epoch=1)
    return made


async def test_a_plan_comes_with_the_hash_of_its_run(bench: Bench) -> None:
    file = bench.folder.plan_file
    assert plan_bytes(read_plan(file), hashed_identity(bench.folder, bench.plan)[1]) == file.read_bytes()
    await bench.finish()
    assert bench.events("approved")[0]["run_sha256"] == hashed_identity(bench.folder, bench.plan)[1]
