"""Whatever may take long is watched: each verb's work is told, and counted to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glacier_purge.report.works import Works

if TYPE_CHECKING:
    from glacier_purge.long_work import LongWork
    from tests.e2e.conftest import Bench


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[LongWork]:
    """The works that whoever draws was told of."""
    works: list[LongWork] = []
    begins = Works.begins

    def told_of(self: Works, work: LongWork) -> None:
        works.append(work)
        begins(self, work)

    monkeypatch.setattr(Works, "begins", told_of)
    return works


def check_counted(works: list[LongWork], *expected: str) -> None:
    """Each of these was told, and what has a total was counted to it."""
    whats = [work.what for work in works]
    for what in expected:
        assert any(told.startswith(what) for told in whats), (what, whats)
    for work in works:
        if work.total is not None:
            assert (work.what, work.done) == (work.what, work.total)
    works.clear()


@pytest.mark.in_process
@pytest.mark.slow
def test_every_long_work_on_files_is_told_and_counted(bench: Bench, told: list[LongWork]) -> None:
    # glacier-purge inventory inspect, plan, apply, show --list, audit export, audit verify, audit bundle, why
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    bench.json("inventory", "inspect", str(inventory))
    check_counted(told, "reading inventory.json")
    ids = bench.folder / "some.ids"
    ids.write_text("")
    plan = bench.plan("--exclude-ids", str(ids), inventory=inventory)
    check_counted(told, "reading inventory.json", "reading some.ids", "deciding what goes", "checking decisions")
    bench.json(*bench.apply_arguments(plan["digest"]))
    check_counted(told, "checking inventory.json", "checking decisions", "asking Amazon Glacier (GetVaultLock)")
    run_dir = str(bench.run_dir)
    bench.json("status", run_dir)
    check_counted(told, "reading the audit log")
    bench.run("show", run_dir, "--list", "goes")
    check_counted(told, "checking inventory.json", "writing the list")
    bench.run("audit", "export", run_dir, "--to", str(bench.folder / "list.csv"))
    check_counted(told, "checking inventory.json", "reading the audit log")
    bench.json("audit", "verify", run_dir)
    [checked] = [work for work in told if work.what == f"checking {bench.run_dir.name}"]
    assert checked.total is not None
    assert checked.done > 0.9 * checked.total
    told.clear()
    bench.json("audit", "bundle", run_dir, "--to", str(bench.folder / "proof.zip"))
    assert "packing the audit log" in {work.what for work in told}


@pytest.mark.in_process
@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"time-scale": 14_400, "archives": 60}], indirect=True)
def test_fetching_and_proving_are_told_and_counted(bench: Bench, told: list[LongWork]) -> None:
    # glacier-purge inventory fetch photos --to FILE; plan; apply; verify DIR
    fetched = bench.folder / "fetched.json"
    endpoint = ("--endpoint-url", bench.simulator.endpoint_url)
    bench.json("inventory", "fetch", bench.simulator.vault, "--to", str(fetched), *endpoint)
    check_counted(told, "downloading the inventory", "reading ", "looking for vault photos")
    plan = bench.plan(inventory=fetched)
    bench.json(*bench.apply_arguments(plan["digest"]))
    told.clear()
    bench.json("verify", str(bench.run_dir))
    [checked] = [work for work in told if work.what == "checking audit"]
    assert checked.total is not None
    assert checked.done > 0.9 * checked.total
    told.remove(checked)
    check_counted(
        told,
        "checking inventory.json",
        "downloading the inventory",
        "comparing with the later inventory",
        "comparing what both list",
        "reading the audit log",
    )
