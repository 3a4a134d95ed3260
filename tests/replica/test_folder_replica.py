"""A folder's files in a bucket: what a killed process still had under way, and what somebody else put beside them."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from glacier_purge.aws.pretend_bucket import PretendBucket
from glacier_purge.errors import AuditDamaged, NotOurs, Superseded
from glacier_purge.replica.folder_replica import FILES, FolderReplica, last_list
from glacier_purge.replica.places import number_of
from tests.run.bench import at_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.aws.bucket import Bucket

pytestmark = pytest.mark.anyio

KEY = "lifecycles/photos/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_files(tmp_path / "here")


def with_files(place: Path, steps: bytes = b'{"step":1}\n', terms: bytes = b"{}\n") -> Path:
    (place / "approvals").mkdir(mode=0o700, parents=True)
    place.chmod(0o700)
    for name, content in (("terms.json", terms), ("lifecycle.jsonl", steps), ("approvals/bert.approval", b"yes\n")):
        put(place / name, content)
    return place


def put(file: Path, content: bytes, rights: int = 0o600) -> None:
    file.write_bytes(content)
    file.chmod(rights)


def keeper(bucket: Bucket, place: Path, lease_epoch: int = 1) -> FolderReplica:
    return FolderReplica(bucket, KEY, place, tool_version="1.0", lease_epoch=lambda: lease_epoch, elsewhere=at_once)


async def names_kept(bucket: PretendBucket) -> list[str]:
    numbers = [number for key in bucket.objects if (number := number_of(key, KEY + FILES)) is not None]
    return [entry.name for entry in (await last_list(bucket, KEY, sorted(numbers))).files]


async def late_list(bucket: PretendBucket, by: FolderReplica) -> Callable[[], None]:
    """What a process is killed over: all of it is there but the list, which comes when it is told to."""
    before = set(bucket.objects)
    await by.keep()
    [key] = [key for key in bucket.objects if key.startswith(KEY + FILES) and key not in before]
    content = bucket.objects.pop(key)
    return lambda: bucket.objects.update({key: content})


@pytest.mark.parametrize("seen_before", [False, True], ids=["comes late", "comes while its successor writes"])
async def test_a_killed_processs_list_that_comes_late_does_not_end_its_successor(
    folder: Path, *, seen_before: bool
) -> None:
    bucket = PretendBucket()
    dead = keeper(bucket, folder)
    await dead.keep()
    put(folder / "freeze.json", b"{}\n")
    arrives = await late_list(bucket, dead)
    put(folder / "lifecycle.jsonl", b'{"step":1}\n{"step":2}\n')
    successor = keeper(bucket, folder, lease_epoch=2)
    if seen_before:
        await successor._go_on_from_what_is_there()
    arrives()
    await successor.keep()
    put(folder / "removal.jsonl", b"{}\n")
    await successor.keep()
    kept = await names_kept(bucket)
    assert kept == ["approvals/bert.approval", "freeze.json", "lifecycle.jsonl", "removal.jsonl", "terms.json"]


@pytest.mark.parametrize(
    ("lease_epoch", "steps", "terms", "kind", "why"),
    [
        (3, b'{"step":1}\n', b"{}\n", Superseded, r"went on with what lies in .*00000002 \(lease 3\)"),
        (1, b'{"step":1}\n{"step":3}\n', b"{}\n", Superseded, "has steps that are not in"),
        (1, b'{"step":1}\n', b'{"other":1}\n', AuditDamaged, "replica of another run or lifecycle"),
    ],
    ids=["a later lease", "other steps", "another lifecycle"],
)
async def test_a_list_that_another_host_wrote_ends_it(
    folder: Path, tmp_path: Path, lease_epoch: int, steps: bytes, terms: bytes, kind: type[Exception], why: str
) -> None:
    bucket = PretendBucket()
    await keeper(bucket, folder).keep()
    mine = keeper(bucket, folder, lease_epoch=2)
    await mine._go_on_from_what_is_there()
    theirs = keeper(bucket, with_files(tmp_path / "there", steps, terms), lease_epoch)
    theirs._number, theirs._previous = mine._number, mine._previous
    await theirs.keep()
    put(folder / "freeze.json", b"{}\n")
    with pytest.raises(kind, match=why):
        await mine.keep()
    assert len([key for key in bucket.objects if key.startswith(KEY + FILES)]) == 2


async def test_a_list_that_follows_nothing_of_ours_is_another_hosts(folder: Path) -> None:
    bucket = PretendBucket()
    mine = keeper(bucket, folder, lease_epoch=2)
    await mine.keep()
    forged = keeper(bucket, folder)
    forged._number, forged._previous = 1, "0" * 64
    await forged.keep()
    put(folder / "freeze.json", b"{}\n")
    with pytest.raises(Superseded, match="went on with what lies in"):
        await mine.keep()


def everybodys(file: Path) -> None:
    put(file, b"yes\n", 0o666)


def two_names(file: Path) -> None:
    put(file, b"yes\n")
    os.link(file, file.with_name("hidden"))


def strangers(file: Path) -> None:
    put(file, b"yes\n")
    os.chown(file, 65534, -1)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (everybodys, "can be written by other users"),
        (two_names, "has 2 names"),
        pytest.param(
            strangers,
            "belongs to",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="NOT SHOWN HERE: only root gives files away"),
        ),
        (lambda file: file.symlink_to("bert.approval"), None),
        (os.mkfifo, None),
    ],
    ids=["everybody's", "two names", "a stranger's", "link", "pipe"],
)
async def test_what_others_have_a_hand_in_beside_the_approvals_is_left_out_and_said(
    spoil: Callable[[Path], None], why: str | None, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = PretendBucket()
    mine = keeper(bucket, folder)
    spoil(folder / "approvals" / "mallory.approval")
    with caplog.at_level(logging.WARNING):
        await mine.keep()
        await mine.keep()
    told = [record.getMessage() for record in caplog.records if "replica.left_out" in record.getMessage()]
    assert len([line for line in told if "mallory" in line]) == (why is not None), "said once"
    assert all(why is not None and why in line for line in told)
    assert await names_kept(bucket) == ["approvals/bert.approval", "lifecycle.jsonl", "terms.json"]
    place = folder / "approvals" / "mallory.approval"
    if why == "can be written by other users":
        place.chmod(0o600)
        await mine.keep()
        assert "approvals/mallory.approval" in await names_kept(bucket), "put right, it is kept"


async def test_a_file_of_the_runs_own_that_others_can_write_still_ends_it(folder: Path) -> None:
    (folder / "terms.json").chmod(0o666)
    with pytest.raises(NotOurs, match=r"terms\.json can be written by other users"):
        await keeper(PretendBucket(), folder).keep()


async def test_approvals_are_kept_by_whatever_name_people_gave_them(folder: Path) -> None:
    bucket = PretendBucket()
    for name in ("bert (1).approval", "Zoë.approval", ".hidden.approval"):
        put(folder / "approvals" / name, b"yes\n")
    await keeper(bucket, folder).keep()
    kept = await names_kept(bucket)
    assert [name for name in kept if "/" in name] == [
        "approvals/Zoë.approval",
        "approvals/bert (1).approval",
        "approvals/bert.approval",
    ]


async def test_two_hosts_that_carry_one_fleet_keep_what_the_other_began(tmp_path: Path) -> None:
    bucket = PretendBucket()
    places = [tmp_path / name for name in ("one", "two")]
    for place, vault in zip(places, ("photos", "films"), strict=True):
        begun = place / f"123456789012-eu-west-1-{vault}"
        begun.mkdir(mode=0o700, parents=True)
        place.chmod(0o700)
        put(place / "fleet.json", b"{}\n")
        put(begun / "terms.json", vault.encode())
        put(begun / "lifecycle.jsonl", b"its own replica has it\n")
    one, two = (keeper(bucket, place, lease_epoch=0) for place in places)
    for each in (one, two, one, two):
        await each.keep()
    kept = ["123456789012-eu-west-1-films/terms.json", "123456789012-eu-west-1-photos/terms.json", "fleet.json"]
    assert await names_kept(bucket) == kept
    later = places[0] / "123456789012-eu-west-1-plans"
    later.mkdir(mode=0o700)
    put(later / "terms.json", b"plans")
    await one.keep()
    assert await names_kept(bucket) == [*kept[:2], "123456789012-eu-west-1-plans/terms.json", kept[2]]
    both = keeper(bucket, places[1], lease_epoch=0)
    put(places[1] / "fleet.json", b"another fleet's\n")
    with pytest.raises(AuditDamaged, match="replica of another run or lifecycle"):
        await both.keep()
