"""Nobody says yes by a digest, or is asked on a terminal, without the whole plan having been shown before."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import glacier_purge
from glacier_purge.api.person import ApprovalRequest
from glacier_purge.cli.confirmation import TerminalApproval
from glacier_purge.errors import Pending, PlanRefused
from glacier_purge.storage.folder import RunFolder
from tests.inventory.inventories import VAULT_ARN, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = glacier_purge.Settings.model_validate({"aws": {"endpoint_url": "http://127.0.0.1:9"}})


@pytest.fixture
async def asked(tmp_path: Path) -> ApprovalRequest:
    inventory = tmp_path / "inventory.json"
    document = {"VaultARN": VAULT_ARN, "InventoryDate": "2026-11-20T08:16:34Z", "ArchiveList": [record(1), record(2)]}
    inventory.write_text(json.dumps(document), "utf-8")
    choice = SETTINGS.model_copy(
        update={"safety": SETTINGS.safety.model_copy(update={"inventory_max_age_seconds": None})}
    )
    plan = await glacier_purge.make_plan("photos", inventory=inventory, run_dir=tmp_path / "run", settings=choice)
    return ApprovalRequest.of(RunFolder.open(tmp_path / "run"), plan, choice)


async def test_a_digest_approves_its_plan_which_is_shown_before(
    asked: ApprovalRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    approval = await TerminalApproval([asked.plan.digest.upper()])(asked)
    assert (approval.digest, approval.how) == (asked.plan.digest, "digest")
    assert asked.view.as_text() in capsys.readouterr().err


@pytest.mark.parametrize("digests", [[], ["0" * 64]])
async def test_without_a_terminal_the_plan_is_shown_and_waits(
    digests: list[str], asked: ApprovalRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("photos 2\n"))
    with pytest.raises(Pending, match=f"--confirm-digest {asked.plan.digest}"):
        await TerminalApproval(digests)(asked)
    assert asked.view.as_text() in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "is_yes"), [("photos 2\n", True), ("yes\n", False), ("photos 3\n", False)])
async def test_on_a_terminal_the_question_comes_after_the_plan_and_nothing_else_is_drawn_meanwhile(
    typed: str,
    is_yes: bool,
    asked: ApprovalRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    async def readable(stream: object) -> None:
        del stream

    drawn: list[str] = []

    @contextmanager
    def aside() -> Iterator[None]:
        drawn.append("put aside")
        yield
        drawn.append("drawn again")

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("anyio.wait_readable", readable)
    approval = TerminalApproval([], aside)
    if is_yes:
        assert (await approval(asked)).how == "typed"
    else:
        with pytest.raises(PlanRefused, match="Nothing was sent"):
            await approval(asked)
    shown = capsys.readouterr().err
    assert 0 <= shown.index(asked.view.as_text()) < shown.index("anything else to stop: ")
    assert drawn[0] == "put aside"
