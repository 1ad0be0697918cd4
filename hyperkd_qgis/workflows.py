"""The Processing models that come with the plugin, as algorithms of its provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsMessageLog,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelOutput,
    QgsProcessingParameterDefinition,
)
from qgis.PyQt.QtGui import QIcon

from .algorithms.help import help_url, offer_of, offering
from .layers import place_on_load
from .messages import LOG_TAG, tr
from .paths import home, icon_path

# The input that layers are named after.
_SCENE = "scene"


class Workflow(QgsProcessingModelAlgorithm):
    """A shipped model: its id stays, what is read of it is translated."""

    def __init__(self) -> None:
        super().__init__()
        self._subject = ""

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return str(self.helpContent().get("SHORT_DESCRIPTION", "")) or self.name()

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return str(self.helpContent().get("ALG_DESC", ""))

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        content = self.helpContent()
        parts = [f"<p>{content.get('ALG_DESC', '')}</p>"]
        folded = QgsProcessingParameterDefinition.Flag.FlagAdvanced
        shown = self.parameterDefinitions()
        for definition in sorted(shown, key=lambda each: bool(each.flags() & folded)):
            text = content.get(definition.name())
            if text:
                parts.append(f"<h3>{definition.description()}</h3><p>{text}</p>")
        return "".join(parts)

    def helpUrl(self) -> str:
        """Return the page in the manual."""
        return help_url("workflows")

    def createInstance(self) -> Workflow:
        """Return a copy, as dialogs show and runs need one; QGIS's own would be no Workflow."""
        copy = Workflow()
        copy.loadVariant(self.toVariant())
        copy.setSourceFilePath(self.sourceFilePath())
        copy.complete()
        return copy

    def complete(self) -> None:
        """Have dialogs propose all results and list the models that fit the steps."""
        for definition in self.destinationParameterDefinitions():
            definition.setCreateByDefault(True)
        for name, offers in self._offers().items():
            offering(self.parameterDefinition(name), *set.intersection(*offers))

    def _offers(self) -> dict[str, list[set[str]]]:
        """Return what the steps that are known want of the models among the inputs."""
        found: dict[str, list[set[str]]] = {}
        for child in self.childAlgorithms().values():
            for name, sources in child.parameterSources().items():
                step = child.algorithm()
                offer = None if step is None else offer_of(step.parameterDefinition(name))
                for source in sources if offer is not None else ():
                    if source.parameterName():
                        found.setdefault(source.parameterName(), []).append(set(offer))
        return found

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Remember what the run is about, for the names of its layers."""
        if self.parameterDefinition(_SCENE) is not None:
            layer = self.parameterAsRasterLayer(parameters, _SCENE, context)
            self._subject = "" if layer is None else layer.name()
        return bool(super().prepareAlgorithm(parameters, context, feedback))

    def postProcessAlgorithm(
        self, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Name and place the layers that QGIS will load; it calls this before it loads them.

        By itself it calls them by the names of the model's outputs, which are for scripts.
        """
        for path, details in context.layersToLoadOnCompletion().items():
            for output in self._outputs():
                if details.name in (output.name(), output.description()):
                    about = f": {self._subject}" if self._subject else ""
                    place_on_load(context, path, (details.name,), output.description() + about)
                    break
        return dict(super().postProcessAlgorithm(context, feedback))

    def _outputs(self) -> list[QgsProcessingModelOutput]:
        children = self.childAlgorithms().values()
        return [output for child in children for output in child.modelOutputs().values()]

    def translate(self) -> None:
        """Put all texts into the user's language; a copy takes them over."""
        self.setHelpContent({key: tr(str(text)) for key, text in self.helpContent().items()})
        for definition in self.parameterDefinitions():
            definition.setDescription(tr(definition.description()))
            definition.setHelp(tr(definition.help()))
        for child in self.childAlgorithms().values():
            outputs = child.modelOutputs()
            for output in outputs.values():
                output.setDescription(tr(output.description()))
            child.setModelOutputs(outputs)
            self.setChildAlgorithm(child)

    def group(self) -> str:
        """Return the group as the toolbox shows it."""
        return tr("Workflows")

    def groupId(self) -> str:
        """Return the group's id."""
        return "workflows"

    def icon(self) -> QIcon:
        """Return the icon."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """Return the path of the icon."""
        return icon_path("workflow")


def workflows_folder() -> Path:
    """Return the folder of the shipped models."""
    return home() / "resources" / "models"


def load() -> list[Workflow]:
    """Return the shipped models; one that cannot be read is named in the log and left out."""
    made = []
    for path in sorted(workflows_folder().glob("*.model3")):
        model = Workflow()
        if model.fromFile(str(path)) and model.name():
            model.setSourceFilePath(str(path))
            model.translate()
            model.complete()
            made.append(model)
        else:
            text = tr("The model {path} cannot be read.").format(path=path)
            QgsMessageLog.logMessage(text, LOG_TAG, Qgis.MessageLevel.Warning, False)
    return made
