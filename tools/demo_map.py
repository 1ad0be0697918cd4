"""Draw the demo's map with a QGIS print layout; run by QGIS's own Python, without a screen.

The one argument is JSON: the paths of the layers by name (``STYLES_OF``), of the ``scene`` and of
the ``output``, and what ``demo_bands.py`` said about the scene.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsBasicNumericFormat,
    QgsColorRampLegendNodeSettings,
    QgsContrastEnhancement,
    QgsCoordinateReferenceSystem,
    QgsFillSymbol,
    QgsLayoutExporter,
    QgsLayoutItem,
    QgsLayoutItemLabel,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutItemPicture,
    QgsLayoutItemScaleBar,
    QgsLayoutItemShape,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsLegendRenderer,
    QgsLegendStyle,
    QgsMapLayerLegendUtils,
    QgsMultiBandColorRenderer,
    QgsPrintLayout,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsScaleBarSettings,
    QgsSettings,
    QgsTextFormat,
    QgsUnitTypes,
)
from qgis.PyQt.QtCore import QRectF, Qt
from qgis.PyQt.QtGui import QColor, QFont

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hyperkd_qgis.styles import STYLES  # noqa: E402

RESOLUTION_DPI = 200
MARGIN_MM = 10.0
GAP_MM = 6.0
PANEL_MM = 86.0
# Panels follow the scene's shape within these limits, so that a long strip
# neither fills a poster nor shrinks to a line.
SHORTEST_MM, TALLEST_MM = 56.0, 130.0
# Maps show this much more than the scene, so that its edge stays off the frame.
BORDER = 1.03
TOP_MM = 36.0
# Above each row of maps for titles, and below it for legends.
HEAD_MM, BELOW_MM = 12.0, 30.0
MOST_CLASSES = 10
STYLES_OF = {
    "dominant": "dominant",
    "composite": "composite",
    "uncertainty": "standard_error",
    "embedding": "embedding",
    "classes": "classes",
    "error": "error",
}
INK, FAINT, PAPER, GROUND = "#1b1f24", "#5d6670", "#ffffff", "#eef0f2"


@dataclass(frozen=True)
class Panel:
    """One map of the row: its title, what it shows, and its layer."""

    title: str
    text: str
    layer: QgsRasterLayer


class Sheet:
    """A page that things are put on by millimetre."""

    def __init__(self, project: QgsProject, width_mm: float, height_mm: float) -> None:
        self.layout = QgsPrintLayout(project)
        self.layout.initializeDefaults()
        size = QgsLayoutSize(width_mm, height_mm, QgsUnitTypes.LayoutMillimeters)
        self.layout.pageCollection().page(0).setPageSize(size)

    def put(self, item: QgsLayoutItem, box: QRectF) -> None:
        """Add an item that fills ``box``."""
        self.layout.addLayoutItem(item)
        item.attemptMove(QgsLayoutPoint(box.x(), box.y(), QgsUnitTypes.LayoutMillimeters))
        size = QgsLayoutSize(box.width(), box.height(), QgsUnitTypes.LayoutMillimeters)
        item.attemptResize(size)

    def label(
        self, text: str, box: QRectF, points: float, *, bold: bool = False, colour: str = INK
    ) -> None:
        """Write text, wrapped inside ``box``."""
        item = QgsLayoutItemLabel(self.layout)
        item.setText(text)
        item.setFont(font(points, bold=bold))
        item.setFontColor(QColor(colour))
        item.setMargin(0)
        self.put(item, box)

    def square(self, colour: str, box: QRectF) -> None:
        """Draw a filled square without an outline."""
        item = QgsLayoutItemShape(self.layout)
        item.setShapeType(QgsLayoutItemShape.Shape.Rectangle)
        item.setSymbol(QgsFillSymbol.createSimple({"color": colour, "outline_style": "no"}))
        self.put(item, box)

    def map(self, layer: QgsRasterLayer, extent: QgsRectangle, box: QRectF) -> QgsLayoutItemMap:
        """Show one layer; nodata stays the colour of the ground."""
        item = QgsLayoutItemMap(self.layout)
        item.setLayers([layer])
        item.setKeepLayerSet(True)
        self.put(item, box)
        # An extent of the shape of the box: setExtent resizes the item to any other.
        item.setExtent(fitted(extent, box.width() / box.height()))
        item.setBackgroundColor(QColor(GROUND))
        item.setFrameEnabled(True)
        item.setFrameStrokeColor(QColor("#9aa3ad"))
        return item


def font(points: float, *, bold: bool = False) -> QFont:
    """Return the font of the sheet."""
    made = QFont("DejaVu Sans")
    made.setStyleHint(QFont.StyleHint.SansSerif)
    made.setPointSizeF(points)
    made.setBold(bold)
    return made


def open_layer(path: str, name: str) -> QgsRasterLayer:
    """Open a raster, in its own style where a .qml lies beside it."""
    layer = QgsRasterLayer(path, name)
    if not layer.isValid():
        raise SystemExit(f"QGIS cannot open {path}")
    return layer


def show_true_colour(
    layer: QgsRasterLayer, bands: list[int], stretch: list[tuple[float, float]]
) -> None:
    """Show three bands, each between two stored values."""
    provider = layer.dataProvider()
    renderer = QgsMultiBandColorRenderer(provider, *bands)
    setters = (
        renderer.setRedContrastEnhancement,
        renderer.setGreenContrastEnhancement,
        renderer.setBlueContrastEnhancement,
    )
    for band, limits, use in zip(bands, stretch, setters):
        enhancement = QgsContrastEnhancement(provider.dataType(band))
        enhancement.setContrastEnhancementAlgorithm(
            QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
        )
        # QGIS applies the scale and the offset of the file.
        scale, offset = provider.bandScale(band), provider.bandOffset(band)
        lower, upper = sorted(value * scale + offset for value in limits)
        enhancement.setMinimumValue(lower)
        enhancement.setMaximumValue(upper)
        use(enhancement)
    layer.setRenderer(renderer)


def fitted(extent: QgsRectangle, shape: float) -> QgsRectangle:
    """Return an extent grown about its centre to a ratio of width to height, and a bit more."""
    width = max(extent.width(), extent.height() * shape) * BORDER
    return QgsRectangle.fromCenterAndSize(extent.center(), width, width / shape)


def panel_height(extent: QgsRectangle) -> float:
    """Return the height of the panels for a scene."""
    height = PANEL_MM * float(extent.height()) / float(extent.width())
    return min(max(height, SHORTEST_MM), TALLEST_MM)


def panels_of(order: dict[str, Any]) -> list[list[Panel]]:
    """Open and style the layers; return two rows of three panels."""
    scene = open_layer(order["scene"], "scene")
    show_true_colour(scene, order["bands"], order["stretch"])
    layers = {"scene": scene}
    for name, style in STYLES_OF.items():
        if name in order:
            layers[name] = open_layer(order[name], name)
            STYLES[style](layers[name])
    mapped = Panel("Embedding", "First three principal components of tiny", layers["embedding"])
    if "classes" in order:
        mapped = Panel("Map of 40 labels a class", order["accuracy"], layers["classes"])
    return [
        [
            Panel("Scene", "True colour, 2 to 98 % of the values", scene),
            Panel("Dominant cover", "Mapped without a label", layers["dominant"]),
            Panel("Fractions", "Mixed pixels have mixed colours", layers["composite"]),
        ],
        [
            Panel("Uncertainty", "Standard error of the largest fraction", layers["uncertainty"]),
            mapped,
            Panel("Reconstruction error", "What surroundings do not explain", layers["error"]),
        ],
    ]


def draw(order: dict[str, Any], project: QgsProject) -> Sheet:
    """Lay out the sheet: a heading, two rows of maps, and below each what its colours mean."""
    rows = panels_of(order)
    scene = rows[0][0].layer
    for row in rows:
        for panel in row:
            project.addMapLayer(panel.layer)
    project.setCrs(scene.crs())
    project.setEllipsoid(scene.crs().ellipsoidAcronym() or "NONE")

    extent = scene.extent()
    height = panel_height(extent)
    width = 2 * MARGIN_MM + 3 * PANEL_MM + 2 * GAP_MM
    step = HEAD_MM + height + BELOW_MM
    sheet = Sheet(project, width, TOP_MM - HEAD_MM + len(rows) * step)
    heading = QRectF(MARGIN_MM, 8, width - 2 * MARGIN_MM, 8)
    sheet.label(Path(order["scene"]).name, heading, 16, bold=True)
    sheet.label(subtitle(scene), heading.translated(0, 8), 8.5, colour=FAINT)

    for down, row in enumerate(rows):
        for across, panel in enumerate(row):
            left, top = MARGIN_MM + across * (PANEL_MM + GAP_MM), TOP_MM + down * step
            sheet.label(panel.title, QRectF(left, top - 11, PANEL_MM, 6), 11, bold=True)
            sheet.label(panel.text, QRectF(left, top - 5.5, PANEL_MM, 5), 7.5, colour=FAINT)
            shown = sheet.map(panel.layer, extent, QRectF(left, top, PANEL_MM, height))
            below = top + height + 4
            if panel.layer is scene:
                names = [f"{centre_nm:.0f} nm" for centre_nm in order["centre_nm"]]
                add_channels(sheet, names, left, below)
                add_scale(sheet, shown, left, below + 7)
            else:
                add_legend(sheet, panel.layer, left, below)
    return sheet


def add_legend(sheet: Sheet, layer: QgsRasterLayer, left: float, top: float) -> None:
    """Say below a map what its colours mean."""
    if layer.name() in ("dominant", "classes"):
        add_classes(sheet, layer, left, top)
    elif layer.name() == "composite":
        add_channels(sheet, ["built, soil, dry", "vegetation", "water, snow"], left, top)
    elif layer.name() == "embedding":
        count = min(3, layer.bandCount())
        add_channels(sheet, ["PC 1", "PC 2", "PC 3"][: 3 if count == 3 else 1], left, top)
    elif layer.name() == "uncertainty":
        add_ramp(sheet, layer, left, top, "Standard error of a fraction", "")
    else:
        add_ramp(sheet, layer, left, top, "Spectral angle between scene and prediction", "°")


def add_classes(sheet: Sheet, layer: QgsRasterLayer, left: float, top: float) -> None:
    """Name the classes that occur, with their areas in per cent, the largest first."""
    counts = layer.dataProvider().histogram(1, 256, -0.5, 255.5).histogramVector
    found = [(counts[int(each.value)], each) for each in layer.renderer().classes()]
    found = sorted((pair for pair in found if pair[0]), key=lambda pair: -pair[0])
    total = sum(count for count, _ in found)
    for place, (count, each) in enumerate(found[:MOST_CLASSES]):
        x, y = left + place % 2 * PANEL_MM / 2, top + place // 2 * 4.6
        sheet.square(each.color.name(), QRectF(x, y + 0.6, 3.2, 3.2))
        text = f"{each.label}  {100 * count / total:.0f} %"
        sheet.label(text, QRectF(x + 4.4, y + 0.4, PANEL_MM / 2 - 5, 4), 7.5)


def subtitle(layer: QgsRasterLayer) -> str:
    """Return the size, bands, pixel and reference system of a scene in one line."""
    crs: QgsCoordinateReferenceSystem = layer.crs()
    parts = [f"{layer.width()} × {layer.height()} px", f"{layer.bandCount()} bands"]
    if crs.isValid():
        unit = QgsUnitTypes.toAbbreviatedString(crs.mapUnits())
        parts.append(f"pixel {layer.rasterUnitsPerPixelX():g} {unit}")
        parts.append(f"{crs.authid()} {crs.description()}".strip())
    return "   ·   ".join(parts)


def add_channels(sheet: Sheet, names: list[str], left: float, top: float) -> None:
    """Say what red, green and blue mean; one name alone is shown in grey."""
    colours = ("#d7301f", "#2c9f45", "#2b6fd6") if len(names) > 1 else ("#808080",)
    for number, (colour, name) in enumerate(zip(colours, names)):
        x = left + number * PANEL_MM / 3
        sheet.square(colour, QRectF(x, top + 0.6, 3.2, 3.2))
        sheet.label(name, QRectF(x + 4.4, top + 0.4, PANEL_MM / 3 - 5, 4), 7.5)


def add_ramp(
    sheet: Sheet, layer: QgsRasterLayer, left: float, top: float, title: str, unit: str
) -> None:
    """Draw a layer's colour ramp as QGIS's legend does."""
    settings = QgsColorRampLegendNodeSettings()
    settings.setOrientation(Qt.Orientation.Horizontal)
    settings.setUseContinuousLegend(True)
    settings.setSuffix(unit)
    digits = QgsBasicNumericFormat()
    digits.setNumberDecimalPlaces(1)
    settings.setNumericFormat(digits)
    shader = layer.renderer().shader().rasterShaderFunction()
    shader.setLegendSettings(settings)
    legend = QgsLayoutItemLegend(sheet.layout)
    legend.setAutoUpdateModel(False)
    tree = legend.model().rootGroup()
    tree.clear()
    node = tree.addLayer(layer)
    # The first node only repeats the name of the band.
    QgsMapLayerLegendUtils.setLegendNodeOrder(node, [1])
    QgsLegendRenderer.setNodeLegendStyle(node, QgsLegendStyle.Style.Hidden)
    legend.model().refreshLayerLegend(node)
    legend.setStyleFont(QgsLegendStyle.Style.SymbolLabel, font(7.5))
    legend.setBoxSpace(0)
    legend.setSymbolWidth(PANEL_MM)
    legend.setBackgroundEnabled(False)
    sheet.label(title, QRectF(left, top + 0.4, PANEL_MM, 4), 7.5)
    sheet.put(legend, QRectF(left, top + 5, PANEL_MM, 12))


def add_scale(sheet: Sheet, of: QgsLayoutItemMap, left: float, top: float) -> None:
    """Add a scale bar and a north arrow that belong to one map."""
    bar = QgsLayoutItemScaleBar(sheet.layout)
    bar.setLinkedMap(of)
    bar.setStyle("Single Box")
    bar.applyDefaultSize(bar.guessUnits())
    # A round length between a quarter and a half of the panel.
    bar.setSegmentSizeMode(QgsScaleBarSettings.SegmentSizeMode.SegmentSizeFitWidth)
    bar.setMinimumBarWidth(PANEL_MM / 4)
    bar.setMaximumBarWidth(PANEL_MM / 2)
    bar.setTextFormat(QgsTextFormat.fromQFont(font(7.5)))
    bar.setHeight(1.8)
    bar.setBoxContentSpace(0)
    sheet.put(bar, QRectF(left, top, PANEL_MM - 14, 12))
    arrow = QgsLayoutItemPicture(sheet.layout)
    arrow.setPicturePath(north_arrow())
    arrow.setLinkedMap(of)
    sheet.put(arrow, QRectF(left + PANEL_MM - 10, top - 6, 10, 14))


def north_arrow() -> str:
    """Return the path of one of QGIS's own north arrows."""
    for folder in QgsApplication.svgPaths():
        path = Path(folder) / "arrows" / "NorthArrow_02.svg"
        if path.is_file():
            return str(path)
    return ""


def keep_inputs_untouched(settings: QgsSettings) -> None:
    """Open layers without a stretch: QGIS would write its statistics beside the file."""
    for kind in ("singleBand", "multiBandSingleByte", "multiBandMultiByte"):
        settings.setValue(f"Raster/defaultContrastEnhancementLimits/{kind}", "None")


def main(argument: str) -> int:
    """Draw the map and return the exit status."""
    order = json.loads(argument)
    application = QgsApplication([], True)
    application.initQgis()
    keep_inputs_untouched(QgsSettings())
    try:
        sheet = draw(order, QgsProject.instance())
        settings = QgsLayoutExporter.ImageExportSettings()
        settings.dpi = RESOLUTION_DPI
        exporter = QgsLayoutExporter(sheet.layout)
        status = exporter.exportToImage(order["output"], settings)
        if status != QgsLayoutExporter.ExportResult.Success:
            sys.stderr.write(f"{order['output']} could not be written: {exporter.errorFile()}\n")
            return 1
    finally:
        QgsProject.instance().clear()
        application.exitQgis()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
