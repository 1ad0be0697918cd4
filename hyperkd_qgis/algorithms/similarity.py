"""``hyperkd:similarity``: where does the scene look like these places."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
)

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm
from .help import with_help

OUTPUT = "OUTPUT"
PLACES = "PLACES"


class SimilarityAlgorithm(EngineAlgorithm):
    """Compares every pixel with the places that features mark, in a student's embedding."""

    NAME = "similarity"
    KIND = "similarity"
    GROUP = "run"
    FIELDS = ("input", "places", "model", "output")
    NEEDS = ("embedding",)
    STYLES = {OUTPUT: "similarity"}
    FEATURES = {PLACES: ""}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Find similar places")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Maps how similar each pixel is to places that you mark.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "hyperspectral,similarity,search,target detection,embedding,cosine,query,more like this"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Mark a few places of what you look for; the map shows where the scene is "
                "similar, by a student's embedding. No classes and no training are needed.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) and a known scale to "
                "reflectance.</p>"
                "<h3>Places</h3>"
                "<p>Points, lines or polygons; several kinds of places may be marked at once. "
                "Tick <i>Selected features only</i> to use a part of the layer.</p>"
                "<h3>Student</h3>"
                "<p><i>tiny</i> comes with the plugin; or choose an .onnx file.</p>"
                "<h3>Similarity</h3>"
                "<p>1 is identical, 0 has nothing in common. Each pixel is compared with the "
                "most similar marked place. With three or more features the run suggests a "
                "threshold: nine in ten of the marked pixels are at least that similar to "
                "another feature.</p>"
            )
            + parameters.band_overrides_help()
        )

    def parameters_of(self, name: str) -> list[QgsProcessingParameterDefinition]:
        """Return what asks for one field of the job; places are features of a layer."""
        if name != PLACES.lower():
            return super().parameters_of(name)
        geometries = [QgsProcessing.SourceType.TypeVectorAnyGeometry]
        places = QgsProcessingParameterFeatureSource(PLACES, tr("Places"), geometries)
        return [with_help(places, tr("Points, lines or polygons of what you look for."))]

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputNumber("REFERENCES", tr("Marked pixels")),
            QgsProcessingOutputNumber("THRESHOLD", tr("Suggested threshold")),
            *parameters.run_outputs(),
        ]
