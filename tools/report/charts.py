"""Line charts as inline SVG, legible on light and on dark paper."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Series", "line_chart"]

_WIDTH, _HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 14, 82
_COLOURS = ("#2f7fd1", "#d9662b", "#3a9d5d", "#9b59b6", "#c0392b", "#8a8a2a")
_DASHES = ("", "7 4", "2 3", "10 3 2 3")


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart; points whose y is None are left out."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]


def line_chart(
    series: Sequence[Series],
    x_title: str,
    y_title: str,
    *,
    doubling: bool = False,
    from_zero: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Draw lines with axes, ticks and a legend.

    Parameters
    ----------
    series : sequence of Series
        At least one point in all.
    x_title, y_title : str
        What the axes show, with its unit.
    doubling : bool
        Whether the x axis is logarithmic and ticked at the values themselves.
    from_zero : bool
        Whether the y axis starts at 0.
    marks : sequence of tuple
        Heights at which a thin line with a word is drawn.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    xs = sorted({x for line in series for x in line.xs})
    ys = [y for line in series for y in line.ys if y is not None] + [y for y, _ in marks]
    ticks = _ticks(0.0 if from_zero else min(ys), max(ys))
    place = _Place(xs[0], xs[-1], ticks[0], ticks[-1], doubling)
    parts = [_grid(place, xs if doubling else _ticks(xs[0], xs[-1]), ticks)]
    parts += [_mark(place, y, word) for y, word in marks]
    parts += [_line(place, line, number) for number, line in enumerate(series)]
    middle = 0.5 * (_TOP + _HEIGHT - _BOTTOM)
    parts.append(_text(0.5 * (_LEFT + _WIDTH - _RIGHT), _HEIGHT - _BOTTOM + 38, x_title))
    parts.append(
        f'<text transform="translate(16 {middle:.0f}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>'
    )
    parts.append(_legend(series))
    return f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value lies on the picture."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    doubling: bool

    def x(self, value: float) -> float:
        low, high, at = self.x_low, self.x_high, value
        if self.doubling:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return _LEFT + 10 + (at - low) / ((high - low) or 1.0) * (_WIDTH - _LEFT - _RIGHT - 20)

    def y(self, value: float) -> float:
        part = (value - self.y_low) / ((self.y_high - self.y_low) or 1.0)
        return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)


def _ticks(low: float, high: float) -> list[float]:
    """Return some five round values from below `low` to above `high`."""
    span = (high - low) or abs(high) or 1.0
    rough = span / 5.0
    unit = 10.0 ** math.floor(math.log10(rough))
    step = min((unit * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda size: abs(size - rough))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _grid(place: _Place, xs: Sequence[float], ys: Sequence[float]) -> str:
    left, right, bottom = _LEFT, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [f'<rect x="{left}" y="{_TOP}" width="{right - left}" height="{bottom - _TOP}" class="frame"/>']
    for y in ys:
        at = place.y(y)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
        parts.append(_text(left - 8, at + 4, f"{y:g}", "end"))
    for x in xs:
        if place.x_low <= x <= place.x_high:
            at = place.x(x)
            parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 5}" class="tick"/>')
            parts.append(_text(at, bottom + 20, f"{x:g}"))
    return "".join(parts)


def _mark(place: _Place, y: float, word: str) -> str:
    at = place.y(y)
    line = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="mark"/>'
    return line + _text(_WIDTH - _RIGHT - 6, at - 5, word, "end")


def _line(place: _Place, line: Series, number: int) -> str:
    points = [(place.x(x), place.y(y)) for x, y in zip(line.xs, line.ys, strict=True) if y is not None]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_colour(number)}"/>' for x, y in points)
    return f'<polyline points="{path}" {_stroke(number)}/>{dots}'


def _legend(series: Sequence[Series]) -> str:
    parts, x, y = [], float(_LEFT), _HEIGHT - 24
    for number, line in enumerate(series):
        wide = 46.0 + 7.2 * len(line.name)
        if x + wide > _WIDTH - _RIGHT and x > _LEFT:
            x, y = float(_LEFT), y + 18
        parts.append(f'<line x1="{x:.0f}" x2="{x + 26:.0f}" y1="{y}" y2="{y}" {_stroke(number)}/>')
        parts.append(_text(x + 32, y + 4, line.name, "start"))
        x += wide
    return "".join(parts)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _stroke(number: int) -> str:
    return f'fill="none" stroke="{_colour(number)}" stroke-width="2.2" stroke-dasharray="{_DASHES[number % 4]}"'


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
