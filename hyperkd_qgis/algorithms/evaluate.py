"""``hyperkd:evaluate``: how good is a model's map, with intervals."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
)

from ..messages import tr
from . import parameters
from .help import advanced
from .labelled_algorithm import LabelledAlgorithm, labels_help

REPORT = "REPORT"
PAGE = "PAGE"
TRAINING_LABELS = "TRAINING_LABELS"


class EvaluateAlgorithm(LabelledAlgorithm):
    """Judges a model's map by labels that it has not learned from."""

    NAME = "evaluate"
    KIND = "evaluate"
    GROUP = "assess"
    FIELDS = ("model", "input", "labels", "report")
    NEEDS = ("logits", "values")
    FEATURES = {**LabelledAlgorithm.FEATURES, TRAINING_LABELS: ""}
    FOLDER_PAGES = {PAGE: (REPORT, "report.html")}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Assess accuracy")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr(
            "Compares a model's map with reference labels: accuracies with confidence intervals."
        )

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "accuracy,confusion matrix,validation,test,report,kappa,f1,iou,rmse,calibration,area"
        ).split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Runs a fine-tuned model on the labelled pixels exactly as its map would be "
                "made, and writes a report: accuracies with confidence intervals, the "
                "confusion matrix, calibration, the spectra of each class, and what classical "
                "models reach. Labels that the model was trained on are reported separately "
                "where the model knows them.</p>"
                "<h3>Model</h3>"
                "<p>The name of a model of the store, or an <i>.onnx</i> file.</p>"
                "<h3>Hyperspectral rasters</h3>"
                "<p>The scenes that the labels lie on.</p>"
            )
            + labels_help()
            + tr(
                "<h3>Strata</h3>"
                "<p>Among the advanced parameters. Where the labels were drawn at random in "
                "the classes of a map, give that map: accuracies and areas of the whole map "
                "are estimated, with intervals.</p>"
                "<h3>Report</h3>"
                "<p>A folder with <i>report.html</i> and <i>report.json</i>. After the run the "
                "page is under <i>Processing › Results Viewer</i>.</p>"
            )
            + parameters.band_overrides_help()
        )

    def parameters_of(self, name: str) -> list[QgsProcessingParameterDefinition]:
        """Return what asks for one field of the job; training labels are features of a layer."""
        if name != TRAINING_LABELS.lower():
            return super().parameters_of(name)
        geometries = [QgsProcessing.SourceType.TypeVectorAnyGeometry]
        labels = QgsProcessingParameterFeatureSource(
            TRAINING_LABELS, tr("Training labels"), geometries, optional=True
        )
        text = tr(
            "The labels that the model was trained on; classical models are trained on them too."
        )
        return [advanced(labels, text)]
