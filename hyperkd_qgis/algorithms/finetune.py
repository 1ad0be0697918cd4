"""``hyperkd:finetune``: a model of one's own from a few labels."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
)

from ..layers import class_colours
from ..messages import tr
from . import parameters
from .labelled_algorithm import FIELD, LABELS, LabelledAlgorithm, labels_help

REPORT = "REPORT"
PAGE = "PAGE"
COLOURS = "COLOURS"


class FinetuneAlgorithm(LabelledAlgorithm):
    """Trains a student on labels and says how good the result is."""

    NAME = "finetune"
    KIND = "finetune"
    GROUP = "train"
    FIELDS = ("input", "labels", "task", "student", "split", "tune", "output", "report")
    SUFFIX = ".onnx"
    TIER = "training"
    FOLDER_PAGES = {PAGE: (REPORT, "report.html")}
    # The window shows previews; a run without one has nowhere to show them.
    LEFT_OUT = frozenset({"preview", "preview_extent"})

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Fine-tune model")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Makes a model for your classes or quantities from a few labels, and tests it.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "train,fine-tuning,classification,regression,labels,polygons,land cover,transfer "
            "learning,deep learning"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Trains a student on labels and writes a model that <i>Classify scene</i> "
                "or <i>Map values</i> runs. Some of the labels are held out to test it; they "
                "lie apart from the others, so that the scores estimate accuracy at other "
                "places. Needs the packages for fine-tuning.</p>"
                "<h3>Hyperspectral rasters</h3>"
                "<p>One scene or several; every label layer is tried on each of them.</p>"
            )
            + labels_help()
            + tr(
                "<h3>Labels contain</h3>"
                "<p><i>classification</i>: the class of each feature. <i>regression</i>: one "
                "or several quantities.</p>"
                "<h3>Student</h3>"
                "<p>What to start from: <i>tiny</i> comes with the plugin; or a checkpoint "
                "(<i>.safetensors</i>), or <i>scratch</i>.</p>"
                "<h3>Held out for the test</h3>"
                "<p>What stays together: polygons, blocks of the scene, or whole scenes. With "
                "<i>random</i>, test pixels lie in the same polygons as training pixels; the "
                "report then calls its scores too high.</p>"
                "<h3>What is trained</h3>"
                "<p><i>auto</i> keeps the encoder of a student as it is (<i>frozen</i>), which "
                "is quick and needs few labels, and trains one from <i>scratch</i> in "
                "<i>full</i>.</p>"
                "<h3>Model</h3>"
                "<p>The <i>.onnx</i> file to write; its checkpoint is written beside it. The "
                "colours of the classes are those of the layer's style, where it is "
                "categorised by the field.</p>"
                "<h3>Report</h3>"
                "<p>A folder with <i>report.html</i>: accuracies with intervals, the confusion "
                "matrix, and what classical models reach on the same labels.</p>"
            )
            + parameters.band_overrides_help()
        )

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Read layers, and the colours of the labels' style."""
        good = super().prepareAlgorithm(parameters, context, feedback)
        layer = self.parameterAsVectorLayer(parameters, LABELS, context)
        fields = self.parameterAsFields(parameters, FIELD, context)
        if layer is not None and len(fields) == 1 and not self._fields[COLOURS.lower()]:
            self._fields[COLOURS.lower()] = class_colours(layer, fields[0])
        return good
