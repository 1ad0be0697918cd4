"""The fine-tuning window: from labels to a map without leaving QGIS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsApplication, QgsProject
from qgis.PyQt.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)
from qgis.utils import iface

from .. import messages, settings
from ..algorithms.declare import JobParameters
from ..layers import UnusableLayerError
from ..messages import tr
from ..paths import free_path
from ..runner.background import BackgroundJob, BackgroundJobs
from ..runner.job_task import JobTask
from ..runner.protocol import Done, Ending
from ..session_folder import session_folder
from .engine_banner import EngineBanner
from .finetune_data import DataPage
from .finetune_settings import SettingsPage
from .label_export import LabelExport
from .map_layers import add_raster, remove_group, renew_raster
from .plain_label import plain_label
from .result_page import TOLD, ResultPage
from .training_view import TrainingView

KIND = "finetune"
_DATA, _SETTINGS, _TRAINING, _RESULT = range(4)
# Which of the settings decide how labels are split.
_SPLITTING = (
    *("student", "tune", "split", "test", "validation", "buffer", "block", "margin"),
    *("label_nodata", "seed"),
)


class FinetuneDialog(QDialog):
    """Asks for data and settings, shows the training, and puts the model to use.

    The training runs on its own: the window, and QGIS, may be closed meanwhile.

    Args:
        jobs: all jobs in the background.
    """

    def __init__(
        self,
        jobs: BackgroundJobs,
        parent: Optional[QWidget] = None,
        show_engine: Optional[Callable[[], object]] = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("HyperKD: fine-tune a model"))
        self.resize(820, 680)
        self._jobs = jobs
        self._export = LabelExport(self)
        self._export.ready.connect(self._labels_ready)
        self._export.failed.connect(self._give_up)
        self._purpose = ""  # what the labels are written for: "check" or "train"
        self._task: Optional[JobTask] = None

        self.data = DataPage()
        self.data.check_asked.connect(self.check)
        self.settings = SettingsPage()
        self.training = TrainingView()
        self.training.ended.connect(self._training_ended)
        self.training.previewed.connect(self._show_preview)
        self.result = ResultPage()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.data, tr("&1 Labels"))
        self.tabs.addTab(self.settings, tr("&2 Settings"))
        self.tabs.addTab(self.training, tr("&3 Training"))
        self.tabs.addTab(self.result, tr("&4 Result"))
        self.message = plain_label()
        self.train_button = QPushButton(tr("&Train"))
        self.train_button.setDefault(True)
        self.train_button.clicked.connect(self.train)
        self.again_button = QPushButton(tr("Start the interrupted training a&gain"))
        self.again_button.clicked.connect(self.go_on)
        self.again_button.setVisible(False)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addWidget(self.message, 1)
        for button in (self.again_button, self.train_button, close):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(EngineBanner("training", show_engine))
        layout.addWidget(self.tabs, 1)
        layout.addLayout(row)
        self.data.changed.connect(self._forget_split)
        self.data.changed.connect(self._propose_file)
        self.data.scenes.refused.connect(self._say)
        self.settings.changed.connect(self._forget_split)
        self.tabs.currentChanged.connect(lambda index: self._show_buttons())
        self._propose_file()
        self._show_known_job()
        self._show_buttons()

    # --- what the buttons do --------------------------------------------------------

    def check(self) -> None:
        """Let the engine look at the labels and draw how they would be split."""
        problem = self.data.problem() or settings.problem()
        if problem:
            self._say(problem)
            return
        self._write_labels("check")

    def train(self) -> None:
        """Begin the training in the background."""
        problem = self.data.problem() or self.settings.problem() or settings.problem("training")
        if problem:
            self._say(problem)
            return
        self._write_labels("train")

    def go_on(self) -> None:
        """Start an interrupted training again."""
        job, engine = self.training.job, settings.engine()
        if job is not None and engine is not None:
            can_resume = JobParameters(job.kind).has("resume")
            try:
                self.show_job(self._jobs.start_again(job, engine, can_resume))
            except OSError as error:
                self._say(str(error))

    def show_job(self, job: BackgroundJob) -> None:
        """Show a training, one of this window or of an earlier one."""
        self.training.show_job(job)
        self.tabs.setCurrentIndex(_RESULT if isinstance(job.ending, Done) else _TRAINING)
        self._show_buttons()

    # --- labels ---------------------------------------------------------------------

    def _write_labels(self, purpose: str) -> None:
        if self._purpose:
            return  # one thing at a time
        self._purpose = purpose
        self._say(tr("Reading the labels…"))
        self._show_buttons()
        self._export.start(
            self.data.layer.currentLayer(),
            self.data.fields(),
            self.data.selected_only.isChecked(),
        )

    def _labels_ready(self, path: str) -> None:
        purpose = self._purpose
        problem = self.data.problem()  # meanwhile a layer may have left the project
        if problem:
            self._give_up(problem)
            return
        try:
            fields = {**self.settings.values(), **self.data.values(), "labels": [path]}
        except (UnusableLayerError, ValueError) as error:
            self._give_up(str(error))
            return
        if purpose == "check":
            self._check_labels(fields)
        else:
            self._purpose = ""
            self._begin(fields, Path(path))

    def _check_labels(self, fields: Mapping[str, Any]) -> None:
        names = ("input", "labels", "task", "field", *_SPLITTING, *TOLD)
        asked = {name: fields.get(name) for name in names}
        asked["output"] = str(session_folder("split-"))
        self._task = JobTask(tr("Check labels"), settings.engine(), "labels", asked)
        self._task.ended.connect(self._checked)
        self._say(tr("Checking the labels…"))
        QgsApplication.taskManager().addTask(self._task)

    def _checked(self, ending: Ending) -> None:
        self._task = None
        if not isinstance(ending, Done):
            self._give_up(messages.unfinished(ending))
            return
        self._give_up("")
        self.data.show_check(ending.summary)
        remove_group(_split_group())
        for scene in ending.summary.get("scenes", ()):
            if scene.get("map"):
                title = tr("Split: {scene}").format(scene=Path(scene["path"]).stem)
                add_raster(scene["map"], title, "classes", _split_group())

    # --- training -------------------------------------------------------------------

    def _begin(self, fields: dict[str, Any], labels: Path) -> None:
        engine = settings.engine()
        if engine is None:
            return
        given = {name: value for name, value in fields.items() if value not in (None, [])}
        given.update(preview="preview.tif", preview_extent=self._visible_extent())
        title = tr("Fine-tuning {model}").format(model=Path(fields["output"]).stem)
        try:
            job = self._jobs.start(engine, KIND, given, title, files={"labels": [labels]})
        except OSError as error:
            self._say(str(error))
            return
        self._say(tr("The training goes on when this window, or QGIS, is closed."))
        self.show_job(job)

    def _visible_extent(self) -> list[float]:
        """Return what the map shows of the first scene, in that scene's reference system."""
        layers = self.data.scenes.layers()
        if iface is None or not layers:
            return []
        canvas = iface.mapCanvas()
        visible = canvas.mapSettings().mapToLayerCoordinates(layers[0], canvas.extent())
        seen = visible.intersect(layers[0].extent())
        if seen.isEmpty():
            return []
        return [seen.xMinimum(), seen.yMinimum(), seen.xMaximum(), seen.yMaximum()]

    def _training_ended(self) -> None:
        job = self.training.job
        if job is not None and job.is_over:
            self.message.clear()  # that it goes on
        if job is not None and isinstance(job.ending, Done):
            self.result.show_result(job.ending.summary, job.fields)
            self.tabs.setCurrentIndex(_RESULT)
            remove_group(_split_group())
            self._propose_another_file(str(job.fields.get("output", "")))
        self._show_buttons()

    def _propose_file(self) -> None:
        """Propose a model beside the project or the first scene, named after the labels."""
        scenes, labels = self.data.scenes.layers(), self.data.layer.currentLayer()
        if scenes and labels is not None:
            home = QgsProject.instance().homePath() or Path(scenes[0].source()).parent
            self.settings.propose(Path(home), labels.name())

    def _propose_another_file(self, written: str) -> None:
        """Keep the next training from replacing the model of this one."""
        if written and self.settings.model_file() == written:
            path = Path(written)
            # trees-2 is followed by trees-3
            first = path.with_name(re.sub(r"-\d\d?$", "", path.stem) + path.suffix)
            self.settings.output.setFilePath(str(free_path(first)))

    def _show_preview(self, path: str) -> None:
        job = self.training.job
        if iface is not None and job is not None:
            style = "classes" if job.fields.get("task") == "classification" else "values"
            renew_raster(path, tr("Preview while training"), style, _split_group())

    def _show_known_job(self) -> None:
        """Show the newest training that another window, or an earlier QGIS, has begun."""
        known = [job for job in self._jobs.jobs if job.kind == KIND]
        if known:
            self.show_job(known[0])

    # --- what is shown --------------------------------------------------------------

    def _forget_split(self) -> None:
        self.message.clear()

    def _give_up(self, text: str) -> None:
        """End what the labels were written for, with a sentence where there is one to say."""
        self._purpose = ""
        self._say(text)

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self._show_buttons()

    def _show_buttons(self) -> None:
        job = self.training.job
        running = job is not None and not job.is_over
        self.train_button.setEnabled(not running and not self._purpose)
        self.train_button.setVisible(self.tabs.currentIndex() in (_DATA, _SETTINGS))
        self.data.check_button.setEnabled(not self._purpose)
        self.again_button.setVisible(job is not None and job.was_interrupted)


def _split_group() -> str:
    return tr("HyperKD: fine-tuning")
