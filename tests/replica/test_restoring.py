"""What is restored from a bucket, and what is refused by name: each damage there can be to what lies in one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from glacier_purge.audit.verification import verify
from glacier_purge.aws.pretend_bucket import PretendBucket
from glacier_purge.errors import AuditDamaged, GlacierPurgeError, PlanRefused, UsageError
from glacier_purge.replica.chunk import read_chunk, seal_chunk
from glacier_purge.replica.folder_replica import CONTENT, FILES, FileEntry, FilesHead
from glacier_purge.replica.sealed import seal, unsealed
from tests.audit.logs import log_bytes
from tests.deletion.pretended import InProcessGlacier
from tests.replica.hosts import KEY, LOG, contents, kept, killed, restored
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = IN_PROCESS

Objects = dict[str, bytes]
SECOND = LOG + "00000002"
LIST = KEY + FILES + "00000001"


_LOST: Objects = {}
"""One such bucket, made once."""


async def lost(place: Path, seconds: float = 3.3) -> tuple[Bench, Objects]:
    """A run whose host was lost with its disk, and what the bucket has of it."""
    objects: Objects = {}
    bench = Bench(place, InProcessGlacier(400))
    kept(bench, PretendBucket(objects))
    await killed(bench, objects, seconds)
    return bench, objects


async def test_what_comes_back_is_sound_resumable_and_says_where_it_comes_from(tmp_path: Path) -> None:
    bench, objects = await lost(tmp_path)
    made = await restored(objects, tmp_path / "other")
    assert verify(tmp_path / "other").faults == ()
    log, ours = log_bytes(contents(tmp_path / "other")), log_bytes(bench.disk.contents())
    told = json.loads(log.splitlines()[-1])
    assert ours.startswith(log[: log.rfind(b"\n", 0, -1) + 1])
    assert (told["event"], told["origin"], told["by"]) == ("restored", "s3://pretended/" + LOG, "erin@other")
    assert told["may_reach"] >= told["lines"] > 0
    assert made.logs[0].in_doubt > 0
    for name in ("plan.json", "run.json", "decisions", "inventory.json"):
        assert (tmp_path / "other" / name).read_bytes() == (bench.folder.path / name).read_bytes()


def cut_short(objects: Objects) -> None:
    objects[SECOND] = objects[SECOND][:-100]


def turned(objects: Objects) -> None:
    objects[SECOND] = objects[SECOND][:-1] + bytes([objects[SECOND][-1] ^ 1])


def empty(objects: Objects) -> None:
    objects[SECOND] = b""


def lost_one(objects: Objects) -> None:
    del objects[SECOND]


def exchanged(objects: Objects) -> None:
    objects[SECOND], objects[LOG + "00000003"] = objects[LOG + "00000003"], objects[SECOND]


def forged(objects: Objects) -> None:
    """An outcome is changed, and all that a chunk says of itself is put right again."""
    chunks = {key: read_chunk(content, key) for key, content in objects.items() if key.startswith(LOG)}
    key, chunk = next((key, chunk) for key, chunk in chunks.items() if b'"http_status":204' in chunk.log)
    log = chunk.log.replace(b'"http_status":204', b'"http_status":205', 1)
    objects[key] = seal_chunk(chunk.head, log).content


def of_another_run(objects: Objects) -> None:
    chunk = read_chunk(objects[SECOND], SECOND)
    objects[SECOND] = seal_chunk(msgspec.structs.replace(chunk.head, run="another"), chunk.log).content


def of_a_later_format(objects: Objects) -> None:
    chunk = read_chunk(objects[SECOND], SECOND)
    head = msgspec.structs.replace(chunk.head, format=2, tool_version="9.0")
    objects[SECOND] = seal_chunk(head, chunk.log).content


def says_other_bytes(objects: Objects) -> None:
    chunk = read_chunk(objects[SECOND], SECOND)
    objects[SECOND] = seal_chunk(msgspec.structs.replace(chunk.head, log_bytes=5), chunk.log).content


def unknown_key(objects: Objects) -> None:
    chunk = read_chunk(objects[SECOND], SECOND)
    objects[SECOND] = seal(_Other(**msgspec.structs.asdict(chunk.head)), chunk.log).content


class _Other(msgspec.Struct):
    format: int
    tool_version: str
    chunk: int = 0
    run: str = ""
    plan_digest: str = ""
    records: int = 0
    epoch: int = 0
    lease_epoch: int = 0
    writer: str = ""
    segment: int = 0
    offset: int = 0
    first_seq: int = 0
    next_seq: int = 0
    prev: str = ""
    last_hash: str = ""
    may_reach: int = 0
    log_bytes: int = 0
    previous: str = ""
    surprise: str = "!"


def content_is_gone(objects: Objects) -> None:
    del objects[next(key for key in objects if key.startswith(KEY + CONTENT))]


def content_is_another(objects: Objects) -> None:
    first, second = [key for key in sorted(objects) if key.startswith(KEY + CONTENT)][:2]
    objects[first] = objects[second]


def relisted(objects: Objects, change: Callable[[list[FileEntry]], list[FileEntry]]) -> None:
    head, plain, _ = unsealed(objects[LIST], FilesHead, LIST, plain_bytes_max=1 << 20)
    files = change(msgspec.json.decode(plain, type=list[FileEntry]))
    objects[LIST] = seal(head, msgspec.json.encode(files)).content


def leads_out(objects: Objects) -> None:
    relisted(objects, lambda files: [msgspec.structs.replace(files[0], name="../../stolen"), *files[1:]])


def lists_no_plan(objects: Objects) -> None:
    relisted(objects, lambda files: [entry for entry in files if entry.name != "plan.json"])


def list_is_lost(objects: Objects) -> None:
    objects[KEY + FILES + "00000003"] = objects[LIST]


def nothing_there(objects: Objects) -> None:
    objects.clear()


@pytest.mark.parametrize(
    ("damage", "error", "says"),
    [
        (cut_short, AuditDamaged, "log/00000002.*not whole"),
        (turned, AuditDamaged, "log/00000002.*not whole"),
        (empty, AuditDamaged, "log/00000002.*not whole"),
        (lost_one, AuditDamaged, "log/00000002.*missing"),
        (exchanged, AuditDamaged, "log/00000002.*it is chunk 3, in the place of chunk 2"),
        (forged, AuditDamaged, "one of the two was (?:forged|changed)"),
        (of_another_run, AuditDamaged, "log/00000002.*another run: of 'another'"),
        (of_a_later_format, PlanRefused, "log/00000002.*by glacier-purge 9.0, in format 2"),
        (says_other_bytes, AuditDamaged, "log/00000002.*not what it says"),
        (unknown_key, AuditDamaged, "log/00000002.*surprise"),
        (content_is_gone, AuditDamaged, "content/.*missing"),
        (content_is_another, AuditDamaged, "content/.*named for"),
        (leads_out, AuditDamaged, "files/00000001.*no replica holds"),
        (lists_no_plan, AuditDamaged, "log/.*no plan.json"),
        (list_is_lost, AuditDamaged, "files/00000002.*missing"),
        (nothing_there, UsageError, "holds no replica"),
    ],
)
async def test_what_is_damaged_is_refused_by_name(
    damage: Callable[[Objects], None], error: type[GlacierPurgeError], says: str, tmp_path: Path
) -> None:
    if not _LOST:
        _LOST.update((await lost(tmp_path))[1])
    objects = dict(_LOST)
    damage(objects)
    with pytest.raises(error, match=says):
        await restored(objects, tmp_path / "other")
    assert not (tmp_path / "stolen").exists()


async def test_a_replica_of_another_run_in_the_same_place_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    _, objects = await lost(tmp_path / "one")
    other = Bench(tmp_path, InProcessGlacier(300))
    kept(other, PretendBucket(objects))
    with pytest.raises(AuditDamaged, match="the replica of another run"):
        await other.finish()
    assert other.service.requests == 0
