"""Charts as SVG that a page's style colours: no paint, font or size is in them, so dark, print and narrow are CSS's.

Each is drawn twice, wide and narrow, as text in a scaled picture shrinks with it; the page shows one.  Title and
description say the finding for those who do not see it.  Written by hand: a chart library's colours and sizes are
attributes that would have to be taken off again, which is longer than this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_WIDE, _NARROW = 720, 328
_LEFT, _TOP, _RIGHT, _BELOW = 56, 10, 20, 28
_MARK = 4
_COLUMN_MAX = 110
"""Of one of a few columns: a single one would be a wall."""
_STEPS_SECONDS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200),
    *(86_400 * days for days in (1, 2, 7, 14, 28, 91, 364, 1_820)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a chart shows. ``name`` is its own on the page; ``text`` is the finding in figures.

    ``lines`` are (class, points), a point without a height breaks its line; ``shades`` are (from, until, class) and
    ``marks`` (place, how many), all along an axis of ``seconds`` from ``begin``.
    """

    name: str
    title: str
    text: str
    top: float
    label: Callable[[float], str]
    height: int
    begin: datetime
    seconds: float
    lines: tuple[tuple[str, Sequence[tuple[float, float | None]]], ...]
    shades: tuple[tuple[float, float, str], ...] = ()
    marks: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A column for each of some names, in order."""

    name: str
    title: str
    text: str
    columns: tuple[tuple[str, int], ...]
    label: Callable[[float], str]
    height: int


def chart(it: Chart) -> Markup:
    """Draw lines over time, wide and narrow."""
    return _lines(it, _WIDE, it.height) + _lines(it, _NARROW, it.height * 85 // 100)


def columns(it: Columns) -> Markup:
    """Draw columns, wide and narrow."""
    return _columns(it, _WIDE, it.height) + _columns(it, _NARROW, it.height * 85 // 100)


def spark(heights: Sequence[float]) -> Markup:
    """A line as large as a word; decoration, as the words beside it say the figure."""
    if len(heights) < 2:
        return Markup("")
    most = max(*heights, 1e-9)
    points = [(96 * at / (len(heights) - 1), 20 - 20 * height / most) for at, height in enumerate(heights)]
    return Markup('<svg class="spark" viewBox="-1 -2 98 24" aria-hidden="true"><g class="line">{}</g></svg>').format(
        _path(points)
    )


def _lines(it: Chart, width: int, height: int) -> Markup:
    ticks = rounded_ticks(it.top)
    across = _scale(it.seconds, width)
    up = _scale(ticks[-1], -height, height)
    inside = [_y_axis(ticks, it.label, up, width)]
    inside.append(_x_axis([(across(at), words) for at, words in time_ticks(it.begin, it.seconds, width // 82)], height))
    inside.append(
        _group(
            "bands", (_rect(across(a), 0, max(1.5, across(b) - across(a)), height, kind) for a, b, kind in it.shades)
        )
    )
    step = 1 if width == _WIDE else 2
    for name, points in it.lines:
        inside.append(_group(name, _curves([(x, y) for x, y in points[::step]], across, up)))
    if it.marks:
        most = max(count for _, count in it.marks)
        rug = "".join(f"M{across(x):.1f} {height}v-{4 + 10 * count / most:.1f}" for x, count in it.marks)
        inside.append(_group("rug", [Markup('<path d="{}"/>').format(rug)]))
    return _svg(it.name, it.title, it.text, width, height, inside)


def _columns(it: Columns, width: int, height: int) -> Markup:
    ticks = rounded_ticks(max(count for _, count in it.columns))
    up = _scale(ticks[-1], -height, height)
    place = min(width / len(it.columns), _COLUMN_MAX)
    every = -(-len(it.columns) * 44 // width)
    bars = [
        _rect(place * (at + 0.14), up(count), place * 0.72, height - up(count))
        for at, (_, count) in enumerate(it.columns)
    ]
    names = [(place * (at + 0.5), name if at % every == 0 else "") for at, (name, _) in enumerate(it.columns)]
    inside = [_y_axis(ticks, it.label, up, width), _x_axis(names, height), _group("bars", bars)]
    return _svg(it.name, it.title, it.text, width, height, inside)


def rounded_ticks(top: float, parts: int = 5) -> list[float]:
    """From 0 in equal steps to a round number at ``top`` or above."""
    raw = max(top, 1e-9) / parts
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(times * scale for times in (1, 2, 2.5, 5, 10) if times * scale >= raw * 0.999)
    return [number * step for number in range(math.ceil(top / step - 1e-9) + 1)] if top > 0 else [0.0, 1.0]


def time_ticks(begin: datetime, seconds: float, most: int) -> tuple[tuple[float, str], ...]:
    """Round times of the day, or days, as seconds from ``begin``; ``most`` of them at most."""
    step = next((step for step in _STEPS_SECONDS if seconds / step <= most), _STEPS_SECONDS[-1])
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    at = -((begin - midnight).total_seconds() % -step)
    ticks: list[tuple[float, str]] = []
    while at <= seconds and len(ticks) < most:
        moment = begin + timedelta(seconds=at)
        if step >= 43_200 and moment.hour == 0:
            words = f"{moment.day} {moment:%b}"
        else:
            words = f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"
        ticks.append((at, words))
        at += step
    return tuple(ticks)


def _scale(whole: float, length: float, start: float = 0.0) -> Callable[[float], float]:
    return lambda value: start + length * min(1.0, value / whole)


def _curves(
    points: Sequence[tuple[float, float | None]], across: Callable[[float], float], up: Callable[[float], float]
) -> Iterable[Markup]:
    for is_there, part in groupby(points, key=lambda point: point[1] is not None):
        if is_there:
            yield _path([(across(x), up(y)) for x, y in part if y is not None])


def _path(points: Sequence[tuple[float, float]]) -> Markup:
    return Markup('<path d="M{}"/>').format("L".join(f"{x:.1f} {y:.1f}" for x, y in points))


def _rect(x: float, y: float, width: float, height: float, kind: str = "") -> Markup:
    named = Markup(' class="{}"').format(kind) if kind else ""
    return Markup('<rect{} x="{}" y="{}" width="{}" height="{}"/>').format(named, *_places(x, y, width, height))


def _y_axis(ticks: Sequence[float], label: Callable[[float], str], up: Callable[[float], float], width: int) -> Markup:
    tick = Markup(
        '<g class="tick"><line x1="0" x2="{}" y1="{}" y2="{}"/><text x="-8" y="{}" text-anchor="end">{}</text></g>'
    )
    return _group("axis left", (tick.format(width, *_places(up(at), up(at), up(at) + 4), label(at)) for at in ticks))


def _x_axis(ticks: Iterable[tuple[float, str]], height: int) -> Markup:
    tick = Markup(
        '<g class="tick"><line x1="{}" x2="{}" y1="{y}" y2="{end}"/>'
        '<text x="{}" y="{below}" text-anchor="middle">{words}</text></g>'
    )
    return _group(
        "axis bottom",
        (
            tick.format(*_places(x, x, x), y=height, end=height + _MARK, below=height + 18, words=words)
            for x, words in ticks
            if words
        ),
    )


def _places(*values: float) -> list[str]:
    return [f"{value:.1f}" for value in values]


def _group(name: str, inside: Iterable[Markup]) -> Markup:
    return Markup('<g class="{}">{}</g>').format(name, Markup("").join(inside))


def _svg(name: str, title: str, text: str, width: int, height: int, inside: Iterable[Markup]) -> Markup:
    size = "wide" if width == _WIDE else "narrow"
    return Markup(
        '<svg class="chart {size}" role="img" aria-labelledby="{name}-{size}-t {name}-{size}-d" viewBox="{box}">'
        '<title id="{name}-{size}-t">{title}</title><desc id="{name}-{size}-d">{text}</desc>{inside}</svg>'
    ).format(
        size=size,
        name=name,
        title=title,
        text=text,
        box=f"{-_LEFT} {-_TOP} {width + _LEFT + _RIGHT} {height + _TOP + _BELOW}",
        inside=Markup("").join(inside),
    )
