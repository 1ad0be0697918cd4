"""``hyperkd:classify``: a fine-tuned model's class map, and how sure it is."""

from __future__ import annotations

from qgis.core import QgsProcessingOutputDefinition, QgsProcessingOutputString

from ..messages import tr
from . import parameters
from .engine_algorithm import EngineAlgorithm

OUTPUT = "OUTPUT"
PROBABILITIES = "PROBABILITIES"
UNCERTAINTY = "UNCERTAINTY"


class ClassifyAlgorithm(EngineAlgorithm):
    """Maps classes with a fine-tuned model."""

    NAME = "classify"
    KIND = "predict"
    GROUP = "run"
    FIELDS = ("input", "model", "output", "probabilities", "uncertainty")
    UNASKED = ("probabilities", "uncertainty")
    LEFT_OUT = frozenset({"dominant", "applicability"})
    NEEDS = ("logits",)
    STYLES = {OUTPUT: "classes", PROBABILITIES: "probabilities", UNCERTAINTY: "uncertainty"}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Classify scene")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Maps the classes that a model was fine-tuned on, with probabilities.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "hyperspectral,classification,land cover,class map,probability,uncertainty,entropy,"
            "predict,inference,deep learning,enmap"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Runs a model that was fine-tuned for classification over a hyperspectral "
                "scene.</p>"
                "<h3>Hyperspectral raster</h3>"
                "<p>Any raster with band wavelengths (nm or µm) and a known scale to "
                "reflectance. Other sensors than the model's are resampled on the fly; one "
                "that covers too little of its spectrum is refused.</p>"
                "<h3>Model</h3>"
                "<p>The name of a model of the store (<i>Plugins › HyperKD › Models…</i>), or "
                "an <i>.onnx</i> file. <i>Fine-tune</i> makes one from your labels.</p>"
                "<h3>Class map</h3>"
                "<p>A GeoTIFF of bytes with the names and colours of the classes; 0 is no "
                "data.</p>"
                "<h3>Probabilities</h3>"
                "<p>One band per class. They are calibrated where the fine-tuning had labels "
                "to calibrate with.</p>"
                "<h3>Uncertainty</h3>"
                "<p>Band 1 is the margin between the two most probable classes (0 is a tie), "
                "band 2 the entropy of all (0 is certain). Look there before you trust a "
                "border.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputString("CLASSES", tr("Pixels of each class")),
            *parameters.run_outputs(),
        ]
