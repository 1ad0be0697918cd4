"""``hyperkd:evaluate``: how good is a model's map, with intervals."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsProcessing, QgsProcessingOutputHtml, QgsProcessingParameterFeatureSource

from ..messages import tr
from . import parameters
from .declare import JobParameters
from .help import advanced
from .labelled import LabelledAlgorithm, label_parameters, labels_help

REPORT = "REPORT"
PAGE = "PAGE"
TRAINING_LABELS = "TRAINING_LABELS"


class EvaluateAlgorithm(LabelledAlgorithm):
    """Judges a model's map by labels that it has not learned from."""

    NAME = "evaluate"
    KIND = "evaluate"
    GROUP = "assess"
    NEEDS = ("logits", "values")
    FEATURES = {**LabelledAlgorithm.FEATURES, TRAINING_LABELS: ""}
    FOLDER_PAGES = {PAGE: (REPORT, "report.html")}

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Assess accuracy")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Compares a model's map with labels: accuracies with intervals, and what errs.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        words = tr(
            "accuracy,confusion matrix,validation,test,report,kappa,f1,iou,rmse,calibration,area"
        )
        return words.split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return (
            tr(
                "<p>Runs a fine-tuned model on the labelled pixels exactly as its map would be "
                "made, and writes a report: accuracies with confidence intervals, the confusion "
                "matrix, calibration, the spectra of each class, and what classical models "
                "reach. Labels that the model has learned from are told apart where the model "
                "knows them.</p>"
                "<h3>Model</h3>"
                "<p>The name of a model of the store, or an <i>.onnx</i> file.</p>"
                "<h3>Hyperspectral rasters</h3>"
                "<p>The scenes that the labels lie on.</p>"
            )
            + labels_help()
            + tr(
                "<h3>Strata</h3>"
                "<p>Among the advanced parameters. Where the labels were drawn at random in the "
                "classes of a map, give that map: accuracies and areas of the whole map are "
                "estimated, with intervals.</p>"
                "<h3>Report</h3>"
                "<p>A folder with <i>report.html</i> and <i>report.json</i>. After the run the "
                "page is under <i>Processing › Results Viewer</i>.</p>"
            )
            + parameters.band_overrides_help()
        )

    def initAlgorithm(self, configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare parameters and outputs."""
        job = JobParameters(self.KIND)
        made = [
            parameters.tuned_model(job, *self.NEEDS),
            job.make("input", tr("Hyperspectral rasters")),
            *label_parameters(),
            job.make("strata", tr("Strata"), folded=True),
            advanced(
                QgsProcessingParameterFeatureSource(
                    TRAINING_LABELS,
                    tr("Training labels"),
                    [QgsProcessing.SourceType.TypeVectorAnyGeometry],
                    optional=True,
                ),
                tr("What the model was trained on: classical models learn from it too."),
            ),
            job.make("training_input", tr("Rasters of the training labels"), folded=True),
            job.make("margin", tr("Margin inside polygons (pixels)"), folded=True),
            job.make("seed", tr("Seed"), folded=True),
            job.make("overlap", tr("Overlap of tiles (pixels)"), folded=True),
            job.make("batch", tr("Tiles computed at once"), folded=True),
            job.make("device", tr("Device"), folded=True),
            *parameters.band_overrides(),
            job.output("report", tr("Report")),
        ]
        for parameter in [*made[:-1], *job.rest(made), made[-1]]:
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputHtml(PAGE, tr("The report's page")))
