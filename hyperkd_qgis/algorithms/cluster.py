"""``hyperkd:cluster``: groups of pixels that are alike."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

OUTPUT = "OUTPUT"


class ClusterAlgorithm(EngineAlgorithm):
    """Finds groups of pixels whose embeddings are alike, without labels."""

    NAME = "cluster"
    KIND = "cluster"
    GROUP = "run"
    FIELDS = ("input", "model", "classes", "output")
    NEEDS = ("embedding",)
    STYLES = {OUTPUT: "classes"}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Cluster scene")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Clusters the pixels by a student's embedding (k-means); needs no labels.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr("hyperspectral,unsupervised,k-means,segmentation,classes,embedding,enmap")
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Groups the pixels of a scene by k-means on a student's embedding: a first "
                "look at what is there, and at what a classification could tell apart.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) and a known scale to "
                "reflectance.</p>"
                "<h3>Student</h3>"
                "<p><i>tiny</i> comes with the plugin; or choose an .onnx file.</p>"
                "<h3>Clusters</h3>"
                "<p>How many. They are numbered by their size. Ask for more than you expect "
                "and merge them afterwards.</p>"
                "<h3>Cluster map</h3>"
                "<p>A GeoTIFF of bytes with names and colours; 0 is no data.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputString("CLUSTERS", tr("Pixels of each cluster")),
            QgsProcessingOutputNumber("EXPLAINED", tr("Explained variance (fraction)")),
            *parameters.run_outputs(),
        ]
