"""Signed approvals from Python: documents handed to a run, a lifecycle, a fleet and a step; and what hooks are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import glacier_purge
from glacier_purge.api.step import step
from glacier_purge.errors import ApprovalWanted, Pending, PlanRefused
from glacier_purge.plan.document import read_plan
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder
from tests.clients import Stepping, simulated
from tests.hooks.receiver import receiving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.approval.people import People

pytestmark = pytest.mark.usefixtures("credentials")


def settings_for(endpoint_url: str, people: People, *hooks: dict[str, object], needed: int = 2) -> Settings:
    return Settings.model_validate(
        {
            "aws": {"endpoint_url": endpoint_url, "region": "us-east-1"},
            "pace": {"first_per_second": 1000.0},
            "approval": {"approvals": needed, "allowed_signers": str(people.signers_file)},
            "hooks": hooks,
        }
    )


def by(people: People, place: Path, *names: str) -> list[bytes]:
    folder = RunFolder(place)
    plan = read_plan(folder.plan_file)
    return [people.approval(folder, plan, name) for name in names]


async def test_a_run_is_handed_documents_and_needs_enough_of_them(people: People, tmp_path: Path) -> None:
    place = tmp_path / "run"
    async with simulated(archives=7) as (glacier, _):
        (tmp_path / "inventory.json").write_bytes(glacier.inventory_text())
        settings = settings_for(glacier.endpoint_url, people)
        plan = await glacier_purge.make_plan(
            "photos", inventory=tmp_path / "inventory.json", run_dir=place, settings=settings
        )
        cases: list[tuple[dict[str, Any], tuple[str, ...]]] = [
            ({"confirm_digest": plan.digest}, ()),
            ({"documents": by(people, place, "anna", "mallory")}, ("anna@example",)),
        ]
        for how, there in cases:
            with pytest.raises(ApprovalWanted, match="of 2 approvals are there") as wanted:
                await glacier_purge.purge(place, settings=settings, **how)
            assert (wanted.value.needed, wanted.value.approved_by) == (2, there)
            assert (wanted.value.digest, glacier.ledger["deletes_received"]) == (plan.digest, 0)
        report = await glacier_purge.purge(place, settings=settings, documents=by(people, place, "bert"))
        assert (report.complete, report.deleted) == (True, 7)
        report = await glacier_purge.purge(place, settings=settings, confirm_digest=plan.digest)
        assert report.complete


async def test_hooks_are_told_how_many_approved_anew_whenever_somebody_did(people: People, tmp_path: Path) -> None:
    place, names = tmp_path / "run", list[str]()
    async with simulated(archives=5) as (glacier, _), receiving() as receiver:
        settings = settings_for(glacier.endpoint_url, people, {"url": receiver.url})
        for name in ("", "", "anna", "", "bert"):
            documents = by(people, place / "round-1", name) if name else []
            names += [name] if name else []
            asked: dict[str, Any] = {"run_dir": place, "settings": settings, "documents": documents}
            if len(names) < 2:
                with pytest.raises(Pending, match=f"{len(names)} of 2 approvals"):
                    await glacier_purge.run_lifecycle("photos", waiter=Stepping(glacier), **asked)
                assert glacier.ledger["deletes_received"] == 0
            else:
                await glacier_purge.run_lifecycle("photos", waiter=Stepping(glacier), **asked)
        assert receiver.kinds == ["approval_wanted", "approval_wanted", "finished"]
        told = [event["data"] for event in receiver.events[:2]]
    assert [(data["approvals_needed"], data["approved_by"]) for data in told] == [(2, []), (2, ["anna@example"])]
    assert told[1]["next"] == f"glacier-purge approve {place}/round-1 --key FILE --who NAME"
    assert "approvals, of which 1 of 2 are there" in told[1]["message"]


async def test_a_fleets_vaults_are_approved_each_by_itself_and_as_it_began(people: People, tmp_path: Path) -> None:
    fleet_file, place = tmp_path / "fleet.toml", tmp_path / "fleet"
    fleet_file.write_text('[[vaults]]\nname = "*"\n', "utf-8")
    async with simulated(archives=4) as (glacier, _):
        glacier.service.generate_vault("films", 5, 1_000_000_000.0)
        settings = settings_for(glacier.endpoint_url, people)

        async def fleet(documents: list[bytes], with_settings: Settings = settings) -> dict[str, tuple[str, str]]:
            report = await glacier_purge.run_fleet(
                fleet_file, run_dir=place, settings=with_settings, documents=documents, waiter=Stepping(glacier)
            )
            return {one.vault_arn.rpartition("/")[2]: (one.state, one.message) for one in report.vaults}

        assert {state for state, _ in (await fleet([])).values()} == {"pending"}
        rounds = {name: place / f"123456789012-us-east-1-{name}" / "round-1" for name in ("photos", "films")}
        documents = [*by(people, rounds["photos"], "anna", "bert"), *by(people, rounds["films"], "anna")]
        typed = Settings.model_validate(settings.model_dump(exclude={"approval"}))
        ended = await fleet(documents, typed)  # what it began with holds
        assert ended["photos"][0] == "done"
        assert ended["films"][0] == "pending"
        assert "1 of 2 approvals are there (anna@example)" in ended["films"][1]
        assert glacier.ledger["deletes_received"] == 4
        with pytest.raises(PlanRefused, match="began with --approvals 2, and --approvals 1 is asked for now"):
            await fleet([], settings_for(glacier.endpoint_url, people, needed=1))
        ended = await fleet(by(people, rounds["films"], "cara"))
        assert {state for state, _ in ended.values()} == {"done"}, ended
        assert glacier.ledger["deletes_received"] == 9


async def test_a_step_says_what_is_needed_and_takes_documents(people: People, tmp_path: Path) -> None:
    place = tmp_path / "run"
    async with simulated(archives=3) as (glacier, _):
        settings = settings_for(glacier.endpoint_url, people)
        documents = list[bytes]()

        async def stepped() -> Any:
            glacier.clock.step(6 * 3600)
            return await step(
                "photos", run_dir=place, settings=settings, documents=documents, clock=Stepping(glacier).now
            )

        one = await stepped()
        while one.needs == "time":
            one = await stepped()
        assert (one.exit_code, one.phase) == (75, "approval")
        assert "0 of 2 approvals are there" in one.waiting_for
        documents += by(people, place / "round-1", "cara", "anna")
        one = await stepped()
        assert one.phase in {"verify", "done"}, one
        assert glacier.ledger["archives_left"] == 0
