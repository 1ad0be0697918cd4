"""Labels from a layer to a file that the engine reads, in the background."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsVectorFileWriter,
    QgsVectorFileWriterTask,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..algorithms.fields import GEOPACKAGE_COLUMNS
from ..messages import tr
from .session_folder import session_folder


class LabelExport(QObject):
    """Writes a layer, or its selected features, as a GeoPackage; edits that are not saved count.

    Signals:
        ready: the file.
        failed: why there is none, as a sentence.
    """

    ready = pyqtSignal(str)
    failed = pyqtSignal(str)

    def start(self, layer: QgsVectorLayer, fields: Sequence[str], selected_only: bool) -> None:
        """Begin; one of the signals follows."""
        count = layer.selectedFeatureCount() if selected_only else layer.featureCount()
        if count == 0:
            self.failed.emit(
                tr("“{layer}” has no features to use. Is nothing selected?").format(
                    layer=layer.name()
                )
            )
            return
        folder = Path(session_folder("labels-"))
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.driverName = "GPKG"
        options.layerName = "labels"
        options.onlySelectedFeatures = selected_only
        options.attributes = [layer.fields().indexOf(name) for name in fields]
        options.layerOptions = GEOPACKAGE_COLUMNS
        task = QgsVectorFileWriterTask(layer, str(folder / "labels.gpkg"), options)
        task.writeComplete.connect(self.ready.emit)
        task.errorOccurred.connect(lambda code, text: self.failed.emit(text))
        self._task = task  # the task manager does not keep the half that has our connections
        QgsApplication.taskManager().addTask(task)
