"""The report's charts as inline SVG: dots with intervals, heat map, reliability, scatter.

Text is always beside colour, so that nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.reports.line_plot import Axis
from hyperkd.types import FloatArray

INK, SOFT, LINE, ACCENT, WRONG = "#1d2733", "#51606f", "#d5dbe1", "#0b7a75", "#b3541e"
_PAPER = np.array([255.0, 255.0, 255.0])
_CHARACTER_PX = 7.2
_ROW_PX = 27
# Pixels of letter size; smaller numbers nobody reads, and the table has them too.
_LARGEST, _SMALLEST = 13, 8


@dataclass(frozen=True)
class Dot:
    """A figure with its interval.

    Attributes:
        value: or None where it is undefined.
        low, high: ends of the interval, or None.
        text: the figure in words, shown beside it.
    """

    value: Optional[float]
    low: Optional[float]
    high: Optional[float]
    text: str


def dot_plot(
    names: Sequence[str],
    colours: Sequence[str],
    panels: Sequence[tuple[str, Sequence[Dot]]],
    ends: Optional[tuple[float, float]] = (0.0, 1.0),
    percent: bool = True,
) -> str:
    """Return dots with intervals: a row for each name, a panel for each figure.

    Args:
        names: of the rows.
        colours: of the rows.
        panels: heading and one dot per row.
        ends: of all axes; None lets each panel find its own.
        percent: whether axes count shares as percent.
    """
    left = min(230.0, 20 + _CHARACTER_PX * max(len(name) for name in names))
    width, top = 920.0, 30.0
    height = top + _ROW_PX * len(names) + 30
    panel_px = (width - left) / len(panels)
    parts = [_open(width, height, ", ".join(heading for heading, _ in panels))]
    for row, name in enumerate(names):
        y = top + _ROW_PX * (row + 0.5)
        parts.append(_text(left - 12, y + 4, _short(name, left), "end", INK, title=name))
        if row % 2 == 0:
            parts.append(
                f'<rect x="0" y="{y - _ROW_PX / 2:.1f}" width="{width:g}" height="{_ROW_PX}" '
                'fill="#0b7a75" opacity="0.045"/>'
            )
    for position, (heading, dots) in enumerate(panels):
        start = left + position * panel_px
        axis = _panel_axis(dots, ends, start + 8, start + panel_px - 74)
        parts += _panel(heading, dots, colours, axis, top, percent)
    return "".join(parts) + "</svg>"


def _panel_axis(
    dots: Sequence[Dot], ends: Optional[tuple[float, float]], start: float, stop: float
) -> Axis:
    if ends is not None:
        return Axis(*ends, start, stop)
    known = [edge for dot in dots for edge in (dot.value, dot.low, dot.high) if edge is not None]
    return Axis.of([np.array(known, np.float64)], start, stop)


def _panel(
    heading: str,
    dots: Sequence[Dot],
    colours: Sequence[str],
    axis: Axis,
    top: float,
    percent: bool,
) -> list[str]:
    bottom = top + _ROW_PX * len(dots)
    parts = [_text(axis.start_px, 18, heading, "start", INK, weight=600)]
    whole = percent and (axis.low, axis.high) == (0.0, 1.0)
    ticks = [0, 0.25, 0.5, 0.75, 1.0] if whole else axis.ticks()
    for tick in ticks[:: 2 if len(ticks) > 5 else 1]:
        x = axis.at(tick)
        shown = f"{100 * tick:g}" if percent else f"{tick:g}"
        parts.append(_stroke(x, top, x, bottom, LINE))
        parts.append(_text(x, bottom + 16, shown, "middle", SOFT, size=11))
    for row, (dot, colour) in enumerate(zip(dots, colours)):
        y = top + _ROW_PX * (row + 0.5)
        parts.append(_text(axis.end_px + 68, y + 4, dot.text, "end", INK))
        if dot.value is None:
            continue
        if dot.low is not None and dot.high is not None:
            low, high = (axis.at(min(max(end, axis.low), axis.high)) for end in (dot.low, dot.high))
            parts.append(_stroke(low, y, high, y, INK, 1.6))
            parts += [_stroke(end, y - 4, end, y + 4, INK, 1.6) for end in (low, high)]
        parts.append(
            f'<circle cx="{axis.at(dot.value):.1f}" cy="{y:.1f}" r="5.5" fill="{escape(colour)}" '
            f'stroke="{INK}" stroke-width="1.2"/>'
        )
    return parts


def heat_map(
    pixels: NDArray[np.int64],
    names: Sequence[str],
    colours: Sequence[str],
    users: Sequence[str],
    producers: Sequence[str],
    corner: str,
) -> str:
    """Return a confusion matrix: shade = share of the reference pixels of the column.

    Args:
        pixels: ``(K, K)``; rows are the map, columns the reference.
        names, colours: of the classes.
        users: text at the end of each row.
        producers: text below each column.
        corner: text where both meet.
    """
    count = len(names)
    left = min(200.0, 60 + _CHARACTER_PX * max(map(len, names)))
    top = min(150.0, 46 + 0.62 * _CHARACTER_PX * max(map(len, names)))
    cell = float(np.clip((920 - left - 80) / count, 14, 74))
    high = min(cell, 48.0)
    right, bottom = left + cell * count, top + high * count
    parts = [_open(right + 90, bottom + 34, "Confusion matrix: rows map, columns reference")]
    parts.append(_text(left, 16, "reference →", "start", SOFT, weight=600))
    parts.append(_text(left - 14, top - 8, "map ↓", "end", SOFT, weight=600))
    parts.append(_text(right + 8, top - 8, "user’s", "start", SOFT, weight=600))
    parts.append(_text(left - 14, bottom + 20, "producer’s", "end", SOFT, weight=600))
    share = pixels / np.maximum(pixels.sum(axis=0), 1)
    for k, (name, colour) in enumerate(zip(names, colours)):
        x, y = left + cell * (k + 0.5), top + high * (k + 0.5)
        parts.append(
            f'<g transform="translate({x:.1f} {top - 12:.1f}) rotate(-38)">'
            f"{_text(6, 0, _short(name, 170), 'start', INK, title=name)}</g>"
        )
        parts.append(_swatch(x - 5, top - 9, colour, 10, 5))
        parts.append(_text(left - 22, y + 4, _short(name, left - 30), "end", INK, title=name))
        parts.append(_swatch(left - 14, y - 5, colour, 8, 10))
        parts.append(_text(right + 8, y + 4, users[k], "start", INK))
        if cell >= 34:
            parts.append(_text(x, bottom + 20, producers[k], "middle", INK))
    if cell >= 34:
        parts.append(_text(right + 8, bottom + 20, corner, "start", INK, weight=700))
    for i in range(count):
        for j in range(count):
            parts.append(
                _cell(
                    (left + cell * j, top + high * i, cell, high),
                    int(pixels[i, j]),
                    float(share[i, j]),
                    i == j,
                    f"{names[i]} in the map, {names[j]} in the reference",
                )
            )
    return "".join(parts) + "</svg>"


def _cell(
    box: tuple[float, float, float, float],
    pixels: int,
    share: float,
    right: bool,
    meaning: str,
) -> str:
    x, y, width, height = box
    fill = _shade(ACCENT if right else WRONG, share if pixels else 0.0)
    parts = [
        f"<g><title>{escape(meaning)}: {pixels} pixels, {share:.1%} of the column</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 1:.1f}" height="{height - 1:.1f}" '
        f'fill="{_hex(fill)}"/>'
    ]
    size = min(_LARGEST, int((width - 4) / (0.6 * len(str(pixels)))))
    if pixels and size >= _SMALLEST:
        middle = y + height / 2 + size / 3
        parts.append(_text(x + width / 2, middle, str(pixels), "middle", _ink(fill), size=size))
    return "".join(parts) + "</g>"


def reliability_plot(curves: Sequence[tuple[str, str, Sequence[dict[str, Any]]]]) -> str:
    """Return accuracy against confidence, and how many pixels have which confidence.

    Args:
        curves: name, colour and bins (see ``ProbabilityCalibration.to_json``) of each.
    """
    x_axis, y_axis = Axis(0, 1, 64, 424), Axis(0, 1, 384, 24)
    parts = [_open(440, 500, "Accuracy against confidence")]
    parts += _square(x_axis, y_axis, "", "fraction of correct pixels")
    parts.append(
        _stroke(x_axis.at(0), y_axis.at(0), x_axis.at(1), y_axis.at(1), SOFT, 1.2, dashed=True)
    )
    bar_top = 406.0
    for number, (name, colour, bins) in enumerate(curves):
        known = [row for row in bins if row["pixels"]]
        points = [(x_axis.at(row["confidence"]), y_axis.at(row["accuracy"])) for row in known]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if number == 0 and len(curves) > 1 else ""
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        for (x, y), row in zip(points, known):
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}" stroke="#ffffff">'
                f"<title>{escape(name)}: {row['pixels']} pixels</title></circle>"
            )
    most = max(row["pixels"] for _, _, bins in curves for row in bins)
    name, colour, bins = curves[-1]
    for row in bins:
        height = 50 * row["pixels"] / most
        parts.append(
            f'<rect x="{x_axis.at(row["low"]) + 1:.1f}" y="{bar_top + 50 - height:.1f}" '
            f'width="{x_axis.at(0.1) - x_axis.at(0) - 2:.1f}" height="{height:.1f}" '
            f'fill="{colour}" opacity="0.55"><title>{row["pixels"]} pixels</title></rect>'
        )
    parts.append(_stroke(64, bar_top + 50, 424, bar_top + 50, SOFT))
    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
        parts.append(_text(x_axis.at(tick), bar_top + 66, f"{tick:g}", "middle", SOFT, size=11))
    parts.append(_text(58, bar_top + 30, "pixels", "end", SOFT, size=11))
    parts.append(_text(244, 494, "confidence (largest probability)", "middle", SOFT))
    return "".join(parts) + "</svg>"


def scatter_plot(truth: Sequence[float], predicted: Sequence[float], label: str) -> str:
    """Return predicted against observed values on equal axes, with the line of equality.

    Args:
        truth, predicted: the points.
        label: the target with its unit.
    """
    both = np.array([*truth, *predicted], np.float64)
    x_axis = Axis.of([both], 64, 424)
    y_axis = Axis(x_axis.low, x_axis.high, 384, 24)
    parts = [_open(440, 440, f"Predicted against observed {label}")]
    parts += _square(x_axis, y_axis, f"observed {label}", f"predicted {label}")
    parts.append(_stroke(64, 384, 424, 24, SOFT, 1.2, dashed=True))
    # Fewer points may be darker without hiding each other.
    opacity = float(np.clip(12 / np.sqrt(max(len(truth), 1)), 0.25, 0.75))
    parts += [
        f'<circle cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="3.2" fill="{ACCENT}" '
        f'opacity="{opacity:.2f}"/>'
        for x, y in zip(truth, predicted)
    ]
    return "".join(parts) + "</svg>"


def _square(x_axis: Axis, y_axis: Axis, x_label: str, y_label: str) -> list[str]:
    """Return the axes of a plot with equal scales."""
    parts = []
    for tick in y_axis.ticks():
        y = y_axis.at(tick)
        parts.append(_stroke(x_axis.start_px, y, x_axis.end_px, y, LINE))
        parts.append(_text(x_axis.start_px - 7, y + 4, f"{tick:g}", "end", SOFT, size=11))
    for tick in x_axis.ticks():
        x = x_axis.at(tick)
        parts.append(_stroke(x, y_axis.start_px, x, y_axis.end_px, LINE))
        if x_label:
            parts.append(_text(x, y_axis.start_px + 17, f"{tick:g}", "middle", SOFT, size=11))
    middle = (y_axis.start_px + y_axis.end_px) / 2
    parts.append(
        f'<g transform="translate(16 {middle:.1f}) rotate(-90)">'
        f"{_text(0, 0, y_label, 'middle', SOFT)}</g>"
    )
    parts.append(
        _text((x_axis.start_px + x_axis.end_px) / 2, y_axis.start_px + 40, x_label, "middle", SOFT)
    )
    return parts


def _open(width: float, height: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}" '
        f'style="max-width:{width:.0f}px;min-width:min({width:.0f}px,34rem)" xmlns="http://www.w3.org/2000/svg">'
    )


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str,
    colour: str,
    *,
    size: int = 13,
    weight: int = 400,
    title: str = "",
) -> str:
    heading = f"<title>{escape(title)}</title>" if title and title != text else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}" style="fill:{colour}">{heading}{escape(text)}</text>'
    )


def _stroke(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    colour: str,
    width: float = 1.0,
    dashed: bool = False,
) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"{dash}/>'
    )


def _swatch(x: float, y: float, colour: str, width: float, height: float) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:g}" height="{height:g}" '
        f'fill="{escape(colour)}" stroke="{INK}" stroke-width="0.6"/>'
    )


def _short(text: str, width: float) -> str:
    most = max(3, int((width - 12) / _CHARACTER_PX))
    return text if len(text) <= most else text[: most - 1] + "…"


def _shade(colour: str, share: float) -> FloatArray:
    """Return a colour between paper and ``colour``; small shares are seen too."""
    full = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float64)
    shaded: FloatArray = _PAPER + (full - _PAPER) * (0.04 + 0.96 * share**0.6 if share else 0.04)
    return shaded


def _hex(rgb: FloatArray) -> str:
    return "#" + "".join(f"{round(float(value)):02x}" for value in rgb)


def _ink(rgb: FloatArray) -> str:
    """Return the text colour with the higher contrast (WCAG's relative luminance)."""
    linear = np.where(rgb <= 10, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.07 else INK
