"""Writes `RELIABILITY.md` from the record of the runs and the campaigns there are.

`python -m tests.reliability.report` writes it anew.  Given files of other records, whose runs were made elsewhere, it
takes those in first.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reliability.campaign import every_campaign
from tests.reliability.record import ROOT, Record, Run, read_kept, read_record, write_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.reliability.campaign import Campaign

REPORT = ROOT / "RELIABILITY.md"
FOUND = Path(__file__).with_name("found.md")

KINDS = {
    "column": "What every change is held to",
    "night": "The last night",
    "soak": "The last soak",
    "mutation": "The last mutants",
    "planted": "Planted bugs",
}

BEGINNING = """\
# What was tried to break it

Written by the runs themselves, from `tests/reliability/record.json`; edits are overwritten. A *campaign* asks one
question over and over, each time with another *seed* that decides all that is left to chance. A *violation* is a seed
for which the answer was not "it held". `I1` to `I21` are the invariants, in words in `engine/DESIGN.md`.

- `make reliability` tries each campaign as often as every change is held to. `make nightly HOURS=2` goes on with seeds
  that were never tried. Seeds that failed are kept for ever and tried first.
- `python -m tests.reliability NAME --seed N` tries one seed again.
- `make soak`, `make mutants`, `make planted` and `make coverage` are the rest of the programme.

Everything is tried on the project's own simulator, pretended disks and real ones; nobody here has the real service.
"""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def length(seconds: float) -> str:
    """A duration in words."""
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def asked(campaigns: Sequence[Campaign]) -> str:
    """What each campaign asks."""
    rows = [
        (
            f"`{each.name}`",
            each.asks,
            ", ".join(each.programme),
            ", ".join(each.invariants),
            f"{each.wanted:,} {each.unit}",
        )
        for each in campaigns
    ]
    return "## What is asked\n\n" + table(("campaign", "asks", "programme", "holds to", "for every change"), rows)


def reached(record: Record, campaigns: Sequence[Campaign]) -> str:
    """What all runs on record came to."""
    rows = []
    for each in campaigns:
        total = record.totals.get(each.name)
        counted = (
            (f"{total.units:,} {each.unit}", f"{len(total.kinds):,}", f"{total.seeds:,}", f"{total.violations:,}")
            if total
            else ("none yet", "", "", "")
        )
        rows.append((f"`{each.name}`", *counted))
    return "## All runs on record\n\n" + table(("campaign", "tried", "kinds", "seeds", "violations"), rows)


def told(run: Run, units: dict[str, str]) -> str:
    """What the last run of a kind came to."""
    early = ", ended early and counted as far as it came" if run.ended_early else ""
    text = (
        f"## {KINDS[run.kind]}\n\n`{run.command}` at commit {run.commit}, {run.date}, {length(run.seconds)}{early}; "
        f"{run.machine}.\n\n"
    )
    if run.campaigns:
        rows = [
            (
                f"`{name}`",
                f"{part.units:,} {units.get(name, 'units')}",
                f"{len(part.kinds):,}",
                f"{part.seeds:,}",
                "only kept ones" if part.first is None else f"{part.first} to {part.last}",
                ", ".join(map(str, part.violations)) or "none",
                length(part.seconds),
            )
            for name, part in sorted(run.campaigns.items())
        ]
        text += table(
            ("campaign", "tried", "kinds", "seeds", "from, to", "violations at seeds", "time of all processes"), rows
        )
    if run.figures:
        text += table(("figure", "measured"), run.figures.items())
    if run.violations:
        text += "\nDid not hold:\n\n" + "".join(f"- {line}\n" for line in run.violations)
    return text


def render(record: Record, campaigns: Sequence[Campaign], kept: dict[str, dict[str, str]], found: str) -> str:
    """The whole of RELIABILITY.md."""
    units = {campaign.name: campaign.unit for campaign in campaigns}
    rows = [
        (f"`{name}`", seed, why.replace("|", "\\|"))
        for name, seeds in sorted(kept.items())
        for seed, why in seeds.items()
    ]
    return "\n".join(
        [
            BEGINNING,
            asked(campaigns),
            reached(record, campaigns),
            *(told(record.runs[kind], units) for kind in KINDS if kind in record.runs),
            "## Seeds that failed once, kept for ever\n\n"
            + (table(("campaign", "seed", "found at, and what it showed"), rows) if rows else "None.\n"),
            found,
        ]
    )


def write() -> None:
    """Write RELIABILITY.md anew."""
    text = render(read_record(), every_campaign(), read_kept(), FOUND.read_text("utf-8"))
    REPORT.write_text(text, "utf-8")


def main() -> None:
    """Take in the runs of the records named, and write."""
    record = read_record()
    for name in sys.argv[1:]:
        for kind, run in read_record(Path(name)).runs.items():
            if run != record.runs.get(kind):
                record.add(run)
    if sys.argv[1:]:
        write_record(record)
    write()


if __name__ == "__main__":
    main()
