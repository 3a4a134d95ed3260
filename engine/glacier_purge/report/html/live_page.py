"""The live page: what is shown of snapshots, and what of that changes from second to second.

The page is the report's sister, with one script, which writes text and the chart and nothing else.  What strangers
wrote is made safe here, before it goes to the script, which takes it for text.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from datetime import timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup

from glacier_purge.lifecycle.phases import Phase
from glacier_purge.report.fleet import rank
from glacier_purge.report.html.page import page_of, rate_chart, said, script, when
from glacier_purge.report.shape import shape_of
from glacier_purge.report.terminal import safe
from glacier_purge.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glacier_purge.audit.timeline import Saying
    from glacier_purge.report.snapshot import Snapshot

_NEWS_MAX = 10


def live_page(snapshots: Sequence[Snapshot], folder: str) -> tuple[str, str]:
    """The page as it is now, and the policy it needs. Several snapshots are a fleet's."""
    code = script("live.js")
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'; "
        "connect-src 'self'"
    )
    first = snapshots[0] if snapshots else None
    is_one = len(snapshots) == 1
    html = page_of(
        "live.html.j2",
        endpoint_url=next((one.endpoint_url for one in snapshots if one.endpoint_url), ""),
        script=Markup(code),  # noqa: S704 - our own file
        script_hash=digest,
        facts=facts_of(snapshots),
        heading=f"Purging vault {first.vault}" if is_one and first is not None else f"Fleet of {len(snapshots)} vaults",
        where=f"Account {first.account_id}, {first.region}." if is_one and first is not None else folder,
        chart=_chart(snapshots),
        is_one=is_one,
        table="What happened" if is_one else "Vaults",
        columns=("UTC", "What") if is_one else ("Vault", "Phase", "Deleted", "A second", "Does or waits for"),
        named=() if is_one else (2, 3),
        orders=list(_orders(snapshots, folder)),
    )
    return html, policy


def news_of(snapshots: Sequence[Snapshot], *, with_chart: bool) -> dict[str, object]:
    """What changes of the page, for its script; the chart as SVG where that is wanted."""
    facts = facts_of(snapshots)
    return facts | {"chart": str(_chart(snapshots) or "")} if with_chart else facts


def facts_of(snapshots: Sequence[Snapshot]) -> dict[str, object]:
    """The page's words and figures, each text made safe."""
    sent = [one.sent for one in snapshots if one.sent is not None]
    deleted = sum(one.progress.deleted for one in sent)
    selected = sum(one.progress.selected for one in sent)
    percent = 100 * deleted / selected if selected else 0.0
    rates = [one.progress.rate_per_second for one in sent if one.progress.rate_per_second is not None]
    first = snapshots[0] if len(snapshots) == 1 else None
    left = _left(snapshots)
    limits = [one.limit_per_second for one in sent if one.limit_per_second is not None]
    name = f"{len(snapshots)} vaults" if first is None else first.vault
    again = sum(one.throttled + one.faults for one in sent)
    return {
        "title": f"{percent:.1f} % of {name}",
        "percent": round(percent, 2),
        "deleted": f"{deleted:,}",
        "selected": f"{selected:,}",
        "kind": "" if first is None else first.kind,
        "phase": _phase(first) if first is not None else f"{len(snapshots)} vaults",
        "why": safe(first.why) + _until(first) if first is not None else "what each does stands below",
        "rate": f"{sum(rates):,.1f}" if rates else "none",
        "limit": f"{limits[0]:,.0f}"
        if first is not None and limits
        else "none yet"
        if first is not None
        else "by account and region",
        "left": duration(left),
        "ends": "" if left is None else f"until {when(snapshots[0].at + timedelta(seconds=left))}",
        "failed": f"{sum(one.progress.failed for one in sent):,}",
        "again": f"{again:,}",
        "throttled": f"{sum(one.throttled for one in sent):,}",
        "faults": f"{sum(one.faults for one in sent):,}",
        "rows": _news(first) if first is not None else [_row(one) for one in sorted(snapshots, key=_rank)],
    }


def _left(snapshots: Sequence[Snapshot]) -> float | None:
    """How long the vaults that send take: a fleet's is the longest of them, and unknown where one's is."""
    sending = [one.sent.progress for one in snapshots if one.sent is not None and one.sent.progress.rate_per_second]
    lefts = [moment.remaining_seconds for moment in sending]
    return None if None in lefts else max((left for left in lefts if left is not None), default=None)


def _phase(one: Snapshot) -> str:
    number = f", round {one.round}" if one.round > 1 else ""
    state = "" if one.state == one.phase else f", {one.state}"
    return safe(f"{one.phase.capitalize()}{number}{state}")


def _until(one: Snapshot) -> str:
    return f" (until {when(one.until)})" if one.until else ""


def _rank(one: Snapshot) -> int:
    return rank(one.state, is_wanted=one.phase == Phase.APPROVAL.value)


def _row(one: Snapshot) -> list[str]:
    if one.sent is None:
        return [one.vault, _phase(one), "not planned", "", safe(one.why)]
    moment = one.sent.progress
    rate = "" if moment.rate_per_second is None else f"{moment.rate_per_second:,.1f}"
    return [one.vault, _phase(one), f"{moment.deleted:,} of {moment.selected:,}", rate, safe(one.why) + _until(one)]


def _news(one: Snapshot) -> list[list[str]]:
    sayings = [] if one.sent is None else one.sent.timeline.sayings
    return [[str(when(saying.ts)), safe(_by(saying))] for saying in sayings[-_NEWS_MAX:][::-1]]


def _by(saying: Saying) -> str:
    by = saying.facts.get("by")
    return said(saying) if by is None else f"{by}: {said(saying)}"


def _chart(snapshots: Sequence[Snapshot]) -> Markup | None:
    if len(snapshots) != 1:
        return None
    sent = snapshots[0].sent
    shape = None if sent is None else shape_of(sent.timeline)
    return Markup("") if shape is None or sent is None else rate_chart(shape, throttled=sent.throttled, name="rate")


def _orders(snapshots: Sequence[Snapshot], folder: str) -> Iterator[str]:
    if len(snapshots) == 1 and snapshots[0].sent is not None:
        place = shlex.quote(snapshots[0].sent.folder)
        for order in ("pause {}", "resume {}", "rate {} 50", "stop {}"):
            yield f"glacier-purge {order.format(place)}"
    yield f"glacier-purge status {shlex.quote(folder)}"
