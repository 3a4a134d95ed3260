"""``run`` by the installed command, at four hours a second: what was chosen goes, the rest is kept, nothing changes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench


def arguments(bench: Bench, *more: str) -> tuple[str, ...]:
    place = ("--run-dir", str(bench.folder / "lifecycle"), "--endpoint-url", bench.simulator.endpoint_url)
    return ("run", bench.simulator.vault, *place, *more)


def status(bench: Bench) -> dict[str, Any]:
    return bench.json("status", str(bench.folder / "lifecycle"))


def uploaded(bench: Bench) -> dict[str, str]:
    """The archives there are, with when they were uploaded."""
    records = json.loads(bench.simulator.get("vaults/photos/inventory?format=json"))["ArchiveList"]
    return {record["ArchiveId"]: record["CreationDate"] for record in records}


@pytest.mark.in_process
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("bench", [{"time-scale": 14_400, "archives": 60}], indirect=True)
def test_only_archives_older_than_what_was_chosen_when_it_began_are_deleted(bench: Bench) -> None:
    # glacier-purge run photos --run-dir lifecycle --older-than DATE [--confirm-digest D]
    before = uploaded(bench)
    cut_off = sorted(before.values())[45]
    old = {archive_id for archive_id, created in before.items() if created < cut_off}
    assert 0 < len(old) < 60

    pending = bench.json(*arguments(bench, "--older-than", cut_off, "--no-wait"), exit_code=75)
    assert pending["waiting_for"].startswith("inventory job")
    shown = status(bench)
    assert (shown["state"], shown["phase"], shown["chosen"]) == ("pending", "inventory", f"--older-than {cut_off}")
    assert shown["why"] == f"waiting for {pending['waiting_for']}"

    other = bench.run(*arguments(bench, "--older-than", "2013-01-01"), exit_code=2)
    assert f"began with --older-than {cut_off}; given now is --older-than 2013-01-01" in other.stderr
    asked = bench.json(*arguments(bench), exit_code=75)
    assert "somebody's approval" in asked["waiting_for"]
    shown = status(bench)
    assert (shown["selected"], shown["kept"]) == (len(old), 60 - len(old))
    fewer = bench.run(*arguments(bench, "--older-than", cut_off, "--limit", "5"), exit_code=2)
    assert "began with no --limit; given now is --limit 5" in fewer.stderr

    approved = ("--confirm-digest", shown["confirm_digest"], "--max-rate", "6")
    process = bench.start(*arguments(bench, *approved, "--output", "json"))
    bench.wait_for_deletes(5, process)
    at_work = status(bench)
    assert (at_work["state"], at_work["phase"]) == ("running", "purge")
    assert f"of {len(old)} (" in at_work["why"]
    bench.json("rate", str(bench.folder / "lifecycle" / "round-1"), "none")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert (told["state"], told["kept"], told["round"], told["vault_deleted"]) == ("done", 60 - len(old), 1, False)

    assert set(before) - set(uploaded(bench)) == old
    assert bench.simulator.ledger()["deletes_received"] == len(old)
    document = json.loads((bench.folder / "lifecycle/round-1/certificate.json").read_bytes())
    assert document["digest"] == told["certificate"]
    certificate = document["certificate"]
    assert (certificate["deleted"], certificate["found"]["kept"]) == (len(old), 60 - len(old))
    assert certificate["kept_because"] == {f"not_older_than:{cut_off}": 60 - len(old)}
    done = status(bench)
    assert (done["state"], done["certificate"]) == ("done", told["certificate"])
    told = bench.run("status", str(bench.folder / "lifecycle")).stdout
    assert told.startswith("state ")
    assert re.search(r"  done +purge +every record accounted for \(deleted \d+", told)


@pytest.mark.in_process
@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("bench", [{"time-scale": 14_400, "archives": 20}], indirect=True)
def test_lists_are_pinned_and_a_vault_that_keeps_archives_is_not_removed(bench: Bench) -> None:
    # glacier-purge run photos --run-dir lifecycle --ids FILE --delete-vault photos
    ids = bench.folder / "these.ids"
    ids.write_text("\n".join(sorted(uploaded(bench))[:7]), "ascii")
    stdin = bench.run(*arguments(bench, "--ids", "-"), exit_code=2)
    assert "--ids - reads standard input, which is gone when a lifecycle plans its next round" in stdin.stderr
    removing = ("--delete-vault", "photos", "--even-the-last-vault")
    refused = bench.run(*arguments(bench, "--ids", "these.ids", *removing), exit_code=2)
    assert "only an empty vault can be removed: if what was chosen keeps an archive" in refused.stderr
    assert "13 archives would be kept in it (13 not_listed)" in refused.stderr
    assert status(bench)["why"].endswith("begin another lifecycle, which keeps nothing, with another --run-dir.")
    ids.write_text("", "ascii")
    changed = bench.run(*arguments(bench), exit_code=2)
    assert "these.ids was changed since the lifecycle began" in changed.stderr
    assert bench.simulator.ledger()["deletes_received"] == 0
