"""The second page of the fine-tuning window: what to train, how to test it, where to put it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsProject
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtGui import QShowEvent
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from ..algorithms.declare import JobParameters
from ..messages import tr
from ..modelfile import trainable_students
from ..paths import free_path, shipped_students
from .choice_box import choice_box
from .expert_fold import ExpertFold
from .file_widget import file_widget

_SCRATCH = "scratch"


class SettingsPage(QWidget):
    """Asks for the settings of a fine-tuning in plain words.

    Signals:
        changed: something that decides about the split is another now.
    """

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._job = JobParameters("finetune")
        self.student = QComboBox()
        self.student.setEditable(True)
        self.student.setToolTip(tr("The student to start from, or the path of a checkpoint."))
        self._list_students()
        self.split = choice_box(self._job, "split")
        self.tune = choice_box(self._job, "tune")
        self.baselines = QCheckBox(tr("Compare with &classical models on the same labels"))
        self.baselines.setChecked(bool(self._job.default("baselines")))
        self.baselines.setToolTip(
            tr(
                "They are saved beside the model. Where one is better, it can map the scenes "
                "instead."
            )
        )
        self.output = file_widget()
        self.output.setStorageMode(QgsFileWidget.StorageMode.SaveFile)
        self.output.setFilter("ONNX (*.onnx)")
        self.output.setDialogTitle(tr("Model to write"))
        self._proposed = default_output(tr("model"))
        self.output.setFilePath(self._proposed)
        hint = QLabel(
            tr(
                "The accuracy report is written beside the model. Test labels are not used for "
                "training, so the scores estimate accuracy at other places in these scenes."
            )
        )
        hint.setWordWrap(True)
        self.expert = ExpertFold(tr("E&xpert settings"), "finetune")
        form = QFormLayout()
        form.addRow(tr("&Start from"), self.student)
        form.addRow(tr("Wh&at is trained"), self.tune)
        form.addRow(tr("&Hold out for the test"), self.split)
        form.addRow("", self.baselines)
        form.addRow(tr("&Write the model to"), self.output)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(hint)
        layout.addWidget(self.expert, 1)
        layout.addStretch(0)
        for box in (self.student, self.split, self.tune):
            box.currentIndexChanged.connect(lambda index: self.changed.emit())

    def values(self) -> dict[str, Any]:
        """Return the job's fields of this page."""
        output = self.model_file()
        return {
            "student": self._student(),
            "split": self.split.currentData(),
            "tune": self.tune.currentData(),
            "baselines": self.baselines.isChecked(),
            "save_baselines": self.baselines.isChecked(),
            "output": output,
            "report": str(report_folder(Path(output))) if output else None,
            **self.expert.values(),
        }

    def propose(self, folder: Path, name: str) -> None:
        """Propose a file for the model; what the user has written stays.

        Args:
            folder: where it shall lie, if one may write there.
            name: what it is about; what no file may be called is left out.
        """
        stem = re.sub(r"[^\w .-]+", "", name).strip(" .")
        if (shipped_students() / f"{stem}.onnx").is_file():
            stem += " model"  # the store refuses names of models that are shipped
        if self.output.filePath() != self._proposed or not stem:
            return
        if not folder.is_absolute() or not os.access(folder, os.W_OK):
            return
        if Path(self._proposed).parent != folder or not Path(self._proposed).stem.startswith(stem):
            self._proposed = str(free_path(folder / f"{stem}.onnx"))
            self.output.setFilePath(self._proposed)

    def model_file(self) -> str:
        """Return the file to write, or an empty string."""
        path = self.output.filePath()
        return path if not path or path.lower().endswith(".onnx") else f"{path}.onnx"

    def problem(self) -> str:
        """Return what is missing, as a sentence, or an empty string."""
        path = self.output.filePath()
        if not path:
            return tr("Choose where to write the model.")
        if not Path(path).parent.is_dir():
            return tr("There is no folder {path}.").format(path=Path(path).parent)
        return ""

    def showEvent(self, event: QShowEvent) -> None:
        """Offer the students that are here now."""
        super().showEvent(event)
        self._list_students()

    def _list_students(self) -> None:
        """List the students that are here; what is chosen, or written, stays."""
        box, is_first = self.student, self.student.count() == 0
        text = box.currentText()
        box.blockSignals(True)
        box.clear()
        for name in trainable_students():
            box.addItem(name, name)
        box.addItem(tr("scratch (random weights)"), _SCRATCH)
        text = str(self._job.default("student")) if is_first else text
        box.setCurrentIndex(box.findText(text))
        box.setEditText(text)
        box.blockSignals(False)

    def _student(self) -> str:
        text = self.student.currentText().strip()
        index = self.student.findText(text)
        return str(self.student.itemData(index)) if index >= 0 else text


def default_output(name: str) -> str:
    """Return a file for a new model that does not exist yet: beside the project, or at home."""
    home = QgsProject.instance().homePath() or str(Path.home())
    return str(free_path(Path(home) / f"{name}.onnx"))


def report_folder(output: Path) -> Path:
    """Return the folder of the report of a model."""
    return output.with_name(f"{output.stem}-report")
