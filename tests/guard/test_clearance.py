"""Garbled answers to "is this vault protected?": a run over real HTTP sends nothing, and can be resumed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import glacier_purge
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.aws.access import Access
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.glacier.control import NoAnswer
from glacier_purge.run.host import Host
from glacier_purge.run.purge import PurgeRun
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.folder import RunFolder
from tests.clients import KEYS, VAULT, control, open_rest, open_sdk
from tests.glacier.garbled import ALL, NONE
from tests.glacier.raw_server import reply, serving

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.archive import Vault
    from tests.glacier.raw_server import Exchange

ARCHIVES = 20
BRISK = PacerSettings(rate_per_second_first=1000.0)
SOMETHING_NEW = reply("400 Bad Request", body=b'{"code":"SomethingNewException","message":"","type":"Client"}')
MADE = "2026-11-20T00:00:00Z"
DESCRIBED = {
    "VaultARN": VAULT.arn,
    "VaultName": VAULT.name,
    "CreationDate": "2012-02-20T17:01:45.198Z",
    "LastInventoryDate": MADE,
    "NumberOfArchives": ARCHIVES,
    "SizeInBytes": ARCHIVES,
}
QUESTIONS = {"/lock-policy ": "GetVaultLock", "/access-policy ": "GetVaultAccessPolicy", "/tags ": "ListTagsForVault"}


class Front:
    """The service as far as a purge needs it; ``garbled`` is what it answers one question with."""

    def __init__(self) -> None:
        self.garbled: tuple[str, bytes] | None = None
        self.deletes = 0

    async def answer(self, exchange: Exchange) -> None:
        line = exchange.request.split(b"\r\n", 1)[0].decode()
        if self.garbled is not None and self.garbled[0] in line:
            await exchange.send(self.garbled[1])
            return
        self.deletes += line.startswith("DELETE")
        await exchange.send(self._right(line, f"request-{exchange.number}"))

    def _right(self, line: str, request_id: str) -> bytes:
        if line.startswith("DELETE"):
            return reply(request_id=request_id)
        if "-policy " in line:
            return reply("404 Not Found", body=NONE, request_id=request_id)
        members = {"Tags": {}} if "/tags " in line else DESCRIBED
        return reply("200 OK", body=json.dumps(members).encode(), request_id=request_id)


async def planned(place: Path, vault: Vault, endpoint_url: str) -> tuple[RunFolder, Any]:
    listed = [
        {
            "ArchiveId": f"{number:0138d}",
            "ArchiveDescription": "",
            "CreationDate": "2020-01-01T00:00:00Z",
            "Size": 1,
            "SHA256TreeHash": "0" * 64,
        }
        for number in range(ARCHIVES)
    ]
    document = {"VaultARN": vault.arn, "InventoryDate": MADE, "ArchiveList": listed}
    inventory = place / "inventory.json"
    inventory.write_text(json.dumps(document))
    settings = glacier_purge.Settings.model_validate(
        {"aws": {"endpoint_url": endpoint_url}, "safety": {"inventory_max_age_seconds": None}}
    )
    choices = glacier_purge.Choices(in_retrieval="delete")
    plan = await glacier_purge.make_plan(
        vault.name, inventory=inventory, run_dir=place / "run", settings=settings, choices=choices
    )
    return RunFolder(place / "run"), plan


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("opener", [open_sdk, open_rest], ids=["sdk", "rest"])
@pytest.mark.parametrize("question", QUESTIONS)
async def test_no_garbled_answer_about_protection_lets_a_delete_go(question: str, opener: Any, tmp_path: Path) -> None:
    front = Front()
    async with (
        serving(front.answer) as server,
        opener(VAULT, Access(endpoint_url=server.endpoint_url, credentials=KEYS)) as service,
        control(server.endpoint_url) as client,
    ):
        folder, plan = await planned(tmp_path, VAULT, server.endpoint_url)

        async def carry_out() -> None:
            run = PurgeRun(
                *(folder, plan, service, PurgeSettings(pace=BRISK), FileDisk(folder.path), Host()),
                guarded=client,
            )
            await run.carry_out(approve_by_digest(plan, plan.digest, "tester"))

        for name, garbled in (ALL | {"a refusal nobody knows": SOMETHING_NEW}).items():
            front.garbled = (question, garbled)
            with pytest.raises(NoAnswer, match=QUESTIONS[question]) as stopped:
                await carry_out()
            assert (name, stopped.value.exit_code, front.deletes) == (name, 3, 0)
        front.garbled = None
        await carry_out()
    assert front.deletes == ARCHIVES
