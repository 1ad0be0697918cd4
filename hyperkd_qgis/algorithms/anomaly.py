"""``hyperkd:anomaly``: pixels that their surroundings do not explain."""

from __future__ import annotations

from qgis.core import QgsProcessingOutputDefinition, QgsProcessingOutputNumber

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

OUTPUT = "OUTPUT"
MASK = "MASK"


class AnomalyAlgorithm(EngineAlgorithm):
    """Scores how unexpected each pixel is, by a threshold that anomalies do not move."""

    NAME = "anomaly"
    KIND = "anomaly"
    GROUP = "run"
    FIELDS = ("input", "model", "measure", "threshold", "output", "mask")
    UNASKED = ("mask",)
    NEEDS = ("reconstruction",)
    STYLES = {OUTPUT: "score", MASK: "classes"}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Find anomalies")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Marks pixels that a student cannot explain from their surroundings.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "hyperspectral,anomaly,outlier,target detection,reconstruction error,unusual,enmap"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>A student predicts every place of the scene from its surroundings. Where "
                "the error is larger than usual in this scene, the place is unusual: another "
                "material, a faulty pixel, a sharp edge.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) and a known scale to "
                "reflectance.</p>"
                "<h3>Student</h3>"
                "<p><i>tiny</i> comes with the plugin; or choose an .onnx file.</p>"
                "<h3>Error</h3>"
                "<p><i>rmse</i> in reflectance, or the spectral <i>angle</i>, which ignores "
                "brightness but is mostly noise over water and in shadow.</p>"
                "<h3>Threshold</h3>"
                "<p>How many robust standard deviations above the median of the scene an "
                "anomaly lies; 3.5 is usual. The run tells which error that is and how many "
                "pixels are beyond it.</p>"
                "<h3>Anomaly score</h3>"
                "<p>Band 1 the score, band 2 the error. The colours end at a score of 7 in "
                "every scene, so that maps compare.</p>"
                "<h3>Anomalies</h3>"
                "<p>A map of 1 (as expected) and 2 (anomaly); not written unless you ask.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputNumber("ANOMALIES", tr("Pixels that are anomalies")),
            QgsProcessingOutputNumber("SHARE", tr("Fraction of all pixels")),
            QgsProcessingOutputNumber("MEDIAN_ERROR", tr("Median error")),
            QgsProcessingOutputNumber("THRESHOLD_ERROR", tr("Error at the threshold")),
            *parameters.run_outputs(),
        ]
