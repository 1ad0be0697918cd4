"""What the windows share that show what the model store holds: it is read again when it must be."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QEvent
from qgis.PyQt.QtGui import QShowEvent
from qgis.PyQt.QtWidgets import QDialog, QWidget

from .. import settings
from ..messages import tr
from ..modelfile import models_folder
from ..runner.job_task import JobTask
from ..runner.protocol import Ending


class StoreWindow(QDialog):
    """Reads the model store in the background whenever it is opened.

    QGIS keeps its windows, and an engine may be set up, or a model stored, while this one is
    closed or behind another: so it reads again, too, when the user returns to it and either
    has changed.
    """

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._reading: Optional[JobTask] = None
        self._read_again = False
        self._seen: object = None

    def refresh(self) -> None:
        """Ask the engine what is in the store, where there is an engine; one question at a time."""
        self._seen = _signature()
        engine = settings.engine()
        if engine is None or settings.problem():
            return
        if self._reading is not None:
            # What is being read may be older than what this call is about.
            self._read_again = True
            return
        self._reading = JobTask(tr("Reading the model store"), engine, "models_list", {})
        self._reading.ended.connect(self._end_reading)
        QgsApplication.taskManager().addTask(self._reading)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the store when the window is opened; the system shows a minimised one again."""
        super().showEvent(event)
        if not event.spontaneous():
            self.refresh()

    def changeEvent(self, event: QEvent) -> None:
        """Read the store when the user returns to the window and something has changed."""
        super().changeEvent(event)
        is_returned_to = event.type() == QEvent.Type.ActivationChange and self.isActiveWindow()
        if is_returned_to and self._seen != _signature():
            self.refresh()

    def _take_reading(self, ending: Ending) -> None:
        """Show what the engine told of the store."""
        raise NotImplementedError

    def _end_reading(self, ending: Ending) -> None:
        self._reading = None
        if self._read_again:
            self._read_again = False
            self.refresh()
        else:
            self._take_reading(ending)


def _signature() -> object:
    """Return what is another when the engine, or what lies in the store, is another."""
    try:
        changed = models_folder().stat().st_mtime_ns
    except OSError:  # no model was ever stored
        changed = 0
    return settings.engine(), settings.problem(), changed
