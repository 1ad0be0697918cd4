"""``hyperkd:modelinfo``: what a model is; read in QGIS itself, without the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
)

from ..cards import card_page
from ..messages import tr
from ..modelfile import Card, find_model, local_models, read_card
from . import parameters
from .declare import default_student
from .help import offering, with_help
from .named_algorithm import NamedAlgorithm
from .parameters import MODEL

OUTPUT = "OUTPUT"


class ModelInfoAlgorithm(NamedAlgorithm):
    """Shows a model's card."""

    NAME = "modelinfo"
    GROUP = "models"

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr("Model information")

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr("Shows a model's input, output and accuracy.")

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr("card,metadata,onnx,classes,bands,wavelengths,licence,provenance").split(",")

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        return tr(
            "<p>Shows the card of a model: task, bands, classes with their colours, metrics "
            "with their protocol, training, licence. Needs no engine.</p>"
            "<h3>Model</h3>"
            "<p>The name of a shipped or stored model, an <i>.onnx</i> file, or a "
            "<i>.safetensors</i> checkpoint.</p>"
            "<h3>Card</h3>"
            "<p>The HTML file to write. After the run it is under <i>Processing › Results "
            "Viewer</i>.</p>"
        )

    def initAlgorithm(self, configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare parameters and outputs."""
        self.addParameter(
            offering(
                with_help(
                    QgsProcessingParameterFile(
                        MODEL,
                        tr("Model (name or file)"),
                        behavior=QgsProcessingParameterFile.Behavior.File,
                        defaultValue=default_student(),
                        optional=True,
                        fileFilter="*.onnx *.safetensors (*.onnx *.safetensors);;*.* (*)",
                    ),
                    tr("The name of a shipped or stored model, or a file."),
                )
            )
        )
        self.addParameter(parameters.html_output(OUTPUT, tr("Card"), tr("The HTML file to write.")))
        self.addOutput(QgsProcessingOutputString("NAME", tr("Name")))
        self.addOutput(QgsProcessingOutputString("TASK", tr("Task")))
        self.addOutput(QgsProcessingOutputString("LICENCE", tr("Licence")))
        self.addOutput(QgsProcessingOutputString("CLASSES", tr("Classes, one per line")))
        self.addOutput(QgsProcessingOutputNumber("BANDS", tr("Bands")))

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Refuse what is no model."""
        good, problem = super().checkParameterValues(parameters, context)
        if good:
            problem = _read(self.parameterAsString(parameters, MODEL, context))[2]
        return not problem, problem

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Write the page."""
        path, card, problem = _read(self.parameterAsString(parameters, MODEL, context))
        if card is None:
            raise QgsProcessingException(problem)
        output = self.parameterAsFileOutput(parameters, OUTPUT, context)
        try:
            Path(output).write_text(card_page(card, path=path), encoding="utf-8")
        except OSError as error:
            text = tr("{path} cannot be written: {reason}.")
            raise QgsProcessingException(text.format(path=output, reason=error.strerror)) from error
        names = [str(each.get("name", "?")) for each in card.get("classes") or ()]
        return {
            OUTPUT: output,
            "NAME": str(card.get("name", "")),
            "TASK": str(card.get("task", "")),
            "LICENCE": str(card.get("licence", "")),
            "CLASSES": "\n".join(names),
            "BANDS": len(card.get("bands", {}).get("centre_nm", [])),
        }


def _read(text: str) -> tuple[Optional[Path], Optional[Card], str]:
    """Return the file and the card of a model, and otherwise what is wrong."""
    path = find_model(text or default_student())
    if path is None:
        known = ", ".join(each.stem for each in local_models())
        sentence = tr("There is no model “{name}”. There are: {known}.")
        return None, None, sentence.format(name=text, known=known)
    card = read_card(path)
    if card is None:
        sentence = tr("{file} has no HyperKD card: it is not a HyperKD model, or it is damaged.")
        return path, None, sentence.format(file=path.name)
    return path, card, ""
