"""Takes the pictures of the manual in a real QGIS window, on a screen that nobody sees.

    .venv/bin/python -m tools.screenshots [--shared FOLDER] [--out FOLDER]

Needs Xvfb and QGIS. A scene is simulated, or the EnMAP tiles of ``shared`` are used where
they are. The same file is started twice: as this command, and by QGIS with ``--code``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TOLD = "HYPERKD_SCREENSHOTS"
_LIMIT_S = 900
_SCREEN = "1500x950x24"


def main() -> int:
    """Start QGIS on a screen of its own and wait for the pictures."""
    from tools import plugin
    from tools.environment import venv_python

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    program = shutil.which("qgis.bin") or shutil.which("qgis")
    if program is None or shutil.which("xvfb-run") is None:
        sys.stderr.write("QGIS and xvfb-run are needed.\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="hyperkd-screenshots-") as folder:
        plugin.link(Path(folder) / "plugins")
        told = {"shared": str(given.shared), "out": str(given.out), "work": folder}
        environment = {
            **os.environ,
            _TOLD: json.dumps(told),
            "QGIS_PLUGINPATH": str(Path(folder) / "plugins"),
            "HYPERKD_ENGINE_PYTHON": str(venv_python()),
            "HYPERKD_ENGINES": str(Path(folder) / "HyperKD" / "engines"),
            "HYPERKD_MODELS": str(Path(folder) / "HyperKD" / "models"),
            "HYPERKD_JOBS": str(Path(folder) / "HyperKD" / "jobs"),
            "LANG": "C.UTF-8",
        }
        options = ["--nologo", "--noversioncheck", "--profiles-path", f"{folder}/profiles"]
        command = ["xvfb-run", "-a", "-s", f"-screen 0 {_SCREEN}", program]
        done = subprocess.run(
            [*command, *options, "--code", str(Path(__file__).resolve())],
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            check=False,
        )
    return done.returncode


class Session:
    """What happens inside QGIS.

    Args:
        iface: the window.
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
        from hyperkd_qgis.styles import style_true_colour

        style_true_colour(scene)
        renderer = scene.renderer()
        renderer.setRedBand(47)
        renderer.setGreenBand(28)
        renderer.setBlueBand(13)
        labels = QgsVectorLayer(self._polygons(tiles), "Land cover")
        self._categorise(labels)
        return scene, labels

    def _polygons(self, tiles: list[Path]) -> str:
        """Return a file of small squares of one land cover each."""
        from osgeo import gdal, ogr

        path = self._work / "land_cover.gpkg"
        names = {1: "roof", 2: "pavement", 3: "low vegetation", 4: "tree", 5: "soil", 6: "water"}
        dataset = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
        layer = None
        for tile in tiles:
            truth = gdal.Open(str(self._shared / "data/potsdam/labels" / tile.name))
            values = truth.ReadAsArray()
            left, step, _, top, _, down = truth.GetGeoTransform()
            if layer is None:
                layer = dataset.CreateLayer("labels", truth.GetSpatialRef(), ogr.wkbPolygon)
                layer.CreateField(ogr.FieldDefn("cover", ogr.OFTString))
            for row in range(0, 31, 3):
                for col in range(0, 31, 3):
                    block = values[row : row + 2, col : col + 2]
                    code = int(block[0, 0])
                    if code not in names or (block != code).any():
                        continue
                    x, y = left + col * step, top + row * down
                    far, low = x + 2 * step, y + 2 * down
                    text = f"POLYGON(({x} {y},{far} {y},{far} {low},{x} {low},{x} {y}))"
                    feature = ogr.Feature(layer.GetLayerDefn())
                    feature.SetField("cover", names[code])
                    feature.SetGeometry(ogr.CreateGeometryFromWkt(text))
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
        ours.show_engine()
        dialog = ours._dialogs["engine"]
        dialog.setup.training.setChecked(True)
        dialog.check()
        self._wait(60.0, dialog.check_button.isEnabled)
        self._save(dialog, "engine-dialog")
        dialog.close()

    def _models(self, ours: Any) -> None:
        dialog = ours.show_models()
        self._wait(60.0, lambda: dialog._task is None)
        dialog.test()
        self._wait(120.0, lambda: dialog._task is None)
        self._save(dialog, "models-dialog")
        dialog.close()

    def _finetune(self, ours: Any) -> None:
        dialog = ours.show_finetune()
        dialog.data.field.setField("cover")
        dialog.check()
        self._wait(120.0, lambda: dialog.data.table.rowCount() > 0)
        self._wait(2.0)
        self._save(dialog, "finetune-labels")
        dialog.hide()
        self._save(self._iface.mainWindow(), "finetune-split")
        dialog.show()
        dialog.tabs.setCurrentIndex(1)
        dialog.settings.output.setFilePath(str(self._work / "land-cover.onnx"))
        self._save(dialog, "finetune-settings")
        dialog.train()
        self._wait(60.0, lambda: dialog.training.job is not None)
        job = dialog.training.job
        curves = dialog.training.curves.series
        self._wait(400.0, lambda: job.is_over or ("loss" in curves and self._has_preview(dialog)))
        self._wait(6.0)
        dialog.tabs.setCurrentIndex(2)
        self._save(dialog, "finetune-training")
        self._wait(500.0, lambda: job.is_over)
        self._wait(2.0)
        self._save(dialog, "finetune-result")
        dialog.result.map_scenes()
        self._wait(120.0, lambda: dialog.result._task is None)
        self._wait(3.0)
        dialog.close()
        self._save(self._iface.mainWindow(), "class-map")

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
            dock.resize(360, 640)
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
        """Write a picture of a widget, in few colours so that it stays small."""
        from qgis.PyQt.QtGui import QImage

        self._wait(0.7)
        image = widget.grab().toImage().convertToFormat(QImage.Format.Format_Indexed8)
        image.save(str(self._out / f"{name}.png"))
        sys.stdout.write(f"{name}.png\n")
        sys.stdout.flush()

    def _wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        from qgis.PyQt.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            QApplication.processEvents()
            time.sleep(0.01)


def inside(iface: Any) -> None:
    """Be run by QGIS: take the pictures as soon as the window stands, then leave."""
    import traceback

    from qgis.core import QgsApplication
    from qgis.PyQt.QtCore import QTimer

    def work() -> None:
        try:
            Session(iface, json.loads(os.environ[_TOLD])).run()
        except Exception:  # noqa: BLE001 - QGIS would show it in a window that nobody sees
            traceback.print_exc()
        os._exit(0)  # QGIS would ask whether to save

    QgsApplication.instance()
    QTimer.singleShot(4000, work)


if os.environ.get(_TOLD):
    from qgis.utils import iface as _iface

    inside(_iface)
elif __name__ == "__main__":
    sys.exit(main())
