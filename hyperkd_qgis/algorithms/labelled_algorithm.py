"""What algorithms have in common that read scenes with labels."""

from __future__ import annotations

from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterMultipleLayers,
)

from ..messages import tr
from .engine_algorithm import EngineAlgorithm
from .help import advanced, with_help

INPUT = "INPUT"
LABELS = "LABELS"
LABEL_RASTERS = "LABEL_RASTERS"
FIELD = "FIELD"


class LabelledAlgorithm(EngineAlgorithm):
    """Hands labels over: features of a layer, or of its selection, and class rasters.

    Attributes:
        NEEDS_LABELS: whether there is nothing to do without them.
    """

    NEEDS_LABELS: ClassVar[bool] = True
    FEATURES = {LABELS: FIELD}
    ALSO = {LABEL_RASTERS: "labels"}

    def _problem(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        source = self.parameterAsSource(parameters, LABELS, context)
        rasters = self.parameterAsLayerList(parameters, LABEL_RASTERS, context)
        if self.NEEDS_LABELS and source is None and not rasters:
            return tr("Choose labels: a layer of polygons, lines or points, or a class raster.")
        fields = self.parameterAsFields(parameters, FIELD, context)
        if source is not None and not fields and source.fields().count() > 1:
            names = ", ".join(field.name() for field in source.fields())
            return tr("Choose the field that holds the labels. “{layer}” has {names}.").format(
                layer=source.sourceName(), names=names
            )
        return super()._problem(parameters, context)

    def parameters_of(self, name: str) -> list[QgsProcessingParameterDefinition]:
        """Return the parameters of a field: of labels three, their field among them."""
        if name == "field":
            return []
        if name != "labels":
            return super().parameters_of(name)
        geometries = [QgsProcessing.SourceType.TypeVectorAnyGeometry]
        labels = QgsProcessingParameterFeatureSource(
            LABELS, tr("Labels"), geometries, optional=True
        )
        field = QgsProcessingParameterField(
            FIELD,
            tr("Field of the labels"),
            parentLayerParameterName=LABELS,
            allowMultiple=True,
            optional=True,
        )
        rasters = QgsProcessingParameterMultipleLayers(
            LABEL_RASTERS, tr("Class rasters"), QgsProcessing.SourceType.TypeRaster, optional=True
        )
        text = tr("Polygons, lines or points with their class or quantity in a field.")
        return [
            with_help(labels, text),
            with_help(field, tr("The class, or a numeric field per target.")),
            advanced(rasters, tr("Class rasters as labels, instead of features or in addition.")),
        ]


def labels_help() -> str:
    """Return what the help of an algorithm says about its labels."""
    return tr(
        "<h3>Labels</h3>"
        "<p>A layer of polygons, lines or points. Tick <i>Selected features only</i> to use a "
        "part of it; layers that exist in QGIS only, and edits that are not saved yet, count "
        "too. A pixel belongs to a polygon when its centre does. Instead of features, or "
        "besides them, class rasters can be given among the advanced parameters.</p>"
        "<h3>Field of the labels</h3>"
        "<p>The class of each feature, or for a regression one numeric field per target.</p>"
    )
