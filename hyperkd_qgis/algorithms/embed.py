"""``hyperkd:embed``: a raster of embeddings."""

from __future__ import annotations

from qgis.core import QgsProcessingOutputDefinition

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

OUTPUT = "OUTPUT"


class EmbedAlgorithm(EngineAlgorithm):
    """Describes each pixel with its surroundings by a few numbers."""

    NAME = "embed"
    KIND = "embed"
    GROUP = "run"
    FIELDS = ("input", "model", "components", "output")
    NEEDS = ("embedding",)
    STYLES = {OUTPUT: "embedding"}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Embed scene")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr(
            "Writes a student's embedding: learned features of each pixel and its surroundings."
        )

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr("hyperspectral,embedding,features,pca,principal components,deep learning,enmap")
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Runs a HyperKD student over a hyperspectral scene and writes, for each "
                "pixel, its embedding: learned features of the pixel and its surroundings. "
                "Similar surfaces get similar values: use the result for clustering, for "
                "finding similar places, or as input of a classifier.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm). EnMAP needs no preparation; "
                "other sensors are resampled to the student's bands on the fly.</p>"
                "<h3>Student</h3>"
                "<p><i>tiny</i> comes with the plugin; or choose an .onnx file.</p>"
                "<h3>Components</h3>"
                "<p>The embedding is reduced to this many principal components of this scene, "
                "ordered by how much they explain. 0 writes the embedding itself, which "
                "compares between scenes.</p>"
                "<h3>Embedding</h3>"
                "<p>A GeoTIFF with the grid of the input and no data where the input has none, "
                "shown as a colour image of its first three bands.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return parameters.run_outputs()
