"""``hyperkd:quantize``: a smaller and faster model, unless it loses too much."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from ..messages import tr
from . import parameters
from .labelled_algorithm import LabelledAlgorithm, labels_help


class QuantizeAlgorithm(LabelledAlgorithm):
    """Gives a model fewer bits and compares it with what it was."""

    NAME = "quantize"
    KIND = "quantize"
    GROUP = "train"
    FIELDS = ("model", "input", "method", "labels", "output")
    SUFFIX = ".onnx"
    NEEDS_LABELS = False

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Quantise model")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Makes a model smaller and faster (int8, float16), unless it loses too much.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr("quantize,quantisation,int8,float16,onnx,smaller,faster,speed,deploy").split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Stores a model with fewer bits and compares it with the original on scenes "
                "that you choose. A model that loses more than you accept is not written.</p>"
                "<h3>Model</h3>"
                "<p>A student or a fine-tuned model: its name, or an <i>.onnx</i> file.</p>"
                "<h3>Rasters for the comparison</h3>"
                "<p>Scenes like those that the model will map.</p>"
                "<h3>Method</h3>"
                "<p><i>dynamic</i>: int8, for a CPU; usually the best choice. <i>static</i>: "
                "int8 with ranges from the calibration rasters among the advanced parameters. "
                "<i>float16</i>: half the size, for GPUs.</p>"
            )
            + labels_help()
            + tr(
                "<p>With labels, which only a fine-tuned model can be given, the loss is one "
                "of accuracy; without them one of agreement with the original.</p>"
                "<h3>Quantised model</h3>"
                "<p>The <i>.onnx</i> file to write. The run tells its size, what it loses, and "
                "how much faster it is here.</p>"
            )
            + parameters.band_overrides_help()
        )

    def numbers(self) -> list[QgsProcessingOutputDefinition]:
        """Return the outputs that are filled from the engine's summary."""
        return [
            QgsProcessingOutputNumber("LOSS", tr("Loss")),
            QgsProcessingOutputString("MEASURE", tr("Measure of the loss")),
            QgsProcessingOutputNumber("BYTES", tr("Size (bytes)")),
            QgsProcessingOutputNumber("BYTES_BEFORE", tr("Size before (bytes)")),
            QgsProcessingOutputNumber("SPEED", tr("Speed-up")),
        ]
