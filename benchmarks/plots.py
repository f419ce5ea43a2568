"""Bar charts as SVG, written by hand: text in, text out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 760
LEFT: Final = 220
RIGHT: Final = 90
TOP: Final = 64
BAR: Final = 14
GAP: Final = 12
INK: Final = "#1f2328"
FAINT: Final = "#d0d7de"
COLOURS: Final = {"ours": ("#0b6e4f", "#58b594"), "floor": ("#57606a", "#a3abb3"), "peer": ("#3b6ea5", "#9bbbdd")}
"""By role: of the first series, and of the second."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What one client shows: a bar for each series, None where there is nothing to show."""

    label: str
    role: str
    values: tuple[float | None, ...]


def chart(title: str, unit: str, series: Sequence[str], bars: Sequence[Bars], *, logarithmic: bool) -> str:
    """
    A chart of horizontal bars with their values beside them.

    Args:
        title: Stands above.
        unit: Of the values.
        series: What the bars of one client are, at most two.
        bars: The clients, from the top.
        logarithmic: Whether the axis is; then all values are above zero.
    """
    values = [value for bar in bars for value in bar.values if value is not None]
    axis = _Axis(min(values, default=1), max(values, default=1), logarithmic=logarithmic)
    step = BAR * len(series) + GAP
    height = TOP + step * len(bars) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"',
        f' font-family="system-ui, sans-serif" font-size="12" fill="{INK}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="14" font-weight="600">{escape(title)}</text>',
        f'<text x="16" y="46">{escape(_legend(unit, series, logarithmic=logarithmic))}</text>',
    ]
    for tick in axis.ticks:
        x = axis.x(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 28}" stroke="{FAINT}"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle">{number(tick)}</text>')
    for index, bar in enumerate(bars):
        parts += _bars(bar, axis, TOP + index * step)
    return "\n".join([*parts, "</svg>", ""])


def _bars(bar: Bars, axis: _Axis, top: float) -> list[str]:
    """The bars of one client and its name."""
    middle = top + BAR * len(bar.values) / 2 + 4
    weight = ' font-weight="600"' if bar.role == "ours" else ""
    parts = [f'<text x="{LEFT - 10}" y="{middle:.1f}" text-anchor="end"{weight}>{escape(bar.label)}</text>']
    for index, value in enumerate(bar.values):
        y = top + index * BAR
        if value is None:
            parts.append(f'<text x="{LEFT + 4}" y="{y + BAR - 3:.1f}" fill="#8c959f">-</text>')
            continue
        end = axis.x(value)
        colour = COLOURS[bar.role][index]
        parts.append(
            f'<rect x="{LEFT}" y="{y:.1f}" width="{max(1.0, end - LEFT):.1f}" height="{BAR - 2}" fill="{colour}"/>'
        )
        parts.append(f'<text x="{max(end, LEFT) + 5:.1f}" y="{y + BAR - 3:.1f}">{number(value)}</text>')
    return parts


def _legend(unit: str, series: Sequence[str], *, logarithmic: bool) -> str:
    scale = ", logarithmic" if logarithmic else ""
    shades = f"; dark: {series[0]}, light: {series[1]}" if len(series) > 1 else ""
    return f"{unit}{scale}{shades}"


def number(value: float) -> str:
    """A number as people read it: two digits that matter, thousands apart."""
    if value >= 100 or value == int(value):  # noqa: PLR2004 - from there on a fraction is noise
        return f"{value:,.0f}"
    return f"{value:.2g}"


class _Axis:
    """Where a value stands from left to right."""

    def __init__(self, least: float, most: float, *, logarithmic: bool) -> None:
        self._logarithmic = logarithmic
        if logarithmic:
            first, last = math.floor(math.log10(least)), math.ceil(math.log10(most) + 1e-9)
            self.ticks = [10.0**power for power in range(first, last + 1)]
        else:
            step = _round_step(most)
            self.ticks = [step * count for count in range(math.ceil(most / step) + 1)] if step else [0.0]
        self._first, self._last = self._scaled(self.ticks[0]), self._scaled(self.ticks[-1])

    def x(self, value: float) -> float:
        """The place of *value*."""
        span = self._last - self._first or 1.0
        return LEFT + (self._scaled(value) - self._first) / span * (WIDTH - LEFT - RIGHT)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self._logarithmic else value


def _round_step(most: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that gives about five ticks."""
    if most <= 0:
        return 0.0
    power: float = 10.0 ** math.floor(math.log10(most / 5))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power * 5 >= most)
