"""Which fields of a label layer can name classes, and which most likely does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from qgis.core import QgsFeatureRequest, QgsFields, QgsVectorLayer
from qgis.PyQt.QtCore import QMetaType

_CLASS_TYPES = (QMetaType.Type.QString, QMetaType.Type.Int, QMetaType.Type.LongLong)
# Whether reals are whole numbers is seen from so many features: more would hold up the window,
# and the engine, which reads all, refuses a class that is none.
_SAMPLE = 1000
# What numbers features in most files.
_KEYS = ("fid", "ogc_fid", "id", "gid", "objectid", "oid")


def likeliest_field(layer: QgsVectorLayer, fields: QgsFields) -> str:
    """Return the field that most likely names the classes: that of the style, else a text.

    The first field is mostly a number of the feature.
    """
    styled = getattr(layer.renderer(), "classAttribute", str)().strip('"')
    if fields.indexOf(styled) >= 0:
        return str(styled)
    texts = [field.name() for field in fields if field.type() == QMetaType.Type.QString]
    others = [name for name in fields.names() if name.lower() not in _KEYS]
    return next(iter([*texts, *others, *fields.names()]), "")


def class_fields(layer: Optional[QgsVectorLayer]) -> QgsFields:
    """Return a layer's fields of text or whole numbers.

    Shapefiles and tables of text often hold whole numbers, such as codes of classes, as reals.
    """
    found = QgsFields()
    if layer is not None:
        reals = [field.name() for field in layer.fields() if field.type() == QMetaType.Type.Double]
        whole = _whole_reals(layer, reals) if reals else []
        for field in layer.fields():
            if field.type() in _CLASS_TYPES or field.name() in whole:
                found.append(field)
    return found


def _whole_reals(layer: QgsVectorLayer, reals: Sequence[str]) -> list[str]:
    """Return the names of those fields of reals that hold whole numbers alone."""
    request = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry).setLimit(_SAMPLE)
    request.setSubsetOfAttributes(reals, layer.fields())
    rows = list(layer.getFeatures(request))
    columns = {
        # an empty field is no float
        name: [row[name] for row in rows if isinstance(row[name], float)]
        for name in reals
    }
    return [
        name
        for name, values in columns.items()
        if values and all(value.is_integer() for value in values)
    ]
