"""``hyperkd:regress``: a fine-tuned model's map of values."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingOutputDefinition,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
)

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

OUTPUT, UNCERTAINTY, DOMINANT = "OUTPUT", "UNCERTAINTY", "DOMINANT"
APPLICABILITY = "APPLICABILITY"


class RegressAlgorithm(EngineAlgorithm):
    """Maps values with a fine-tuned model."""

    NAME = "regress"
    KIND = "predict"
    GROUP = "run"
    FIELDS = ("input", "model", "output", "uncertainty", "dominant", "applicability")
    UNASKED = ("uncertainty", "dominant", "applicability")
    NEEDS = ("values",)
    STYLES = {
        OUTPUT: "values",
        UNCERTAINTY: "values",
        DOMINANT: "dominant",
        APPLICABILITY: "values",
    }
    LEFT_OUT = frozenset({"probabilities", "probability_type"})

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Map values (regression)")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr(
            "Maps the quantities that a model was fine-tuned on, for instance cover fractions."
        )

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "hyperspectral,regression,fraction,traits,unmixing,predict,inference,deep learning,"
            "enmap"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Runs a model that was fine-tuned for regression over a hyperspectral "
                "scene: cover fractions, plant traits, or any other quantity of its labels.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) and a known scale to "
                "reflectance. Other sensors than the model's are resampled on the fly; one "
                "that covers too little of its spectrum is refused.</p>"
                "<h3>Model</h3>"
                "<p>The name of a model of the store (<i>Plugins › HyperKD › Models…</i>), or "
                "an <i>.onnx</i> file. <i>Fine-tune</i> makes one from your labels.</p>"
                "<h3>Map of values</h3>"
                "<p>One band of float32 per target, in its unit. The run reports the fraction "
                "of pixels beyond the range of the training labels, where no model is "
                "reliable.</p>"
                "<h3>Uncertainty</h3>"
                "<p>One band per target: its standard error, where the model knows it.</p>"
                "<h3>Dominant cover</h3>"
                "<p>The cover with the largest fraction, where the model gives fractions of "
                "covers.</p>"
                "<h3>Applicability</h3>"
                "<p>How like a pixel is to what the model learned from, from 0 to 1, where the "
                "model knows it. Below 0.5 do not rely on its values: the surface may be none "
                "that it knows, or the raster no surface reflectance.</p>"
            )
            + parameters.band_overrides_help()
        )

    def parameters_of(self, name: str) -> list[QgsProcessingParameterDefinition]:
        """Return what asks for one field of the job; its map is one of values here."""
        made = super().parameters_of(name)
        if name == "output":
            made[0].setDescription(tr("Map of values"))
        return made

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputString(
                "BEYOND_TRAINING_RANGE", tr("Fraction of pixels beyond the range of the labels")
            ),
            *parameters.run_outputs(),
        ]
