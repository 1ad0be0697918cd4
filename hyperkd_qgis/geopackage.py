"""Features as GeoPackages: the form in which labels and places reach the engine.

The engine is another process, which sees neither the selection of a layer nor its edits,
nor layers in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qgis.core import (
    QgsCoordinateTransformContext,
    QgsFeatureSink,
    QgsProcessingFeatureSource,
    QgsVectorFileWriter,
)

from .layers import UnusableLayerError
from .messages import tr


def save_options() -> QgsVectorFileWriter.SaveVectorOptions:
    """Return how features are written, whoever writes them."""
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = "features"
    # A layer's column called like the key of a GeoPackage would have to be unique, and one
    # called like its geometry could not be written: so both get names that no layer has.
    options.layerOptions = ["FID=hyperkd_fid", "GEOMETRY_NAME=hyperkd_geometry"]
    return options


def require_features(count: int, layer: str) -> None:
    """Raise UnusableLayerError where there is nothing to write."""
    if count == 0:
        text = tr("“{layer}” has no features to use. Is nothing selected?")
        raise UnusableLayerError(text.format(layer=layer))


def write_features(source: QgsProcessingFeatureSource, fields: Sequence[str], folder: Path) -> Path:
    """Write features, the selected ones alone where that was asked for; return the file.

    Args:
        source: the features; call it in the thread that it was made for.
        fields: names of the fields to keep; empty keeps all.
        folder: where to write the file.

    Raises:
        UnusableLayerError: there are no features, or they cannot be written.
    """
    require_features(source.featureCount(), source.sourceName())
    path = folder / "features.gpkg"
    kept = source.fields()
    for index in reversed(range(kept.count())):
        if fields and kept.at(index).name() not in fields:
            kept.remove(index)
    context = QgsCoordinateTransformContext()
    writer = QgsVectorFileWriter.create(
        str(path), kept, source.wkbType(), source.sourceCrs(), context, save_options()
    )
    positions = [source.fields().indexOf(field.name()) for field in kept]
    for feature in source.getFeatures():
        feature.setAttributes([feature.attribute(position) for position in positions])
        if not writer.addFeature(feature, QgsFeatureSink.Flag.FastInsert):
            break
    wrong = writer.errorMessage()
    del writer  # closes the file
    if wrong:
        text = tr("“{layer}” cannot be handed to the engine: {reason}")
        raise UnusableLayerError(text.format(layer=source.sourceName(), reason=wrong))
    return path
