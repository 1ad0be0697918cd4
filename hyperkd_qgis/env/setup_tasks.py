"""A set-up, and a check, as tasks of QGIS: they go on while their window is closed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import pyqtSignal

from ..messages import log_traceback, tr
from ..runner.job_task import KeptTask
from ..runner.process import Engine
from . import removal
from .managed import Environment
from .probe import NEEDED
from .reasons import Reason
from .request import Request, SetupCancelled, SetupFailed, SetupListener
from .setup import set_up
from .verify import Finding, verify


class SetupTask(KeptTask):
    """Makes the environment.

    Signals:
        said: a line of the log.
        staged: what it is doing now.
        ended: from the main thread, once ``environment`` and ``reason`` are final.

    Attributes:
        lines: the log so far, for a window that is opened later.
        stage: what it is doing now.
        environment: what was made, or None.
        reason: why nothing was made, or None; both are None after a cancel.
    """

    said = pyqtSignal(str)
    staged = pyqtSignal(str)
    ended = pyqtSignal()

    def __init__(self, request: Request) -> None:
        super().__init__(tr("Set up HyperKD's engine"))
        self._request = request
        self.lines: list[str] = []
        self.stage = ""
        self.environment: Optional[Environment] = None
        self.reason: Optional[Reason] = None

    def run(self) -> bool:
        """Do the work; called in a thread of the task manager."""
        try:
            self.environment = set_up(self._request, _TaskListener(self))
        except SetupFailed as error:
            self.reason = error.reason
        except SetupCancelled:
            return False
        # Without an answer the window would wait for ever.
        except Exception as error:  # noqa: BLE001
            log_traceback()
            self.reason = Reason("bug", f"{type(error).__name__}: {error}")
        return self.environment is not None

    def finished(self, result: bool) -> None:
        """Tell that it ended."""
        super().finished(result)
        self.ended.emit()


class RemovalTask(KeptTask):
    """Measures what set-ups have made, or removes it.

    Signals:
        ended: from the main thread, once the attributes are final.

    Args:
        what: to be removed; None measures.

    Attributes:
        what: what was measured or removed.
        left: what could not be removed.
        problem: what went wrong, or an empty string.
    """

    ended = pyqtSignal()

    def __init__(self, what: Optional[removal.Removable] = None) -> None:
        title = tr("Look at HyperKD's engine") if what is None else tr("Remove HyperKD's engine")
        super().__init__(title)
        self.what = what
        self.left: list[Path] = []
        self.problem = ""
        self._removes = what is not None

    def run(self) -> bool:
        """Do the work; called in a thread of the task manager."""
        try:
            if self._removes:
                self.left = removal.remove(self.what)
            else:
                self.what = removal.look()
        except OSError as error:
            self.problem = str(error)
        return not (self.problem or self.left)

    def finished(self, result: bool) -> None:
        """Tell that it ended."""
        super().finished(result)
        self.ended.emit()


class VerifyTask(KeptTask):
    """Imports packages in an interpreter and lets the engine read a student.

    Signals:
        ended: from the main thread, once ``findings`` is final.
    """

    ended = pyqtSignal()

    def __init__(self, engine: Engine, modules: Sequence[str] = NEEDED) -> None:
        super().__init__(tr("Check HyperKD's engine"))
        self._engine = engine
        self._modules = tuple(modules)
        self.findings: list[Finding] = []

    def run(self) -> bool:
        """Do the work; called in a thread of the task manager."""
        try:
            self.findings = verify(self._engine, self.isCanceled, self._modules)
        # Without an answer the window would wait for ever.
        except Exception as error:  # noqa: BLE001
            log_traceback()
            self.findings = [Finding("hyperkd", False, f"{type(error).__name__}: {error}")]
        return not self.isCanceled()

    def finished(self, result: bool) -> None:
        """Tell that it ended."""
        super().finished(result)
        self.ended.emit()


class _TaskListener(SetupListener):
    def __init__(self, task: SetupTask) -> None:
        self._task = task

    def line(self, text: str) -> None:
        self._task.lines.append(text)
        self._task.said.emit(text)

    def stage(self, text: str) -> None:
        self._task.stage = text
        self._task.staged.emit(text)

    def progress(self, percent: float) -> None:
        self._task.setProgress(percent)

    def is_cancelled(self) -> bool:
        return self._task.isCanceled()
