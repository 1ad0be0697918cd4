"""``hyperkd:reconstruct``: what a student expects to see, and how wrong it is."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingOutputDefinition

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

OUTPUT = "OUTPUT"
ERROR = "ERROR"


class ReconstructAlgorithm(EngineAlgorithm):
    """Predicts each place from its surroundings; where that fails, the place is unusual."""

    NAME = "reconstruct"
    KIND = "reconstruct"
    GROUP = "run"
    FIELDS = ("input", "model", "error", "output")
    UNASKED = ("output",)
    NEEDS = ("reconstruction",)
    STYLES = {ERROR: "error", OUTPUT: "true_colour"}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Reconstruct scene")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Predicts each pixel from its surroundings and maps the error.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr("hyperspectral,reconstruction,anomaly,error,spectral angle,deep learning,enmap")
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Hides every part of a hyperspectral scene in turn, lets a HyperKD student "
                "predict it from its surroundings, and compares. A large error marks what the "
                "surroundings do not explain: unusual materials, edges, or faulty pixels.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) and a known scale to "
                "reflectance.</p>"
                "<h3>Student</h3>"
                "<p><i>tiny</i> comes with the plugin; or choose an .onnx file.</p>"
                "<h3>Reconstruction error</h3>"
                "<p>The map shows the root mean square error in reflectance (band 2), from its "
                "2nd to its 98th percentile; bright means unlike its surroundings. Band 1 is "
                "the spectral angle in degrees, which ignores brightness and is therefore "
                "large over water and shadow.</p>"
                "<h3>Reconstruction</h3>"
                "<p>The predicted reflectance times 10000 in the student's bands, shown in "
                "true colour. Ask for it where you want to look at spectra; it is as large as "
                "the scene.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return parameters.run_outputs()

    def _problem(self, values: dict[str, Any], context: QgsProcessingContext) -> str:
        if not any(values.get(name) for name in (OUTPUT, ERROR)):
            return tr("Choose an output: the error, the reconstruction, or both.")
        return super()._problem(values, context)
