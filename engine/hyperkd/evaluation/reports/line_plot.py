"""Line plots as inline SVG, so that a report needs neither a script nor a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Optional

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 900, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 12, 14, 46


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        x, y: ``(points,)``; a NaN in ``y`` or a new ``run`` breaks the curve.
        colour: any CSS colour.
        run: ``(points,)`` integers; neighbours of different runs are not joined.
        low, high: ``(points,)`` edges of a shaded band around the curve, or None.
        dashed: whether the curve is dashed.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    run: NDArray[np.int64]
    low: Optional[NDArray[np.float64]] = None
    high: Optional[NDArray[np.float64]] = None
    dashed: bool = False


def line_plot(
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    shaded: Sequence[tuple[float, float]] = (),
    legend: bool = True,
) -> str:
    """Return an SVG of ``lines`` with axes, grid and legend.

    Args:
        lines: curves over one x axis.
        x_label: with its unit.
        y_label: with its unit.
        shaded: ranges of x drawn as grey bands behind the curves.
        legend: whether the names stand in the plot; more than five do not fit there.
    """
    x_axis = Axis.of([line.x for line in lines], _LEFT, _WIDTH - _RIGHT)
    heights = [edge for line in lines for edge in (line.y, line.low, line.high) if edge is not None]
    y_axis = Axis.of(heights, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(y_label)} against '
        f'{escape(x_label)}" xmlns="http://www.w3.org/2000/svg">'
    ]
    for low, high in shaded:
        left, right = x_axis.at(max(low, x_axis.low)), x_axis.at(min(high, x_axis.high))
        parts.append(
            f'<rect x="{left:.1f}" y="{_TOP}" width="{max(right - left, 0.5):.1f}" '
            f'height="{_HEIGHT - _TOP - _BOTTOM}" fill="currentColor" opacity="0.08"/>'
        )
    parts += _axes(x_axis, y_axis, x_label, y_label)
    for line in lines:
        if line.low is not None and line.high is not None:
            area = _area(line, line.low, line.high, x_axis, y_axis)
            parts.append(f'<path d="{area}" fill="{line.colour}" opacity="0.13"/>')
    for position, line in enumerate(lines):
        path = _path(line, x_axis, y_axis)
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        parts.append(
            f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="1.6"{dash}>'
            f"<title>{escape(line.name)}</title></path>"
        )
        if legend:
            parts.append(
                f'<rect x="{_LEFT + 10 + position * 150}" y="{_TOP + 4}" width="14" height="3" '
                f'fill="{line.colour}"/><text x="{_LEFT + 30 + position * 150}" '
                f'y="{_TOP + 10}">{escape(line.name)}</text>'
            )
    return "".join(parts) + "</svg>"


@dataclass(frozen=True)
class Axis:
    """A linear scale from values to pixels.

    Attributes:
        low, high: the values at its ends.
        start_px, end_px: where these lie in the plot.
    """

    low: float
    high: float
    start_px: float
    end_px: float

    @classmethod
    def of(cls, values: Sequence[NDArray[np.float64]], start_px: float, end_px: float) -> Axis:
        """Return an axis that shows all of ``values`` with a small margin."""
        joined = np.concatenate(values)
        joined = joined[np.isfinite(joined)]
        low, high = (float(joined.min()), float(joined.max())) if joined.size else (0.0, 1.0)
        margin = 0.04 * (high - low) or 0.5
        return cls(low - margin, high + margin, start_px, end_px)

    def at(self, value: float) -> float:
        """Return the place of a value in pixels."""
        share = (value - self.low) / (self.high - self.low)
        return self.start_px + share * (self.end_px - self.start_px)

    def ticks(self) -> list[float]:
        """Return four to eight round values."""
        step = 10.0 ** np.floor(np.log10((self.high - self.low) / 4))
        for factor in (1, 2, 5, 10):
            if (self.high - self.low) / (step * factor) <= 8:
                step *= factor
                break
        first = np.ceil(self.low / step) * step
        ticks = np.arange(first, self.high + step * 1e-9, step)
        return [round(float(tick), 10) + 0.0 for tick in ticks]  # + 0.0 makes -0 a plain 0


def _axes(x_axis: Axis, y_axis: Axis, x_label: str, y_label: str) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    line = (
        '<line stroke="currentColor" opacity="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
    )
    parts = [line.format(0.6, _LEFT, bottom, right, bottom)]
    for tick in x_axis.ticks():
        x = x_axis.at(tick)
        parts.append(line.format(0.6, x, bottom, x, bottom + 4))
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    for tick in y_axis.ticks():
        y = y_axis.at(tick)
        parts.append(line.format(0.12, _LEFT, y, right, y))
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return parts


def _path(line: Line, x_axis: Axis, y_axis: Axis) -> str:
    commands: list[str] = []
    previous = None
    for x, y, run in zip(line.x, line.y, line.run):
        if not np.isfinite(y):
            previous = None
            continue
        commands.append(
            f"{'L' if run == previous else 'M'}{x_axis.at(float(x)):.1f} {y_axis.at(float(y)):.1f}"
        )
        previous = run
    return "".join(commands)


def _area(
    line: Line,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    x_axis: Axis,
    y_axis: Axis,
) -> str:
    """Return the outline of the band around a curve, one closed piece for each run."""
    pieces = []
    for run in np.unique(line.run):
        members = np.flatnonzero((line.run == run) & np.isfinite(low) & np.isfinite(high))
        if members.size:
            corners = [(line.x[i], low[i]) for i in members]
            corners += [(line.x[i], high[i]) for i in members[::-1]]
            path = "L".join(
                f"{x_axis.at(float(x)):.1f} {y_axis.at(float(y)):.1f}" for x, y in corners
            )
            pieces.append(f"M{path}Z")
    return "".join(pieces)
