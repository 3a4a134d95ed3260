"""What has to hold after a rehearsal, by the service's own ledger and by what its doorkeeper saw; and the table."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from tests.rehearsal.company.estate import DENIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.rehearsal.company.estate import Company, Delete

TWICE_SHARE_MAX = 0.01
_TWICE_SHARE_FROM = 20_000
"""Archives from which that share is held to; of fewer, one lost disk is more, and what each fault may cost is."""
LIMIT_SHARE_MAX = 1.01
_BURST_SECONDS = 5.0
"""What comes bunched where two cores serve three hosts and a service."""
SENDS_AGAIN_TERMS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Kill:
    """A host's worker was killed, or cut off, while it sent to a vault: what, when, and of whom."""

    what: str
    at: float
    host: str
    pair: str
    vault: str


@dataclass(kw_only=True)
class Figures:
    """What a rehearsal came to."""

    vaults: int
    pairs: int
    archives: int
    workers: int
    lease_seconds: float
    rate: float
    faults: dict[str, int]
    start_seconds: float
    seconds: float
    approvals: int
    bad_approvals_refused: int
    deleted: int = 0
    sent: int = 0
    sent_twice: int = 0
    outside: int = 0
    without_the_lease: int = 0
    over_limit: int = 0
    memory_kib_waiting_vault: float | None = None
    sent_again_seconds: list[float] = field(default_factory=list)
    """Per kill in the middle of a vault: how long until the next delete for it came."""

    def as_dict(self) -> dict[str, object]:
        """For programs."""
        return asdict(self)


def checked(company: Company, kills: Sequence[Kill], figures: Figures) -> list[str]:
    """Fill the figures in from the ledger; what of it must not be."""
    return company.do(
        lambda: [
            *_ledger(company, kills, figures),
            *_limits(company, figures),
            *_leases(company, figures),
            *_kills(company, kills, figures),
        ]
    )


def _ledger(company: Company, kills: Sequence[Kill], figures: Figures) -> Iterator[str]:
    estate = company.estate
    for one in company.vaults:
        shelf = estate.account(one.account_id, one.region).vaults[one.name].shelf
        received = [shelf.received[index] for index in range(len(shelf))]
        figures.sent += sum(received)
        if one.name == DENIED:
            figures.outside += sum(received)
            continue
        figures.deleted += len(shelf) - shelf.live
        figures.sent_twice += sum(times - 1 for times in received if times > 1)
        if shelf.live or not all(received):
            yield f"{one.arn}: {shelf.live} of {len(shelf)} approved archives are still there"
    tally = estate.tally
    figures.outside += tally.unknown + tally.wrong_vault + tally.malformed + tally.no_vault
    if figures.outside:
        yield f"{figures.outside} deletes were sent that nobody approved"
    if figures.sent_twice > _twice_max(kills, figures):
        yield f"{figures.sent_twice} of {figures.archives} archives were sent twice"


def _twice_max(kills: Sequence[Kill], figures: Figures) -> float:
    """How many deletes may be sent twice: a share of all; of few, what was not yet in the bucket at each hit."""
    if figures.archives >= _TWICE_SHARE_FROM:
        return TWICE_SHARE_MAX * figures.archives
    hits = {(one.at, one.pair) for one in kills}
    return len(hits) * (figures.rate * (figures.lease_seconds / 12 + 1.0) + _IN_FLIGHT_MAX)


def _limits(company: Company, figures: Figures) -> Iterator[str]:
    """What an account's bucket of tokens in a region, a hundredth faster than its limit, would have refused."""
    by_pair: dict[str, list[float]] = defaultdict(list)
    for one in company.door.deletes:
        by_pair[one.pair].append(one.at)
    for pair, moments in by_pair.items():
        tokens, before, refused = figures.rate * _BURST_SECONDS, moments[0], 0
        for moment in moments:
            tokens = min(figures.rate * _BURST_SECONDS, tokens + (moment - before) * figures.rate * LIMIT_SHARE_MAX)
            before = moment
            refused += tokens < 1.0
            tokens -= tokens >= 1.0
        figures.over_limit = max(figures.over_limit, refused)
        if refused:
            yield f"{pair}: {refused} of {len(moments)} deletes came faster than {figures.rate:g} a second"


def _leases(company: Company, figures: Figures) -> Iterator[str]:
    """Nobody sends while the bucket has another's lease of the vault, or none."""
    strangers = Counter(
        (one.pair, one.vault, one.host, one.holder) for one in company.door.deletes if one.host != one.holder
    )
    figures.without_the_lease = strangers.total()
    for (pair, vault, host, holder), number in strangers.items():
        yield f"{pair}/{vault}: {host} sent {number} deletes while the lease was {holder}'s"


def _kills(company: Company, kills: Sequence[Kill], figures: Figures) -> Iterator[str]:
    by_vault: dict[tuple[str, str], list[Delete]] = defaultdict(list)
    for one in company.door.deletes:
        by_vault[one.pair, one.vault].append(one)
    for kill in kills:
        later = [one.at for one in by_vault[kill.pair, kill.vault] if one.at > kill.at + _UNDER_WAY_SECONDS]
        if not later:
            continue  # its last delete was under way
        took = later[0] - kill.at
        figures.sent_again_seconds.append(round(took, 1))
        if took > SENDS_AGAIN_TERMS_MAX * figures.lease_seconds:
            yield f"{kill.pair}/{kill.vault}: {took:.1f} s from {kill.what} of {kill.host} to the next delete"
    figures.sent_again_seconds.sort()


_IN_FLIGHT_MAX = 32
_UNDER_WAY_SECONDS = 0.5
"""What was on its way at a kill has come by then."""


def as_lines(figures: Figures, failures: Sequence[str]) -> Iterator[str]:
    """The short table."""
    took = figures.sent_again_seconds
    spread = (
        f"{took[0]:g} s to {took[-1]:g} s, half of them by {took[len(took) // 2]:g} s" if took else "none in the middle"
    )
    memory = figures.memory_kib_waiting_vault
    faults = ", ".join(f"{number} {what}" for what, number in figures.faults.items())
    yield f"vaults, account and region pairs   {figures.vaults:,}, {figures.pairs:,}"
    yield f"approved, deleted                  {figures.archives:,}, {figures.deleted:,}"
    yield f"sent twice                         {figures.sent_twice:,} ({figures.sent_twice / figures.archives:.2%})"
    yield f"sent outside of what is approved   {figures.outside:,}"
    yield f"sent without the lease             {figures.without_the_lease:,}"
    yield f"beyond a pair's limit, at most      {figures.over_limit:,} deletes"
    yield f"bad approvals, all refused         {figures.bad_approvals_refused:,}"
    yield f"faults                             {faults}"
    yield f"kill to next delete of that vault  {spread} (two terms are {2 * figures.lease_seconds:g} s)"
    yield f"memory of a waiting vault          {'not seen' if memory is None else f'{memory:,.0f} KiB'}"
    yield f"start, all of it                   {figures.start_seconds:.0f} s, {figures.seconds:.0f} s"
    for failure in failures:
        yield f"FAILED: {failure}"
