"""How outputs look: renderers whose stretch comes from the raster's own values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Callable, Optional

from qgis.core import (
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsGradientColorRamp,
    QgsGradientStop,
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsRasterBandStats,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
    QgsRasterShader,
    QgsRectangle,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from .cover_text import cover_name
from .spectrum import centres_nm

# The darkest and brightest 2 % are cut off, as QGIS does by default.
LOWER_SHARE, UPPER_SHARE = 0.02, 0.98
# Pixels looked at to find the stretch; QGIS's own default.
SAMPLE_SIZE = 250_000
TRUE_COLOUR_NM = (660.0, 560.0, 480.0)
_WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(?:nm|nanomet(?:er|re)s)\b", re.IGNORECASE)
# From dark to bright at an even pace and readable for the colour-blind.
ERROR_RAMP = ("#0d0887", "#7e03a8", "#cc4778", "#f89540", "#f0f921")
SHARE_RAMP = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")


def style_embedding(layer: QgsRasterLayer) -> None:
    """Show the first three components as red, green and blue; one alone in grey."""
    if layer.bandCount() >= 3:
        show_bands(layer, (1, 2, 3))
    else:
        _show_grey(layer, 1)


def style_true_colour(layer: QgsRasterLayer) -> None:
    """Show true colour where the bands tell their wavelengths, else bands spread evenly."""
    show_bands(layer, true_colour_bands(layer))


def style_hls(layer: QgsRasterLayer) -> None:
    """Show red, green and blue of the six bands of HLS, which begin with blue."""
    show_bands(layer, (3, 2, 1))


def style_error(layer: QgsRasterLayer) -> None:
    """Show the RMSE, the second band, from dark (as expected) to bright (unlike its surroundings).

    The spectral angle, the first band, is large wherever little light comes back: it would
    show water and shadow alone.
    """
    _show_ramp(layer, min(2, layer.bandCount()), ERROR_RAMP)


def style_classes(layer: QgsRasterLayer) -> None:
    """Show each class in its colour under its name; the raster brings both along."""
    provider = layer.dataProvider()
    classes = QgsPalettedRasterRenderer.colorTableToClassData(provider.colorTable(1))
    # 0 is no data. GDAL fills the table up to 256 values with black under their number.
    unnamed = QColor(0, 0, 0)
    shown = [
        each
        for each in classes
        if each.value > 0 and (each.label != f"{each.value:g}" or each.color.rgb() != unnamed.rgb())
    ]
    layer.setRenderer(QgsPalettedRasterRenderer(provider, 1, shown))


def style_dominant(layer: QgsRasterLayer) -> None:
    """Show the covers that occur, each in its colour; a legend of eight hides the two that do."""
    style_classes(layer)
    provider = layer.dataProvider()
    counts = provider.histogram(1, 256, -0.5, 255.5).histogramVector
    occurring = [
        QgsPalettedRasterRenderer.Class(each.value, each.color, cover_name(each.label))
        for each in layer.renderer().classes()
        if counts[int(each.value)]
    ]
    layer.setRenderer(QgsPalettedRasterRenderer(provider, 1, occurring))


def style_composite(layer: QgsRasterLayer) -> None:
    """Show three sums of fractions as red, green and blue.

    They sum to 1, so up to 1 all mixed pixels would be dark; and pure ones would glare.
    """
    show_bands(layer, (1, 2, 3), [(0.0, 0.7)] * 3)
    layer.hueSaturationFilter().setSaturation(-40)


def style_standard_error(layer: QgsRasterLayer) -> None:
    """Show the standard error of a fraction: 0.5 is that of one that may be nothing or all."""
    _show_ramp(layer, 1, ERROR_RAMP, (0.0, 0.5))


def style_fractions(layer: QgsRasterLayer) -> None:
    """Show the cover that the scene has most of, from 0 to 1."""
    provider = layer.dataProvider()
    mean = QgsRasterBandStats.Stats.Mean
    means = [
        provider.bandStatistics(band, mean, QgsRectangle(), SAMPLE_SIZE).mean
        for band in range(1, layer.bandCount() + 1)
    ]
    _show_ramp(layer, means.index(max(means)) + 1, SHARE_RAMP, (0.0, 1.0))


def style_probabilities(layer: QgsRasterLayer) -> None:
    """Show the probability of the first class, from 0 to 1."""
    _show_ramp(layer, 1, SHARE_RAMP, (0.0, 1.0))


def style_uncertainty(layer: QgsRasterLayer) -> None:
    """Show the entropy, from dark (certain) to bright (anything is possible)."""
    _show_ramp(layer, layer.bandCount(), ERROR_RAMP, (0.0, 1.0))


def style_values(layer: QgsRasterLayer) -> None:
    """Show the first target from its low to its high values."""
    _show_ramp(layer, 1, SHARE_RAMP)


def style_score(layer: QgsRasterLayer) -> None:
    """Show a robust score: dark where it is ordinary, bright from the usual threshold on."""
    _show_ramp(layer, 1, ERROR_RAMP, (0.0, 7.0))


def style_similarity(layer: QgsRasterLayer) -> None:
    """Show likeness from 0 (nothing in common) to 1 (the same)."""
    _show_ramp(layer, 1, SHARE_RAMP, (0.0, 1.0))


STYLES: Mapping[str, Callable[[QgsRasterLayer], None]] = {
    "embedding": style_embedding,
    "true_colour": style_true_colour,
    "hls": style_hls,
    "error": style_error,
    "classes": style_classes,
    "dominant": style_dominant,
    "composite": style_composite,
    "standard_error": style_standard_error,
    "fractions": style_fractions,
    "probabilities": style_probabilities,
    "uncertainty": style_uncertainty,
    "values": style_values,
    "score": style_score,
    "similarity": style_similarity,
}


# What a scene is looked at in: the light that is shown as red, green and blue.
COMPOSITES_NM = {
    "natural": TRUE_COLOUR_NM,
    "infrared": (860.0, 660.0, 560.0),
    "swir": (2200.0, 1650.0, 860.0),
}
# A band that is farther from the light that is wanted shows something else.
_NEAR_NM = 60.0


def show_composite(layer: QgsRasterLayer, name: str) -> bool:
    """Show a scene in one of ``COMPOSITES_NM``; return False where it has no such bands."""
    centres = centres_nm(layer)
    bands = []
    for wanted in COMPOSITES_NM[name]:
        band = min(centres, key=lambda each: abs(centres[each] - wanted), default=0)
        if not band or abs(centres[band] - wanted) > _NEAR_NM:
            return False
        bands.append(band)
    red, green, blue = bands
    show_bands(layer, (red, green, blue))
    layer.triggerRepaint()
    return True


def true_colour_bands(layer: QgsRasterLayer) -> tuple[int, int, int]:
    """Return the bands (from 1) nearest to red, green and blue light.

    They are told by the names of the bands ("reconstruction 660.5 nm", or "band 48
    (660.2 Nanometers)" as ENVI files have it), for QGIS shows nothing else of them.
    """
    centres_nm: list[tuple[float, int]] = []
    for band in range(1, layer.bandCount() + 1):
        found = _WAVELENGTH.search(layer.bandName(band))
        if found:
            centres_nm.append((float(found.group(1)), band))
    if not centres_nm:
        count = layer.bandCount()
        return count, (count + 1) // 2, 1
    red, green, blue = (
        min(centres_nm, key=lambda centre: abs(centre[0] - wanted_nm))[1]
        for wanted_nm in TRUE_COLOUR_NM
    )
    return red, green, blue


def show_bands(
    layer: QgsRasterLayer, bands: Sequence[int], bounds: Sequence[tuple[float, float]] = ()
) -> None:
    """Show three bands as red, green and blue, each between bounds or stretched by its values."""
    renderer = QgsMultiBandColorRenderer(layer.dataProvider(), *bands)
    known = bounds or [stretch(layer, band) for band in bands]
    red, green, blue = (_enhancement(layer, *each) for each in zip(bands, known))
    renderer.setRedContrastEnhancement(red)
    renderer.setGreenContrastEnhancement(green)
    renderer.setBlueContrastEnhancement(blue)
    if not bounds:
        renderer.setMinMaxOrigin(_origin())
    layer.setRenderer(renderer)


def _show_ramp(
    layer: QgsRasterLayer,
    band: int,
    colours: Sequence[str],
    bounds: Optional[tuple[float, float]] = None,
) -> None:
    """Show one band in colours, between bounds or between its own low and high values."""
    provider = layer.dataProvider()
    lower, upper = bounds or stretch(layer, band)
    first, *between, last = colours
    step = 1.0 / (len(between) + 1)
    stops = [QgsGradientStop(step * (i + 1), QColor(name)) for i, name in enumerate(between)]
    ramp = QgsGradientColorRamp(QColor(first), QColor(last), False, stops)
    function = QgsColorRampShader(lower, upper, ramp, QgsColorRampShader.Type.Interpolated)
    function.classifyColorRamp(len(colours))
    shader = QgsRasterShader(lower, upper)
    shader.setRasterShaderFunction(function)
    renderer = QgsSingleBandPseudoColorRenderer(provider, band, shader)
    renderer.setClassificationMin(lower)
    renderer.setClassificationMax(upper)
    if bounds is None:
        renderer.setMinMaxOrigin(_origin())
    layer.setRenderer(renderer)


def _show_grey(layer: QgsRasterLayer, band: int) -> None:
    renderer = QgsSingleBandGrayRenderer(layer.dataProvider(), band)
    renderer.setContrastEnhancement(_enhancement(layer, band, stretch(layer, band)))
    renderer.setMinMaxOrigin(_origin())
    layer.setRenderer(renderer)


def _enhancement(
    layer: QgsRasterLayer, band: int, bounds: tuple[float, float]
) -> QgsContrastEnhancement:
    enhancement = QgsContrastEnhancement(layer.dataProvider().dataType(band))
    enhancement.setContrastEnhancementAlgorithm(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
    )
    enhancement.setMinimumValue(bounds[0])
    enhancement.setMaximumValue(bounds[1])
    return enhancement


def stretch(layer: QgsRasterLayer, band: int) -> tuple[float, float]:
    """Return the bounds without the darkest and the brightest of a band's values."""
    # GDAL keeps the histogram in an .aux.xml beside the raster, so that QGIS need not
    # count again when it opens the layer in the thread of the window.
    lower, upper = layer.dataProvider().cumulativeCut(
        band, LOWER_SHARE, UPPER_SHARE, QgsRectangle(), SAMPLE_SIZE
    )
    return lower, upper


def _origin() -> QgsRasterMinMaxOrigin:
    """Tell the layer's properties dialog how the stretch was made."""
    origin = QgsRasterMinMaxOrigin()
    origin.setLimits(QgsRasterMinMaxOrigin.Limits.CumulativeCut)
    origin.setCumulativeCutLower(LOWER_SHARE)
    origin.setCumulativeCutUpper(UPPER_SHARE)
    return origin
