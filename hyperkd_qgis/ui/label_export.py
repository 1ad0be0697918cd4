"""Labels from a layer to a file that the engine reads, in the background."""

from __future__ import annotations

from collections.abc import Sequence

from qgis.core import QgsApplication, QgsVectorFileWriterTask, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..geopackage import require_features, save_options
from ..layers import UnusableLayerError
from ..session_folder import session_folder


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
        try:
            require_features(count, layer.name())
        except UnusableLayerError as error:
            self.failed.emit(str(error))
            return
        options = save_options()
        options.onlySelectedFeatures = selected_only
        options.attributes = [layer.fields().indexOf(name) for name in fields]
        path = session_folder("labels-") / "labels.gpkg"
        task = QgsVectorFileWriterTask(layer, str(path), options)
        task.writeComplete.connect(self.ready.emit)
        task.errorOccurred.connect(lambda code, text: self.failed.emit(text))
        self._task = task  # the task manager does not keep the half that has our connections
        QgsApplication.taskManager().addTask(task)
