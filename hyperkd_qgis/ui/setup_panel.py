"""The part of the engine's window that makes the environment: choices, progress, log."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..env import managed, pins
from ..env.network import from_qgis
from ..env.request import Request
from ..env.setup_tasks import SetupTask
from ..messages import tr
from . import notices
from .file_widget import file_widget
from .plain_label import plain_label
from .remove_button import RemoveButton, size_text

# The set-up that runs now, whichever window shows it; one at a time.
_current: Optional[SetupTask] = None
_MAX_LOG_LINES = 5000


def tier_name(tier: str) -> str:
    """Return what a tier is called."""
    return {"inference": tr("inference"), "training": tr("fine-tuning and distillation")}[tier]


class SetupPanel(QGroupBox):
    """Asks what to install and from where, and shows the set-up that runs.

    Signals:
        changed: the engine is another one now, or a set-up began or ended.
    """

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("HyperKD's own environment"), parent)
        self._task: Optional[SetupTask] = None
        self.inference = plain_label()
        self.training = QCheckBox()
        self.compute = QComboBox()
        self.compute.addItem(tr("Processor (every machine)"), "cpu")
        self.compute.addItem(tr("NVIDIA GPU (CUDA)"), "gpu")
        self.source = QComboBox()
        self.source.addItem(tr("the package index, with QGIS's network settings"), "index")
        self.source.addItem(tr("a folder of wheels, without a network"), "wheels")
        self.wheels = file_widget()
        self.wheels.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.wheels.setDialogTitle(tr("Folder of wheels"))
        self.wheels.lineEdit().setPlaceholderText(tr("folder that holds the .whl files"))
        self.folder = plain_label(str(managed.engines_folder()))
        self.start_button = QPushButton(tr("&Set up"))
        self.cancel_button = QPushButton(tr("&Cancel"))
        self.remove_button = RemoveButton()
        self.remove_button.said.connect(lambda text: self.stage.setText(text))
        self.remove_button.removed.connect(self._show_removed)
        self.stage = plain_label()
        self.bar = QProgressBar()
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(policy)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(_MAX_LOG_LINES)
        self.log.setMinimumHeight(80)
        # It takes the room that there is, and asks for no more than this in a part that scrolls.
        self.log.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.log.setPlaceholderText(tr("The log of the set-up appears here."))
        self.log.setAccessibleName(tr("Set-up log"))
        self._lay_out()

        made = managed.find()
        if made is not None:
            self.training.setChecked("training" in made.tiers)
            self.compute.setCurrentIndex(self.compute.findData(made.compute))
        self.compute.currentIndexChanged.connect(self._show_sizes)
        self.source.currentIndexChanged.connect(self._show_source)
        self.start_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self.cancel)
        self._show_sizes()
        self._show_source()
        self._follow(_current)

    def propose_training(self) -> None:
        """Tick what training needs."""
        self.training.setChecked(True)

    def start(self) -> None:
        """Begin to make the environment that was chosen."""
        global _current
        offline = self.source.currentData() == "wheels"
        if offline and not self.wheels.filePath():
            self.stage.setText(tr("Choose the folder that holds the wheels."))
            self.wheels.lineEdit().setFocus()
            return
        request = Request(
            tiers=("training",) if self.training.isChecked() else ("inference",),
            compute=self.compute.currentData(),
            wheels=Path(self.wheels.filePath()) if offline else None,
            network=from_qgis(),
        )
        self.log.clear()
        _current = SetupTask(request)
        _current.ended.connect(_forget_current)
        self._follow(_current)
        QgsApplication.taskManager().addTask(_current)

    def cancel(self) -> None:
        """End the set-up that runs; what was there before stays."""
        if self._task is not None:
            self.stage.setText(tr("Cancelling…"))
            self.cancel_button.setEnabled(False)
            self._task.cancel()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("Packages"), self.inference)
        form.addRow("", self.training)
        form.addRow(tr("C&omputes on"), self.compute)
        form.addRow(tr("Packages &from"), self.source)
        form.addRow("", self.wheels)
        form.addRow(tr("Folder"), self.folder)
        row = QHBoxLayout()
        row.addWidget(self.start_button)
        row.addWidget(self.cancel_button)
        row.addWidget(self.remove_button)
        row.addWidget(self.bar, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addLayout(row)
        layout.addWidget(self.stage)
        layout.addWidget(self.log, 1)

    def _show_sizes(self) -> None:
        compute = self.compute.currentData()
        lines = {"inference": self.inference, "training": self.training}
        purposes = {
            "inference": tr("To run models"),
            "training": tr("Also to fine-tune and distil, with &PyTorch"),
        }
        for name, line in lines.items():
            tier = pins.TIERS[name]
            size = tr("about {download} to download, {disk} on the disk").format(
                download=size_text(tier.download_mb[compute]), disk=size_text(tier.disk_mb[compute])
            )
            line.setText(f"{purposes[name]}: {size}")

    def _show_source(self) -> None:
        self.wheels.setVisible(self.source.currentData() == "wheels")

    def _follow(self, task: Optional[SetupTask]) -> None:
        """Show a set-up that runs, also one that another window has begun."""
        self._task = task
        if task is not None:
            self.log.setPlainText("\n".join(task.lines))
            self.stage.setText(task.stage)
            self.bar.setValue(int(task.progress()))
            task.said.connect(self.log.appendPlainText)
            task.staged.connect(self.stage.setText)
            task.progressChanged.connect(self._show_progress)
            task.ended.connect(self._show_end)
        self._show_running()

    def _show_running(self) -> None:
        running = self._task is not None
        for widget in (self.training, self.compute, self.source, self.wheels):
            widget.setEnabled(not running)
        self.start_button.setEnabled(not running)
        self.start_button.setText(tr("&Set up again") if managed.find() else tr("&Set up"))
        self.cancel_button.setEnabled(running)
        self.remove_button.allow(not running)
        self.bar.setVisible(running)

    def _show_removed(self) -> None:
        self._show_running()
        self.changed.emit()

    def _show_progress(self, percent: float) -> None:
        self.bar.setValue(int(percent))

    def _show_end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self.stage.setText(_outcome(task))
            if task.reason is not None:
                self.start_button.setFocus()
        self._show_running()
        if task is not None and task.reason is not None:
            self.start_button.setText(tr("&Try again"))
        self.changed.emit()


def _forget_current() -> None:
    """Tell the user, whose window may be closed by now, how the set-up ended."""
    global _current
    task, _current = _current, None
    if task is None:
        return
    if task.environment is not None:
        text = tr("HyperKD's engine is set up. Select a scene's layer and press “First look”.")
        notices.say(text, notices.SUCCESS)
    elif task.reason is not None:
        notices.say(task.reason.text, notices.PROBLEM)


def _outcome(task: SetupTask) -> str:
    if task.reason is not None:
        return task.reason.text
    if task.environment is None:
        return tr("Cancelled. Nothing has changed.")
    return tr("Done.")
