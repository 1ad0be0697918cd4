"""``hyperkd:inspect``: a report that tells whether and how a raster can be used."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingOutputBoolean,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
)

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

OUTPUT = "OUTPUT"


class InspectAlgorithm(EngineAlgorithm):
    """Describes a raster, its spectra, and what a student gets from it."""

    NAME = "inspect"
    KIND = "inspect"
    GROUP = "prepare"
    FIELDS = ("input", "model", "output")
    SUFFIX = ".html"
    OFFERS = ("embedding",)
    SUITS_ANY_SCENE = True

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Inspect raster")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr(
            "Reports wavelengths, spectra and problems of a raster, and which bands a student uses."
        )

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr("hyperspectral,report,wavelengths,bands,bad bands,spectra,metadata,check,enmap")
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Writes a report about a hyperspectral raster: what its file says about "
                "bands, reflectance and missing data and where that was read, what is odd "
                "about it, its mean and percentile spectra, and which of its bands a student "
                "would use for which of its own. Run it before anything else on a new kind of "
                "raster.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm). One that does not suit the "
                "student is described all the same, with the reason.</p>"
                "<h3>Student</h3>"
                "<p><i>tiny</i> comes with the plugin; or choose an .onnx file.</p>"
                "<h3>Inspection report</h3>"
                "<p>One HTML file without anything around it. After the run it is under "
                "<i>Processing › Results Viewer</i>; any browser shows it too.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputBoolean("SUITS", tr("Suits the student")),
            QgsProcessingOutputNumber("GOOD_BANDS", tr("Good bands")),
            QgsProcessingOutputNumber("USED_BANDS", tr("Bands the student uses")),
        ]
