"""``hyperkd:quantize``: a smaller and faster model, unless it loses too much."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from ..messages import tr
from . import parameters
from .declare import JobParameters
from .labelled import LabelledAlgorithm, label_parameters, labels_help


class QuantizeAlgorithm(LabelledAlgorithm):
    """Gives a model fewer bits and compares it with what it was."""

    NAME = "quantize"
    KIND = "quantize"
    GROUP = "train"
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
                "<p>Gives a model fewer bits and compares it with the original on scenes that "
                "you name. A model that loses more than is accepted is not written.</p>"
                "<h3>Model</h3>"
                "<p>A student or a fine-tuned model: its name, or an <i>.onnx</i> file.</p>"
                "<h3>Rasters to compare on</h3>"
                "<p>Scenes like those that the model will map.</p>"
                "<h3>How</h3>"
                "<p><i>dynamic</i>: int8, for a CPU; the best choice mostly. <i>static</i>: int8 "
                "with ranges from the calibration rasters among the advanced parameters. "
                "<i>float16</i>: half the size, for GPUs.</p>"
            )
            + labels_help()
            + tr(
                "<p>With labels, which only a fine-tuned model can be given, the loss is one of "
                "accuracy; without them one of agreement with the original.</p>"
                "<h3>Smaller model</h3>"
                "<p>The <i>.onnx</i> file to write. The run tells its size, what it loses, and "
                "how much faster it is here.</p>"
            )
            + parameters.band_overrides_help()
        )

    def initAlgorithm(self, configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare parameters and outputs."""
        job = JobParameters(self.KIND)
        made = [
            parameters.tuned_model(job),
            job.make("input", tr("Rasters to compare on")),
            job.make("method", tr("How")),
            *label_parameters(),
            job.make("loss", tr("Largest accepted loss (percent points)"), folded=True),
            job.make("calibration", tr("Calibration rasters (static)"), folded=True),
            job.make("tiles", tr("Tiles to look at in each raster"), folded=True),
            job.make("margin", tr("Margin inside polygons (pixels)"), folded=True),
            job.make("device", tr("Device"), folded=True),
            *parameters.band_overrides(),
            job.output("output", tr("Smaller model"), suffix=".onnx"),
        ]
        for parameter in [*made[:-1], *job.rest(made), made[-1]]:
            self.addParameter(parameter)
        for output in (
            QgsProcessingOutputNumber("LOSS", tr("Loss")),
            QgsProcessingOutputString("MEASURE", tr("What the loss is measured by")),
            QgsProcessingOutputNumber("BYTES", tr("Size (bytes)")),
            QgsProcessingOutputNumber("BYTES_BEFORE", tr("Size before (bytes)")),
            QgsProcessingOutputNumber("SPEED", tr("Times as fast as before")),
        ):
            self.addOutput(output)
