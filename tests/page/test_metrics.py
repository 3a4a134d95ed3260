"""Metrics, read by Prometheus's own parser and held against its rules for names."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.record import Note
from glacier_purge.page.metrics import exposition
from glacier_purge.report.html.live_page import facts_of, live_page, news_of
from glacier_purge.report.snapshot import NOBODY, Snapshot, Told, of_run, of_unreadable
from tests.audit.logs import outcome
from tests.audit.test_timeline import at, beat
from tests.e2e.claimed import planned
from tests.report.test_html import HOSTILE, Page

if TYPE_CHECKING:
    from glacier_purge.plan.document import Plan

NOW = datetime(2026, 11, 1, 1, tzinfo=UTC)
RUNNING = {
    "state": "running",
    "cause": "at_limit",
    "why": "holding at 96/s, at the limit found",
    "limit_per_second": 98.0,
    "accepted_per_second": 95.5,
    "in_flight": 7,
    "waiting": 3,
    "throttled": 5,
    "active_seconds": 70.0,
    "steady": True,
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return planned(tmp_path_factory.mktemp("planned") / "run")[1]


def snapshot(plan: Plan, telemetry: dict[str, object] | None = None, **changes: object) -> Snapshot:
    ledger = Ledger(plan.counts.inventory)
    ledger.apply([beat(), outcome(0), outcome(1), outcome(2, "failed")], ts=at(0), epoch=1)
    ledger.apply([outcome(3), beat("window", throttled=5, server_faults=2, active_seconds=60.0)], ts=at(60), epoch=1)
    told = None if telemetry is None else telemetry | changes
    return of_run("photos-run", plan, ledger, Told(told is not None, told), NOW)


def families(*snapshots: Snapshot) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {_own(sample.labels): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(exposition(snapshots).decode())
    }


def _own(labels: dict[str, str]) -> tuple[str, ...]:
    return tuple(labels[name] for name in ("outcome", "phase", "state", "by") if name in labels)


def test_every_figure_of_a_snapshot_is_there(plan: Plan) -> None:
    found = families(snapshot(plan, RUNNING))
    assert {name: found["glacier_purge_archives"][(name,)] for name in ("deleted", "failed")} == {
        "deleted": 3,
        "failed": 1,
    }
    assert found["glacier_purge_archives_selected"][()] == plan.counts.selected
    assert found["glacier_purge_deletes_per_second"][()] == 95.5
    assert found["glacier_purge_limit_deletes_per_second"][()] == 98.0
    assert found["glacier_purge_requests_in_flight"][()] == 7
    assert found["glacier_purge_requests_throttled"][()] == 5
    assert found["glacier_purge_requests_faulted"][()] == 2
    assert found["glacier_purge_active_seconds"][()] == 70.0
    assert found["glacier_purge_phase"] == {("purge", "running"): 1.0}
    assert found["glacier_purge_last_deletion_timestamp_seconds"][()] == datetime.fromisoformat(at(60)).timestamp()


def test_in_a_pause_there_is_no_rate_and_it_is_said_who_holds(plan: Plan) -> None:
    found = families(snapshot(plan, RUNNING, state="paused", paused_by=["operator", "window"]))
    assert found["glacier_purge_paused"] == {("operator",): 1.0, ("window",): 1.0}
    assert found["glacier_purge_deletes_per_second"] == {}


def test_names_are_as_prometheus_has_them(plan: Plan) -> None:
    for family in text_string_to_metric_families(exposition([snapshot(plan, RUNNING)]).decode()):
        assert family.name.startswith("glacier_purge_")
        assert not family.name.endswith(("_ms", "_mb", "_percent"))
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert family.type != "counter" or sample.name.endswith("_total")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_strangers_wrote_breaks_neither_metrics_nor_page(text: str, plan: Plan) -> None:
    hostile = snapshot(plan, RUNNING, why=text, paused_by=[text], state=text)
    assert families(hostile)["glacier_purge_paused"] == {(text.replace("\r", ""),): 1.0} or "\r" in text
    facts = facts_of([hostile])
    assert all(str(fact).isprintable() for name, fact in facts.items() if name != "rows")
    html, _ = live_page([hostile], "folder")
    assert Page(html).tags == Page(live_page([snapshot(plan, RUNNING)], "folder")[0]).tags


def test_a_fleets_page_has_a_row_a_vault(plan: Plan) -> None:
    html, _ = live_page([snapshot(plan, RUNNING), snapshot(plan)], "vaults-run")
    assert "Fleet of 2 vaults" in html
    assert len(news_of([snapshot(plan, RUNNING), snapshot(plan)], with_chart=True)["rows"]) == 2  # type: ignore[arg-type]


def test_a_run_that_nobody_works_on_says_what_to_type(plan: Plan) -> None:
    facts = facts_of([snapshot(plan)])
    assert "go on with: glacier-purge apply photos-run" in str(facts["why"])
    assert (facts["rate"], facts["left"]) == ("none", "unknown")


def test_the_last_rate_of_a_process_that_has_ended_is_nobodys(plan: Plan) -> None:
    ledger = Ledger(plan.counts.inventory)
    ledger.apply([outcome(0), Note("telemetry", RUNNING)], ts=at(0), epoch=1)
    rested = of_run("photos-run", plan, ledger, NOBODY, NOW)
    assert families(rested)["glacier_purge_deletes_per_second"] == {}
    assert families(rested)["glacier_purge_requests_in_flight"] == {(): 0.0}
    silent = of_run("photos-run", plan, ledger, Told(True, None), NOW)
    assert families(silent)["glacier_purge_deletes_per_second"] == {(): 95.5}


def test_a_fleets_page_says_first_what_needs_a_person_and_when_the_last_is_over(plan: Plan) -> None:
    calm = snapshot(plan, RUNNING)
    asks = dataclasses.replace(snapshot(plan), vault="asks", phase="approval", state="waiting")
    spoilt = of_unreadable("spoilt", "folder", "its log is damaged", NOW)
    facts = facts_of([calm, asks, spoilt])
    assert [row[0] for row in cast("list[list[str]]", facts["rows"])] == ["spoilt", "asks", calm.vault]
    sent = calm.sent
    assert sent is not None
    left = sent.progress.remaining_seconds
    assert left is not None
    slower = dataclasses.replace(sent, progress=dataclasses.replace(sent.progress, rate_per_second=1.0))
    later = dataclasses.replace(calm, sent=slower)
    assert facts_of([calm, later])["left"] == facts_of([later])["left"] != facts_of([calm])["left"]
