"""Whether somebody still writes to a vault: every sign by itself, together, and what is no sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.glacier.port import VaultDescription
from glacier_purge.guard.findings import Weight
from glacier_purge.guard.writers import ListedUploads, Told, judge_last_change, judge_writers, signs_of_writers
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_simulator.faults import Rule
from tests.clients import HOUR, VAULT, Stepping, control, simulated
from tests.glacier_simulator.asking import hashes
from tests.glacier_simulator.raw_client import RawClient
from tests.plan.archives import archive, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.guard.findings import Finding
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_simulator import SimulatedGlacier

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
TAKEN = NOW - timedelta(days=30)


def listed(*, newest_days_ago: float | None = 400.0, taken: datetime | None = TAKEN) -> ListedUploads:
    newest = None if newest_days_ago is None else NOW - timedelta(days=newest_days_ago)
    return ListedUploads(records=100, taken=taken, newest=newest)


def told(archives: int | None = 100, last: datetime | None = TAKEN, uploads: int | None = 0) -> Told:
    described = VaultDescription(arn=VAULT.arn, last_inventory=last, archives=archives, size_bytes=archives)
    return Told(vault=described, uploads=uploads)


QUIET = [
    (listed(), told()),
    (listed(newest_days_ago=7.1), told()),
    (listed(newest_days_ago=None), told()),
    (listed(), told(archives=90, last=NOW)),
    (listed(), told(archives=None, last=None)),
    (listed(), told(uploads=None)),
    (listed(), told(archives=200, last=TAKEN - timedelta(days=1))),
    (listed(), told(last=TAKEN + timedelta(milliseconds=221))),
]


@pytest.mark.parametrize(("at_hand", "now_told"), QUIET)
def test_what_is_no_sign_of_a_writer_is_fine(at_hand: ListedUploads, now_told: Told) -> None:
    assert judge_writers(at_hand, now_told, NOW, WEEK).weight is Weight.FINE


SIGNS = [
    (listed(newest_days_ago=6.9), told(), ["uploaded at 2026-11-15T14:24:00Z"]),
    (listed(newest_days_ago=-1), None, ["uploaded at 2026-11-23"]),
    (
        listed(),
        told(archives=103, last=NOW),
        ["103 archives as of 2026-11-22T12:00:00Z, 3 more than are listed"],
    ),
    (listed(taken=None), told(archives=101), ["1 more than are listed"]),
    (listed(), told(uploads=2), ["2 multipart uploads are in progress"]),
    (listed(newest_days_ago=1), told(archives=101, uploads=1), ["uploaded at", "1 more", "1 multipart"]),
]


@pytest.mark.parametrize(("at_hand", "now_told", "words"), SIGNS)
def test_each_sign_of_a_writer_is_a_warning_that_blocks_nothing(
    at_hand: ListedUploads, now_told: Told | None, words: list[str]
) -> None:
    found = judge_writers(at_hand, now_told, NOW, WEEK)
    assert (found.weight, found.subject) == (Weight.WARNING, "writers")
    assert all(word in found.what for word in words), found.what
    assert found.what.count(";") == len(words) - 1
    assert "not in the plan" in found.why
    assert "--freeze" in found.advice


def test_a_service_that_was_not_asked_is_said() -> None:
    found = judge_writers(listed(), None, NOW, WEEK)
    assert (found.weight, "was not asked" in found.what) == (Weight.NOTE, True)


@pytest.mark.parametrize(
    ("days_ago", "weight"), [(6.9, Weight.WARNING), (7.1, Weight.FINE), (None, Weight.FINE), (0, Weight.WARNING)]
)
def test_without_an_inventory_the_date_of_the_last_one_tells(days_ago: float | None, weight: Weight) -> None:
    last = None if days_ago is None else NOW - timedelta(days=days_ago)
    assert judge_last_change(told(last=last).vault, NOW, WEEK).weight is weight


async def look(
    glacier: SimulatedGlacier, at_hand: Snapshot, recent: timedelta = timedelta(hours=1), *, is_asked: bool = True
) -> Finding:
    async with control(glacier.endpoint_url) as client:

        async def opened() -> GlacierControl:
            return client

        return await signs_of_writers(at_hand, opened if is_asked else None, Stepping(glacier).now(), recent)


async def fetched(glacier: SimulatedGlacier, folder: Path) -> Snapshot:
    """The vault's inventory of now, spooled."""
    file = folder / "given.json"
    await anyio.Path(file).write_bytes(glacier.inventory_text())
    with Source(str(file)) as source:
        return spool(source, folder)


async def test_what_came_after_the_inventory_is_seen_at_the_service(tmp_path: Path) -> None:
    async with simulated() as (glacier, _), RawClient(glacier.endpoint_url) as somebody:
        at_hand = await fetched(glacier, tmp_path)
        assert (await look(glacier, at_hand)).weight is Weight.FINE
        assert (await look(glacier, at_hand, timedelta(days=90))).weight is Weight.WARNING, "by its youngest archive"
        upload = await somebody.ask("POST", "/-/vaults/photos/archives", b"late", hashes(b"late"))
        assert upload.status == 201
        assert (await look(glacier, at_hand)).weight is Weight.FINE, "the service counts once a day"
        glacier.clock.step(24 * HOUR)
        assert "counts 101 archives" in (await look(glacier, at_hand)).what
        assert (await look(glacier, at_hand, is_asked=False)).weight is Weight.NOTE
        await somebody.ask("POST", "/-/vaults/photos/multipart-uploads", headers={"x-amz-part-size": "1048576"})
        assert "1 multipart uploads" in (await look(glacier, at_hand)).what


@pytest.mark.parametrize(
    ("operation", "weight"), [("DescribeVault", Weight.NOTE), ("ListMultipartUploads", Weight.FINE)]
)
async def test_what_the_service_refuses_makes_it_a_poorer_warning_and_no_error(
    operation: str, weight: Weight, tmp_path: Path
) -> None:
    async with simulated(faults=[Rule("access-denied", operation=operation)]) as (glacier, _):
        assert (await look(glacier, await fetched(glacier, tmp_path))).weight is weight


def test_the_newest_upload_of_a_snapshot_is_that_of_all_its_records(tmp_path: Path) -> None:
    dates = ["2013-05-01T10:00:00Z", "2024-02-29T23:59:59.123Z", "no date", "2024-02-29T23:59:59Z"]
    archives = [archive(number, created=date) for number, date in enumerate(dates)]
    assert snapshot(tmp_path / "run", archives).newest == "2024-02-29T23:59:59.123Z"
