"""Icons that can be seen in a light and in a dark QGIS."""

from __future__ import annotations

import pytest

from tools.machine import ROOT

ICONS = sorted((ROOT / "resources" / "icons").glob("*.svg"))
# Backgrounds of QGIS's themes "default" and "Night Mapping".
THEMES = {"light": "#f0f0f0", "dark": "#2b2b2b"}
_SIDE = 48


def contrast(first: float, second: float) -> float:
    """Return the contrast of two luminances, from 1, as WCAG 2 defines it."""
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def luminance(colour) -> float:
    """Return the relative luminance of a colour, 0 to 1."""

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    parts = (0.2126, colour.redF()), (0.7152, colour.greenF()), (0.0722, colour.blueF())
    return sum(weight * linear(value) for weight, value in parts)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", ICONS, ids=lambda path: path.stem)
def test_an_icon_stands_out(qgis, path, theme):
    from qgis.PyQt.QtGui import QColor, QIcon

    image = QIcon(str(path)).pixmap(_SIDE, _SIDE).toImage()
    behind = luminance(QColor(THEMES[theme]))
    colours = [image.pixelColor(x, y) for x in range(_SIDE) for y in range(_SIDE)]
    drawn = [colour for colour in colours if colour.alpha() > 200]
    assert len(drawn) > 0.05 * _SIDE * _SIDE
    seen = [colour for colour in drawn if contrast(luminance(colour), behind) >= 1.5]
    # White paper with a dark edge is seen on white, too.
    assert len(seen) >= len(drawn) / 3


def test_every_algorithm_has_an_icon_of_its_own(plugin):
    from qgis.core import QgsApplication

    algorithms = QgsApplication.processingRegistry().providerById("hyperkd").algorithms()
    own = [each.svgIconPath() for each in algorithms if each.groupId() != "workflows"]
    assert len(set(own)) == len(own)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in ICONS}
    assert len(set(texts.values())) == len(texts)
