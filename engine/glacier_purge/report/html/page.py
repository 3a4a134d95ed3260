"""Reports as one HTML file each: no script, nothing loaded, every text of strangers shown and never obeyed.

Templates get views and filters, and compute nothing but how a figure is written.  They escape by themselves; beyond
that a stranger's text is cut, isolated in its direction, and what has no picture is shown as its code.
"""

from __future__ import annotations

import math
import re
import shlex
from datetime import datetime
from functools import cache, partial
from importlib.metadata import version
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from glacier_purge.aws.endpoints import is_loopback
from glacier_purge.inventory.description import readable
from glacier_purge.report.fleet_report import FleetReport
from glacier_purge.report.html.chart import Chart, Columns, chart, columns, spark
from glacier_purge.report.plan_view import size_names
from glacier_purge.report.shape import FAILING, PAUSED
from glacier_purge.report.terminal import is_visible
from glacier_purge.report.vault_report import Verdict
from glacier_purge.text import duration, money, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glacier_purge.audit.timeline import Saying
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.run_report import RunReport
    from glacier_purge.report.shape import Shape
    from glacier_purge.report.vault_report import VaultReport

_SHOWN_CHARACTERS_MAX, _MESSAGE_CHARACTERS_MAX = 96, 500
"""Of what strangers wrote, and of our own messages, which end with what to do."""
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_RATE_SHOWN, _LATENCY_SHOWN = 0.985, 0.97
"""Spikes above this share of the points are cut, so that the rest can be seen; the page says so."""

_KEPT_WORDS = {
    "on_deny_list": "On a deny list",
    "excluded": "On the list of ids to keep",
    "not_listed": "Not on the list of ids to delete",
    "in_retrieval": "Somebody is retrieving it",
    "not_older_than": "Uploaded after {}",
    "not_newer_than": "Uploaded before {}",
    "upload_date_unreadable": "Upload date not readable",
    "description_not_like": "Description not like {}",
    "smaller_than": "Smaller than {} bytes",
    "larger_than": "Larger than {} bytes",
    "not_in_manifest": "No manifest says that it was copied",
    "not_copied": "Not copied, as a manifest says",
    "manifest_size_differs": "A manifest has another size for it",
    "manifest_tree_hash_differs": "A manifest has another tree hash for it",
    "copy_missing": "Its copy is not there",
    "copy_size_differs": "Its copy has another size",
    "copy_not_looked_at": "Nobody looked at its copy",
    "over_limit": "Over the limit that was set",
    "kept_by_an_earlier_round": "Kept by an earlier round",
}

_STATE_KINDS = {"pending": "wait", "waiting": "wait", "done": "done"} | dict.fromkeys(
    ("stopped", "damaged", "refused"), "bad"
)
_KINDS = {Verdict.FAILED: "bad", Verdict.PROVEN: "good"}


def as_html(report: VaultReport | FleetReport, now: datetime) -> str:
    """A report as a page, made ``now`` (UTC)."""
    return _fleet(report, now) if isinstance(report, FleetReport) else _vault(report, now)


def _vault(report: VaultReport, now: datetime) -> str:
    saved = [run.savings.per_month for run in report.rounds]
    return _rendered(
        "report.html.j2",
        report,
        made=now,
        verdict=report.verdict,
        verdict_kind=_KINDS.get(report.verdict, ""),
        saved=None if None in saved else math.fsum(each for each in saved if each is not None),
    )


def _fleet(report: FleetReport, now: datetime) -> str:
    return _rendered(
        "fleet.html.j2",
        report,
        made=now,
        deleted=sum(each.deleted for each in report.told if isinstance(each.deleted, int)),
        selected=sum(each.selected for each in report.told if isinstance(each.selected, int)),
    )


def _rendered(template: str, report: VaultReport | FleetReport, **more: object) -> str:
    return page_of(template, report.endpoint_url, it=report, **more)


def page_of(template: str, endpoint_url: str, **facts: object) -> str:
    """A page made of a template and what it asks for."""
    page = _environment().get_template(template)
    return page.render(rehearsal=rehearsed_at(endpoint_url), version=version("glacier-purge"), **facts)


def script(name: str) -> str:
    """The text of a script among the templates."""
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


def rehearsed_at(endpoint_url: str) -> str | None:
    """Host and port of a simulator; None for the service itself."""
    return urlsplit(endpoint_url).netloc if is_loopback(endpoint_url) else None


@cache
def _environment() -> Environment:
    page = Environment(
        loader=PackageLoader("glacier_purge.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {
        "number": number,
        "size": size,
        "span": duration,
        "when": when,
        "short": short,
        "percent": percent,
        "money": money,
        "stranger": stranger,
        "message": partial(stranger, characters_max=_MESSAGE_CHARACTERS_MAX),
        "digest": digest,
        "capital": capital,
        "shell": shlex.quote,
        "readable": readable,
        "said": said,
        "kept": kept,
        "sizes": sizes,
        "years": years,
        "pace": pace,
        "spark": spark,
        "state_kind": lambda state: _STATE_KINDS.get(state, ""),
    }
    return page


# -- how figures and texts are written --------------------------------------------------------------------------------


def number(value: float) -> str:
    """``1234.5`` is "1,234"."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """``0.004`` is "under 1 %": never nought for something."""
    return f"{share * 100:.0f} %" if share >= 0.01 or share == 0 else "under 1 %"


def when(moment: datetime | str) -> Markup:
    """``5 Dec 2026 21:07``; a text that is no moment is a stranger's."""
    try:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        return stranger(moment)
    return escape(f"{at.day} {at:%b %Y %H:%M}")


def short(moment: datetime) -> str:
    """``5 Dec 21:07``."""
    return f"{moment.day} {moment:%b %H:%M}"


def capital(sentence: str) -> str:
    """A sentence with a capital at its beginning."""
    return sentence[:1].upper() + sentence[1:]


def stranger(text: object, characters_max: int = _SHOWN_CHARACTERS_MAX) -> Markup:
    """A stranger's text: isolated in its direction, cut, and what cannot be seen shown as its code."""
    words = str(text)
    if not words:
        return Markup('<span class="quiet">empty</span>')
    cut, rest = words[:characters_max], len(words) - characters_max
    shown = Markup("").join(
        escape("".join(run)) if visible else Markup("").join(map(_code, run))
        for visible, run in groupby(cut, is_visible)
    )
    more = Markup(' <span class="quiet">and {} more characters</span>').format(number(rest)) if rest > 0 else ""
    return Markup('<bdi dir="auto">{}</bdi>{}').format(shown, more)


def _code(character: str) -> Markup:
    return Markup('<span class="code">U+{:04X}</span>').format(ord(character))


def digest(hexadecimal: str) -> Markup:
    """A digest in groups of eight, which breaks anywhere and is copied without gaps: they are margins."""
    groups = (Markup("<i>{}</i>").format(hexadecimal[at : at + 8]) for at in range(0, len(hexadecimal), 8))
    return Markup('<code class="digest">{}</code>').format(Markup("<wbr>").join(groups))


def said(saying: Saying) -> str:
    """What a record of the log says, as a sentence; not safe yet, as strangers' words are in it."""
    facts = saying.facts
    match saying.event:
        case "approved":
            how = facts.get("how", "digest")
            return (
                "Approved the plan, each by a signature"
                if how == "signed"
                else f"Approved the plan by giving its {how}"
            )
        case "opened":
            return f"Started a process, version {facts.get('tool_version', 'unknown')}"
        case "ordered":
            rate = facts.get("max_per_second")
            most = f", {rate:,.4g} a second at most" if isinstance(rate, int | float) else ""
            return f"Ordered: {facts.get('order', '')}{most}"
        case "held":
            return f"Held: {facts.get('found', '')}"
        case "hold_lifted":
            return "The hold was lifted"
        case "recovered" | "restored":
            torn = "A torn tail of the log was saved and cut off, as a crash leaves one"
            return f"The folder was restored from {facts['origin']}" if "origin" in facts else torn
        case "canary":
            settled, failed = _counted(facts, "archives"), _counted(facts, "failed")
            return f"The first {settled} archives are settled; {failed} of them failed"
        case _:
            return f"Stopped: {facts.get('reason', '')}"


def _counted(facts: Mapping[str, object], name: str) -> str:
    """A count that a record of the log has; JSON's numbers come as floats."""
    value = facts.get(name)
    return number(value) if isinstance(value, int | float) else str(value)


# -- what is drawn ----------------------------------------------------------------------------------------------------


def kept(plan: Plan) -> list[dict[str, Any]]:
    """Why archives stay, in words and as the log has it."""
    rows = []
    for reason in plan.reasons:
        if reason.keeps and reason.records:
            parameter = reason.parameter or ""
            moment = f"{when(parameter)} UTC" if _ISO.fullmatch(parameter) else parameter
            words = _KEPT_WORDS.get(reason.name, reason.name).format(moment)
            rows.append({"words": words, "code": reason.code, "records": reason.records})
    return rows


def sizes(plan: Plan) -> list[dict[str, Any]]:
    """Classes of sizes, with their shares of archives and of bytes."""
    archives = max(1, sum(one.archives for one in plan.sizes))
    whole = max(1, sum(one.bytes for one in plan.sizes))
    return [
        {
            "name": name,
            "archives": one.archives,
            "bytes": one.bytes,
            "of_archives": one.archives / archives,
            "of_bytes": one.bytes / whole,
        }
        for name, one in zip(size_names(plan.sizes), plan.sizes, strict=True)
    ]


def years(plan: Plan, round_number: int) -> dict[str, Any]:
    """Archives by the year they were uploaded in: rows, and a chart of them."""
    table: dict[str, list[int]] = {}
    for month in plan.uploads:
        row = table.setdefault(month.when[:4] if month.when != "unknown" else "unknown", [0, 0])
        row[0] += month.archives
        row[1] += month.bytes
    rows = [{"year": year, "archives": archives, "bytes": sum_bytes} for year, (archives, sum_bytes) in table.items()]
    if not rows:
        return {"rows": rows, "chart": Markup("")}
    most = max(table, key=lambda year: table[year][0])
    drawn = Columns(
        name=f"years-{round_number}",
        title="Archives by year of upload",
        text=f"{rows[0]['year']} to {rows[-1]['year']}; most in {most}: {number(table[most][0])}.",
        columns=tuple((year, archives) for year, (archives, _) in table.items()),
        label=_compact,
        height=170,
    )
    return {"rows": rows, "chart": columns(drawn)}


def pace(run: RunReport, round_number: int) -> dict[str, Any] | None:
    """The charts of how fast a run went, below each other on one axis; None where too little is on record."""
    shape = run.shape
    if shape is None or not shape.points:
        return None
    tops, top = _tops(shape)
    p99s = sorted(point.p99_ms for point in shape.points if point.p99_ms is not None)
    p50s = sorted(point.p50_ms for point in shape.points if point.p50_ms is not None)
    slowest = _cut(p99s, _LATENCY_SHOWN) * 1.05 if p99s else 0.0
    return {
        "has_limit": any(point.limit_per_second is not None for point in shape.points),
        "rate_is_cut": tops[-1] > top,
        "latency_is_cut": bool(p99s) and p99s[-1] > slowest,
        "p99_worst_ms": p99s[-1] if p99s else 0.0,
        "shades": {kind for _, _, kind in shape.waits},
        "rate": sum(point.rate_per_second is not None for point in shape.points) > 1
        and rate_chart(shape, throttled=run.throttled, name=f"rate-{round_number}"),
        "deleted": _over_time(
            shape,
            name=f"deleted-{round_number}",
            title="Archives deleted so far",
            text=f"Archives deleted, rising to {number(shape.points[-1].deleted)} in {duration(shape.seconds)}; flat "
            "where it waited.",
            top=max(1.0, float(shape.points[-1].deleted)),
            height=170,
            lines=(("line", [(0.0, 0.0), *((point.at_seconds, float(point.deleted)) for point in shape.points)]),),
        ),
        "latency": len(p50s) > 1
        and _over_time(
            shape,
            name=f"latency-{round_number}",
            title="Time to a reply, milliseconds",
            text=f"Half of the replies came within {p50s[len(p50s) // 2]:,.0f} ms; 99 of 100 came within the upper "
            f"line, {p99s[-1]:,.0f} ms at worst.",
            top=slowest,
            height=150,
            lines=(
                ("limit", [(point.at_seconds, point.p99_ms) for point in shape.points]),
                ("line", [(point.at_seconds, point.p50_ms) for point in shape.points]),
            ),
        ),
    }


def rate_chart(shape: Shape, *, throttled: int, name: str) -> Markup:
    """Deletes a second beside the limit found, with waits shaded and throttles marked."""
    _, top = _tops(shape)
    waits = ", ".join(
        f"{row.name[0].lower()}{row.name[1:]} {duration(row.seconds)}"
        for row in shape.held
        if row.kind in {PAUSED, FAILING}
    )
    fastest = max((point.rate_per_second or 0.0 for point in shape.points), default=0.0)
    marks = f" Marks on the floor: {number(throttled)} throttled requests." if throttled else ""
    return _over_time(
        shape,
        name=name,
        title="Deletes a second, and the limit found",
        text=f"Deletes accepted a second, up to {number(fastest)}, from {when(shape.begin)} UTC for "
        f"{duration(shape.seconds)}, beside the limit found. Shaded: {waits or 'nothing, it never waited'}.{marks}",
        top=top,
        height=230,
        lines=(
            ("limit", [(point.at_seconds, point.limit_per_second) for point in shape.points]),
            ("line", [(point.at_seconds, point.rate_per_second) for point in shape.points]),
        ),
        marks=tuple((point.at_seconds, point.throttled) for point in shape.points if point.throttled),
    )


def _tops(shape: Shape) -> tuple[list[float], float]:
    """The higher of rate and limit of each point, ascending, and where the chart is cut."""
    tops = sorted(max(point.rate_per_second or 0.0, point.limit_per_second or 0.0) for point in shape.points)
    return tops, _cut(tops, _RATE_SHOWN) * 1.08 or 1.0


def _over_time(shape: Shape, **more: Any) -> Markup:
    return chart(Chart(label=_compact, begin=shape.begin, seconds=shape.seconds, shades=shape.waits, **more))


def _cut(ascending: Sequence[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def _compact(value: float) -> str:
    """A figure beside an axis: ``2500000`` is "2.5 M"."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:,.4g} M"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
