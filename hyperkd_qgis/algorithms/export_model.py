"""``hyperkd:export``: a checkpoint becomes an ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingContext

from ..messages import tr
from .engine_algorithm import EngineAlgorithm


class ExportAlgorithm(EngineAlgorithm):
    """Writes the model of a checkpoint as ONNX, with its card and its self-test."""

    NAME = "export"
    KIND = "export"
    GROUP = "train"
    FIELDS = ("checkpoint", "output")
    SUFFIX = ".onnx"
    TIER = "training"

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Export checkpoint")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Writes the student or model of a checkpoint as an ONNX file that runs anywhere.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr("onnx,model,convert,checkpoint,safetensors,deploy").split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return tr(
            "<p>Turns a checkpoint of a training into one ONNX file that every other algorithm "
            "runs, with a card that describes its input, output and accuracy, and with a "
            "self-test that any machine can repeat. Needs the packages for fine-tuning.</p>"
            "<h3>Checkpoint</h3>"
            "<p>The <i>.safetensors</i> file that a distillation or a fine-tuning has "
            "written.</p>"
            "<h3>Model</h3>"
            "<p>The <i>.onnx</i> file to write.</p>"
        )

    def _subject_of(self, values: dict[str, Any], context: QgsProcessingContext) -> str:
        return Path(self.parameterAsString(values, "CHECKPOINT", context)).stem
