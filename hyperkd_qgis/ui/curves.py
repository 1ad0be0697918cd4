"""Curves of a training as they grow, drawn with Qt alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from qgis.PyQt.QtCore import QPointF, QRectF, QSize, Qt
from qgis.PyQt.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qgis.PyQt.QtWidgets import QLabel, QSizePolicy, QWidget

from ..messages import tr
from ..metric_text import figure_name

# Colours that the colour-blind tell apart, on light and on dark.
COLOURS = ("#1f8fe0", "#e4572e", "#17b3a3", "#8a63d2", "#d99a1c", "#c2477f")
VALIDATION = "validation_"
# A noisy curve gets a smoothed one over it: each value weighs so much against those before.
_NEWEST_WEIGHT = 0.15
_NOISY_POINTS = 30
_MOST_POINTS = 4000
_MARGIN = 8.0
_TICKS = 4


@dataclass
class Series:
    """One curve.

    Attributes:
        name: for instance ``validation_loss``.
        steps, values: its points, by rising step.
    """

    name: str
    steps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def base(self) -> str:
        """What it measures, whether on training or on validation data."""
        return self.name[len(VALIDATION) :] if self.is_validation else self.name

    @property
    def is_validation(self) -> bool:
        """Whether it was measured on data that the training does not see."""
        return self.name.startswith(VALIDATION)

    @property
    def title(self) -> str:
        """What the legend calls it."""
        name = figure_name(self.base)
        return tr("{name}, validation").format(name=name) if self.is_validation else name

    @property
    def is_loss(self) -> bool:
        """Whether smaller is better; losses and scores have panels of their own."""
        return "loss" in self.name

    def add(self, step: float, value: float) -> None:
        """Add a point; of very many every other one goes, so that drawing stays quick."""
        self.steps.append(float(step))
        self.values.append(float(value))
        if len(self.values) > _MOST_POINTS:
            # The last one stays: it is what the legend tells.
            self.steps, self.values = self.steps[::-2][::-1], self.values[::-2][::-1]

    def smooth(self) -> list[float]:
        """Return the values without their noise: a weighted mean of all before."""
        smoothed: list[float] = []
        total = weight = 0.0
        for value in self.values:
            total = total * (1 - _NEWEST_WEIGHT) + value * _NEWEST_WEIGHT
            weight = weight * (1 - _NEWEST_WEIGHT) + _NEWEST_WEIGHT
            smoothed.append(total / weight)
        return smoothed


class Curves(QLabel):
    """Draws what ``metric`` events tell: losses above, scores below.

    Training values are full lines, validation values dashed lines in the same colour.
    It is a label because style sheets, such as those of QGIS's dark looks, colour the text of
    labels; a plain widget keeps a palette in which text cannot be told from its ground.
    """

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.series: dict[str, Series] = {}
        self.setMinimumSize(QSize(260, 160))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Training curves"))

    def add(self, step: float, values: Mapping[str, object]) -> None:
        """Add one point to each named curve; what is no finite number is left out."""
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            if math.isfinite(value) and math.isfinite(step):
                self.series.setdefault(str(name), Series(str(name))).add(step, value)
        self.setAccessibleDescription(self.summary())
        self.update()

    def clear(self) -> None:
        """Forget all curves."""
        self.series.clear()
        self.update()

    def summary(self) -> str:
        """Return the last value of each curve as text, for those who cannot see it."""
        return ", ".join(f"{each.name} {each.values[-1]:.4g}" for each in self.series.values())

    def sizeHint(self) -> QSize:
        """Return a size at which two panels are readable."""
        return QSize(480, 320)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the panels."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.base())
        losses = [each for each in self.series.values() if each.is_loss]
        scores = [each for each in self.series.values() if not each.is_loss]
        panels = [panel for panel in (losses, scores) if panel]
        if not panels:
            painter.setPen(palette.text().color())
            text = tr("The curves appear with the first steps.")
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
            return
        height = self.height() / len(panels)
        steps = [step for each in self.series.values() for step in (each.steps[0], each.steps[-1])]
        span = min(steps), max(steps)
        for number, panel in enumerate(panels):
            area = QRectF(0, number * height, self.width(), height)
            _Panel(panel, span, area, palette.text().color(), painter).draw()


class _Panel:
    """One set of axes with its curves."""

    def __init__(
        self,
        series: Sequence[Series],
        span: tuple[float, float],
        area: QRectF,
        ink: QColor,
        painter: QPainter,
    ) -> None:
        self._series = series
        self._ink = ink
        self._painter = painter
        metrics = painter.fontMetrics()
        self._line = float(metrics.height())
        values = [value for each in series for value in each.values]
        self._left, self._right = span
        self._low, self._high = _bounds(values)
        self._ticks = ticks(self._low, self._high)
        width = max(metrics.horizontalAdvance(f"{tick:g}") for tick in self._ticks)
        self._plot = area.adjusted(
            width + 2 * _MARGIN, _MARGIN + self._line, -_MARGIN, -_MARGIN - self._line
        )
        self._area = area

    def draw(self) -> None:
        """Draw axes, curves and legend."""
        self._draw_axes()
        bases = list(dict.fromkeys(each.base for each in self._series))
        self._painter.save()
        self._painter.setClipRect(self._plot.adjusted(-1, -1, 1, 1))
        for each in self._series:
            self._draw_curve(each, QColor(COLOURS[bases.index(each.base) % len(COLOURS)]))
        self._painter.restore()
        self._draw_legend(bases)

    def _draw_axes(self) -> None:
        painter, plot = self._painter, self._plot
        faint = QColor(self._ink)
        faint.setAlphaF(0.18)
        for tick in self._ticks:
            y = self._y(tick)
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(self._ink)
            box = QRectF(self._area.left(), y - self._line / 2, plot.left() - _MARGIN, self._line)
            painter.drawText(box, _RIGHT, f"{tick:g}")
        for step, side in ((self._left, _LEFT), (self._right, _RIGHT)):
            box = QRectF(plot.left(), plot.bottom() + 2, plot.width(), self._line)
            painter.drawText(box, side, f"{step:g}")

    def _draw_curve(self, series: Series, colour: QColor) -> None:
        pen = QPen(colour, 1.8)
        if series.is_validation:
            pen.setStyle(Qt.PenStyle.DashLine)
        noisy = len(series.values) >= _NOISY_POINTS and not series.is_validation
        if noisy:
            pale = QColor(colour)
            pale.setAlphaF(0.35)
            self._draw_line(series.steps, series.values, QPen(pale, 1))
        self._draw_line(series.steps, series.smooth() if noisy else series.values, pen)

    def _draw_line(self, steps: Sequence[float], values: Sequence[float], pen: QPen) -> None:
        points = [QPointF(self._x(step), self._y(value)) for step, value in zip(steps, values)]
        self._painter.setPen(pen)
        if len(points) == 1:
            self._painter.setBrush(pen.color())
            self._painter.drawEllipse(points[0], 2.5, 2.5)
            self._painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            self._painter.drawPolyline(QPolygonF(points))

    def _draw_legend(self, bases: Sequence[str]) -> None:
        painter, x = self._painter, self._plot.left()
        y = self._area.top() + _MARGIN / 2
        for each in self._series:
            colour = QColor(COLOURS[bases.index(each.base) % len(COLOURS)])
            pen = QPen(colour, 2.4)
            if each.is_validation:
                pen.setStyle(Qt.PenStyle.DashLine)
            text = f"{each.title} {each.values[-1]:.4g}"
            width = painter.fontMetrics().horizontalAdvance(text)
            if x + width + 30 > self._area.right():
                return  # the last value of each is in the log, too
            painter.setPen(pen)
            middle = y + self._line / 2
            painter.drawLine(QPointF(x, middle), QPointF(x + 18, middle))
            painter.setPen(self._ink)
            painter.drawText(QRectF(x + 23, y, width + 2, self._line), _LEFT, text)
            x += width + 38

    def _x(self, step: float) -> float:
        span = self._right - self._left
        share = (step - self._left) / span if span else 0.5
        return self._plot.left() + share * self._plot.width()

    def _y(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return self._plot.bottom() - share * self._plot.height()


_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Return the range to show; the very first values of a training may be wild."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    if len(ordered) >= 20:
        high = min(high, 1.5 * ordered[int(0.95 * (len(ordered) - 1))] - 0.5 * low)
    if high <= low:
        pad = abs(low) * 0.1 or 1.0
        return low - pad, high + pad
    pad = 0.04 * (high - low)
    return low - pad, high + pad


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two bounds, some four of them."""
    raw = (high - low) / _TICKS
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(each * magnitude for each in (1, 2, 2.5, 5, 10) if each * magnitude >= raw)
    first = math.ceil(low / step)
    last = math.floor(high / step)
    return [round(index * step, 12) for index in range(first, last + 1)] or [low]
