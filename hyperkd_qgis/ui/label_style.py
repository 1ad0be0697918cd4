"""Gives a label layer the colours of its classes."""

from __future__ import annotations

from collections.abc import Mapping

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsRendererCategory,
    QgsSymbol,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor


def style_classes(layer: QgsVectorLayer, field: str, colours: Mapping[str, str]) -> None:
    """Categorise a layer by a field.

    Args:
        layer: whose style is replaced.
        field: the values that name classes.
        colours: ``#rrggbb`` by value.
    """
    values = layer.uniqueValues(layer.fields().indexOf(field))
    by_text = {_text(value): value for value in values}
    categories = []
    for text, colour in colours.items():
        symbol = QgsSymbol.defaultSymbol(layer.geometryType())
        symbol.setColor(QColor(colour))
        categories.append(QgsRendererCategory(by_text.get(text, text), symbol, text))
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, categories))
    layer.triggerRepaint()
    layer.emitStyleChanged()


def _text(value: object) -> str:
    """Return a value as the engine writes it: 3.0 is 3."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
