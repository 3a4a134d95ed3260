"""Carries out the programme: `python -m tests.reliability [NAME ...] [--seed N | --hours H]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from traceback import format_exception

from tests.reliability.campaign import every_campaign


def one(name: str, seed: int) -> tuple[Counter[str], str]:
    """What one seed tried, and what did not hold."""
    [campaign] = [each for each in every_campaign() if each.name == name]
    with tempfile.TemporaryDirectory() as folder:
        try:
            return campaign.try_seed(seed, Path(folder)), ""
        except BaseException as error:  # whatever it is, it is a violation
            return Counter(), "".join(format_exception(error))


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("--seed", type=int)
    asked = arguments.parse_args()
    failed = 0
    for campaign in every_campaign():
        if asked.names and campaign.name not in asked.names:
            continue
        began, tried, seed = time.monotonic(), Counter[str](), asked.seed or 0
        with ProcessPoolExecutor(1 if campaign.alone or asked.seed is not None else 2) as pool:
            going = {pool.submit(one, campaign.name, seed): seed}
            while going:
                while asked.seed is None and len(going) < 2 and tried.total() < campaign.wanted:
                    seed += 1
                    going[pool.submit(one, campaign.name, seed)] = seed
                done, _ = wait(going, return_when=FIRST_COMPLETED)
                for each in done:
                    which = going.pop(each)
                    counted, fault = each.result()
                    tried += counted
                    if fault:
                        failed += 1
                        print(f"{campaign.name} --seed {which}:\n{fault}", file=sys.stderr)
        print(f"{campaign.name}: {tried.total():,} {campaign.unit}, seeds to {seed}, {time.monotonic() - began:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
