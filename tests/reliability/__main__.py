"""Carries out the programme of reliability: `python -m tests.reliability [NAME ...] [--seed N | --hours H] [--record]`.

Without options each campaign (or those named) is tried with the seeds that failed before and then from seed 0, until as
many units were tried as a change is held to.  With `--hours` it goes on beyond, from the furthest seed there was, and
keeps the seeds that fail.  Ends with 1 when anything did not hold, after the command that tries it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from tests.reliability import report
from tests.reliability.campaign import every_campaign
from tests.reliability.record import a_run, commit_here, keep, kept_seeds, read_record, write_record
from tests.reliability.runner import Stop, carry_out, replay, say
from tests.reliability.schedule import Column, Night, One, Reached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.reliability.campaign import Campaign


def asked_for(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seed", type=int, help="try this one seed of the one campaign named")
    parser.add_argument("--hours", type=float, help="go on beyond the column for so long")
    parser.add_argument("--record", action="store_true", help="write the run into RELIABILITY.md (a night always is)")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--at-once", type=int, default=cores + 1, help="processes; one more than cores, as some wait")
    asked = parser.parse_args(words)
    known = {campaign.name for campaign in every_campaign()}
    if unknown := set(asked.names) - known:
        parser.error(f"there is no campaign {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    if asked.seed is not None and len(asked.names) != 1:
        parser.error("--seed is of one campaign: name it")
    return asked


def column(campaigns: Sequence[Campaign], at_once: int, stop: Stop) -> dict[str, Reached]:
    """Carry out what every change is held to; what measures goes after everything else, alone."""
    beside, alone = _parted(campaigns)
    reached = carry_out(Column(beside, kept_seeds()), at_once, stop)
    for campaign in alone:
        reached |= carry_out(Column([campaign], kept_seeds()), 1, stop)
    return reached


def night(campaigns: Sequence[Campaign], hours: float, at_once: int, stop: Stop) -> dict[str, Reached]:
    """Go on for so long; what measures goes first, each alone for its share of the time."""
    beside, alone = _parted(campaigns)
    furthest, began = read_record().furthest(), time.monotonic()
    end, shares = began + hours * 3600, sum(campaign.night_share for campaign in campaigns)
    reached: dict[str, Reached] = {}
    for campaign in alone:
        until = time.monotonic() + hours * 3600 * campaign.night_share / shares
        reached |= carry_out(Night([campaign], kept_seeds(), furthest, until), 1, stop)
    return reached | carry_out(Night(beside, kept_seeds(), furthest, end), at_once, stop)


def _parted(campaigns: Sequence[Campaign]) -> tuple[list[Campaign], list[Campaign]]:
    return [each for each in campaigns if not each.alone], [each for each in campaigns if each.alone]


def summary(reached: dict[str, Reached], units: dict[str, str]) -> str:
    """A line a campaign, in columns."""
    rows = [
        (
            name,
            f"{each.kinds.total():,} {units[name]}",
            f"{len(each.kinds):,} kinds",
            f"{each.seeds:,} seeds ({each.first}-{each.last})",
            f"{each.seconds:,.0f} s",
            f"{each.processor_seconds:,.0f} s of a processor",
            f"{len(each.violations)} violations",
        )
        for name, each in sorted(reached.items())
    ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def main() -> int:
    """Carry out what is asked for; the exit code."""
    asked = asked_for()
    campaigns = [each for each in every_campaign() if not asked.names or each.name in asked.names]
    commit, began, at_once = commit_here(), time.monotonic(), asked.at_once
    with Stop().on_signals() as stop:
        if asked.seed is not None:
            reached = carry_out(One(campaigns[0], asked.seed), 1, stop)
        elif asked.hours is not None:
            reached = night(campaigns, asked.hours, at_once, stop)
            keep(reached, commit)
        else:
            reached = column(campaigns, at_once, stop)
    seconds = time.monotonic() - began
    whole = asked.seed is None and not asked.names
    if whole and (asked.record or asked.hours is not None):
        kind, command = ("column", "make reliability")
        if asked.hours is not None:
            kind, command = "night", f"make nightly HOURS={asked.hours:g}"
        record = read_record()
        record.add(
            a_run(kind, commit=commit, command=command, seconds=seconds, reached=reached, ended_early=stop.asked)
        )
        write_record(record)
        report.write()
    held = told(reached, campaigns, seconds, stop)
    return 0 if held and (asked.hours is not None or not stop.asked) else 1


def told(reached: dict[str, Reached], campaigns: Sequence[Campaign], seconds: float, stop: Stop) -> bool:
    """Say what a run came to; whether everything held."""
    print(summary(reached, {campaign.name: campaign.unit for campaign in campaigns}))
    violated = [(campaign, seed) for campaign in campaigns for seed in sorted(reached[campaign.name].violations)]
    print(f"{len(violated)} violations in {seconds / 60:.1f} minutes{', ended early' if stop.asked else ''}")
    for campaign, seed in violated:
        say(f"Again with: {replay(campaign, seed)}")
    return not violated


if __name__ == "__main__":
    sys.exit(main())
