"""The model store's window: what models there are, what each is, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QDragEnterEvent, QDropEvent
from qgis.PyQt.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from .. import messages, settings
from ..env.network import from_qgis
from ..messages import tr
from ..modelfile import SUFFIXES
from ..modelrows import PUBLISHED, ModelRow, rows_of_answer, rows_of_files
from ..runner.job_task import JobTask
from ..runner.protocol import Done, Ending, Event
from .copy_task import CopyTask
from .model_page import model_page
from .models_list import ModelList
from .plain_label import plain_label
from .run_on_layer import algorithm_for, open_algorithm
from .store_window import StoreWindow

_FILTER = "*.onnx *.safetensors *.pt *.pth"


class ModelsDialog(StoreWindow):
    """Lists models with their cards; files may be dropped onto it.

    One action runs at a time, in the engine's process; the window stays usable and may be
    closed meanwhile.
    """

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("HyperKD models"))
        self.resize(940, 620)
        self.setAcceptDrops(True)
        self._task: Optional[JobTask] = None
        self._copy: Optional[CopyTask] = None
        self._obstacle = ""  # what kept the list from being read
        self.list = ModelList()
        self.list.chosen.connect(self._show_selected)
        self.card = QTextBrowser()
        self.card.setOpenExternalLinks(True)
        self.message = plain_label()
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.cancel_button = QPushButton(tr("&Cancel"))
        self.cancel_button.setVisible(False)
        self.cancel_button.clicked.connect(self.cancel)
        self.buttons = self._make_buttons()
        self._lay_out()
        self.list.show_rows(rows_of_files())

    # --- what the buttons do --------------------------------------------------------

    def refresh(self) -> None:
        """Ask the engine for the list; where there is none the files are shown, and what to do."""
        problem = settings.problem()
        self._say_obstacle(problem)
        if problem:
            self.list.show_rows(rows_of_files())
        self._set_buttons()
        super().refresh()

    def add(self) -> None:
        """Ask for a file and take it into the store."""
        path, _ = QFileDialog.getOpenFileName(
            self, tr("Add a model"), "", f"{tr('Models')} ({_FILTER});;*.* (*)"
        )
        if path:
            self.add_file(path)

    def add_file(self, path: str) -> None:
        """Take a file into the store."""
        title = tr("Adding {file}").format(file=Path(path).name)
        self._start(title, "models_add", {"file": path}, self._take_added)

    def fetch(self) -> None:
        """Download the selected teacher, by the revision that HyperKD knows."""
        row = self.selected()
        if row is not None:
            fields = {"name": row.name}
            self._start(
                tr("Fetching {name}").format(name=row.name),
                "models_fetch",
                fields,
                self._take_added,
            )

    def verify(self) -> None:
        """Compare the selected model with what is on record of it."""
        self._run_on_selected(tr("Verifying {name}"), "models_verify")

    def test(self) -> None:
        """Repeat the selected model's self-test here, and time it."""
        self._run_on_selected(tr("Testing {name}"), "models_test")

    def remove(self) -> None:
        """Remove the selected model, after a question."""
        row = self.selected()
        if row is None:
            return
        question = tr("Remove “{name}” from the model store? Its file is deleted.")
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self,
            tr("HyperKD models"),
            messages.harmless(question.format(name=row.name)),
            buttons.Yes | buttons.No,
            buttons.No,
        )
        if answer == buttons.Yes:
            title = tr("Removing {name}").format(name=row.name)
            self._start(title, "models_remove", {"name": row.name}, self._take_removed)

    def save_copy(self) -> None:
        """Ask for a place and copy the selected model's file there."""
        row = self.selected()
        if row is None or row.path is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self, tr("Save a copy"), row.path.name, f"*{row.path.suffix}"
        )
        if path:
            self.save_copy_as(row.path, path)

    def save_copy_as(self, source: Path, target: str) -> None:
        """Copy a model's file in the background."""
        self._copy = CopyTask(source, Path(target))
        self._copy.ended.connect(self.message.setText)
        self.message.setText(tr("Copying {file}…").format(file=source.name))
        QgsApplication.taskManager().addTask(self._copy)

    def run_on_layer(self) -> None:
        """Open the algorithm for the selected model."""
        row = self.selected()
        if row is not None and row.card is not None:
            open_algorithm(algorithm_for(row.card), {"MODEL": row.name})

    def cancel(self) -> None:
        """End the action that runs."""
        if self._task is not None:
            self._task.cancel()

    def selected(self) -> Optional[ModelRow]:
        """Return the selected model, or None."""
        return self.list.selected()

    # --- dropping files -------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a drag that carries model files."""
        if model_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add the first of the dropped files; there is one action at a time."""
        files = model_files(event.mimeData())
        if files and self._task is None:
            event.acceptProposedAction()
            self.add_file(files[0])

    # --- inside ---------------------------------------------------------------------

    def _make_buttons(self) -> dict[str, QPushButton]:
        made: dict[str, QPushButton] = {}
        for name, text, tip, action in (
            ("add", tr("&Add file…"), tr("A file can also be dropped here."), self.add),
            ("fetch", tr("&Fetch"), tr("Downloads the published file and checks it."), self.fetch),
            (
                "verify",
                tr("&Verify"),
                tr("Compares the file with the checksum on record."),
                self.verify,
            ),
            (
                "test",
                tr("&Test here"),
                tr("Repeats the model's self-test on this machine, and times it."),
                self.test,
            ),
            ("copy", tr("&Save a copy…"), tr("Copies the model's file."), self.save_copy),
            ("remove", tr("&Remove"), tr("Deletes the model from the store."), self.remove),
            (
                "run",
                tr("Run on &layer…"),
                tr("Opens the algorithm that runs this model."),
                self.run_on_layer,
            ),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setAutoDefault(False)
            button.clicked.connect(_ignoring_checked(action))
            made[name] = button
        return made

    def _lay_out(self) -> None:
        splitter = QSplitter()
        splitter.addWidget(self.list)
        splitter.addWidget(self.card)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 1)
        actions = QHBoxLayout()
        for name in ("run", "test", "verify", "fetch", "add", "copy", "remove"):
            actions.addWidget(self.buttons[name])
        actions.addStretch(1)
        running = QHBoxLayout()
        running.addWidget(self.message, 1)
        running.addWidget(self.bar)
        running.addWidget(self.cancel_button)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(splitter, 1)
        layout.addLayout(actions)
        layout.addLayout(running)
        layout.addWidget(close)

    def _show_selected(self) -> None:
        row = self.selected()
        self.card.setHtml(model_page(row) if row is not None else "")
        self._set_buttons()

    def _set_buttons(self) -> None:
        row, idle = self.selected(), self._task is None and not settings.problem()
        here = row is not None and row.path is not None
        self.buttons["add"].setEnabled(idle)
        self.buttons["fetch"].setEnabled(idle and row is not None and row.origin == PUBLISHED)
        self.buttons["verify"].setEnabled(idle and here)
        self.buttons["test"].setEnabled(idle and row is not None and row.runs)
        self.buttons["copy"].setEnabled(here)
        self.buttons["remove"].setEnabled(idle and row is not None and row.removable)
        self.buttons["run"].setEnabled(row is not None and row.runs)
        self.bar.setVisible(self._task is not None)
        self.cancel_button.setVisible(self._task is not None)

    def _run_on_selected(self, title: str, kind: str) -> None:
        row = self.selected()
        if row is not None:
            self._start(title.format(name=row.name), kind, {"name": row.name}, self._take_text)

    def _start(
        self,
        title: str,
        kind: str,
        fields: Mapping[str, Any],
        take: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """Run a job and give its summary to ``take``."""
        engine = settings.engine()
        if engine is None or self._task is not None:
            return
        network = from_qgis()
        self._task = JobTask(title, engine, kind, fields, variables=network.variables)
        self._task.heard.connect(self._hear)
        self._task.progressChanged.connect(lambda percent: self.bar.setValue(int(percent)))
        self._task.ended.connect(lambda ending: self._end(ending, take))
        self.message.setText(title + "…")
        self.bar.setValue(0)
        self._set_buttons()
        QgsApplication.taskManager().addTask(self._task)

    def _hear(self, event: Event) -> None:
        if event["event"] == "stage":
            self.message.setText(f"{event.get('name', '')}…")

    def _end(self, ending: Ending, take: Callable[[Mapping[str, Any]], None]) -> None:
        self._task = None
        self._set_buttons()
        if isinstance(ending, Done):
            self.message.clear()
            take(ending.summary)
        else:
            self.message.setText(messages.unfinished(ending))

    def _take_reading(self, ending: Ending) -> None:
        if isinstance(ending, Done):
            self.list.show_rows(rows_of_answer(ending.summary.get("models", ())))
        else:
            self._say_obstacle(messages.unfinished(ending))

    def _say_obstacle(self, text: str) -> None:
        """Say what keeps the list from being read, or take it back; what an action said stays."""
        if text or self.message.text() == self._obstacle:
            self.message.setText(text)
        self._obstacle = text

    def _take_added(self, summary: Mapping[str, Any]) -> None:
        self.list.show_next(str(summary.get("name", "")))
        self.refresh()

    def _take_removed(self, summary: Mapping[str, Any]) -> None:
        self.refresh()

    def _take_text(self, summary: Mapping[str, Any]) -> None:
        self.message.setText(str(summary.get("text", "")))


def model_files(data: Any) -> list[str]:
    """Return the model files that a drag carries."""
    if not data.hasUrls():
        return []
    paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.lower().endswith((*SUFFIXES, ".pth"))]


def _ignoring_checked(action: Callable[[], None]) -> Callable[..., None]:
    """Return the action without the argument that a click brings along."""
    return lambda *_: action()
