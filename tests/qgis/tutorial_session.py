"""The steps of docs/tutorial.md, done inside a real QGIS by ``test_tutorial``.

QGIS runs this file in its own Python, so it uses nothing but QGIS, and the plugin once
that is installed. What each step has found goes into a JSON file. Where there is no screen
for QGIS's own window, a window of the same parts stands in for it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import zipfile
from pathlib import Path
from typing import Any, Callable

# As in ``started``, which QGIS cannot import.
TOLD = "HYPERKD_SESSION"


class Tutorial:
    """A new user.

    Args:
        told: paths, by name: the zip, a folder of wheels (or, where it is empty, a Python with
            the engine's packages), a scene, labels, and a folder to work in.
    """

    def __init__(self, told: dict[str, str]) -> None:
        import qgis.utils

        self._iface = qgis.utils.iface
        self._told = told
        self._work = Path(told["work"])
        self.found: dict[str, Any] = {}

    def install_the_plugin(self) -> dict[str, Any]:
        """Install the zip as *Install from ZIP* does."""
        from qgis.core import QgsApplication
        from qgis.utils import home_plugin_path, loadPlugin, plugins, startPlugin

        if isinstance(self._iface, StandIn):
            from processing.core.Processing import Processing

            Processing.initialize()
            with zipfile.ZipFile(self._told["zip"]) as archive:
                archive.extractall(home_plugin_path)
            loadPlugin("hyperkd_qgis")
        else:
            import pyplugin_installer

            if "processing" not in plugins:
                loadPlugin("processing")
                startPlugin("processing")
            pyplugin_installer.instance().installFromZipFile(self._told["zip"])
        if "hyperkd_qgis" not in plugins:
            startPlugin("hyperkd_qgis")
        registry = QgsApplication.processingRegistry()
        algorithm = registry.algorithmById("hyperkd:classify")
        import hyperkd_qgis

        return {
            "module": hyperkd_qgis.__file__,
            "folder": (Path(home_plugin_path) / "hyperkd_qgis" / "metadata.txt").is_file(),
            "menu": [action.text() for action in self._ours()._actions],
            "algorithms": len(registry.providerById("hyperkd").algorithms()),
            "says": algorithm.canExecute()[1],
        }

    def set_up_the_engine(self) -> dict[str, Any]:
        """Set the engine up without a network, or choose a Python that is here, and check it."""
        from qgis.core import QgsApplication

        ours = self._ours()
        ours.show_engine()
        dialog = ours._dialogs["engine"]
        before = dialog.state.text()
        if self._told["wheels"]:
            setup = dialog.setup
            setup.training.setChecked(True)
            setup.source.setCurrentIndex(setup.source.findData("wheels"))
            setup.wheels.setFilePath(self._told["wheels"])
            setup.start_button.click()
            self._wait(setup.start_button.isEnabled)
        else:
            dialog.interpreter.setFilePath(self._told["python"])
            dialog.own_button.click()
        after = dialog.state.text()
        dialog.check_button.click()
        self._wait(dialog.check_button.isEnabled)
        report = dialog.report.toPlainText()
        dialog.close()
        algorithm = QgsApplication.processingRegistry().algorithmById("hyperkd:classify")
        says = algorithm.canExecute()[1]
        set_up = bool(self._told["wheels"])
        found = {"before": before, "after": after, "report": report, "says": says}
        return {**found, "set_up": set_up}

    def open_a_scene(self) -> dict[str, Any]:
        """Open the scene and the labels."""
        from qgis.core import (
            QgsCategorizedSymbolRenderer,
            QgsFillSymbol,
            QgsProject,
            QgsRendererCategory,
            QgsVectorLayer,
        )

        scene = self._iface.addRasterLayer(self._told["scene"], "scene")
        # The window would ask which layer of the GeoPackage is meant, though there is one.
        labels = QgsVectorLayer(self._told["labels"], "labels", "ogr")
        QgsProject.instance().addMapLayer(labels)
        colours = json.loads(self._told["colours"])
        symbols = {name: QgsFillSymbol.createSimple({"color": colours[name]}) for name in colours}
        categories = [QgsRendererCategory(name, symbols[name], name) for name in colours]
        labels.setRenderer(QgsCategorizedSymbolRenderer("cover", categories))
        self._iface.mapCanvas().setExtent(scene.extent())
        return {"bands": scene.bandCount(), "features": labels.featureCount()}

    def fine_tune_on_the_polygons(self) -> dict[str, Any]:
        """Check the labels, train, and wait for the result."""
        dialog = self._ours().show_finetune()
        dialog.data.check_button.click()
        self._wait(lambda: dialog.data.table.rowCount() > 0)
        table = dialog.data.table
        classes = {
            table.item(row, 1).text(): table.item(row, 0).background().color().name()
            for row in range(table.rowCount())
        }
        split = dialog.data.notes.text()
        dialog.settings.output.setFilePath(str(self._work / "landcover.onnx"))
        dialog.settings.baselines.setChecked(False)
        dialog.settings.expert.set_values({"epochs": 10})
        dialog.train_button.click()
        self._wait(lambda: dialog.training.job is not None)
        job = dialog.training.job
        self._wait(lambda: job.is_over)
        self._wait(lambda: dialog.tabs.currentIndex() == 3)
        return {
            "classes": classes,
            "split": split,
            "page": dialog.result.text.toPlainText(),
            "errors": job.errors(),
            "summary": dict(getattr(job.ending, "summary", {})),
        }

    def classify_the_scene(self) -> dict[str, Any]:
        """Map the scene, and save the model to the store."""
        from qgis.core import QgsProject

        dialog = self._ours().show_finetune()
        dialog.result.map_button.click()
        self._wait(lambda: dialog.result._task is None)
        said = dialog.result.message.text()
        group = QgsProject.instance().layerTreeRoot().findGroup("HyperKD")
        layer = group.findLayers()[0].layer()
        dialog.result.store_button.click()
        self._wait(lambda: dialog.result._task is None)
        return {
            "said": said,
            "layer": layer.name(),
            "source": layer.source(),
            "legend": {each.label: each.color.name() for each in layer.renderer().classes()},
            "history": layer.metadata().history(),
            "stored": dialog.result.message.text(),
        }

    def classify_another_scene(self) -> dict[str, Any]:
        """Run the stored model from the toolbox."""
        import processing

        results = processing.run(
            "hyperkd:classify",
            {
                "INPUT": self._told["scene"],
                "MODEL": "landcover",
                "OUTPUT": str(self._work / "again.tif"),
            },
        )
        return {"map": results["OUTPUT"]}

    def open_the_report(self) -> dict[str, Any]:
        """Press the button; the browser is not started."""
        from qgis.PyQt.QtGui import QDesktopServices

        opened: list[str] = []
        QDesktopServices.openUrl = lambda url: opened.append(url.toLocalFile())
        self._ours().show_finetune().result.report_button.click()
        return {"opened": opened}

    def _ours(self) -> Any:
        from qgis.utils import plugins

        return plugins["hyperkd_qgis"]._window

    def _wait(self, until: Callable[[], bool], seconds: float = 250.0) -> None:
        from qgis.PyQt.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise TimeoutError("nothing happened")
            QApplication.processEvents()
            time.sleep(0.01)


class StandIn:
    """As much of QGIS's window as the tutorial needs, with real widgets behind it."""

    def __init__(self) -> None:
        from qgis.gui import QgsMapCanvas, QgsMessageBar
        from qgis.PyQt.QtWidgets import QMainWindow

        self._window = QMainWindow()
        self._bar = QgsMessageBar(self._window)
        self._canvas = QgsMapCanvas(self._window)
        self._canvas.resize(600, 400)
        self._window.show()

    def mainWindow(self) -> Any:
        return self._window

    def messageBar(self) -> Any:
        return self._bar

    def mapCanvas(self) -> Any:
        return self._canvas

    def addToolBar(self, name: str) -> Any:
        return self._window.addToolBar(name)

    def addRasterLayer(self, path: str, name: str) -> Any:
        from qgis.core import QgsProject, QgsRasterLayer

        return QgsProject.instance().addMapLayer(QgsRasterLayer(path, name))

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Accept what only a menu of QGIS would show."""
        return lambda *given: None


# The headings of docs/tutorial.md, and what is done there.
STEPS = {
    "1. Install the plugin": "install_the_plugin",
    "2. Set up the engine": "set_up_the_engine",
    "3. Open a scene": "open_a_scene",
    "4. Fine-tune on polygons": "fine_tune_on_the_polygons",
    "5. Classify": "classify_the_scene",
    "6. Classify another scene": "classify_another_scene",
    "7. Open the report": "open_the_report",
}


def start() -> None:
    """Do all steps as soon as the window of this QGIS stands."""
    from qgis.PyQt.QtCore import QTimer

    QTimer.singleShot(500, _work)


def _work() -> None:
    """Do all steps, write what was found, and leave."""
    told = json.loads(os.environ[TOLD])
    found: dict[str, Any] = {}
    try:
        tutorial = Tutorial(told)
        for heading, step in STEPS.items():
            # The test shows this where nothing comes of it.
            sys.stderr.write(f"{heading}\n")
            sys.stderr.flush()
            found[heading] = getattr(tutorial, step)()
    except Exception:  # noqa: BLE001 - QGIS would show it in a window that nobody sees
        found["failed"] = traceback.format_exc()
    Path(told["result"]).write_text(json.dumps(found, default=str), encoding="utf-8")
    os._exit(0)  # QGIS would ask whether to save


def main() -> None:
    """Start a QGIS without its own window, and do all steps."""
    import qgis.utils
    from qgis.core import QgsApplication

    application = QgsApplication([], True)
    application.initQgis()
    sys.path.append(os.path.join(QgsApplication.pkgDataPath(), "python", "plugins"))
    home = os.path.join(QgsApplication.qgisSettingsDirPath(), "python", "plugins")
    os.makedirs(home, exist_ok=True)
    sys.path.insert(0, home)
    qgis.utils.home_plugin_path = home
    qgis.utils.plugin_paths = [home]
    qgis.utils.iface = StandIn()
    _work()


if __name__ == "__main__":
    main()
