"""The examples of ``--help``, word for word, one after the other on a simulated vault, as somebody tries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.test_help import commands, parser
from tests.e2e.simulator import stock

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process

DAY = 86_400.0
IN_ORDER = (
    "config show",
    "vaults",
    "doctor",
    "inventory fetch",
    "inventory inspect",
    "estimate",
    "plan",
    "show",
    "apply",
    "status",
    "audit verify",
    "audit anchor",
    "audit bundle",
    "audit export",
    "verify",
    "delete-vault",
    "why",
    "completion",
    "config schema",
)
NEEDS_MORE = (
    "--sign-key",
    "--allowed-signers",
    "--no-wait",
    "vaults-run",
    "inspect -",
    "gentle",
    "--older-than",
    "-- -Z",
    "--profiles",
    "--accounts-from",
    "films",
)
"""In examples that need a key, a fleet, stdin or another day, or that do a second time what another one did."""


@pytest.mark.parametrize("bench", [{"archives": 60, "latency-ms": 0.5}], indirect=True)
def test_the_examples_do_what_they_say_one_after_the_other(bench: Bench) -> None:
    bench.variables = {"AWS_ENDPOINT_URL_GLACIER": bench.simulator.endpoint_url, "AWS_REGION": "us-east-1"}
    stock(bench.simulator, "another", 1)
    of_example = next(word for line in parser("why").examples for word in line.split() if len(word) > 30)
    known = {of_example: max(bench.simulator.ids_left())}
    for verb in IN_ORDER:
        if verb == "verify":
            bench.simulator.post("clock", step_seconds=DAY)
            bench.run("verify", "photos-run", "--no-wait", exit_code=75)
        if verb == "inventory fetch":
            bench.run("inventory", "fetch", "photos", "--to", "inventory.json", "--no-wait", exit_code=75)
        if verb in {"inventory fetch", "verify"}:
            bench.simulator.post("clock", step_seconds=DAY / 4)
        for line in parser(verb).examples:
            if not any(word in line for word in NEEDS_MORE):
                for arguments in commands(line):
                    asks = arguments == ["apply", "photos-run"]  # and there is no terminal to ask on
                    said = bench.run(*(known.get(word, word) for word in arguments), exit_code=2 if asks else 0)
                    known |= {"$digest": said.stderr.split()[-1]} if asks else {}
    assert not (bench.folder / "failed.csv").read_text().splitlines()[1:]
