"""Two hosts, one vault: the lease lets one of them send, whatever becomes of hosts, clocks, bucket and answers."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from tests.reliability.campaign import Campaign
from tests.reliability.two_hosts import TwoHosts, nothing_by_chance

TWICE_EVERY = 25
"""Of so many seeds one is carried out twice, which has to come to the same."""
SHOWN = 200
HAPPENINGS = ("kills", "sleeps", "partitions", "outages", "clock steps")


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """Let both hosts work until both runs are finished. What happened is told where something did not hold."""
    hosts = _carried(seed, folder)
    fingerprint = hosts.world.fingerprint
    if seed % TWICE_EVERY == TWICE_EVERY - 1:
        again = _carried(seed, folder).world.fingerprint
        assert fingerprint == again, f"the same seed did not come to the same: {fingerprint} and {again}"
    happened = [kind for kind in HAPPENINGS if hosts.world.counts[kind]]
    return Counter({", ".join(happened) or "nothing": 1})


def _carried(seed: int, folder: Path) -> TwoHosts:
    with tempfile.TemporaryDirectory(dir=folder) as place, nothing_by_chance():
        hosts = TwoHosts(seed, Path(place))
        try:
            hosts.live()
        except BaseException as error:
            told = "\n".join(hosts.world.trace[-SHOWN:])
            raise AssertionError(f"seed {seed}: {error}\nThe last that happened:\n{told}") from error
        finally:
            hosts.close()
    return hosts


CAMPAIGN = Campaign(
    name="leases",
    asks="Two hosts purge one vault in virtual time, each with its own clocks and log, under a lease in a bucket, "
    "through kills, sleep, clock steps, partitions, outages, lost and late answers drawn from a seed: whoever sends "
    "holds the lease that lies in the bucket at that moment, and every approved archive is gone at the end.",
    programme=("T2",),
    invariants=("I1", "I2", "I13", "I16", "I18", "I21"),
    unit="schedules",
    wanted=500,
    try_seed=try_seed,
)
