"""The button that removes the engine: it measures, asks, and deletes what set-ups have made."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QMessageBox, QPushButton

from .. import settings
from ..env import removal
from ..env.managed import engines_folder
from ..env.setup_tasks import RemovalTask
from ..messages import harmless, tr


class RemoveButton(QPushButton):
    """Removes the environment, after a question that names its size.

    Signals:
        said: what it does, or why it does not.
        removed: the engine is gone, or what could be removed of it.
    """

    said = pyqtSignal(str)
    removed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__(tr("&Remove engine…"))
        self.setToolTip(tr("Deletes what set-up has installed. Models and trainings stay."))
        self.setAutoDefault(False)
        self._task: Optional[RemovalTask] = None
        self._is_allowed = True
        self.clicked.connect(lambda *_: self.measure())

    def allow(self, allowed: bool) -> None:
        """Let it be pressed, or not because a set-up runs, where there is something to remove."""
        self._is_allowed = allowed
        self.setEnabled(allowed and self._task is None and engines_folder().is_dir())

    def measure(self) -> None:
        """Find out what there is, then ask."""
        if not self._refused():
            self._start(RemovalTask(), tr("Measuring…"), self._ask)

    def _refused(self) -> bool:
        text = removal.refusal()
        if text:
            self.said.emit(text)
        return bool(text)

    def _start(self, task: RemovalTask, text: str, then: object) -> None:
        self._task = task
        self._task.ended.connect(then)
        self.setEnabled(False)
        self.said.emit(text)
        QgsApplication.taskManager().addTask(task)

    def _ended(self) -> Optional[RemovalTask]:
        """Take the task that has ended; None where it failed, which is said."""
        task, self._task = self._task, None
        self.allow(self._is_allowed)
        if task is None or task.problem:
            self.said.emit("" if task is None else task.problem)
            return None
        return task

    def _ask(self) -> None:
        task = self._ended()
        what = None if task is None else task.what
        if what is None or not self.isVisible():
            return  # the window was closed meanwhile
        if not what.paths:
            self.said.emit(tr("There is nothing to remove in {folder}.").format(folder=what.folder))
            return
        question = tr(
            "Remove HyperKD's engine? This deletes {size} in {folder}: the environment, pip's "
            "cache and the log of the set-up.\n\nModels, trainings and QGIS's own packages stay. "
            "The engine can be set up again at any time."
        ).format(size=size_text(what.size_bytes // 1_000_000), folder=what.folder)
        buttons = QMessageBox.StandardButton
        title = tr("HyperKD engine")
        answer = QMessageBox.question(
            self, title, harmless(question), buttons.Yes | buttons.No, buttons.No
        )
        if answer != buttons.Yes:
            self.said.emit(tr("Nothing was removed."))
        # A job may have begun while the question stood there.
        elif self._is_allowed and not self._refused():
            self._start(RemovalTask(what), tr("Removing…"), self._show_removed)

    def _show_removed(self) -> None:
        task = self._ended()
        if task is None or task.what is None:
            return
        if set(task.what.paths) & set(Path(settings.chosen_interpreter()).parents):
            settings.choose_interpreter("")  # it was one of these
        if task.left:
            text = tr("{folder} cannot be removed yet: close other QGIS windows and try again.")
            self.said.emit(text.format(folder=task.left[0]))
        else:
            text = tr("The engine was removed; {size} are free again.")
            self.said.emit(text.format(size=size_text(task.what.size_bytes // 1_000_000)))
        self.removed.emit()


def size_text(megabytes: int) -> str:
    """Return a size in MB or GB."""
    if megabytes < 1000:
        return tr("{number} MB").format(number=megabytes)
    return tr("{number} GB").format(number=f"{megabytes / 1000:.1f}")
