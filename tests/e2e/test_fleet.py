"""``fleet`` by the installed command: three vaults of one account, an hour a second."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.simulator import stock
from tests.e2e.test_terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Bench

FLEET = """
deny = ["legal-*"]

[[vaults]]
name = "p*"
delete_vault = ["plans"]

[[vaults]]
name = "films"
freeze = true
limit = 6
max_archives = 6

[[vaults]]
name = "never-was"
"""


def arguments(bench: Bench, fleet_file: Path, *more: str) -> tuple[str, ...]:
    run_dir = str(bench.folder / "fleet")
    return ("fleet", str(fleet_file), "--run-dir", run_dir, "--endpoint-url", bench.simulator.endpoint_url, *more)


def states(told: dict[str, Any]) -> dict[str, str]:
    return {vault["vault_arn"].rpartition("/")[2]: vault["state"] for vault in told["vaults"]}


def digests(told: dict[str, Any]) -> list[str]:
    return [part for digest in told["confirm_digests"] for part in ("--confirm-digest", digest)]


@pytest.mark.in_process
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("bench", [{"time-scale": 14_400, "archives": 400}], indirect=True)
def test_three_vaults_go_through_their_lifecycles_side_by_side(bench: Bench) -> None:
    # glacier-purge fleet fleet.toml --run-dir fleet [--confirm-digest D]...
    stock(bench.simulator, "plans", 5)
    stock(bench.simulator, "films", 8)
    stock(bench.simulator, "legal-hold", 2)
    fleet_file = bench.folder / "fleet.toml"
    fleet_file.write_text(FLEET, "utf-8")

    planned = bench.json(*arguments(bench, fleet_file), exit_code=75)
    assert states(planned) == {"photos": "pending", "plans": "pending", "films": "pending"}
    # "plans" was never inventoried and is to be removed: the service was asked, said no, and that is another round
    assert {vault["phase"] for vault in planned["vaults"]} == {"approval"}
    assert (planned["needs"], planned["until"]) == ("approval", None)
    assert [finding.partition(" matches")[0] for finding in planned["findings"]] == ["entry 3 ('never-was')"]
    assert bench.simulator.ledger()["deletes_received"] == 0
    shown = bench.json("status", str(bench.folder / "fleet"))
    assert (shown["state"], shown["pending"]) == ("pending", 3)
    assert {vault["vault"]: (vault["phase"], vault["selected"], vault["kept"]) for vault in shown["vaults"]} == {
        "photos": ("approval", 400, 0),
        "plans": ("approval", 5, 0),
        "films": ("approval", 6, 2),
    }
    waiting = bench.json("show", str(bench.folder / "fleet"))
    assert [(one["vault"], one["count"], one["approval"]) for one in waiting["plans"]] == [
        ("photos", 400, "wanted"),
        ("plans", 5, "wanted"),
        ("films", 6, "wanted"),
    ]

    approved = digests(planned)
    partly = bench.json(*arguments(bench, fleet_file, "--no-wait", *approved[:4]), exit_code=75)
    assert {vault["phase"] for vault in partly["vaults"]} == {"verify", "approval"}
    assert (partly["needs"], partly["confirm_digests"]) == ("approval", approved[5:])
    assert partly["until"] is not None
    assert [one["vault"] for one in bench.json("show", str(bench.folder / "fleet"))["plans"]] == ["films"]
    assert bench.simulator.ledger()["deletes_received"] == 405, "what nobody approved was sent, or what was, was not"

    done = bench.run(*arguments(bench, fleet_file, *approved[4:]))
    assert re.findall(r"(\w+) \([^)]*\), done(?:, round 2)?: done", done.stdout) == ["photos", "plans", "films"]
    assert bench.simulator.ledger()["archives_left"] == 4, "the vault on the deny list is as it was, and two are kept"
    # "plans" has one round where its day passed before the service was asked
    for vault, rounds_max in (("photos", 1), ("plans", 2), ("films", 1)):
        rounds = sorted((bench.folder / "fleet" / f"123456789012-us-east-1-{vault}").glob("round-*"))
        assert 1 <= len(rounds) <= rounds_max
        assert (rounds[-1] / "certificate.txt").exists()
        bench.run("audit", "verify", str(rounds[-1]))
    gone = bench.run("doctor", "plans", "--endpoint-url", bench.simulator.endpoint_url, exit_code=254)
    assert "plans" in gone.stderr

    again = bench.json(*arguments(bench, fleet_file))
    assert set(states(again).values()) == {"done"}
    table = bench.run("status", str(bench.folder / "fleet")).stdout
    assert [line.split()[0] for line in table.splitlines()] == ["vault", "photos", "plans", "films"]
    assert "deleted 6 of 6 (100.0%), 2 kept" in table
    assert "deleted 5 of 5 (100.0%), the vault is gone" in table
    fleet_file.write_text(FLEET + "# changed", "utf-8")
    assert "is not what the fleet" in bench.run(*arguments(bench, fleet_file), exit_code=2).stderr


@pytest.mark.in_process
@pytest.mark.slow
def test_ctrl_c_lets_go_of_all_that_wait_and_the_same_command_goes_on(bench: Bench) -> None:
    # glacier-purge fleet fleet.toml --run-dir fleet, and Ctrl-C while the inventories are made
    stock(bench.simulator, "films", 1)
    fleet_file = bench.folder / "fleet.toml"
    fleet_file.write_text('[[vaults]]\nname = "*"\n', "utf-8")
    process = bench.start(*arguments(bench, fleet_file, "--output", "json"))
    assert process.stderr is not None
    waiting: set[str] = set()
    while len(waiting) < 2:
        line = process.stderr.readline()
        assert line, "it ended by itself"
        waiting |= {line.split(" ")[1]} if "waiting for" in line else set()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert set(states(json.loads(out)).values()) == {"stopped"}
    pending = bench.json(*arguments(bench, fleet_file, "--no-wait"), exit_code=75)
    assert all(vault["phase"] == "inventory" and vault["until"] for vault in pending["vaults"])


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("bench", [{"time-scale": 14_400, "archives": 40}], indirect=True)
def test_on_a_terminal_each_plan_is_asked_for_and_a_wrong_answer_is_that_vaults_alone(bench: Bench) -> None:
    # glacier-purge fleet fleet.toml --run-dir fleet, on a terminal
    stock(bench.simulator, "films", 3)
    fleet_file = bench.folder / "fleet.toml"
    fleet_file.write_text('[[vaults]]\nname = "*"\n', "utf-8")
    terminal, asked = Terminal(bench, *arguments(bench, fleet_file), columns=160), ""
    try:
        for answer in ("something else", None):
            terminal.read_until("anything else to stop: ")
            asked = re.findall(r"Type (\w+ \d+) to go on", terminal.shown)[-1]
            terminal.shown = ""
            terminal.type(f"{answer or asked}\n")
        assert terminal.read_all() == 2
    finally:
        terminal.close()
    assert "next look" in terminal.shown  # the table; narrow terminals wrap its headings
    left = {"films 3": 40, "photos 40": 3}
    assert bench.simulator.ledger()["archives_left"] == left[asked]
    assert len(list((bench.folder / "fleet").glob("*/round-1/certificate.txt"))) == 1
