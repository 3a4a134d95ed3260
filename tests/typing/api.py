"""The public API as a typed program uses it. Checked by mypy, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

from tenacity import AsyncRetrying, Retrying, stop_after_delay, wait_fixed

import glacier_purge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def a_whole_run() -> None:
    settings = glacier_purge.Settings()
    plan = await glacier_purge.make_plan(
        "photos", inventory="inventory.json", run_dir=Path("run"), settings=settings, set_aside_defects=True
    )
    assert_type(plan, glacier_purge.Plan)
    some = glacier_purge.Choices(older_than="90d", min_size="10MiB", migrated=("moved.csv",), in_retrieval="wait")
    try:
        await glacier_purge.make_plan("photos", inventory=Path("inventory.json"), run_dir="some", choices=some)
    except glacier_purge.Pending as error:
        assert_type(error.what, str)
    assert_type(plan.digest, str)
    try:
        report = await glacier_purge.purge("run", confirm_digest=plan.digest, settings=settings)
    except glacier_purge.RunLocked as error:
        assert_type(error.exit_code, int)
    except glacier_purge.InventoryDamaged as error:
        assert_type(error.offset_bytes, int)
    except glacier_purge.GlacierPurgeError:
        raise
    else:
        assert_type(report, glacier_purge.Report)
        assert_type(report.deleted, int)
        assert_type(report.complete, bool)


async def from_inventory_to_proof() -> None:
    def told(waiting: glacier_purge.Waiting) -> None:
        assert_type(waiting.what, str)

    async def small(view: glacier_purge.PlanView) -> str | None:
        return view.plan.digest if view.plan.counts.selected < 1_000 else None

    def moved(progress: glacier_purge.Progress) -> None:
        assert_type(progress.deleted, int)

    waiting = glacier_purge.SleepingWaiter(tell=told)
    fetched = await glacier_purge.fetch_inventory("photos", to="inventory.json", waiter=waiting)
    assert_type(fetched, glacier_purge.Fetched)
    assert_type(glacier_purge.show_plan("run"), glacier_purge.Shown | glacier_purge.AllShown)
    await glacier_purge.purge("run", approve=small, on_progress=moved)
    new = glacier_purge.WantedJob(is_new=True)
    verified = await glacier_purge.verify("run", wanted=new, waiter=glacier_purge.NoWait())
    assert_type(verified, glacier_purge.Verified)
    assert_type(verified.certificate, str | None)
    standing = glacier_purge.status("run")
    assert_type(standing, glacier_purge.RunStatus | glacier_purge.LifecycleStatus | glacier_purge.FleetStatus)


async def a_step() -> None:
    told = await glacier_purge.step("photos", run_dir="lifecycle", confirm_digests=["digest"])
    assert_type(told, glacier_purge.Stepped)
    assert_type(told.needs, glacier_purge.Needs)
    assert_type(told.until, str | None)


async def whole_lifecycles() -> None:
    async def approve(view: glacier_purge.PlanView) -> str | None:
        assert_type(view.plan, glacier_purge.Plan)
        return view.plan.digest

    order = glacier_purge.LifecycleOrder(
        options=glacier_purge.LifecycleOptions(freeze=True, remove_vault="photos"),
        choices=glacier_purge.Choices(older_than="90d"),
        caps=glacier_purge.Caps(max_archives=1000),
    )
    deleted: list[int] = []
    listener = glacier_purge.LifecycleListener(on_progress=lambda now: deleted.append(now.deleted))
    report = await glacier_purge.run_lifecycle(
        "photos", run_dir="run", approve=approve, order=order, waiter=glacier_purge.NoWait(), listener=listener
    )
    assert_type(report, glacier_purge.LifecycleReport)
    assert_type(report.certificate, str | None)
    ended = await glacier_purge.run_fleet(Path("fleet.toml"), run_dir=Path("fleet"), approve=approve)
    assert_type(ended, glacier_purge.FleetReport)
    assert_type(ended.vaults, tuple[glacier_purge.VaultReport, ...])


async def only_the_deletes() -> None:
    credentials = glacier_purge.StaticCredentials(access_key_id="key", secret_access_key="secret")
    async for outcome in glacier_purge.delete_archives(vault(), ["id"], credentials=credentials):
        assert_type(outcome, glacier_purge.Outcome)
        assert_type(outcome.archive_id, str)
        assert_type(outcome.request_id, str | None)
    async for _ in glacier_purge.delete_archives(vault(), ids(), settings=glacier_purge.Settings()):
        pass
    retry = {"throttled": AsyncRetrying(stop=stop_after_delay(60)), "unknown": Retrying(wait=wait_fixed(1))}
    outcomes = glacier_purge.delete_archives(vault(), ids(), audit_log=Path("log"), retry=retry)
    assert_type(outcomes, AsyncGenerator[glacier_purge.Outcome, None])
    async for outcome in glacier_purge.delete_archives(vault(), ids(), audit_log="log", retry=None):
        assert_type(outcome.redelete, bool)


def vault() -> glacier_purge.Vault:
    return glacier_purge.Vault(account_id="123456789012", region="eu-west-1", name="photos")


async def ids() -> AsyncIterator[str]:
    yield "id"


def refused_by_the_checker() -> None:
    glacier_purge.Choices("90d")  # type: ignore[call-arg]  # by name only
    glacier_purge.Choices(in_retrieval="ask")  # type: ignore[arg-type]  # hold, wait or delete
    glacier_purge.Vault("123456789012", "eu-west-1", "photos")  # type: ignore[call-arg]  # by name only: easy to swap
    glacier_purge.delete_archives("photos", [])  # type: ignore[arg-type]  # a vault is more than a name
    glacier_purge.delete_archives(vault(), [], retry={"unknown": 3})  # type: ignore[dict-item]  # a policy of tenacity
    glacier_purge.delete_archives(vault(), [], audit_log=True)  # type: ignore[arg-type]  # where it is to lie
    glacier_purge.purge("run")  # type: ignore[call-overload]  # no yes is ever assumed
