"""``doctor`` by the installed command against the simulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench


def test_doctor_looks_and_says_what_stands_in_the_way(bench: Bench) -> None:
    # glacier-purge doctor photos
    endpoint = ("--endpoint-url", bench.simulator.endpoint_url)
    clear = bench.json("doctor", "photos", *endpoint)
    assert (clear["vault"], clear["blocking"]) == ("photos", 0)
    assert {"caller", "clock", "vault lock", "disk"} <= {finding["subject"] for finding in clear["findings"]}
    hold = Request(
        f"{bench.simulator.endpoint_url}/-/vaults/photos/tags?operation=add",
        json.dumps({"Tags": {"LegalHold": "true"}}).encode(),
        {"x-amz-glacier-version": "2012-06-01"},
        method="POST",
    )
    with build_opener(ProxyHandler({})).open(hold, timeout=30):
        pass
    held = bench.run("doctor", "photos", *endpoint, exit_code=2)
    assert "blocking  tags: tagged LegalHold=true" in held.stdout
    assert "why: somebody wants these archives kept" in held.stdout
    assert bench.simulator.ledger()["deletes_received"] == 0
