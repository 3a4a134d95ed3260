"""An inventory that is fetched into a folder, and newer ones in its place, while power goes and comes.

All that is done to the folder is done to a pretended disk as well (``mirror``).  Whatever a cut leaves, the next call
goes on with it: it neither refuses, nor takes half an inventory for one, nor another one for the one it asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from typing import TYPE_CHECKING

from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob
from glacier_purge.inventory.fetching.retrieval import Retrieval, RetrievalSettings
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.clients import Stepping, simulated
from tests.lifecycle.lifecycles import ids_of, upload
from tests.reliability.crash_story import world_of
from tests.reliability.mirror import files_in, laid_out, mirrored
from tests.reliability.power import KINDS, PowerCut, power_cut

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl
    from glacier_simulator import SimulatedGlacier

_CALLS = 6
_OPERATIONS = 40
"""As many as one call has, roughly; a cut behind its end does not happen."""
_KINDS = [kind for kind in KINDS if not kind.startswith("checkpoint")]


async def _at_once(_: float) -> None:
    """Wait for nothing between the tries of a download."""


async def _fetched(glacier: SimulatedGlacier, client: GlacierControl, root: Path, wanted: WantedJob) -> str:
    """Fetch, and hold what is there against the vault; the hash of the inventory."""
    how = RetrievalSettings(chunk_bytes=2048, sleep=_at_once)
    snapshot, _ = await Retrieval(client, root, wanted, Stepping(glacier), lambda _: None, how).fetch()
    content = (root / "inventory.json").read_bytes()
    assert snapshot.sha256 == hashlib.sha256(content).hexdigest()
    listed = {record["ArchiveId"] for record in json.loads(content)["ArchiveList"]}
    assert listed <= set(ids_of(glacier)), "what the vault never had"
    assert len(listed) == snapshot.records
    return snapshot.sha256


class _Cut:
    """The power goes before one of the operations on a disk, and stays away."""

    def __init__(self, chance: random.Random, disk: PretendDisk) -> None:
        self.image: PretendDisk | None = None
        self.kind = chance.choice(_KINDS)
        self._chance, self._disk, self._left = chance, disk, chance.randint(1, _OPERATIONS)
        disk.before = self._before

    def _before(self, _verb: str, _name: str) -> None:
        self._left -= 1
        if self._left > 0:
            return
        if self.image is None:
            self.image = power_cut(self._chance, self._disk, self.kind)
        raise PowerCut


async def _tell(chance: random.Random, folder: Path, counted: Counter[str]) -> None:
    disk, last = PretendDisk(), ""
    async with simulated(archives=chance.randint(1, 60)) as (glacier, client):
        for number in range(_CALLS):
            wanted = WantedJob(is_new=True) if number and chance.random() < 0.7 else ANY_JOB
            if chance.random() < 0.5:
                await upload(glacier)
            root = laid_out(disk, folder / f"fetched-{number}")
            cut = _Cut(chance, disk) if number < _CALLS - 1 else None
            try:
                with mirrored(root, disk):
                    last = await _fetched(glacier, client, root, wanted)
            except PowerCut:
                assert cut is not None
                assert cut.image is not None
                disk = cut.image
                counted[f"fetching, {cut.kind}"] += 1
                continue
            except BaseException as error:
                error.add_note(f"call {number} of a fetching, {wanted=}")
                raise
            disk = PretendDisk(files_in(root), folders=disk.folders())
        assert disk.read("inventory.json.sha256").decode().split()[0] == last


def told(seed: int, folder: Path) -> Counter[str]:
    """Tell one story; how often the power went, by what it left."""
    counted = Counter[str]()
    with world_of(folder):
        asyncio.run(_tell(random.Random(f"fetching {seed}"), folder, counted))
    return counted
