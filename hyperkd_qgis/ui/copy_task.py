"""Copies a file in the background."""

from __future__ import annotations

import shutil
from pathlib import Path

from qgis.PyQt.QtCore import pyqtSignal

from ..messages import tr
from ..runner.job_task import KeptTask


class CopyTask(KeptTask):
    """Copies a file, which may be large or go to a slow place.

    Signals:
        ended: a sentence that tells how it went.
    """

    ended = pyqtSignal(str)

    def __init__(self, source: Path, target: Path) -> None:
        super().__init__(tr("Copy {file}").format(file=source.name))
        self._source = source
        self._target = target
        self._said = ""

    def run(self) -> bool:
        """Copy; called in a thread of the task manager."""
        try:
            shutil.copyfile(self._source, self._target)
        except OSError as error:
            self._said = tr("{path} cannot be written: {reason}.").format(
                path=self._target, reason=error.strerror or error
            )
            return False
        self._said = tr("Saved as {path}.").format(path=self._target)
        return True

    def finished(self, result: bool) -> None:
        """Tell how it went."""
        super().finished(result)
        self.ended.emit(self._said)
