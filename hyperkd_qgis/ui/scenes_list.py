"""The scenes of a training: raster layers of the project, and files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QPainter, QPaintEvent, QPalette
from qgis.PyQt.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..layers import UnusableLayerError, raster_source
from ..messages import tr

_LAYER = Qt.ItemDataRole.UserRole
# Fewer bands than this are no hyperspectral scene, so it is not ticked unasked.
_MANY_BANDS = 20
# And with less it cannot be one at all.
_LEAST_BANDS = 5
_FILTER = "*.tif *.tiff *.vrt *.img *.bsq *.bil *.bip *.dat"


class ScenesList(QWidget):
    """Lists rasters with a tick; those that the engine cannot read are greyed with the reason.

    Signals:
        changed: other scenes are ticked.
        refused: why files that were chosen are not listed, in sentences.
    """

    changed = pyqtSignal()
    refused = pyqtSignal(str)

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        # Layers of the project belong to it; those of files are kept here.
        self._own: dict[str, QgsRasterLayer] = {}
        self.list = _HintedList(
            tr("Open a hyperspectral scene first: drop its file onto the map, or press Add files…")
        )
        self.list.setAccessibleName(tr("Hyperspectral rasters"))
        self.list.itemChanged.connect(lambda item: self.changed.emit())
        self.add_button = QPushButton(tr("&Add files…"))
        self.add_button.setAutoDefault(False)
        self.add_button.clicked.connect(self._ask)
        row = QHBoxLayout()
        row.addWidget(self.add_button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list)
        layout.addLayout(row)
        project = QgsProject.instance()
        for layer in project.mapLayers().values():
            self.add_layer(layer)
        project.layersAdded.connect(self._take)
        project.layersWillBeRemoved.connect(self._drop)

    def add_layer(self, layer: object, ticked: Optional[bool] = None) -> None:
        """List a layer; hyperspectral ones are ticked unless it is said otherwise."""
        if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
            return
        if layer.bandCount() < _LEAST_BANDS:
            return  # a map, an elevation model, a photo
        item = QListWidgetItem(layer.name())
        item.setData(_LAYER, layer.id())
        item.setToolTip(layer.source())
        try:
            raster_source(layer)
        except UnusableLayerError as error:
            item.setToolTip(str(error))
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
            return
        if ticked is None:
            ticked = layer.bandCount() >= _MANY_BANDS
        states = Qt.CheckState
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(states.Checked if ticked else states.Unchecked)
        self.list.addItem(item)

    def add_files(self, paths: Sequence[str]) -> None:
        """List files that are no layers of the project, ticked, and say which cannot be."""
        refusals = []
        for path in paths:
            layer = QgsRasterLayer(path, path.rpartition("/")[2], "gdal")
            refusal = _refusal(layer)
            if refusal:
                refusals.append(refusal)
                continue
            self._own[layer.id()] = layer
            self.add_layer(layer, True)
            self.changed.emit()
        if refusals:
            self.refused.emit(" ".join(refusals))

    def layers(self) -> list[QgsRasterLayer]:
        """Return the ticked scenes."""
        found = []
        for index in range(self.list.count()):
            item = self.list.item(index)
            if item.flags() and item.checkState() == Qt.CheckState.Checked:
                name = item.data(_LAYER)
                found.append(self._own.get(name) or QgsProject.instance().mapLayer(name))
        return found

    def paths(self) -> list[str]:
        """Return what the engine opens to read the ticked scenes."""
        return [raster_source(layer) for layer in self.layers()]

    def _ask(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(
            self, tr("Hyperspectral rasters"), "", f"{tr('Rasters')} ({_FILTER});;*.* (*)"
        )
        self.add_files(paths)

    def _take(self, layers: list[object]) -> None:
        for layer in layers:
            self.add_layer(layer)

    def _drop(self, identifiers: list[str]) -> None:
        listed = range(self.list.count())
        gone = [index for index in listed if self.list.item(index).data(_LAYER) in identifiers]
        for index in reversed(gone):
            self.list.takeItem(index)
        if gone:
            self.changed.emit()


class _HintedList(QListWidget):
    """A list that says what to do while it is empty.

    Args:
        hint: one sentence.
    """

    def __init__(self, hint: str) -> None:
        super().__init__()
        self._hint = hint

    def paintEvent(self, event: QPaintEvent) -> None:
        """Write the hint where there is nothing else."""
        super().paintEvent(event)
        if self.count() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.viewport().rect().adjusted(8, 4, -8, -4), int(flags), self._hint)
            painter.end()


def _refusal(layer: QgsRasterLayer) -> str:
    """Say why a file cannot be a scene; an empty string where it can."""
    if not layer.isValid():
        text = tr("{file} was left out: it cannot be read as a raster.")
    elif layer.bandCount() < _LEAST_BANDS:
        text = tr("{file} was left out: a scene has {least} bands or more, this has {count}.")
    else:
        return ""
    return text.format(file=layer.name(), least=_LEAST_BANDS, count=layer.bandCount())
