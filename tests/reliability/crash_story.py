"""A vault's lifecycle from its name to its end, whose processes lose power at points drawn by a seed.

All that is done to its folder is done to a pretended disk as well (``mirror``), so at any operation the folders can be
had that a power cut may leave.  Some are only looked at, with everything that reads a folder; from one the next process
goes on.  What the service is asked for is held against what was promised on disk in that moment.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from glacier_purge.api import purging, values
from glacier_purge.api.library import status
from glacier_purge.audit.recovery import read_log, read_log_identity, repair
from glacier_purge.audit.verification import NotToBeChecked, verify_folder
from glacier_purge.errors import UsageError
from glacier_purge.fleet.fleet import State
from glacier_purge.glacier.control import ControlRefused
from glacier_purge.glacier.sdk.control_client import ControlClient
from glacier_purge.guard.upload_denial import SID_PREFIX
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.plan.choices import EVERY_ARCHIVE, Choices
from glacier_purge.plan.reasons import DELETE
from glacier_purge.storage.lines import whole_lines
from glacier_purge.storage.pretend_disk import PretendDisk
from glacier_simulator import SimulatedGlacier
from tests.audit.logs import log_bytes
from tests.clients import control
from tests.lifecycle.lifecycles import carried, ids_of, said_yes, upload
from tests.reliability.mirror import files_in, laid_out, mirrored, replaced
from tests.reliability.power import KINDS, PowerCut, power_cut
from tests.seclusion import authority_of, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.fleet.fleet import Ending
    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder
    from glacier_simulator.exchange import Request

PROCESSES_CUT = 3
_POINTS = 300
"""As many operations as the files of a lifecycle of two rounds see, roughly; a cut behind its end does not happen."""
_LOOKED_AT = 14
"""Folders a process that are only looked at."""
_THEIRS = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":"*",'
    '"Action":"glacier:UploadArchive","Resource":"arn:aws:glacier:us-east-1:123456789012:vaults/photos"}]}'
)
_NOTES = ("waiting.json", "ended.json")
"""What nothing goes by: put in place without waiting for the disk."""
_LINES = ("lifecycle.jsonl", "removal.jsonl")
_PLANNED = ("plan.json", "run.json", "decisions", "duplicates", "inventory.json")
_DELETE = re.compile(r"/[^/]+/vaults/photos/archives/([^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A folder as a power cut may leave it before ``at``; what had been promised by then, and all that was there."""

    at: str
    disk: PretendDisk
    promised: dict[str, bytes]
    written: dict[str, bytes]


class Story:
    """One lifecycle, over as many processes as it takes."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.counted = Counter[str]()
        self._chance = random.Random(seed)
        self._seed = seed
        self._folder = folder
        self._disk = PretendDisk()
        self._kinds = [kind for kind in KINDS if kind != "checkpoint damaged"]  # which is no crash's doing
        self._versions: defaultdict[str, set[bytes]] = defaultdict(set)
        """Every content that a document was ever put in place with."""
        self._images: list[Image] = []
        self._broken: list[str] = []
        """What did not hold, where raising would have been taken for the world's doing."""
        self._released: set[str] = set()
        self._allowed: set[str] = set()
        self._dead = False
        self._points: list[int] = []
        self._passed = 0
        self._at = 0

    async def tell(self) -> None:
        """Carry the lifecycle to its end. Raises ``AssertionError`` for whatever does not hold on the way."""
        chance = self._chance
        before = chance.choice([None, _THEIRS])
        removed = chance.random() < 0.3
        choices = EVERY_ARCHIVE if removed or chance.random() < 0.6 else Choices(limit=chance.randint(1, 8))
        options = LifecycleOptions(
            freeze=chance.random() < 0.8, remove_vault="photos" if removed else None, even_the_last=True
        )
        uploads = chance.randrange(2)
        async with (
            SimulatedGlacier(archives=chance.randint(3, 24), time_scale=0) as glacier,
            control(glacier.endpoint_url) as client,
        ):
            everything = set(ids_of(glacier))
            if before is not None:
                await client.set_access_policy(before)
            self._watch(glacier)

            async def yes(folder: RunFolder, plan: Plan) -> Approval:
                nonlocal uploads
                if uploads and folder.path.name == "round-1":
                    uploads = 0
                    await upload(glacier)
                self._allowed |= _selected(folder.path)
                return await said_yes(folder, plan)

            async def process(root: Path) -> Ending:
                return await carried(glacier, root / "photos", choices, options=options, approve=yes)

            root = laid_out(self._disk, self._folder / "0")
            for number in range(1, PROCESSES_CUT + 1):
                self._draw(chance.randint(1, _POINTS))
                await self._process(root, process)
                self._check_images()
                root = laid_out(self._disk, self._folder / f"{number}")
            self._draw(0)
            ending = await self._process(root, process)
            self._check_images()
            assert ending.state is State.DONE, ending
            self.counted["folders gone on with"] += PROCESSES_CUT
            assert self._allowed >= self._sent(glacier), "I2: sent what nobody approved"
            if removed:
                with pytest.raises(ControlRefused, match="Vault not found"):
                    await client.access_policy()
            else:
                assert await client.access_policy() == before
                left = set(ids_of(glacier))
                assert not left & self._allowed, "I1: approved, and still there"
                assert left >= everything - self._allowed, "kept, and gone"
            for name, what, verdict in verify_folder(root / "photos"):
                assert (verdict.faults, verdict.finished) == ((), True), (name, what, verdict)
            asked = glacier.desk.requests
            again = await process(root)
            assert again.state is State.DONE
            assert glacier.desk.requests == asked, "a lifecycle that is done asks for nothing"

    # -- one process --------------------------------------------------------------------------------------------------

    def _draw(self, at: int) -> None:
        """Begin another process, whose power goes before that operation; 0 is never."""
        self._at, self._passed, self._dead = at, 0, False
        self._points = sorted(self._chance.sample(range(1, (at or _POINTS) + 1), k=min(at or _POINTS, _LOOKED_AT)))

    async def _process(self, root: Path, work: Callable[[Path], Any]) -> Any:
        self._disk.before = self._before
        with mirrored(root, self._disk), world_of(root), mortal(self._check_alive):
            ending = await work(root)
        if self._dead:
            self._disk = self._images.pop().disk
        else:
            there, mirror = files_in(root), self._disk.contents()
            unlike = [name for name in there.keys() | mirror.keys() if there.get(name) != mirror.get(name)]
            assert not unlike, f"something was written past what was mirrored: {unlike}"
            self._disk = PretendDisk(files_in(root), folders=self._disk.folders())
        assert not self._broken, self._broken
        return ending

    def _check_alive(self) -> None:
        if self._dead:
            raise PowerCut

    def _before(self, verb: str, name: str) -> None:
        self._check_alive()
        if verb == "rename" and name.endswith(".new"):
            put = name.rpartition("/.")[2].removesuffix(".new")
            self._versions[put].add(self._disk.read(name))
        if any(note in name for note in _NOTES) or name.startswith("state"):
            return
        self._passed += 1
        if self._passed in self._points:
            self._keep_images(verb, name, 3)
        if self._passed == self._at:
            self._dead = True
            self._keep_images(verb, name, 1)
            raise PowerCut

    def _keep_images(self, verb: str, name: str, many: int) -> None:
        chance = random.Random(f"{self._seed} {self._at} {verb} {name} {self._passed}")  # whatever threads did before
        for kind in chance.sample(self._kinds, many):
            self._keep_image(verb, name, kind, chance)

    def _keep_image(self, verb: str, name: str, kind: str, chance: random.Random) -> None:
        self._images.append(
            Image(
                at=f"{verb} {name} ({kind})",
                disk=power_cut(chance, self._disk, kind),
                promised=self._disk.promised(),
                written=self._disk.contents(),
            )
        )

    # -- what the service is asked for --------------------------------------------------------------------------------

    def _watch(self, glacier: SimulatedGlacier) -> None:
        """Hold every request against what is promised on disk when it arrives."""
        desk, delete, answer = glacier.desk, glacier.desk.answer_delete, glacier.desk.answer

        def answer_delete(url: bytes, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> Any:
            self._arrived("DELETE", url.decode(), b"")
            return delete(url, headers, keep_alive=keep_alive)

        def answer_any(request: Request, *, keep_alive: bool) -> Any:
            self._arrived(request.method, request.path, request.body)
            return answer(request, keep_alive=keep_alive)

        desk.answer_delete, desk.answer = answer_delete, answer_any  # type: ignore[method-assign]  # to hear of each

    def _arrived(self, method: str, path: str, body: bytes) -> None:
        if self._dead:  # sent before, or by who does not know yet that there is no power
            return
        promised = self._disk.promised()
        if method == "DELETE" and (match := _DELETE.fullmatch(path)) is not None:
            if match[1] not in self._released:
                self._released |= set(self._all_released(promised))
            self._expect(match[1] in self._released, f"I3: {match[1][:12]} sent before its release was promised")
        elif method == "DELETE" and path.endswith("/vaults/photos"):
            asked = promised.get("photos/removal.jsonl", b"") + b"".join(
                data for name, data in promised.items() if name.endswith("/removal.jsonl")
            )
            self._expect(asked.rstrip().rpartition(b"\n")[2].find(b'"asked"') > 0, "DeleteVault before it was noted")
        elif method == "PUT" and path.endswith("/access-policy") and SID_PREFIX.encode() in body:
            frozen = json.loads(promised.get("photos/freeze.json", b"{}"))
            said = json.loads(json.loads(body)["Policy"])
            self._expect(
                bool(frozen) and json.loads(frozen["made"]) == said, "a policy set before freeze.json was promised"
            )
            self._expect(b'"approved"' in promised.get("photos/lifecycle.jsonl", b""), "frozen before approval")
        elif method == "POST" and path.endswith("/jobs"):
            self._expect("photos/terms.json" in promised, "a job asked for before the terms were promised")

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self._broken.append(otherwise)

    def _all_released(self, promised: dict[str, bytes]) -> Iterator[str]:
        """The ids that may be sent by what is promised: of a plan that is there whole, approved, and released."""
        steps = promised.get("photos/lifecycle.jsonl", b"")
        for folder in {name.partition("/audit/")[0] for name in promised if "/audit/" in name}:
            if any(
                promised.get(f"{folder}/{name}") != self._disk.contents().get(f"{folder}/{name}") for name in _PLANNED
            ):
                continue
            digest = json.loads(promised[f"{folder}/plan.json"])["digest"].encode()
            if digest not in steps or b'"uploads' not in steps:
                continue
            listed = json.loads(promised[f"{folder}/inventory.json"])["ArchiveList"]
            for line in log_bytes(below(folder, promised)).splitlines():
                said = json.loads(line)
                if said["event"] == "released":
                    yield from (one["ArchiveId"] for one in listed[said["first"] : said["last"] + 1])

    def _sent(self, glacier: SimulatedGlacier) -> set[str]:
        ledger = glacier.service.ledger
        return {archive_id for number in ledger._shelves for archive_id in ledger.received_ids(number)}

    # -- what is found after a power cut ------------------------------------------------------------------------------

    def _check_images(self) -> None:
        for image in self._images:
            self.counted["folders looked at"] += 1
            try:
                self._check_image(image, self._folder / f"look-{self.counted['folders looked at']}")
            except BaseException as error:
                error.add_note(f"power cut before {image.at}")
                raise
        self._images.clear()

    def _check_image(self, image: Image, root: Path) -> None:
        found = image.disk.contents()
        for name, content in found.items():
            base = name.rpartition("/")[2]
            if base in self._versions and base not in _NOTES and not base.startswith("checkpoint"):
                assert content in self._versions[base], f"{name} is neither the old nor the new document"
            if base in _LINES:
                lines = whole_lines(content)
                promised, written = whole_lines(image.promised.get(name, b"")), whole_lines(image.written[name])
                assert lines == written[: len(lines)], f"{name} is no prefix of what was written"
                assert lines[: len(promised)] == promised, f"{name} lost what was promised"
        for name in _LINES:
            gone = [one for one in image.promised if one.endswith(name) and one not in found]
            assert not gone, f"lost: {gone}"
        for folder in {name.partition("/audit/")[0] for name in image.promised if "/audit/" in name}:
            check_log(image, folder)
        place = laid_out(image.disk, root) / "photos"
        if not (place / "terms.json").exists():
            assert "photos/terms.json" not in image.promised
            return
        try:
            verdicts = verify_folder(place)
        except NotToBeChecked:
            raise AssertionError("a lifecycle that was begun is not known any more") from None
        for name, what, verdict in verdicts:
            assert verdict.faults == (), (name, what, verdict.faults)
        try:
            status(place)
        except UsageError:  # nothing but the terms is there yet
            assert "photos/lifecycle.jsonl" not in image.promised


def check_log(image: Image, folder: str) -> None:
    """I7 and I8 for the log of one run of the folder."""
    disk = PretendDisk(below(folder, image.disk.contents()))
    promised, written = log_bytes(below(folder, image.promised)), log_bytes(below(folder, image.written))
    identity = read_log_identity(disk)
    if identity is None:
        assert not _records(promised), "I7: the log is gone"
        return
    log = read_log(disk, identity)
    repair(disk, log)
    read = log_bytes(disk.contents())
    assert written.startswith(read), "I7: not what was written"
    assert read.startswith(_records(promised)), "I7: a durable record is lost"


def _records(log: bytes) -> bytes:
    """The whole records a log begins with: behind them a crash may have left something before."""
    whole = re.match(rb'(?:[^\0\n]*"\}\n)*', log)
    return b"" if whole is None else whole[0]


def below(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix(f"{folder}/"): data for name, data in files.items() if name.startswith(f"{folder}/")}


def _selected(place: Path) -> set[str]:
    listed = json.loads((place / "inventory.json").read_bytes())["ArchiveList"]
    decisions = (place / "decisions").read_bytes()
    return {one["ArchiveId"] for one, decision in zip(listed, decisions, strict=True) if decision == DELETE}


@contextmanager
def world_of(root: Path) -> Iterator[None]:
    """Credentials and a state folder of a process's own, and a log of small commits and segments."""
    variables = clean_environment(os.environ, root, authority_of(root.parent))
    variables |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    settings = values.purge_settings

    def small(*given: Any) -> Any:
        return replace(settings(*given), commit_seconds=0.001, commit_records=3, segment_records=7)

    with patch.dict(os.environ, variables, clear=True), replaced(purging, {"purge_settings": small}):
        yield


@contextmanager
def mortal(check_alive: Callable[[], None]) -> Iterator[None]:
    """Without power nothing is asked of the service."""

    def mortal(ask: Callable[..., Any]) -> Callable[..., Any]:
        async def asking(*arguments: object) -> Any:
            check_alive()
            answer = await ask(*arguments)
            check_alive()
            return answer

        return asking

    asked = ("access_policy", "set_access_policy", "delete_access_policy", "delete_vault", "initiate_inventory")
    with replaced(ControlClient, {name: mortal(getattr(ControlClient, name)) for name in asked}):
        yield


def told(seed: int, folder: Path) -> Counter[str]:
    """Tell one story; how many folders were looked at and gone on with."""
    story = Story(seed, folder)
    asyncio.run(story.tell())
    return story.counted
