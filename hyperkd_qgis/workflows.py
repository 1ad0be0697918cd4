"""The Processing models that come with the plugin, as algorithms of its provider."""

from __future__ import annotations

from pathlib import Path

from qgis.core import Qgis, QgsMessageLog, QgsProcessingModelAlgorithm
from qgis.PyQt.QtGui import QIcon

from .algorithms.help import help_url
from .messages import LOG_TAG, tr
from .paths import home, icon_path


class Workflow(QgsProcessingModelAlgorithm):
    """A shipped model: its id stays, its name is translated."""

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr(str(self.helpContent().get("SHORT_DESCRIPTION", "")) or self.name())

    def shortDescription(self) -> str:
        """Return the tool tip in the toolbox."""
        return tr(str(self.helpContent().get("ALG_DESC", "")))

    def shortHelpString(self) -> str:
        """Return the help beside the parameters."""
        content = self.helpContent()
        parts = [f"<p>{tr(str(content.get('ALG_DESC', '')))}</p>"]
        for definition in self.parameterDefinitions():
            text = content.get(definition.name())
            if text:
                parts.append(f"<h3>{definition.description()}</h3><p>{tr(str(text))}</p>")
        return "".join(parts)

    def helpUrl(self) -> str:
        """Return the page in the manual."""
        return help_url("workflows")

    def translate(self) -> None:
        """Put the titles of inputs and results into the user's language."""
        for definition in self.parameterDefinitions():
            definition.setDescription(tr(definition.description()))
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
            made.append(model)
        else:
            text = tr("The model {path} cannot be read.").format(path=path)
            QgsMessageLog.logMessage(text, LOG_TAG, Qgis.MessageLevel.Warning, False)
    return made
