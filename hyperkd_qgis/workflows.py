"""The Processing models that come with the plugin, as algorithms of its provider."""

from __future__ import annotations

from pathlib import Path

from qgis.core import Qgis, QgsMessageLog, QgsProcessingModelAlgorithm
from qgis.PyQt.QtGui import QIcon

from .messages import LOG_TAG, tr
from .paths import home, icon_path


class Workflow(QgsProcessingModelAlgorithm):
    """A shipped model: its id stays, its name is translated."""

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        titles = {
            "classmap": tr("Scene to class map and areas"),
            "mosaicmap": tr("Several scenes to one class map"),
            "clusterpolygons": tr("Scene to polygons of alike surfaces"),
        }
        return titles.get(self.name(), self.name())

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
            made.append(model)
        else:
            text = tr("The model {path} cannot be read.").format(path=path)
            QgsMessageLog.logMessage(text, LOG_TAG, Qgis.MessageLevel.Warning, False)
    return made
