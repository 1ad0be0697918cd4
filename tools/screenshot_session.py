"""What ``screenshots`` does inside QGIS: opens the plugin's windows and takes their pictures."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Callable

# Tells the folders to work in, as JSON.
TOLD = "HYPERKD_SCREENSHOTS"
# Two pixels: less is nothing that somebody draws.
_SMALLEST_M2 = 2 * 900.0
# Of a machine that has other things to do.
_TRAINING_S = 900.0
_ENGINE_VARIABLE = "HYPERKD_ENGINE_PYTHON"


class Session:
    """What happens inside QGIS.

    Args:
        told: folders, by name.
    """

    def __init__(self, iface: Any, told: dict[str, str]) -> None:
        self._iface = iface
        self._shared = Path(told["shared"])
        self._out = Path(told["out"])
        self._work = Path(told["work"])

    def run(self) -> None:
        """Take all pictures, then leave QGIS."""
        from qgis.core import QgsProject
        from qgis.utils import loadPlugin, plugins, startPlugin

        window = self._iface.mainWindow()
        window.resize(1440, 900)
        for name in ("processing", "hyperkd_qgis"):
            if name not in plugins:
                loadPlugin(name)
                startPlugin(name)
        self._hide_panels("Browser", "Layer Styling")
        ours = plugins["hyperkd_qgis"]._window
        scene, labels = self._layers()
        QgsProject.instance().addMapLayers([labels, scene])
        self._iface.mapCanvas().setExtent(scene.extent())
        self._wait(2.0)
        self._engine(ours)
        self._models(ours)
        self._finetune(ours)
        self._distill(ours)
        self._algorithm(scene)
        self._toolbox()
        QgsProject.instance().setDirty(False)

    def _layers(self) -> tuple[Any, Any]:
        """Return a scene and labels on it."""
        from osgeo import gdal
        from qgis.core import QgsRasterLayer, QgsVectorLayer

        tiles = sorted((self._shared / "data/potsdam/images").glob("*.tif"))
        mosaic = self._work / "enmap_potsdam.vrt"
        gdal.BuildVRT(str(mosaic), [str(tile) for tile in tiles])
        scene = QgsRasterLayer(str(mosaic), "EnMAP Potsdam")
        from hyperkd_qgis.styles import show_bands

        show_bands(scene, (47, 28, 13))
        labels = QgsVectorLayer(self._polygons(tiles), "Land cover")
        self._categorise(labels)
        return scene, labels

    def _polygons(self, tiles: list[Path]) -> str:
        """Return a file of polygons of one land cover each."""
        from osgeo import gdal, ogr

        names = {1: "roof", 2: "pavement", 3: "low vegetation", 4: "tree", 5: "soil", 6: "water"}
        path = self._work / "land_cover.gpkg"
        dataset = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
        layer = None
        for tile in tiles:
            truth = gdal.Open(str(self._shared / "data/potsdam/labels" / tile.name))
            memory = ogr.GetDriverByName("Memory").CreateDataSource("all")
            found = memory.CreateLayer("all", truth.GetSpatialRef(), ogr.wkbPolygon)
            found.CreateField(ogr.FieldDefn("code", ogr.OFTInteger))
            gdal.Polygonize(truth.GetRasterBand(1), None, found, 0)
            if layer is None:
                layer = dataset.CreateLayer("labels", truth.GetSpatialRef(), ogr.wkbPolygon)
                layer.CreateField(ogr.FieldDefn("cover", ogr.OFTString))
            for each in found:
                code = each.GetField("code")
                if code not in names or each.GetGeometryRef().GetArea() < _SMALLEST_M2:
                    continue
                feature = ogr.Feature(layer.GetLayerDefn())
                feature.SetField("cover", names[code])
                feature.SetGeometry(each.GetGeometryRef())
                layer.CreateFeature(feature)
        del layer, dataset
        return str(path)

    def _categorise(self, labels: Any) -> None:
        from qgis.core import QgsCategorizedSymbolRenderer, QgsFillSymbol, QgsRendererCategory

        colours = {
            "roof": "#d7301f",
            "pavement": "#7f7f7f",
            "low vegetation": "#b8e186",
            "tree": "#1b7837",
            "soil": "#bf812d",
            "water": "#2166ac",
        }
        categories = [
            QgsRendererCategory(
                name,
                QgsFillSymbol.createSimple({"color": colour, "outline_color": "#202020"}),
                name,
            )
            for name, colour in colours.items()
        ]
        labels.setRenderer(QgsCategorizedSymbolRenderer("cover", categories))

    # --- pictures -------------------------------------------------------------------

    def _engine(self, ours: Any) -> None:
        """Show the window as somebody sees it who has just installed the plugin."""
        from hyperkd_qgis import settings

        python = os.environ.pop(_ENGINE_VARIABLE)
        checkout = vars(settings)["checkout_python"]
        vars(settings)["checkout_python"] = lambda: Path("nowhere")
        ours.show_engine()
        dialog = ours._dialogs["engine"]
        dialog.setup.training.setChecked(True)
        self._save(dialog, "engine-dialog")
        dialog.close()
        os.environ[_ENGINE_VARIABLE] = python
        vars(settings)["checkout_python"] = checkout

    def _models(self, ours: Any) -> None:
        dialog = ours.show_models()
        self._wait(60.0, lambda: dialog._reading is None)
        self._save(dialog, "models-dialog")
        dialog.close()

    def _finetune(self, ours: Any) -> None:
        dialog = ours.show_finetune()
        dialog.data.field.setField("cover")
        dialog.check()
        self._wait(300.0, lambda: dialog.data.table.rowCount() > 0)
        self._wait(2.0)
        self._save(dialog, "finetune-labels")
        dialog.hide()
        self._iface.messageBar().clearWidgets()
        self._save(self._iface.mainWindow(), "finetune-split")
        dialog.show()
        dialog.tabs.setCurrentIndex(1)
        dialog.settings.output.setFilePath(str(self._work / "land-cover.onnx"))
        self._save(dialog, "finetune-settings")
        dialog.train()
        self._wait(60.0, lambda: dialog.training.job is not None)
        job = dialog.training.job
        curves = dialog.training.curves.series
        self._wait(
            _TRAINING_S, lambda: job.is_over or len(curves) > 1 and self._has_preview(dialog)
        )
        self._wait(3.0)
        dialog.tabs.setCurrentIndex(2)
        self._save(dialog, "finetune-training")
        self._wait(_TRAINING_S, lambda: job.is_over)
        self._wait(2.0)
        self._save(dialog, "finetune-result")
        dialog.result.map_scenes()
        self._wait(300.0, lambda: dialog.result._task is None)
        self._wait(3.0)
        dialog.close()
        self._iface.messageBar().clearWidgets()
        self._save(self._iface.mainWindow(), "class-map")

    def _distill(self, ours: Any) -> None:
        dialog = ours.show_distill()
        dialog.tabs.setCurrentIndex(0)
        dialog.hours.setValue(8.0)
        dialog.output.setFilePath(str(self._work / "student.safetensors"))
        self._wait(60.0, lambda: dialog._reading is None)
        self._save(dialog, "distill-dialog")
        dialog.close()

    def _has_preview(self, dialog: Any) -> bool:
        pixmap = dialog.training.preview.pixmap()
        return pixmap is not None and not pixmap.isNull()

    def _algorithm(self, scene: Any) -> None:
        from hyperkd_qgis.ui.run_on_layer import open_algorithm

        dialog = open_algorithm("hyperkd:anomaly", {"INPUT": scene.id()})
        if dialog is not None:
            dialog.resize(900, 620)
            self._wait(1.0)
            self._save(dialog, "anomaly-dialog")
            dialog.close()

    def _toolbox(self) -> None:
        from qgis.PyQt.QtWidgets import QDockWidget, QTreeView

        self._iface.mainWindow().findChild(QDockWidget, "ProcessingToolbox")
        for dock in self._iface.mainWindow().findChildren(QDockWidget):
            if dock.objectName() != "ProcessingToolbox":
                continue
            dock.show()
            dock.setFloating(True)
            dock.resize(380, 780)
            tree = dock.findChild(QTreeView)
            self._wait(1.0)
            tree.collapseAll()
            model = tree.model()
            for row in range(model.rowCount()):
                index = model.index(row, 0)
                if "HyperKD" in str(index.data()):
                    tree.expandRecursively(index)
                    tree.scrollTo(index, QTreeView.ScrollHint.PositionAtTop)
            self._wait(1.0)
            self._save(dock, "toolbox")

    # --- tools ----------------------------------------------------------------------

    def _hide_panels(self, *titles: str) -> None:
        from qgis.PyQt.QtWidgets import QDockWidget

        for dock in self._iface.mainWindow().findChildren(QDockWidget):
            if dock.windowTitle() in titles:
                dock.hide()

    def _save(self, widget: Any, name: str) -> None:
        """Write a picture of a widget."""
        self._wait(0.7)
        widget.grab().save(str(self._out / f"{name}.png"))
        sys.stdout.write(f"{name}.png\n")
        sys.stdout.flush()

    def _wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        from qgis.PyQt.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            QApplication.processEvents()
            time.sleep(0.01)


def start() -> None:
    """Take the pictures as soon as the window of this QGIS stands, then leave it."""
    from qgis.PyQt.QtCore import QTimer
    from qgis.utils import iface

    def work() -> None:
        try:
            Session(iface, json.loads(os.environ[TOLD])).run()
        except Exception:  # noqa: BLE001 - QGIS would show it in a window that nobody sees
            traceback.print_exc()
        os._exit(0)  # QGIS would ask whether to save

    QTimer.singleShot(4000, work)
