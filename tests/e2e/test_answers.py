"""Every verb that answers programs, and each kind of answer it has, is as its schema says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.storage.locks import run_locked
from tests.answers import SEEN
from tests.e2e.desk import asked
from tests.e2e.shell import Shell, process_settings_kept
from tests.e2e.simulator import stock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Bench

DAY = 86_400.0


class Asking:
    """The command, for programs; the process it is in does not matter."""

    def __init__(self, bench: Bench, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.bench = bench
        self.at = ("--endpoint-url", bench.simulator.endpoint_url)
        self.shell = Shell(folder, bench.simulator, capsys)
        SEEN.clear()

    def __call__(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        said = self.shell(*arguments, "--output", "json")
        assert said.exit_code == exit_code, said.err
        answer: dict[str, Any] = json.loads(said.out)
        return answer

    def later(self, days: float) -> None:
        self.bench.simulator.post("clock", step_seconds=days * DAY)


@pytest.fixture
def ask(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Asking]:
    for name, value in bench.environment().items():
        if name.startswith(("AWS_", "XDG_", "GLACIER_")):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with process_settings_kept():
        yield Asking(bench, capsys, tmp_path)


def seen(*verbs: str) -> set[str]:
    """The kinds of answers of these verbs that were checked."""
    return {kind for verb, kind in SEEN if verb in verbs}


# glacier-purge inventory fetch photos; inspect; doctor photos; plan photos; show DIR; apply DIR; status DIR;
# audit verify DIR; verify DIR; delete-vault DIR
@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"archives": 30}], indirect=True)
def test_from_the_inventory_to_the_removal(ask: Asking) -> None:
    inventory, run = "inventory.json", "run"
    fetch = ("inventory", "fetch", "photos", "--to", inventory, "--new-inventory", "--no-wait", *ask.at)
    ask(*fetch, exit_code=75)
    ask.later(0.5)
    ask(*fetch)
    ask("inventory", "inspect", inventory)
    ask("doctor", "photos", *ask.at)
    digest = ask("plan", "photos", "--inventory", inventory, "--run-dir", run, *ask.at)["digest"]
    ask("show", run)
    ask("status", run)
    ask("apply", run, "--confirm-digest", digest)
    ask("status", run)
    ask("audit", "verify", run)
    ask.later(2)
    ask("verify", run, "--no-wait", exit_code=75)
    ask.later(0.5)
    ask("verify", run, "--no-wait")
    stock(ask.bench.simulator, "films", 1)
    ask("delete-vault", run, "--confirm-vault", "photos", "--no-wait")
    assert {verb for verb, _ in SEEN} == {
        *("inventory fetch", "inventory inspect", "doctor", "plan", "show", "apply", "status", "audit verify"),
        *("verify", "delete-vault"),
    }
    assert seen("inventory fetch") == {"fetched-inventory", "pending"}
    assert seen("verify") == {"verification", "pending"}


# glacier-purge run photos; status DIR; show DIR; audit verify DIR; thaw photos; abandon DIR
@pytest.mark.slow
def test_a_lifecycle_and_what_ends_it(ask: Asking, tmp_path: Path) -> None:
    folder = "lifecycle"
    run = ("run", "photos", "--run-dir", folder, "--no-wait", *ask.at)
    ask(*run, exit_code=75)
    ask("status", folder)
    ask.later(0.5)
    ask(*run, exit_code=75)
    ask("show", folder)
    ask("status", folder)
    ask("audit", "verify", folder)
    ask("thaw", "photos", "--confirm-vault", "photos", *ask.at)
    ask("abandon", folder, "--confirm-vault", "photos", *ask.at)
    terms = tmp_path / folder / "terms.json"
    terms.write_bytes(terms.read_bytes().replace(b"photos", b"phones"))
    ask("status", folder, exit_code=4)
    assert seen("audit verify") == {"audits"}
    assert seen("status") == {"lifecycle-status", "unreadable"}


# glacier-purge fleet fleet.toml --run-dir DIR; status DIR; show DIR
@pytest.mark.slow
def test_a_fleet_with_members_that_stand_differently(ask: Asking, tmp_path: Path) -> None:
    stock(ask.bench.simulator, "films", 1)
    (tmp_path / "fleet.toml").write_text('[[vaults]]\nname = "*"\n')
    fleet = ("fleet", "fleet.toml", "--run-dir", "fleet", "--no-wait", *ask.at)
    for _ in range(4):  # films waits for its first inventory, and that for the day's
        ask(*fleet, exit_code=75)
        ask.later(0.4)
    ask(*fleet, exit_code=75)
    assert ask("show", "fleet")["waiting"] == 2
    films = tmp_path / "fleet" / "123456789012-us-east-1-films"
    films.rename(tmp_path / "elsewhere")
    assert ask("status", "fleet")["not_begun"] == 1
    (tmp_path / "elsewhere").rename(films)
    (films / "terms.json").write_text("{}")
    assert ask("status", "fleet", exit_code=4)["damaged"] == 1
    assert (seen("show"), seen("status")) == ({"shown-plans"}, {"fleet-status"})


# glacier-purge purge photos; demo; bench; config show
@pytest.mark.slow
def test_all_in_one_the_demonstrations_and_the_settings(ask: Asking) -> None:
    inventory = ask.bench.simulator.inventory(ask.shell.folder / "inventory.json")
    digest = ask("plan", "photos", "--inventory", str(inventory), "--run-dir", "run", *ask.at)["digest"]
    told = ("purge", "photos", "--inventory", str(inventory), "--run-dir", "another", *ask.at)
    ask(*told, "--confirm-digest", digest)
    ask("demo", "--archives", "20", "--run-dir", "demo")
    ask("bench", "--archives", "20")
    ask("config", "show")
    assert seen("purge", "demo", "bench", "config show") == {"purge", "bench", "settings"}


# glacier-purge pause DIR; rate DIR 500; resume DIR; status DIR; stop DIR
@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"archives": 1000}], indirect=True)
def test_orders_to_a_run_at_work(ask: Asking) -> None:
    bench, run = ask.bench, str(ask.bench.run_dir)
    process = bench.start(*bench.apply_arguments(bench.plan()["digest"], "--max-rate", "50"))
    bench.wait_for_deletes(5, process)
    for order in (("pause", run), ("rate", run, "60"), ("resume", run), ("status", run), ("stop", run)):
        ask(*order)
    process.communicate(timeout=30)
    ask("status", run)
    assert seen("pause", "rate", "resume", "stop") == {"order"}


def tagged(ask: Asking, operation: str, body: dict[str, Any]) -> None:
    asked(ask.bench.simulator, "POST", f"held/tags?operation={operation}", body)


# glacier-purge fleet fleet.toml --run-dir DIR --no-wait --output json, again and again
@pytest.mark.slow
def test_a_fleet_needs_the_most_pressing_of_its_vaults_needs_and_comes_again_at_the_earliest_time(
    ask: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(ask.bench.simulator, "films", 1)
    stock(ask.bench.simulator, "held", 1)
    tagged(ask, "add", {"Tags": {"purge:deny": "yes"}})
    file = tmp_path / "fleet.toml"
    file.write_text('[[vaults]]\nname = "*"\n')
    fleet = ("fleet", str(file), "--run-dir", "fleet", "--no-wait", *ask.at)

    first = ask(*fleet, exit_code=75)
    assert needs(first) == {"photos": "time", "films": "time", "held": "operator"}
    assert (first["needs"], first["exit_code"]) == ("operator", 75)
    assert first["until"] == min(vault["until"] for vault in first["vaults"] if vault["until"])

    ask.later(0.3)
    second = ask(*fleet, exit_code=75)
    assert needs(second) == {"photos": "approval", "films": "time", "held": "operator"}
    assert (second["needs"], len(second["confirm_digests"])) == ("operator", 1)
    assert second["until"] is not None

    tagged(ask, "remove", {"TagKeys": ["purge:deny"]})
    third = ask(*fleet, exit_code=75)
    assert needs(third) == {"photos": "approval", "films": "time", "held": "time"}
    assert (third["needs"], third["confirm_digests"]) == ("approval", second["confirm_digests"])
    assert third["until"] is not None, "two of them go on by themselves"

    with run_locked(tmp_path / "fleet"):
        locked = ask(*fleet, exit_code=75)
    assert (locked["needs"], locked["vaults"], locked["until"] is None) == ("time", [], False)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    nobodys = ask(*fleet, exit_code=75)
    assert needs(nobodys) == {"photos": "approval", "films": "credentials", "held": "credentials"}
    assert (nobodys["needs"], nobodys["until"]) == ("credentials", None), "only people help"
    file.write_text('[[vaults]]\nname = "p*"\n')
    changed = ask(*fleet, exit_code=2)
    assert (changed["needs"], changed["until"]) == ("operator", None)
    assert "is not what the fleet" in changed["message"]


def needs(told: dict[str, Any]) -> dict[str, str]:
    return {vault["vault"]: vault["needs"] for vault in told["vaults"]}
