"""Draws lines over logarithmic axes as an SVG that can be read on a light and on a dark page.

`growth` uses it. It knows nothing of what the lines mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 170, 40, 50
#: Each line has a colour, a dash and a mark of its own, so that it can be told apart without the colour.
_STYLE = """\
text { font: 13px sans-serif; fill: #333 }
.title { font-weight: bold }
.page { fill: #fff }
.grid { stroke: #ddd; stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
.s0 { stroke: #0072b2 } .m0 { fill: #0072b2 }
.s1 { stroke: #b34700; stroke-dasharray: 8 4 } .m1 { fill: #b34700 }
.s2 { stroke: #00795a; stroke-dasharray: 2 3 } .m2 { fill: #00795a }
.s3 { stroke: #8a3a78; stroke-dasharray: 10 3 2 3 } .m3 { fill: #8a3a78 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .page { fill: #1e2129 } .grid { stroke: #444 }
  .s0 { stroke: #56b4e9 } .m0 { fill: #56b4e9 } .s1 { stroke: #ff9a57 } .m1 { fill: #ff9a57 }
  .s2 { stroke: #3ecfa4 } .m2 { fill: #3ecfa4 } .s3 { stroke: #e19ccf } .m3 { fill: #e19ccf }
}"""
LINES = 4
"""As many lines as have a style of their own."""


@dataclass(frozen=True)
class Line:
    """One line and its name."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Panel:
    """One plot. Both axes are logarithmic."""

    title: str
    across: str
    lines: Sequence[Line]


def svg(panels: Sequence[Panel]) -> str:
    """The panels one below the other. Raises ``ValueError`` for a panel without points, or with too many lines."""
    parts = [part for number, panel in enumerate(panels) for part in _panel(panel, number * _HEIGHT)]
    height = _HEIGHT * len(panels)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>{escape('; '.join(panel.title for panel in panels))}</title>",
            f"<style>\n{_STYLE}\n</style>",
            f'<rect class="page" width="{_WIDTH}" height="{height}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def decades(values: Sequence[float]) -> list[int]:
    """The powers of ten that hold all ``values`` between them."""
    low = math.floor(math.log10(min(values)) + 1e-9)
    high = math.ceil(math.log10(max(values)) - 1e-9)
    return list(range(low, max(high, low + 1) + 1))


class _Axis:
    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self.powers = decades(values)
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        first, last = self.powers[0], self.powers[-1]
        return self._begin + (math.log10(value) - first) / (last - first) * (self._end - self._begin)


def _panel(panel: Panel, down: int) -> Iterator[str]:
    points = [point for line in panel.lines for point in line.points]
    if not points or len(panel.lines) > LINES:
        raise ValueError(f"{panel.title}: {len(panel.lines)} lines with {len(points)} points")
    x = _Axis([point[0] for point in points], _LEFT, _WIDTH - _RIGHT)
    y = _Axis([point[1] for point in points], down + _HEIGHT - _BOTTOM, down + _TOP)
    yield f'<text class="title" x="{_LEFT}" y="{down + 22}">{escape(panel.title)}</text>'
    for power in x.powers:
        place = x.at(10**power)
        yield _rule(place, down + _TOP, place, down + _HEIGHT - _BOTTOM)
        yield _label(place, down + _HEIGHT - _BOTTOM + 18, "middle", f"{10**power:,.10g}")
    for power in y.powers:
        place = y.at(10.0**power)
        yield _rule(_LEFT, place, _WIDTH - _RIGHT, place)
        yield _label(_LEFT - 8, place + 4, "end", f"{10.0**power:,.10g}")
    yield _label((_LEFT + _WIDTH - _RIGHT) / 2, down + _HEIGHT - 12, "middle", panel.across)
    for number, line in enumerate(panel.lines):
        placed = [(x.at(across), y.at(up)) for across, up in line.points]
        path = " ".join(f"{across:.1f},{up:.1f}" for across, up in placed)
        yield f'<polyline class="line s{number}" points="{path}"/>'
        for across, up in placed:
            yield f'<circle class="m{number}" cx="{across:.1f}" cy="{up:.1f}" r="3.5"/>'
    yield from _key(panel.lines, down)


def _key(lines: Sequence[Line], down: int) -> Iterator[str]:
    """The names of the lines beside the plot, in the order of their ends from top to bottom."""
    order = sorted(range(len(lines)), key=lambda number: -lines[number].points[-1][1])
    begin = _WIDTH - _RIGHT + 12
    for place, number in enumerate(order):
        up = down + _TOP + 14 + 24 * place
        yield f'<path class="line s{number}" d="M{begin} {up}h30"/>'
        yield f'<circle class="m{number}" cx="{begin + 15}" cy="{up}" r="3.5"/>'
        yield _label(begin + 38, up + 4, "start", lines[number].name)


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _label(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
