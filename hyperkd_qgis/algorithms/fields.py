"""From what the user chose to the fields of a job, and what is wrong with it.

By the type of a parameter; names play no part.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    NULL,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsRasterLayer,
)

from ..layers import UnusableLayerError, raster_source
from ..messages import tr
from .parameters import is_path, missing_file, not_a_number

Values = dict[str, Any]


def problem_of(
    algorithm: QgsProcessingAlgorithm,
    definition: QgsProcessingParameterDefinition,
    values: Values,
    context: QgsProcessingContext,
) -> str:
    """Return what is wrong with one parameter as a sentence, or an empty string."""
    name = definition.name()
    if definition.isDestination():
        good, problem = definition.isSupportedOutputValue(values.get(name), _unused(context))
        return _output_problem(values.get(name)) if good else problem
    if isinstance(definition, QgsProcessingParameterRasterLayer):
        if values.get(name) in (None, "", NULL):
            return ""  # what must be given is QGIS's own check
        layer = algorithm.parameterAsRasterLayer(values, name, context)
        return _layer_problem(layer, algorithm.parameterAsString(values, name, context))
    if is_rasters(definition):
        layers = algorithm.parameterAsLayerList(values, name, context)
        optional = definition.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional
        if not layers and not optional:
            return tr("Choose at least one raster.")
        return next(filter(None, (_layer_problem(each, "") for each in layers)), "")
    text = algorithm.parameterAsString(values, name, context)
    if isinstance(definition, QgsProcessingParameterFile):
        return missing_file(name, text)
    if isinstance(definition, QgsProcessingParameterNumber):
        # QGIS lets any text pass where a number may be left out.
        return not_a_number(name, text)
    return ""


def field_of(
    algorithm: QgsProcessingAlgorithm,
    definition: QgsProcessingParameterDefinition,
    values: Values,
    context: QgsProcessingContext,
) -> Any:
    """Return the job's field of one parameter; None leaves it to the engine's default."""
    name = definition.name()
    if isinstance(definition, QgsProcessingParameterRasterLayer):
        layer = algorithm.parameterAsRasterLayer(values, name, context)
        return None if layer is None else raster_source(layer)
    if is_rasters(definition):
        layers = algorithm.parameterAsLayerList(values, name, context)
        return [raster_source(layer) for layer in layers]
    if isinstance(definition, QgsProcessingParameterFeatureSource):
        return None  # written as a file when the run has begun, see geopackage.py
    if isinstance(definition, QgsProcessingParameterEnum):
        if definition.allowMultiple():
            return algorithm.parameterAsEnumStrings(values, name, context)
        return algorithm.parameterAsEnumString(values, name, context)
    if isinstance(definition, QgsProcessingParameterBoolean):
        return algorithm.parameterAsBoolean(values, name, context)
    if isinstance(definition, QgsProcessingParameterField):
        return algorithm.parameterAsFields(values, name, context)
    text = algorithm.parameterAsString(values, name, context)
    if isinstance(definition, QgsProcessingParameterNumber):
        # Not set arrives as None, a null variant or an empty string.
        if values.get(name) == NULL or not text:
            return None
        if definition.dataType() == QgsProcessingParameterNumber.Type.Integer:
            return algorithm.parameterAsInt(values, name, context)
        return algorithm.parameterAsDouble(values, name, context)
    if isinstance(definition, QgsProcessingParameterFile) and is_path(name, text):
        return os.path.abspath(text)
    # A text or a file that is left empty is the engine's default.
    return text or None


def is_rasters(definition: QgsProcessingParameterDefinition) -> bool:
    """Return whether a parameter takes several rasters."""
    return (
        isinstance(definition, QgsProcessingParameterMultipleLayers)
        and definition.layerType() == QgsProcessing.SourceType.TypeRaster
    )


def missing_raster(value: Any) -> str:
    """Name the first of several rasters whose file is missing; an empty string where none is.

    Args:
        value: of the parameter: layers, their ids or names, or files.
    """
    items = value if isinstance(value, (list, tuple)) else [value]
    for item in items:
        # What is no path may be the name of a layer.
        if isinstance(item, str) and os.path.dirname(item) and not os.path.exists(item):
            return _layer_problem(None, item)
    return ""


def _unused(context: QgsProcessingContext) -> QgsProcessingContext:
    """Return a context that is like another and may be spoilt.

    QGIS tries an output out by adding its layer, under a temporary name, to those that the
    context loads at the end; the run has another name for it, and the first never comes.
    """
    copy = QgsProcessingContext()
    copy.setProject(context.project())
    copy.setExpressionContext(context.expressionContext())
    return copy


def _output_problem(value: Any) -> str:
    """Say that an output cannot be written, as far as its folder tells."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.staticValue()
    text = str(value or "")
    if not text or text == QgsProcessing.TEMPORARY_OUTPUT:
        return ""
    folder = Path(text).absolute().parent
    # Folders that are missing are made by Processing.
    while not folder.exists() and folder != folder.parent:
        if folder.parent.is_file():
            break
        folder = folder.parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        return ""
    return tr("{path} cannot be written: choose another folder.").format(path=text)


def _layer_problem(layer: Optional[QgsRasterLayer], text: str) -> str:
    if layer is None or not layer.isValid():
        return tr(
            "The raster {source} cannot be opened. Check that the file exists and is a raster."
        ).format(source=text or ("?" if layer is None else layer.name()))
    if not isinstance(layer, QgsRasterLayer):
        return tr("“{layer}” is not a raster.").format(layer=layer.name())
    try:
        raster_source(layer)
    except UnusableLayerError as error:
        return str(error)
    return ""
