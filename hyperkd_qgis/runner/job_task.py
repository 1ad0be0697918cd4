"""A job as a task of QGIS: it runs in the background, and its window need not wait."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Optional

from qgis.core import QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from ..messages import log_traceback
from .process import Engine, Listener, Run, run_job
from .protocol import Cancelled, Done, Ending, Event, Failed, percent

# The task manager keeps the C++ half of a task; without a reference from Python the half
# that has ``run`` in it would be collected before it is called.
_running: set[QgsTask] = set()


class KeptTask(QgsTask):
    """A task that lives until it has finished, whoever forgets it."""

    def __init__(self, title: str) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        _running.add(self)

    def finished(self, result: bool) -> None:
        """Let the task go; called in the main thread at its end, however it ended."""
        _running.discard(self)


class JobTask(KeptTask):
    """Runs one job of the engine.

    Signals:
        heard: an event of the engine, a dictionary; delivered in the receiver's thread.
        ended: how it ended, an ``Ending``; from the main thread.

    Attributes:
        log: what the engine said on standard error, once it has ended.
    """

    heard = pyqtSignal(object)
    ended = pyqtSignal(object)

    def __init__(
        self,
        title: str,
        engine: Engine,
        kind: str,
        fields: Mapping[str, Any],
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(title)
        self._engine = engine
        self._kind = kind
        self._fields = dict(fields)
        self._variables = dict(variables)
        self._run: Optional[Run] = None
        self.log = ""

    def run(self) -> bool:
        """Run the job; called in a thread of the task manager."""
        listener = _TaskListener(self)
        try:
            self._run = run_job(self._engine, self._kind, self._fields, listener, self._variables)
            if isinstance(self._run.ending, Done):
                self.complete(self._run.ending.summary)
        # Without an answer the window would wait for ever.
        except Exception as error:  # noqa: BLE001
            log_traceback()
            self._run = Run(Failed("bug", f"{type(error).__name__}: {error}"))
        self.log = self._run.log
        return isinstance(self._run.ending, Done)

    def complete(self, summary: Mapping[str, Any]) -> None:
        """Do what takes too long for the thread of the window; called after a job that is done."""

    def finished(self, result: bool) -> None:
        """Tell how it ended."""
        super().finished(result)
        ending: Ending = Cancelled() if self._run is None else self._run.ending
        self.ended.emit(ending)


class _TaskListener(Listener):
    def __init__(self, task: JobTask) -> None:
        self._task = task

    def event(self, event: Event) -> None:
        if event["event"] == "progress":
            value = percent(event)
            if value is not None:
                self._task.setProgress(value)
        self._task.heard.emit(event)

    def is_cancelled(self) -> bool:
        return self._task.isCanceled()
