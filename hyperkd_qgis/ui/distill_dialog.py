"""The distillation window: a student of one's own from scenes without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsApplication
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from .. import messages, settings
from ..algorithms.declare import JobParameters
from ..layers import UnusableLayerError
from ..messages import tr
from ..modelrows import rows_of_answer
from ..runner.background import BackgroundJob, BackgroundJobs
from ..runner.job_task import JobTask
from ..runner.protocol import Done, Ending
from .choice_box import choice_box
from .engine_banner import EngineBanner
from .expert_fold import ExpertFold
from .file_widget import file_widget
from .finetune_settings import default_output
from .plain_label import plain_label
from .scenes_list import ScenesList
from .store_window import StoreWindow
from .training_view import TrainingView

KIND = "distill"
_SETTINGS, _TRAINING = range(2)


class DistillDialog(StoreWindow):
    """Asks for scenes, a teacher and a size, shows the training, and keeps the student.

    Args:
        jobs: all jobs in the background.
        show_models: opens the model store's window, where teachers are fetched.
    """

    def __init__(
        self,
        jobs: BackgroundJobs,
        show_models: Any,
        parent: Optional[QWidget] = None,
        show_engine: Optional[Callable[[], object]] = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("HyperKD: distil a student"))
        self.resize(820, 680)
        self._jobs = jobs
        self._job = JobParameters(KIND)
        self._task: Optional[JobTask] = None

        self.scenes = ScenesList()
        self.teacher = QComboBox()
        self._no_teacher = self._job.default("teacher")
        self.teacher.addItem(tr("none (masked autoencoder only)"), self._no_teacher)
        self.teacher_note = plain_label()
        self.fetch_button = QPushButton(tr("&Get teachers…"))
        self.fetch_button.setAutoDefault(False)
        self.fetch_button.clicked.connect(lambda: show_models())
        self.preset = choice_box(self._job, "preset")
        self.hours = QDoubleSpinBox()
        self.hours.setRange(0.0, self._job.largest("hours"))
        self.hours.setDecimals(1)
        self.hours.setSpecialValueText(tr("no limit"))
        self.hours.setSuffix(tr(" h"))
        self.hours.setValue(self._job.default("hours") or 0.0)
        self.output = file_widget()
        self.output.setStorageMode(QgsFileWidget.StorageMode.SaveFile)
        self.output.setFilter("Checkpoint (*.safetensors)")
        self.output.setDialogTitle(tr("Student to write"))
        path = Path(default_output(tr("student")))
        self.output.setFilePath(str(path.with_suffix(".safetensors")))
        self.expert = ExpertFold(tr("E&xpert settings"), KIND)
        self.training = TrainingView()
        self.training.ended.connect(self._training_ended)
        self.banner = EngineBanner("training", show_engine)
        self.message = plain_label()
        self._make_buttons()
        self._lay_out()
        self.teacher.currentIndexChanged.connect(self._show_teacher)
        self.scenes.refused.connect(self.message.setText)
        self._show_known_job()
        self._show_buttons()

    def values(self) -> dict[str, Any]:
        """Return the job's fields.

        Raises:
            UnusableLayerError: the engine cannot read a scene.
        """
        output = self.output.filePath()
        if output and not output.lower().endswith(".safetensors"):
            output += ".safetensors"
        given = {
            "input": self.scenes.paths(),
            "teacher": self.teacher.currentData(),
            "preset": self.preset.currentData(),
            "output": output,
            **self.expert.values(),
            "hours": self.hours.value() or None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def problem(self) -> str:
        """Return what is missing, as a sentence, or an empty string."""
        if not self.scenes.layers():
            return tr("Tick at least one scene.")
        path = self.output.filePath()
        if not path or not Path(path).parent.is_dir():
            return tr("Choose where to write the student.")
        return settings.problem("training")

    def train(self) -> None:
        """Begin the training in the background."""
        problem, engine = self.problem(), settings.engine()
        if problem or engine is None:
            self.message.setText(problem)
            return
        try:
            fields = self.values()
            title = tr("Distilling {student}").format(student=Path(fields["output"]).stem)
            job = self._jobs.start(engine, KIND, fields, title)
        except (OSError, UnusableLayerError, ValueError) as error:
            self.message.setText(str(error))
            return
        self.message.setText(tr("The training goes on when this window, or QGIS, is closed."))
        self.show_job(job)

    def go_on(self) -> None:
        """Go on with an interrupted training."""
        job, engine = self.training.job, settings.engine()
        if job is not None and engine is not None:
            try:
                self.show_job(self._jobs.start_again(job, engine, self._job.has("resume")))
            except OSError as error:
                self.message.setText(str(error))

    def store(self) -> None:
        """Take the student, and its checkpoint, into the model store."""
        job, engine = self.training.job, settings.engine()
        if job is None or engine is None or not isinstance(job.ending, Done):
            return
        fields = {"file": str(job.ending.summary.get("model", ""))}
        self._task = JobTask(tr("Saving the student"), engine, "models_add", fields)
        self._task.ended.connect(self._stored)
        self._show_buttons()
        QgsApplication.taskManager().addTask(self._task)

    def open_report(self) -> None:
        """Show the report in the browser."""
        job = self.training.job
        if job is not None and isinstance(job.ending, Done):
            page = str(job.ending.summary.get("report", ""))
            QDesktopServices.openUrl(QUrl.fromLocalFile(page))

    def show_job(self, job: BackgroundJob) -> None:
        """Show a training, one of this window or of an earlier one."""
        self.training.show_job(job)
        self.tabs.setCurrentIndex(_TRAINING)
        self._show_buttons()

    # --- inside ---------------------------------------------------------------------

    def _make_buttons(self) -> None:
        self.train_button = QPushButton(tr("&Train"))
        self.train_button.clicked.connect(self.train)
        self.again_button = QPushButton(tr("Resume the interrupted trainin&g"))
        self.again_button.clicked.connect(self.go_on)
        self.report_button = QPushButton(tr("Open &report"))
        self.report_button.clicked.connect(self.open_report)
        self.store_button = QPushButton(tr("Save student to the s&tore"))
        self.store_button.clicked.connect(self.store)
        for button in (self.again_button, self.report_button, self.store_button):
            button.setAutoDefault(False)

    def _lay_out(self) -> None:
        teacher = QHBoxLayout()
        teacher.addWidget(self.teacher, 1)
        teacher.addWidget(self.fetch_button)
        page = QWidget()
        form = QFormLayout()
        form.addRow(tr("Scenes"), self.scenes)
        label = QLabel(tr("T&eacher"))
        label.setBuddy(self.teacher)
        form.addRow(label, teacher)
        form.addRow("", self.teacher_note)
        form.addRow(tr("&Size of the student"), self.preset)
        form.addRow(tr("&Budget"), self.hours)
        form.addRow(tr("&Write the student to"), self.output)
        column = QVBoxLayout(page)
        column.addLayout(form)
        column.addWidget(self.expert, 1)
        column.addStretch(0)
        self.tabs = QTabWidget()
        self.tabs.addTab(page, tr("&1 Scenes and settings"))
        self.tabs.addTab(self.training, tr("&2 Training"))
        self.tabs.currentChanged.connect(lambda index: self._show_buttons())
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addWidget(self.message, 1)
        for button in (
            self.again_button,
            self.report_button,
            self.store_button,
            self.train_button,
            close,
        ):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.banner)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(row)

    def _take_reading(self, ending: Ending) -> None:
        """Offer the teachers that the engine knows; until it has told there is none to choose."""
        if not isinstance(ending, Done):
            return
        chosen = self.teacher.currentData()
        while self.teacher.count() > 1:
            self.teacher.removeItem(1)
        for row in rows_of_answer(ending.summary.get("models", ())):
            if row.kind != "teacher":
                continue
            licence = str(row.facts.get("licence") or tr("licence not stated"))
            here = row.path is not None
            state = tr("here") if here else tr("not here, {size} to download").format(size=row.size)
            self.teacher.addItem(f"{row.name} ({licence}; {state})", row.name)
            if not here:
                self.teacher.model().item(self.teacher.count() - 1).setEnabled(False)
        index = self.teacher.findData(chosen)
        self.teacher.setCurrentIndex(max(0, index))

    def _training_ended(self) -> None:
        job = self.training.job
        if job is not None and job.is_over:
            self.message.clear()  # that it goes on
        self._show_buttons()

    def _show_teacher(self) -> None:
        note = ""
        if self.teacher.currentData() != self._no_teacher:
            note = tr("With a teacher a step takes longer; its file stays on this machine.")
        self.teacher_note.setText(note)

    def _stored(self, ending: Ending) -> None:
        self._task = None
        self.message.setText(_told(ending))
        self._show_buttons()

    def _show_known_job(self) -> None:
        known = [job for job in self._jobs.jobs if job.kind == KIND]
        if known:
            self.show_job(known[0])

    def _show_buttons(self) -> None:
        job = self.training.job
        is_done = job is not None and isinstance(job.ending, Done)
        on_training = self.tabs.currentIndex() == _TRAINING
        self.train_button.setVisible(not on_training)
        self.train_button.setEnabled(job is None or job.is_over)
        self.again_button.setVisible(job is not None and job.was_interrupted and on_training)
        for button in (self.report_button, self.store_button):
            button.setVisible(on_training)
            button.setEnabled(is_done and self._task is None)


def _told(ending: Ending) -> str:
    if isinstance(ending, Done):
        summary: Mapping[str, Any] = ending.summary
        return tr("The student is in the store as “{name}”.").format(name=summary.get("name"))
    return messages.unfinished(ending)
