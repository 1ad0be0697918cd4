"""What a user presses, pressed inside a real QGIS for ``test_pressed``.

QGIS runs this file in its own Python, so it uses nothing but QGIS and the plugin. Each step
opens a dialog as a menu or a button does, forgets it, collects garbage, finds it again among
the windows on the screen, and presses its own Run button.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Callable

TOLD = "HYPERKD_SESSION"
_RED = ("color:red", "color: red", "#ff0000")
# What QGIS itself says at its start where the system has no fonts, as in a bare Debian.
QGIS_ALONE = ("Open Sans font installation failed",)


class Session:
    """A user with a scene and a model in the store.

    Args:
        told: paths, by name: a scene, a model for it, a scene with the bands of EnMAP, a folder
            to work in, and one for pictures, which may be empty.
    """

    def __init__(self, told: dict[str, str]) -> None:
        import qgis.utils

        self._iface = qgis.utils.iface
        self._told = told
        self._scene: Any = None
        self._boxes: list[str] = []
        self._watch: Any = None

    def prepare(self) -> dict[str, Any]:
        """Load the plugin and open the scene, twice: the second hides what comes below."""
        from qgis.PyQt.QtCore import QTimer
        from qgis.utils import loadPlugin, plugins, startPlugin

        self._iface.mainWindow().resize(1400, 850)
        for name in ("processing", "hyperkd_qgis"):
            if name not in plugins:
                loadPlugin(name)
                startPlugin(name)
        self._scene = self._iface.addRasterLayer(self._told["scene"], "potsdam")
        self._watch = QTimer()
        self._watch.timeout.connect(self._close_boxes)
        self._watch.start(100)
        return {"platform": os.environ["QT_QPA_PLATFORM"]}

    def run_hyperkd_on_a_layer(self) -> dict[str, Any]:
        """Layer › Run HyperKD › Inspect…"""
        self._iface.setActiveLayer(self._scene)
        action = next(each for each in self._ours()._layer_actions if "Inspect" in each.text())
        action.trigger()
        return self._press("run-hyperkd")

    def run_a_model_on_a_layer(self) -> dict[str, Any]:
        """Add a model to the store; Models › Run on layer…"""
        dialog = self._ours().show_models()
        self._wait(lambda: dialog._reading is None)
        dialog.add_file(self._told["model"])
        self._wait(lambda: dialog._task is None and dialog._reading is None)
        dialog.buttons["run"].click()
        dialog.close()
        return self._press("run-on-layer")

    def run_a_workflow(self) -> dict[str, Any]:
        """Open a workflow as the toolbox does; the scene and the model are given."""
        from qgis import processing

        # Below what was made before, and unticked: what comes must be seen all the same.
        self._bury_the_results()
        dialog = processing.createAlgorithmDialog(
            "hyperkd:classmap", {"model": "brightest", "scene": self._scene.id()}
        )
        dialog.show()
        return {**self._press("workflow"), "table": self._table("Areas of the classes: potsdam")}

    def run_a_batch(self) -> dict[str, Any]:
        """Run as batch process, with one row; the model is chosen from the list of its cell."""
        from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

        algorithm = self._algorithm("hyperkd:classify")
        dialog = BatchAlgorithmDialog(algorithm, parent=self._iface.mainWindow())
        dialog.show()
        panel = dialog.mainWidget()
        columns = panel.parameter_to_column
        panel.wrappers[0][columns["INPUT"]].setParameterValue(self._scene.id(), panel_context())
        chooser = panel.wrappers[0][columns["MODEL"]].chooser
        alone = chooser.value()
        chooser.box.setCurrentIndex(chooser.box.findText("brightest"))
        output = str(Path(self._told["work"]) / "batch.tif")
        panel.tblParameters.cellWidget(1, columns["OUTPUT"]).setValue(output)
        found = self._press("batch")
        return {**found, "alone": alone, "output": Path(output).is_file()}

    def choose_a_model_in_the_designer(self) -> dict[str, Any]:
        """Add a step to a model, and look at it again; a name, then the result of another step."""
        from processing.modeler.ModelerParametersDialog import ModelerParametersDialog
        from qgis.core import QgsProcessingModelAlgorithm, QgsProcessingModelChildAlgorithm

        model = QgsProcessingModelAlgorithm("mine", "mine")
        tuning = QgsProcessingModelChildAlgorithm("hyperkd:finetune")
        tuning.setChildId("tuning")
        tuning.setDescription("Tuning")
        model.addChildAlgorithm(tuning)
        algorithm = self._algorithm("hyperkd:classify")
        dialog = ModelerParametersDialog(algorithm, model)
        box = dialog.widget.widget.wrappers["MODEL"].chooser.box
        listed = [box.itemText(row) for row in range(box.count())]
        box.setEditText("brightest")
        named = dialog.createAlgorithm()
        box.setCurrentIndex(next(row for row, text in enumerate(listed) if "Tuning" in text))
        given = dialog.createAlgorithm()
        given.setChildId("given")
        model.addChildAlgorithm(given)
        again = ModelerParametersDialog(algorithm, model, "given")
        kept = again.createAlgorithm()
        return {
            "listed": listed,
            "named": _sources(named),
            "given": _sources(given),
            "kept": _sources(kept),
            "shown": again.widget.widget.wrappers["MODEL"].chooser.box.currentText(),
        }

    def show_the_log(self) -> dict[str, Any]:
        """A problem in the message bar; Show log."""
        from qgis.PyQt.QtWidgets import QDockWidget, QPushButton, QTabWidget

        from hyperkd_qgis.ui import notices

        notices.say("Something is odd.", notices.PROBLEM)
        window = self._iface.mainWindow()
        told = self._messages(window)
        gc.collect()
        buttons = self._iface.messageBar().findChildren(QPushButton)
        next(each for each in buttons if each.text() == "Show log").click()
        panel = window.findChild(QDockWidget, "MessageLog")
        tabs = panel.findChild(QTabWidget)
        return {
            "told": told,
            "opened": panel.isVisible(),
            "tab": tabs.tabText(tabs.currentIndex()),
        }

    def take_a_first_look(self) -> dict[str, Any]:
        """Select a scene; First look in the toolbar."""
        from qgis.core import QgsProject
        from qgis.PyQt.QtWidgets import QToolButton

        QgsProject.instance().clear()
        self._iface.messageBar().clearWidgets()
        scene = self._iface.addRasterLayer(self._told["land"], "land")
        self._iface.setActiveLayer(scene)
        buttons = self._ours()._toolbar.findChildren(QToolButton)
        next(each for each in buttons if each.text() == "First look").click()
        gc.collect()
        looks = self._ours()._looks
        said = self._messages(self._iface.mainWindow())
        self._wait(lambda: not looks._running)
        self._take("first-look")
        view = self._iface.layerTreeView()
        return {
            "running": said,
            "told": self._messages(self._iface.mainWindow()),
            "tree": self._tree(),
            "active": self._iface.activeLayer() is scene,
            "seen": view.indexAt(view.rect().topLeft()).data(),
        }

    # --- tools ----------------------------------------------------------------------

    def _press(self, picture: str) -> dict[str, Any]:
        """Press Run in the one dialog of Processing that is on the screen; wait; close it."""
        from qgis.PyQt import sip
        from qgis.PyQt.QtCore import QTimer
        from qgis.PyQt.QtWidgets import QDialogButtonBox, QPushButton

        before = set(self._layers())
        gc.collect()
        dialog = self._dialog()
        box = dialog.findChild(QDialogButtonBox)
        buttons = {each.text().replace("&", ""): each for each in box.findChildren(QPushButton)}
        opened = self._values(dialog)
        gc.collect()
        self._boxes.clear()
        # As a press comes: from the loop of events, which deletes what a run has done with.
        QTimer.singleShot(0, buttons["Run"].click)
        log = self._log_of(dialog)
        self._wait(lambda: self._boxes or _has_ended(log.toPlainText()))
        self._wait(buttons["Run"].isEnabled)
        said, page = log.toPlainText(), log.toHtml().lower()
        bars = self._messages(dialog) + self._messages(self._iface.mainWindow())
        made = [name for name in self._layers() if name not in before]
        self._take(picture)
        QTimer.singleShot(0, buttons["Close"].click)
        self._wait(lambda: sip.isdeleted(dialog))
        return {
            "opened": opened,
            "log": said,
            "red": any(colour in page for colour in _RED),
            "messages": [*self._boxes, *bars],
            "made": [self._layers()[name] for name in made],
            "tree": self._tree(),
        }

    def _close_boxes(self) -> None:
        """Note what a message box says, which would wait for somebody."""
        from qgis.PyQt.QtWidgets import QApplication, QMessageBox

        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            self._boxes.append(box.text())
            box.reject()

    def _algorithm(self, identifier: str) -> Any:
        from qgis.core import QgsApplication

        return QgsApplication.processingRegistry().createAlgorithmById(identifier)

    def _dialog(self) -> Any:
        from qgis.PyQt.QtWidgets import QApplication

        def found() -> list[Any]:
            windows = QApplication.topLevelWidgets()
            return [
                each
                for each in windows
                if each.isVisible() and each.inherits("QgsProcessingAlgorithmDialogBase")
            ]

        self._wait(found)
        (dialog,) = found()
        return dialog

    def _log_of(self, dialog: Any) -> Any:
        from qgis.PyQt.QtWidgets import QTextEdit

        return dialog.findChild(QTextEdit, "txtLog")

    def _values(self, dialog: Any) -> list[str]:
        """Return what the boxes of a dialog show."""
        from qgis.PyQt.QtWidgets import QComboBox

        return [each.currentText() for each in dialog.findChildren(QComboBox)]

    def _messages(self, window: Any) -> list[str]:
        """Return what the message bars of a window say."""
        from qgis.gui import QgsMessageBar

        # That of the main window is not found among its children.
        is_main = window is self._iface.mainWindow()
        bars = [self._iface.messageBar()] if is_main else window.findChildren(QgsMessageBar)
        items = [each for bar in bars for each in bar.items()]
        said = [f"{each.title()} {each.text()}".strip() for each in items]
        return [each for each in said if each not in QGIS_ALONE]

    def _layers(self) -> dict[str, str]:
        from qgis.core import QgsProject

        layers = QgsProject.instance().mapLayers()
        return {key: layer.name() for key, layer in layers.items()}

    def _table(self, name: str) -> list[list[Any]]:
        """Return a table's columns and its rows."""
        from qgis.core import QgsProject

        (layer,) = QgsProject.instance().mapLayersByName(name)
        rows = [each.attributes() for each in layer.getFeatures()]
        return [[field.name() for field in layer.fields()], *rows]

    def _tree(self) -> list[list[Any]]:
        """Return the layers from top to bottom: group, name, whether they are seen."""
        from qgis.core import QgsProject

        nodes = QgsProject.instance().layerTreeRoot().findLayers()
        return [[node.parent().name(), node.name(), node.isVisible()] for node in nodes]

    def _bury_the_results(self) -> None:
        from qgis.core import QgsProject

        root = QgsProject.instance().layerTreeRoot()
        for group in root.findGroups():
            group.setItemVisibilityChecked(False)
            root.insertChildNode(-1, group.clone())
            root.removeChildNode(group)

    def _take(self, picture: str) -> None:
        """Write a picture of the whole screen where somebody asked for it."""
        if not self._told.get("pictures"):
            return
        self._wait_for(1.5)
        path = Path(self._told["pictures"]) / f"{picture}.png"
        os.system(f"import -window root {path}")  # noqa: S605

    def _ours(self) -> Any:
        from qgis.utils import plugins

        return plugins["hyperkd_qgis"]._window

    def _wait_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self._wait(lambda: time.monotonic() > end)

    def _wait(self, until: Callable[[], Any], seconds: float = 60.0) -> None:
        from qgis.PyQt.QtCore import QEventLoop, QTimer

        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise TimeoutError("nothing happened")
            loop = QEventLoop()
            QTimer.singleShot(10, loop.quit)
            loop.exec()


def panel_context() -> Any:
    """Return what values are read with."""
    from processing.tools.dataobjects import createContext

    return createContext()


def _sources(child: Any) -> list[list[Any]]:
    """Return where a step takes its model from: a kind, a value, a step and its output."""
    return [
        [int(each.source()), each.staticValue(), each.outputChildId(), each.outputName()]
        for each in child.parameterSources()["MODEL"]
    ]


def _has_ended(log: str) -> bool:
    return any(word in log for word in ("completed in", "failed after"))


STEPS = (
    "prepare",
    "run_hyperkd_on_a_layer",
    "run_a_model_on_a_layer",
    "run_a_workflow",
    "run_a_batch",
    "choose_a_model_in_the_designer",
    "show_the_log",
    "take_a_first_look",
)


def start() -> None:
    """Do all steps as soon as the window of this QGIS stands."""
    from qgis.PyQt.QtCore import QTimer

    QTimer.singleShot(500, _work)


def _work() -> None:
    """Do all steps, write what was found, and leave."""
    told = json.loads(os.environ[TOLD])
    found: dict[str, Any] = {}
    try:
        session = Session(told)
        for step in STEPS:
            sys.stderr.write(f"{step}\n")
            sys.stderr.flush()
            found[step] = getattr(session, step)()
    except Exception:  # noqa: BLE001 - QGIS would show it in a window that nobody sees
        found["failed"] = traceback.format_exc()
    Path(told["result"]).write_text(json.dumps(found, default=str), encoding="utf-8")
    os._exit(0)  # QGIS would ask whether to save
