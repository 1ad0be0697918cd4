"""Parameters that several algorithms share.

Each is called like the job's field, in upper case, and has its default and its
bounds; a contract test compares them with the engine's schema.
"""

from __future__ import annotations

from typing import Optional

from qgis.core import (
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..messages import tr

INPUT = "INPUT"
MODEL = "MODEL"
OVERLAP = "OVERLAP"
BATCH = "BATCH"
DEVICE = "DEVICE"


def input_raster() -> QgsProcessingParameterDefinition:
    """Return the parameter of the scene."""
    return _with_help(
        QgsProcessingParameterRasterLayer(INPUT, tr("Hyperspectral raster")),
        tr("A raster whose bands tell their wavelengths."),
    )


def model() -> QgsProcessingParameterDefinition:
    """Return the parameter of the student: a name or an ``.onnx`` file."""
    # QGIS refuses values that no filter matches; the second one lets names pass.
    # Optional, because QGIS 3.22 takes a file that is left out for a missing one
    # although it has a default.
    return _with_help(
        QgsProcessingParameterFile(
            MODEL,
            tr("Student (name or .onnx file)"),
            behavior=QgsProcessingParameterFile.Behavior.File,
            defaultValue="tiny",
            optional=True,
            fileFilter=tr("ONNX models (*.onnx);;Names and other files (*)"),
        ),
        tr("The name of a shipped student, or the file of one."),
    )


def overlap() -> QgsProcessingParameterDefinition:
    """Return the parameter of the pixels that neighbouring tiles share."""
    return _advanced(
        integer(OVERLAP, tr("Overlap of tiles (pixels)"), minimum=0),
        tr("Pixels that neighbouring tiles share and blend; by default a quarter of the tile."),
    )


def batch() -> QgsProcessingParameterDefinition:
    """Return the parameter of the tiles computed at once."""
    return _advanced(
        integer(BATCH, tr("Tiles computed at once"), default=8, minimum=1, maximum=256),
        tr("Fewer tiles need less memory."),
    )


def device() -> QgsProcessingParameterDefinition:
    """Return the parameter of the device."""
    return _advanced(
        QgsProcessingParameterEnum(
            DEVICE,
            tr("Device"),
            options=["auto", "cpu", "cuda"],
            defaultValue="auto",
            usesStaticStrings=True,
        ),
        tr("Where to compute; auto takes a GPU only where the engine can use one."),
    )


def integer(
    name: str,
    description: str,
    *,
    default: Optional[int] = None,
    minimum: int,
    maximum: Optional[int] = None,
) -> QgsProcessingParameterNumber:
    """Return a whole number; without a default it is optional."""
    bounds = {"minValue": minimum}
    if maximum is not None:
        bounds["maxValue"] = maximum
    return QgsProcessingParameterNumber(
        name,
        description,
        type=QgsProcessingParameterNumber.Type.Integer,
        defaultValue=default,
        optional=default is None,
        **bounds,
    )


def raster_output(
    name: str, description: str, help_text: str, *, optional: bool = False, by_default: bool = True
) -> QgsProcessingParameterDefinition:
    """Return a raster to write."""
    parameter = QgsProcessingParameterRasterDestination(
        name, description, optional=optional, createByDefault=by_default
    )
    return _with_help(parameter, help_text)


def run_outputs() -> list[QgsProcessingOutputDefinition]:
    """Return what every run over a scene tells at its end."""
    return [
        QgsProcessingOutputNumber("TILES", tr("Tiles computed")),
        QgsProcessingOutputNumber("SKIPPED_TILES", tr("Tiles without data")),
        QgsProcessingOutputString("PROVIDER", tr("What computed them")),
    ]


def _with_help(
    parameter: QgsProcessingParameterDefinition, text: str
) -> QgsProcessingParameterDefinition:
    parameter.setHelp(text)
    return parameter


def _advanced(
    parameter: QgsProcessingParameterDefinition, text: str
) -> QgsProcessingParameterDefinition:
    parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    return _with_help(parameter, text)
