"""Parameters that several algorithms share.

Each is called like the job's field, in upper case, and has its default and its
bounds; a contract test compares them with the engine's schema.
"""

from __future__ import annotations

import math
import os

from qgis.core import (
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFileDestination,
)

from ..messages import tr
from .help import with_help

INPUT = "INPUT"
PRODUCT = "PRODUCT"
MODEL = "MODEL"
BANDS = "BANDS"
SCALE = "SCALE"
NODATA = "NODATA"
PROBLEMS = "PROBLEMS"

# Files that may be given by a name instead, and the suffixes that tell the file.
_NAMED = {
    MODEL: (".onnx",),
    BANDS: (".csv",),
    "STUDENT": (".safetensors", ".onnx"),
    "PHYSICS": (".onnx",),
    "PREVIOUS": (".onnx",),
    "TEACHER": (".pt", ".pth", ".safetensors"),
}


def is_path(name: str, value: str) -> bool:
    """Return whether the value of a file parameter is a path and not a name."""
    suffixes = _NAMED.get(name, ("",))
    return bool(value) and (value.lower().endswith(suffixes) or os.path.basename(value) != value)


def missing_file(name: str, value: str) -> str:
    """Say that what a file parameter leads to is not there; an empty string where it is."""
    if not is_path(name, value):
        return ""
    if os.path.isfile(value) or (name == PRODUCT and os.path.isdir(value)):
        return ""
    sentences = {
        MODEL: tr("There is no model {path}. Choose an .onnx file or a name."),
        BANDS: tr("There is no band table {path}. Choose a CSV file, or write enmap."),
        PRODUCT: tr("There is no product {path}. Choose its file, or write its folder's path."),
    }
    return sentences.get(name, tr("There is no file {path}.")).format(path=value)


def not_a_number(name: str, text: str) -> str:
    """Say that the text of a number parameter is none; an empty string where it is, or unset."""
    try:
        good = not text or math.isfinite(float(text))
    except ValueError:
        good = False
    return (
        "" if good else tr("{name} must be a number, but is “{text}”.").format(name=name, text=text)
    )


def band_overrides_help() -> str:
    """Return what the help of an algorithm says about ``band_overrides``."""
    return tr(
        "<h3>Band table, scale, nodata</h3>"
        "<p>Among the advanced parameters, for a raster that lost its metadata: the sensor "
        "(<i>enmap</i>, or <i>enmap-202</i> where the water vapour bands were removed) or a "
        "CSV with one row per band; the reflectance of a stored 1; the no-data value. Each "
        "replaces what the file says.</p>"
    )


def html_output(name: str, description: str, help_text: str) -> QgsProcessingParameterDefinition:
    """Return a report to write, which QGIS shows in its Results Viewer."""
    parameter = QgsProcessingParameterFileDestination(name, description, tr("HTML files (*.html)"))
    return with_help(parameter, help_text)


def run_outputs() -> list[QgsProcessingOutputDefinition]:
    """Return what every run over a scene tells at its end."""
    return [
        QgsProcessingOutputNumber("TILES", tr("Tiles computed")),
        QgsProcessingOutputNumber("SKIPPED_TILES", tr("Tiles without data")),
        QgsProcessingOutputString("PROVIDER", tr("Execution provider")),
    ]
