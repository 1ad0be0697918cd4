"""*First look* at the active layer, with one click: runs in the background, then shows it.

The results lie with the scene in a group of its own, of which one layer is shown at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

from qgis.core import (
    QgsApplication,
    QgsLayerTreeGroup,
    QgsMessageLog,
    QgsProject,
    QgsRasterLayer,
)
from qgis.gui import QgsMessageBarItem
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QTimer, QUrl
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QAbstractItemView, QProgressBar, QPushButton

from .. import messages, settings
from ..algorithms.declare import JobParameters
from ..algorithms.first_look import FirstLookAlgorithm
from ..algorithms.help import page_url
from ..algorithms.model_check import model_problem
from ..algorithms.titles import field_title
from ..cover_text import cover_sentence, unlike_problem
from ..layers import UnusableLayerError, provenance_of, raster_source, write_styles
from ..layertree import SCENE_KEY, scene_group
from ..messages import tr
from ..runner.job_task import JobTask
from ..runner.process import Engine
from ..runner.protocol import Cancelled, Done, Ending, Failed
from ..session_folder import session_folder
from ..styles import show_bands, stretch
from . import notices
from .run_on_layer import open_algorithm

_KIND = FirstLookAlgorithm.KIND
_ID = f"hyperkd:{FirstLookAlgorithm.NAME}"
# A raster with fewer bands is no scene, whatever it shows.
_LEAST_BANDS = 4
# The summary is read while the maps are looked at.
_SUMMARY_S = 60
# Of the folder of a look's files.
_PREFIX = "look-"


class FirstLooks:
    """Looks at scenes, each in a task of its own.

    Args:
        iface: the window of QGIS.
        show_engine: opens the engine's window.
    """

    def __init__(self, iface: Any, show_engine: Callable[[], object]) -> None:
        self._iface = iface
        self._show_engine = show_engine
        self._running: dict[str, _Running] = {}

    def start(self) -> None:
        """Look at the active layer, or at the only scene that there is; else ask for one."""
        scene = self._scene()
        if scene is None:
            return
        problem = settings.problem()
        if problem:
            notices.say(problem, notices.NOTE, tr("Set up"), self._show_engine)
            return
        if scene.id() in self._running:
            self._running[scene.id()].show()
            return
        model = str(JobParameters(_KIND).default("model"))
        try:
            source = raster_source(scene)
        except UnusableLayerError as error:
            notices.say(str(error), notices.PROBLEM)
            return
        problem = model_problem(model, FirstLookAlgorithm.NEEDS, [scene])
        if problem:
            self._offer_dialog(problem, scene.id())
            return
        task = LookTask(settings.engine(), scene, source, model)
        running = _Running(self._iface.messageBar(), task)
        self._running[scene.id()] = running
        # After QGIS, which tells of the end too: the message that says more shall lie on top.
        task.ended.connect(lambda ending: QTimer.singleShot(0, lambda: self._end(task, ending)))
        running.show()
        QgsApplication.taskManager().addTask(task)

    def close(self) -> None:
        """Cancel what still runs, and say nothing more of it."""
        for running in self._running.values():
            running.task.ended.disconnect()
            running.task.cancel()
            running.hide()
        self._running.clear()

    def _scene(self) -> Optional[QgsRasterLayer]:
        """Return the layer to look at; None where somebody has to say which."""
        active, project = self._iface.activeLayer(), QgsProject.instance()
        # The results of a look stand for the scene that they are of.
        if active is not None and active.customProperty(SCENE_KEY):
            active = project.mapLayer(active.customProperty(SCENE_KEY)) or active
        if isinstance(active, QgsRasterLayer):
            return active
        layers = project.mapLayers().values()
        scenes = [
            each for each in layers if isinstance(each, QgsRasterLayer) and _may_be_scene(each)
        ]
        if len(scenes) == 1:
            return scenes[0]
        if scenes:
            notices.say(
                tr("Which scene? Select its layer, or choose it in the dialog."), notices.NOTE
            )
            open_algorithm(_ID, {})
        else:
            text = tr("Open a hyperspectral scene first: Layer › Add Layer, or drop its file here.")
            notices.say(text, notices.NOTE)
        return None

    def _end(self, task: LookTask, ending: Ending) -> None:
        running = self._running.pop(task.scene_id, None)
        if running is None:  # closed meanwhile
            return
        running.hide()
        if task.log:
            level = notices.NOTE if isinstance(ending, (Done, Cancelled)) else notices.PROBLEM
            QgsMessageLog.logMessage(task.log, messages.LOG_TAG, level, False)
        about = f"{tr('First look')}, “{task.title}”: "
        if isinstance(ending, Done):
            group = show_results(task, ending.summary)
            if group is None:
                text = tr("the scene is no longer in the project, so nothing was added.")
                notices.say(about + text, notices.NOTE)
                return
            self._select(task.scene_id, group)
            told = [*unlike_problem(ending.summary), *messages.problems(ending.summary)]
            self._tell(about + cover_sentence(ending.summary), told)
        elif isinstance(ending, Failed) and ending.code == "missing_dependency":
            text = about + messages.failed(ending)
            notices.say(text, notices.PROBLEM, tr("Set up"), self._show_engine)
        elif isinstance(ending, Failed):
            self._offer_dialog(about + messages.failed(ending), task.scene_id)
        elif isinstance(ending, Cancelled):
            notices.say(about + tr("cancelled."), notices.NOTE)
        else:
            notices.say(about + messages.unfinished(ending), notices.PROBLEM)

    def _tell(self, sentence: str, told: list[str]) -> None:
        """Say what was found, and what is odd about the scene."""
        if told:
            notices.say(f"{sentence} {messages.shortened(told)}", notices.PROBLEM)
            return
        notices.say(
            sentence, notices.SUCCESS, tr("What the colours mean"), show_page, seconds=_SUMMARY_S
        )

    def _offer_dialog(self, text: str, scene_id: str) -> None:
        """Say why a scene is refused; the dialog takes what its file does not say."""
        notices.say(
            text,
            notices.PROBLEM,
            tr("Open the dialog…"),
            lambda: open_algorithm(_ID, {"INPUT": scene_id}),
        )

    def _select(self, scene_id: str, group: QgsLayerTreeGroup) -> None:
        """Select the scene again, for its node in the tree is a new one, and show the group."""
        self._iface.setActiveLayer(QgsProject.instance().mapLayer(scene_id))
        view = self._iface.layerTreeView()
        top = QAbstractItemView.ScrollHint.PositionAtTop
        view.scrollTo(view.node2index(group), top)


class LookTask(JobTask):
    """Runs the job, and prepares how its results look.

    Attributes:
        scene_id, title: of the scene's layer.
        files: where the results are, by the job's field.
        natural: the scene's bands of natural colour with the bounds of each; empty where it
            lacks them.
    """

    def __init__(
        self, engine: Optional[Engine], scene: QgsRasterLayer, source: str, model: str
    ) -> None:
        self.scene_id, self.title = scene.id(), scene.name()
        folder = session_folder(_PREFIX)
        styles = FirstLookAlgorithm.STYLES
        self.files = {name.lower(): str(folder / f"{name.lower()}.tif") for name in styles}
        self.fields = {"input": source, "model": model, **self.files}
        self.natural: list[tuple[int, tuple[float, float]]] = []
        self._uri = scene.source()
        super().__init__(f"{tr('First look')}: {self.title}", engine, _KIND, self.fields)

    def complete(self, summary: Mapping[str, Any]) -> None:
        """Write the styles, and find how to stretch the scene: both read rasters."""
        plain = QgsRasterLayer.LayerOptions(False)  # its own style would read it once more
        layer = QgsRasterLayer(self._uri, "", "gdal", plain)  # opened first: see write_styles
        styles = FirstLookAlgorithm.STYLES
        problems = write_styles({self.files[name.lower()]: styles[name] for name in styles})
        if problems:
            raise OSError(problems[0])
        bands = summary.get("natural_colour", ()) if layer.isValid() else ()
        self.natural = [(band, stretch(layer, band)) for band in bands]


class _Running:
    """What the message bar shows while a look runs: how far it is, and a way to cancel it."""

    def __init__(self, bar: Any, task: LookTask) -> None:
        self.task = task
        self._bar = bar
        self._item: Optional[QgsMessageBarItem] = None

    def show(self) -> None:
        """Show it, again where somebody has closed it."""
        self.hide()
        text = messages.harmless(tr("First look at “{scene}”…").format(scene=self.task.title))
        item = self._bar.createMessage("HyperKD", text)
        progress = QProgressBar()
        progress.setMaximumWidth(240)
        self.task.progressChanged.connect(lambda percent: _set(progress, percent))
        cancel = QPushButton(tr("Cancel"))
        cancel.clicked.connect(lambda *_: self.task.cancel())
        item.layout().addWidget(progress)
        item.layout().addWidget(cancel)
        self._item = item
        self._bar.pushWidget(item, notices.NOTE, 0)

    def hide(self) -> None:
        """Take it away."""
        if self._item is not None and not sip.isdeleted(self._item):
            self._bar.popWidget(self._item)
        self._item = None


def show_results(task: LookTask, summary: Mapping[str, Any]) -> Optional[QgsLayerTreeGroup]:
    """Add the results beside the scene, in place of those of an earlier look at it.

    Returns:
        Their group; None where the scene is no longer in the project, and nothing is added.
    """
    project = QgsProject.instance()
    scene = project.mapLayer(task.scene_id)
    if scene is None:
        return None
    for old in _earlier(project, task.scene_id):
        project.removeMapLayer(old)
    _show_natural(scene, task.natural)
    group = scene_group(project, scene, f"{tr('First look')}: {scene.name()}")
    provenance = provenance_of(_ID, task.fields, summary, group.name())
    for place, name in enumerate(task.files):
        title = f"{field_title(_KIND, name)}: {scene.name()}"
        layer = QgsRasterLayer(task.files[name], title, "gdal")
        layer.loadDefaultStyle()
        provenance.write(layer)
        layer.setCustomProperty(SCENE_KEY, task.scene_id)
        project.addMapLayer(layer, False)
        node = group.insertLayer(place, layer)
        node.setExpanded(place < 3)
    group.setIsMutuallyExclusive(True, 0)
    group.setExpanded(False)
    group.setExpanded(True)
    return group


def show_page() -> None:
    """Open the page on the colours in the browser."""
    QDesktopServices.openUrl(QUrl(page_url("first-look.md")))


def _show_natural(
    scene: QgsRasterLayer, natural: Sequence[tuple[int, tuple[float, float]]]
) -> None:
    """Give the scene a style more, which shows it in natural colour; those that it has stay."""
    if not natural:
        return
    styles, name = scene.styleManager(), tr("Natural colour")
    if name not in styles.styles():
        styles.addStyleFromLayer(name)
    styles.setCurrentStyle(name)
    show_bands(scene, *zip(*natural))
    scene.triggerRepaint()


def _earlier(project: QgsProject, scene_id: str) -> list[str]:
    """Return the layers of an earlier look; what somebody has saved elsewhere is theirs."""
    return [
        identifier
        for identifier, layer in project.mapLayers().items()
        if layer.customProperty(SCENE_KEY) == scene_id
        and Path(layer.source()).parent.name.startswith(_PREFIX)
    ]


def _may_be_scene(layer: QgsRasterLayer) -> bool:
    return layer.bandCount() >= _LEAST_BANDS and not layer.customProperty(SCENE_KEY)


def _set(bar: QProgressBar, percent: float) -> None:
    if not sip.isdeleted(bar):
        bar.setValue(int(percent))
