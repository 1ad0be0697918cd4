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
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..messages import tr
from .declare import JobParameters
from .help import advanced, offering, with_help

INPUT = "INPUT"
PRODUCT = "PRODUCT"
MODEL = "MODEL"
BANDS = "BANDS"
SCALE = "SCALE"
NODATA = "NODATA"

# Files that may be given by a name instead, and the suffixes that tell the file.
_NAMED = {
    MODEL: (".onnx",),
    BANDS: (".csv",),
    "STUDENT": (".safetensors", ".onnx"),
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


def input_raster() -> QgsProcessingParameterDefinition:
    """Return the parameter of the scene."""
    return with_help(
        QgsProcessingParameterRasterLayer(INPUT, tr("Hyperspectral raster")),
        tr("A raster whose bands tell their wavelengths."),
    )


def product() -> QgsProcessingParameterDefinition:
    """Return the parameter of a delivered product: a file, or a folder whose path is written."""
    # The last filter lets folders pass, which have no suffix.
    return with_help(
        QgsProcessingParameterFile(
            PRODUCT,
            tr("Product (file or folder)"),
            behavior=QgsProcessingParameterFile.Behavior.File,
            fileFilter=tr(
                "Products (*METADATA.XML *.zip *.he5 *.nc *SPECTRAL_IMAGE.tif);;"
                "Folders and other files (*)"
            ),
        ),
        tr("What was delivered: a METADATA.XML, .zip, .he5 or .nc, or the path of a folder."),
    )


def model() -> QgsProcessingParameterDefinition:
    """Return the parameter of the student: a name or an ``.onnx`` file."""
    # QGIS refuses values that no filter matches; the second one lets names pass.
    # Optional, because QGIS 3.22 takes a file that is left out for a missing one
    # although it has a default.
    made = with_help(
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
    return offering(made, "embedding")


def tuned_model(job: JobParameters, *offer: str) -> QgsProcessingParameterDefinition:
    """Return the parameter of a model.

    Args:
        job: its job.
        offer: what it must compute, see ``help.offering``.
    """
    return offering(job.make("model", tr("Model (name or .onnx file)")), *offer)


def run_parameters(job: JobParameters) -> list[QgsProcessingParameterDefinition]:
    """Return what every run over a scene can be told besides its scene and its model."""
    titles = {
        "overlap": tr("Overlap of tiles (pixels)"),
        "batch": tr("Tiles computed at once"),
        "device": tr("Device"),
        "memory_mb": tr("Memory (MB)"),
        "unreadable": tr("Where the file cannot be read"),
        "format": tr("Layout of the files"),
        "resume": tr("Go on with an interrupted run"),
    }
    told = [job.make(name, title, folded=True) for name, title in titles.items()]
    return [*told, *band_overrides()]


def band_overrides() -> list[QgsProcessingParameterDefinition]:
    """Return the parameters that tell what a raster does not say, or says wrongly."""
    bands = QgsProcessingParameterFile(
        BANDS,
        tr("Band table (sensor or CSV file)"),
        behavior=QgsProcessingParameterFile.Behavior.File,
        optional=True,
        fileFilter=tr("Band tables (*.csv);;Sensors and other files (*)"),
    )
    scale = _optional_double(SCALE, tr("Scale (reflectance per stored unit)"))
    # The widget shows six digits unless it is told; a scale may well be 0.0000275.
    scale.setMetadata({"widget_wrapper": {"decimals": 9}})
    nodata = _optional_double(NODATA, tr("Value without meaning (nodata)"))
    return [
        advanced(
            bands,
            tr(
                "Believed instead of the file: enmap, enmap-202, or a CSV with one row per band "
                "(wavelength_nm, fwhm_nm, bbl, scale, offset)."
            ),
        ),
        advanced(
            scale,
            tr("Believed instead of the file; 0.0001 where 10000 stands for a reflectance of 1."),
        ),
        advanced(nodata, tr("Believed instead of the file; may be 0 or negative.")),
    ]


def band_overrides_help() -> str:
    """Return what the help of an algorithm says about ``band_overrides``."""
    return tr(
        "<h3>Band table, scale, nodata</h3>"
        "<p>Among the advanced parameters, for a raster that lost its metadata: the sensor "
        "(<i>enmap</i>, or <i>enmap-202</i> where the water vapour bands were removed) or a CSV "
        "with one row per band; the reflectance that a stored 1 stands for; the value that "
        "means no data. Each is believed instead of what the file says.</p>"
    )


def _optional_double(name: str, description: str) -> QgsProcessingParameterNumber:
    return QgsProcessingParameterNumber(
        name, description, type=QgsProcessingParameterNumber.Type.Double, optional=True
    )


def several(name: str, description: str, options: list[str]) -> QgsProcessingParameterEnum:
    """Return a choice of any number of options, by default none."""
    return QgsProcessingParameterEnum(
        name,
        description,
        options=options,
        allowMultiple=True,
        defaultValue=[],
        optional=True,
        usesStaticStrings=True,
    )


def raster_output(
    name: str, description: str, help_text: str, *, optional: bool = False, by_default: bool = True
) -> QgsProcessingParameterDefinition:
    """Return a raster to write."""
    parameter = QgsProcessingParameterRasterDestination(
        name, description, optional=optional, createByDefault=by_default
    )
    return with_help(parameter, help_text)


def html_output(name: str, description: str, help_text: str) -> QgsProcessingParameterDefinition:
    """Return a report to write, which QGIS shows in its Results Viewer."""
    parameter = QgsProcessingParameterFileDestination(name, description, tr("HTML files (*.html)"))
    return with_help(parameter, help_text)


def run_outputs() -> list[QgsProcessingOutputDefinition]:
    """Return what every run over a scene tells at its end."""
    return [
        QgsProcessingOutputNumber("TILES", tr("Tiles computed")),
        QgsProcessingOutputNumber("SKIPPED_TILES", tr("Tiles without data")),
        QgsProcessingOutputString("PROVIDER", tr("What computed them")),
    ]
