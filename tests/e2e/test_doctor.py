"""``doctor`` by the installed command against the simulator."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from tests.e2e.desk import asked

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process


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


@pytest.mark.parametrize("bench", [{"archives": 3}], indirect=True)
def test_a_vault_of_today_has_no_count_and_is_not_called_empty(bench: Bench) -> None:
    # glacier-purge doctor new
    asked(bench.simulator, "PUT", "new")
    for uploads in (0, 1):
        if uploads:
            bench.simulator.post("clock", step_seconds=3600.0)
            hashed = hashlib.sha256(b"x").hexdigest()
            upload = Request(
                f"{bench.simulator.endpoint_url}/-/vaults/new/archives",
                b"x",
                {
                    "x-amz-glacier-version": "2012-06-01",
                    "x-amz-content-sha256": hashed,
                    "x-amz-sha256-tree-hash": hashed,
                },
            )
            with build_opener(ProxyHandler({})).open(upload, timeout=30):
                pass
        said = bench.json("doctor", "new", "--endpoint-url", bench.simulator.endpoint_url)
        by_subject = {finding["subject"]: finding["what"] for finding in said["findings"]}
        assert by_subject["vault"] == "the service has made no inventory of it yet"
        assert by_subject["disk"].endswith("bytes free; how many it takes is not known")
        assert not any("0 archives" in finding["what"] for finding in said["findings"])
