"""``hyperkd:detect``: where a scene holds a material, by its spectrum."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
)

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm
from .help import with_help

OUTPUT = "OUTPUT"
MASK = "MASK"
TARGET_PIXELS = "TARGET_PIXELS"


class DetectAlgorithm(EngineAlgorithm):
    """Looks for a target's spectrum against the background of the scene; it needs no model."""

    NAME = "detect"
    KIND = "detect"
    GROUP = "run"
    FIELDS = (
        *("input", "target_spectrum", "target_name", "target_pixels", "method", "false_alarms"),
        *("output", "mask"),
    )
    STYLES = {OUTPUT: "values", MASK: "classes"}
    FEATURES = {TARGET_PIXELS: ""}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Detect target")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Finds a material by its spectrum, from a spectral library or marked pixels.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "hyperspectral,target detection,spectral library,matched filter,ACE,CEM,SAM,"
            "spectral angle,mineral,material,false alarm"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Finds a material by its spectrum. Each pixel is compared with the target "
                "against the background of the scene, its mean and covariance; no model and no "
                "training are needed.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) and a known scale to "
                "reflectance.</p>"
                "<h3>Spectral library with the target</h3>"
                "<p>ENVI (.sli), CSV or other text, ASD, SVC (.sig), USGS, ECOSTRESS, or a "
                "library of the EnMAP-Box (GeoPackage, GeoJSON). The spectrum is resampled to the "
                "bands of the scene.</p>"
                "<h3>Name of the target in the library</h3>"
                "<p>Needed where the library has several spectra; #3 is the third one.</p>"
                "<h3>Target marked in the scene</h3>"
                "<p>Instead of a library: points or polygons on the target. Their mean is the "
                "target; they do not count as background.</p>"
                "<h3>Detector</h3>"
                "<p><i>ace</i>: adaptive cosine estimator, which ignores brightness. <i>mf</i>: "
                "matched filter; <i>cem</i>: constrained energy minimisation; both estimate the "
                "fraction of the target in the pixel. <i>sam</i>: spectral angle in degrees, "
                "where small is similar.</p>"
                "<h3>False-alarm rate</h3>"
                "<p>Fraction of the background that may be detected by mistake. The threshold is "
                "the score that this fraction of the scene's pixels exceeds; where the target "
                "covers more of the scene, choose a larger one.</p>"
                "<h3>Detection score</h3>"
                "<p>How much each pixel resembles the target, shown from its low to its high "
                "values.</p>"
                "<h3>Detections</h3>"
                "<p>A map of 1 (background) and 2 (target).</p>"
            )
            + parameters.band_overrides_help()
        )

    def parameters_of(self, name: str) -> list[QgsProcessingParameterDefinition]:
        """Return what asks for one field of the job; pixels are features of a layer."""
        if name != TARGET_PIXELS.lower():
            return super().parameters_of(name)
        places = QgsProcessingParameterFeatureSource(
            TARGET_PIXELS,
            tr("Target marked in the scene"),
            [QgsProcessing.SourceType.TypeVectorAnyGeometry],
            optional=True,
        )
        return [with_help(places, tr("Points, lines or polygons on the target."))]

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputNumber("DETECTIONS", tr("Pixels that are detections")),
            QgsProcessingOutputNumber("SHARE", tr("Fraction of all pixels")),
            QgsProcessingOutputNumber("THRESHOLD", tr("Threshold")),
            QgsProcessingOutputString("THRESHOLD_REASON", tr("Reason of the threshold")),
            QgsProcessingOutputString("TARGET", tr("Target")),
        ]
