"""A vault purged for real against the simulator, in process: what verification and removal begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glacier_purge.api.clients import Clients
from glacier_purge.api.library import purge
from glacier_purge.api.planning import plan_in_new_folder
from glacier_purge.settings import Settings
from tests.clients import KEYS, VAULT

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder
    from glacier_simulator import SimulatedGlacier


async def purged(glacier: SimulatedGlacier, place: Path, *, without: int = 0) -> tuple[RunFolder, Plan]:
    """Purge the vault by an inventory as of now, of which the last ``without`` archives are left out."""
    settings = Settings.model_validate(
        {
            "aws": {"endpoint_url": glacier.endpoint_url, "account_id": VAULT.account_id, "region": VAULT.region},
            "pace": {"first_per_second": 1000.0},
        }
    )
    inventory = place / "as-of-now.json"
    _write(inventory, glacier.inventory_text(), without)
    async with Clients() as clients:
        folder, plan = await plan_in_new_folder(
            VAULT.name, str(inventory), settings, clients, run_dir=place / "run", set_aside_defects=False
        )
    await purge(folder.path, confirm_digest=plan.digest, settings=settings, credentials=KEYS)
    return folder, plan


def _write(file: Path, text: bytes, without: int) -> None:
    document = msgspec.json.decode(text)
    document["ArchiveList"] = document["ArchiveList"][: len(document["ArchiveList"]) - without]
    file.write_bytes(msgspec.json.encode(document))
