"""``hyperkd:firstlook``: what covers a scene, without a label."""

from __future__ import annotations

from qgis.core import QgsProcessingOutputDefinition, QgsProcessingOutputString

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm


class FirstLookAlgorithm(EngineAlgorithm):
    """Maps what covers a scene."""

    NAME = "firstlook"
    KIND = "firstlook"
    GROUP = "run"
    FIELDS = ("input", "model", "dominant", "composite", "uncertainty", "fractions")
    NEEDS = ("fractions",)
    # The first lies on top.
    STYLES = {
        "DOMINANT": "dominant",
        "COMPOSITE": "composite",
        "UNCERTAINTY": "standard_error",
        "FRACTIONS": "fractions",
    }

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("First look")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Maps what covers a scene, without a label: fractions, dominant cover, error.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "hyperspectral,land cover,fraction,unmixing,overview,begin,built,soil,vegetation,water,"
            "snow,cloud,enmap"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Maps the fractions of built surfaces, bare soil, herbaceous plants, trees, dry "
                "vegetation, water, snow and cloud in each pixel. No label is needed. <i>First "
                "look</i> in the toolbar does the same for the active layer, without a dialog.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Surface reflectance with band wavelengths (nm or µm) and a known scale. Up to "
                "half of the model's bands may be missing.</p>"
                "<h3>Model</h3>"
                "<p><i>cover</i> comes with the plugin; or choose another model for fractions of "
                "covers.</p>"
                "<h3>Dominant cover</h3>"
                "<p>The cover with the largest fraction, as a class map; 0 is no data.</p>"
                "<h3>Fractions as colours</h3>"
                "<p>Red: built, bare soil and dry vegetation. Green: herbaceous and trees. Blue: "
                "water, snow and cloud. Mixed pixels have mixed colours.</p>"
                "<h3>Uncertainty</h3>"
                "<p>The standard error of the largest fraction, as learnt from simulated spectra. "
                "The log says where much of the scene is unlike what the model knows.</p>"
                "<h3>Fractions</h3>"
                "<p>One band per cover, from 0 to 1; they sum to 1.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputString("MEAN_FRACTIONS", tr("Mean fraction of each cover")),
            QgsProcessingOutputString("DOMINANT_PIXELS", tr("Pixels of each dominant cover")),
            *parameters.run_outputs(),
        ]
