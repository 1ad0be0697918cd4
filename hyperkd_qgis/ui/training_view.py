"""A training as it goes on: curves, what is left, a preview, and what can be done about it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Optional

from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import QSize, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QPixmap
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from .. import messages
from ..layers import style_layer
from ..messages import problem, tr
from ..metric_text import number
from ..runner.background_job import ENDED, PAUSED, STOPPING, BackgroundJob
from ..runner.progress import Tracker
from ..runner.protocol import Cancelled, Crashed, Done, Event, Failed
from .curves import Curves
from .plain_label import plain_label

_PREVIEW_PX = 220


class TrainingView(QWidget):
    """Shows one job in the background and steers it.

    Signals:
        previewed: a preview was renewed just now, its path; not told of what a job had
            said before it was shown.
        ended: the job has ended; also told where it had ended before it was shown, and
            where one that was taken for interrupted lives after all.
    """

    previewed = pyqtSignal(str)
    ended = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.job: Optional[BackgroundJob] = None
        self.tracker = Tracker()
        self._is_over = False
        self.title = QLabel(tr("No training is running."))
        self.title.setWordWrap(True)
        self.state = plain_label()
        self.bar = QProgressBar()
        self.curves = Curves()
        self.preview = plain_label(tr("The preview appears here."))
        self.preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.preview.setMinimumSize(QSize(_PREVIEW_PX, _PREVIEW_PX))
        self.preview.setAccessibleName(tr("Preview of the current model"))
        self.preview_note = QLabel(
            tr(
                "The prediction of the current model; with folds, of one of several. The final "
                "map may differ."
            )
        )
        self.preview_note.setWordWrap(True)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setAccessibleName(tr("Training log"))
        self.pause_button = QPushButton(tr("&Pause"))
        self.pause_button.clicked.connect(self.pause_or_go_on)
        self.stop_button = QPushButton(tr("&Stop and keep the best"))
        self.stop_button.setToolTip(tr("Ends the training now, with the best model so far."))
        self.stop_button.clicked.connect(self.stop)
        self.cancel_button = QPushButton(tr("&Cancel"))
        self.cancel_button.setToolTip(tr("Ends the training now, without a model."))
        self.cancel_button.clicked.connect(self.ask_and_cancel)
        self._lay_out()
        self._show_buttons()

    def show_job(self, job: BackgroundJob) -> None:
        """Show a job, from its beginning."""
        if self.job is not None:
            self.job.heard.disconnect(self._hear)
            self.job.changed.disconnect(self._show_state)
        self.job, self.tracker, self._is_over = job, Tracker(), False
        self.curves.clear()
        self.log.clear()
        self.preview.setText(tr("The preview appears here."))
        self.title.setText(f"<b>{escape(job.title)}</b>")
        for event in job.said:
            self._take(event)
        job.heard.connect(self._hear)
        job.changed.connect(self._show_state)
        self._show_state()

    def pause_or_go_on(self) -> None:
        """Pause a running job, let a paused one go on."""
        if self.job is not None:
            self.job.wish("run" if self.job.state == PAUSED else "pause")
            self.tracker.forget_pace()

    def stop(self) -> None:
        """End the job well."""
        if self.job is not None:
            self.job.wish("stop")

    def ask_and_cancel(self) -> None:
        """End the job without a result, after a question."""
        buttons = QMessageBox.StandardButton
        question = tr("End the training without a model? “Stop and keep the best” keeps one.")
        answer = QMessageBox.question(
            self, tr("HyperKD"), question, buttons.Yes | buttons.No, buttons.No
        )
        if answer == buttons.Yes:
            self.cancel()

    def cancel(self) -> None:
        """End the job without a result."""
        if self.job is not None:
            self.job.wish("cancel")

    def _lay_out(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.curves, 3)
        column.addWidget(self.log, 1)
        splitter = QSplitter()
        splitter.addWidget(left)
        right = QWidget()
        shown = QVBoxLayout(right)
        shown.setContentsMargins(0, 0, 0, 0)
        shown.addWidget(self.preview, 1)
        shown.addWidget(self.preview_note)
        splitter.addWidget(right)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 1)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        for button in (self.pause_button, self.stop_button, self.cancel_button):
            button.setAutoDefault(False)
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.title)
        layout.addWidget(splitter, 1)
        layout.addWidget(self.state)
        layout.addLayout(row)

    def _hear(self, event: Event) -> None:
        self._take(event)
        is_preview = event["event"] == "artifact" and event.get("role") == "preview"
        if is_preview and self.job is not None and self.job.is_caught_up:
            self.previewed.emit(str(event.get("path", "")))

    def _take(self, event: Event) -> None:
        self.tracker.take(event)
        kind = event["event"]
        if kind == "metric":
            self.curves.add(self.tracker.step, event.get("values") or {})
        elif kind == "stage":
            self.log.appendPlainText(f"== {tr(self.tracker.stage)}")
        elif kind == "log" and self.tracker.log:
            level = str(event.get("level", ""))
            before = f"{level}: " if level not in ("", "info") else ""
            self.log.appendPlainText(before + problem(event))
        elif kind == "artifact" and event.get("role") == "preview":
            self._show_preview(str(event.get("path", "")))
        self._show_state()

    def _show_state(self) -> None:
        job, tracker = self.job, self.tracker
        if job is None:
            return
        share = tracker.share
        self.bar.setMaximum(0 if share is None and not job.is_over else 1000)
        if share is not None:
            self.bar.setValue(int(1000 * share))
        if job.is_over:
            self.bar.setValue(1000 if isinstance(job.ending, Done) else self.bar.value())
        self.state.setText(state_text(job, tracker))
        self._show_buttons()
        if job.is_over != self._is_over:
            self._is_over = job.is_over
            self.ended.emit()

    def _show_buttons(self) -> None:
        job = self.job
        running = job is not None and job.state not in (ENDED, STOPPING)
        paused = job is not None and job.state == PAUSED
        self.pause_button.setText(tr("&Continue") if paused else tr("&Pause"))
        self.pause_button.setEnabled(running)
        self.stop_button.setEnabled(running)
        self.cancel_button.setEnabled(job is not None and job.state != ENDED)

    def _show_preview(self, path: str) -> None:
        image = picture(path, _PREVIEW_PX)
        if image is not None:
            self.preview.setPixmap(image)


def picture(path: str, side: int) -> Optional[QPixmap]:
    """Return a small picture of a raster or an image file, or None where it cannot be read."""
    if Path(path).suffix.lower() in (".png", ".jpg"):
        found = QPixmap(path)
        if found.isNull():
            return None
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode
        return found.scaled(2 * side, 2 * side, keep, smooth.SmoothTransformation)
    layer = QgsRasterLayer(path, "preview", "gdal")
    if not layer.isValid():
        return None
    style_layer(layer, "classes" if layer.dataProvider().colorTable(1) else "values")
    shape = QSize(layer.width(), layer.height()).scaled(
        side, side, Qt.AspectRatioMode.KeepAspectRatio
    )
    return QPixmap.fromImage(layer.previewAsImage(shape, QColor(0, 0, 0, 0)))


def state_text(job: BackgroundJob, tracker: Tracker) -> str:
    """Return what a job does, and how long it still takes, in a sentence."""
    ending = job.ending
    if ending is None:
        return _running_text(job, tracker)
    if isinstance(ending, Done):
        early = tr("Stopped early, with the best model so far.")
        return early if ending.summary.get("stopped_early") else tr("Done.")
    if isinstance(ending, Cancelled):
        return tr("Cancelled. No model was written.")
    if isinstance(ending, Failed):
        return messages.failed(ending)
    if job.was_interrupted:
        return tr(
            "Interrupted: the engine ended unexpectedly, for instance because the computer was "
            "switched off."
        )
    return messages.crashed(ending) if isinstance(ending, Crashed) else ""


def _running_text(job: BackgroundJob, tracker: Tracker) -> str:
    if job.state == PAUSED:
        return tr("Paused.")
    if job.state == STOPPING:
        return tr("Stopping…")
    parts = [tr(tracker.stage) if tracker.stage else tr("Starting the engine")]
    if tracker.total > 0:
        parts.append(f"{tracker.done:g}/{tracker.total:g} {tracker.unit}")
    left = tracker.seconds_left()
    if left is not None:
        parts.append(tr("{time} left").format(time=duration(left)))
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time in words that are as exact as a guess can be."""
    if seconds < 90:
        return tr("{number} s").format(number=int(round(seconds, -1)) or 10)
    if seconds < 5400:
        return tr("{number} min").format(number=round(seconds / 60))
    return tr("{number} h").format(number=number(seconds / 3600, 1))
