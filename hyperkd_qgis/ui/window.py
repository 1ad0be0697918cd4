"""What HyperKD adds to QGIS's window: menu, toolbar, entries of layers, dropped files.

Loaded at every start with a window, so dialogs are imported when somebody opens them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

from qgis.core import QgsMapLayer, QgsRasterLayer
from qgis.gui import QgsCustomDropHandler
from qgis.PyQt.QtCore import Qt, QTimer, QUrl
from qgis.PyQt.QtGui import QDesktopServices, QIcon
from qgis.PyQt.QtWidgets import QAction, QToolBar, QWidget

from .. import settings
from ..algorithms.help import page_url
from ..messages import problems, tr
from ..modelfile import read_card
from ..paths import icon_path
from . import notices

MENU = "HyperKD"
# After QGIS has shown itself: looking for trainings reads files.
_LOOK_AFTER_MS = 3000
# What a raster layer's context menu offers, and the icon of each.
_LAYER_ALGORITHMS = ("classify", "cluster", "anomaly", "embed", "inspect")


class Window:
    """The parts of HyperKD that live in QGIS's window; ``close`` takes them back."""

    def __init__(self, iface: Any) -> None:
        self._iface = iface
        self._dialogs: dict[str, QWidget] = {}
        self._jobs: Any = None
        self._looks: Any = None
        self._actions: list[QAction] = []
        self._layer_actions: list[QAction] = []
        self._toolbar: QToolBar = iface.addToolBar(MENU)
        self._toolbar.setObjectName("HyperKDToolBar")
        self._toolbar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._add("firstlook", tr("First &look"), self.look_at_scene, tr("First look"))
        self._add("finetune", tr("&Fine-tune a model…"), self.show_finetune, tr("Fine-tune"))
        self._add("classify", tr("Map a &scene…"), self.map_scene, tr("Map a scene"))
        self._add("models", tr("&Models…"), self.show_models, tr("Models"))
        self._add("distill", tr("&Distil a student…"), self.show_distill)
        self._add("hyperkd", tr("&Engine…"), self.show_engine)
        self._add("modelinfo", tr("&Tutorial"), show_tutorial)
        self._add_layer_actions()
        self._drops = ModelDrop(self.add_model)
        iface.registerCustomDropHandler(self._drops)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.look_around)
        self._timer.timeout.connect(self.invite)
        self._timer.start(_LOOK_AFTER_MS)

    @property
    def jobs(self) -> Any:
        """The jobs in the background; found when they are first asked for."""
        if self._jobs is None:
            from ..runner.background import BackgroundJobs

            self._jobs = BackgroundJobs()
            self._jobs.caught_up.connect(self._job_found)
            self._jobs.ended.connect(self._job_ended)
            self._jobs.find()
        return self._jobs

    def look_around(self) -> None:
        """Look for trainings, which are told of when they are read; tell of an old engine."""
        self.jobs.find()
        chosen = settings.interpreter()
        made = None if chosen is None else chosen.environment
        if made is not None and not (made.is_current and made.fits):
            text = tr("This version of HyperKD needs other packages for its engine.")
            notices.say(text, notices.NOTE, tr("Engine…"), self.show_engine)

    def invite(self) -> None:
        """Say how to begin where there is no engine yet."""
        if settings.interpreter() is None:
            text = tr("Set up the engine to begin; “First look” then shows what covers a scene.")
            notices.say(text, notices.NOTE, tr("Set up"), self.show_engine)

    def show_engine(self) -> None:
        """Open the engine's window."""
        from .engine_dialog import EngineDialog

        self._show("engine", lambda: EngineDialog(self._iface.mainWindow()))

    def set_up_training(self) -> None:
        """Open the engine's window with what training needs ticked."""
        self.show_engine()
        self._dialogs["engine"].setup.propose_training()

    def show_models(self) -> Any:
        """Open the model store's window and return it."""
        from .models_dialog import ModelsDialog

        return self._show("models", lambda: ModelsDialog(self._iface.mainWindow()))

    def show_finetune(self) -> Any:
        """Open the fine-tuning window and return it."""
        from .finetune_dialog import FinetuneDialog

        def make() -> QWidget:
            return FinetuneDialog(self.jobs, self._iface.mainWindow(), self.set_up_training)

        return self._show("finetune", make)

    def show_distill(self) -> Any:
        """Open the distillation window and return it."""
        from .distill_dialog import DistillDialog

        return self._show(
            "distill",
            lambda: DistillDialog(
                self.jobs, self.show_models, self._iface.mainWindow(), self.set_up_training
            ),
        )

    def look_at_scene(self) -> None:
        """Show what covers the active layer."""
        if self._looks is None:
            from .look_at_scene import FirstLooks

            self._looks = FirstLooks(self._iface, self.show_engine)
        self._looks.start()

    def map_scene(self) -> None:
        """Open *Classify scene*, with the active layer where that is a raster."""
        self._run_on_layer("classify")

    def show_job(self, job: Any) -> None:
        """Open the window of a training and show it there."""
        dialog = self.show_finetune() if job.kind == "finetune" else self.show_distill()
        dialog.show_job(job)

    def add_model(self, path: str) -> None:
        """Take a model file into the store, with its window open."""
        self.show_models().add_file(path)

    def close(self) -> None:
        """Take everything back; trainings go on."""
        self._timer.stop()
        self._iface.unregisterCustomDropHandler(self._drops)
        for action in self._layer_actions:
            self._iface.removeCustomActionForLayerType(action)
        for action in self._actions:
            self._iface.removePluginMenu(MENU, action)
            action.deleteLater()
        self._toolbar.deleteLater()
        if self._looks is not None:
            self._looks.close()
        for dialog in self._dialogs.values():
            dialog.close()
            dialog.deleteLater()
        self._dialogs.clear()

    def _add(self, icon: str, text: str, action: Callable[[], Any], in_toolbar: str = "") -> None:
        """Add an entry to the menu and, where it has a short text for it, to the toolbar."""
        made = QAction(QIcon(icon_path(icon)), text, self._iface.mainWindow())
        made.triggered.connect(lambda *_: action())
        self._iface.addPluginToMenu(MENU, made)
        if in_toolbar:
            made.setIconText(in_toolbar)
            made.setToolTip(text.replace("&", ""))
            self._toolbar.addAction(made)
        self._actions.append(made)

    def _add_layer_actions(self) -> None:
        titles = {
            "classify": tr("Classify…"),
            "cluster": tr("Cluster…"),
            "anomaly": tr("Find anomalies…"),
            "embed": tr("Embed…"),
            "inspect": tr("Inspect…"),
        }
        look = QAction(QIcon(icon_path("firstlook")), tr("First look"), self._iface.mainWindow())
        look.triggered.connect(lambda *_: self.look_at_scene())
        self._add_layer_action(look, tr("Run HyperKD"))
        for name in _LAYER_ALGORITHMS:
            made = QAction(QIcon(icon_path(name)), titles[name], self._iface.mainWindow())
            made.triggered.connect(lambda *_, name=name: self._run_on_layer(name))
            self._add_layer_action(made, tr("Run HyperKD"))
        composites = {
            "natural": tr("Natural colour"),
            "infrared": tr("Colour infrared"),
            "swir": tr("Short-wave infrared (SWIR)"),
        }
        for name, title in composites.items():
            made = QAction(title, self._iface.mainWindow())
            made.triggered.connect(lambda *_, name=name: self._show_composite(name))
            self._add_layer_action(made, tr("Show as"))

    def _add_layer_action(self, action: QAction, menu: str) -> None:
        # The name of the type is another one in each branch of QGIS; a layer knows it.
        kind = QgsRasterLayer().type()
        self._iface.addCustomActionForLayerType(action, menu, kind, True)
        self._layer_actions.append(action)

    def _show_composite(self, name: str) -> None:
        from ..styles import show_composite

        layer = self._iface.activeLayer()
        if not isinstance(layer, QgsRasterLayer):
            return
        if show_composite(layer, name):
            self._iface.layerTreeView().refreshLayerSymbology(layer.id())
        else:
            text = tr("“{layer}” has no bands for this, or no wavelengths.")
            notices.say(text.format(layer=layer.name()), notices.NOTE)

    def _run_on_layer(self, name: str) -> None:
        from .run_on_layer import open_algorithm

        layer: Optional[QgsMapLayer] = self._iface.activeLayer()
        given = {"INPUT": layer.id()} if isinstance(layer, QgsRasterLayer) else {}
        open_algorithm(f"hyperkd:{name}", given)

    def _show(self, name: str, make: Callable[[], QWidget]) -> QWidget:
        """Open a window, or bring it to the front where it is open."""
        if name not in self._dialogs:
            self._dialogs[name] = make()
        dialog = self._dialogs[name]
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()
        return dialog

    def _offer(self, text: str, job: Any) -> None:
        notices.say(text, notices.NOTE, tr("Show"), lambda: self.show_job(job))

    def _job_found(self, job: Any) -> None:
        """Tell of a training of an earlier QGIS that runs, and once of one that broke off."""
        if not job.is_over:
            self._offer(tr("“{title}” is still running.").format(title=job.title), job)
        elif job.was_interrupted and not job.was_told:
            self._offer(tr("“{title}” was interrupted.").format(title=job.title), job)
            job.remember_told()

    def _job_ended(self, job: Any) -> None:
        from ..runner.protocol import Cancelled, Done

        job.remember_told()
        if isinstance(job.ending, Done):
            told = problems(job.ending.summary)
            text = " ".join([tr("“{title}” is done.").format(title=job.title), *told])
            level = notices.PROBLEM if told else notices.SUCCESS
            notices.say(text, level, tr("Show"), lambda: self.show_job(job))
        elif not isinstance(job.ending, Cancelled):
            text = tr("“{title}” ended without a model.").format(title=job.title)
            notices.say(text, notices.PROBLEM, tr("Show"), lambda: self.show_job(job))


def show_tutorial() -> None:
    """Open the tutorial in the browser."""
    QDesktopServices.openUrl(QUrl(page_url("tutorial.md")))


class ModelDrop(QgsCustomDropHandler):
    """Takes model files that are dropped onto the map; everything else is left to QGIS.

    Args:
        take: called with the path of a model file.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take

    def handleFileDrop(self, file: str) -> bool:
        """Return whether the file is a model of ours; QGIS calls this for each file."""
        if not file.lower().endswith((".onnx", ".safetensors")) or read_card(Path(file)) is None:
            return False
        self._take(file)
        return True
