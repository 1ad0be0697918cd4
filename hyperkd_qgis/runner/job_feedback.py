"""Shows a run in the log, the progress bar and the cancel button of Processing."""

from __future__ import annotations

from qgis.core import QgsProcessingFeedback

from ..messages import problem, tr
from .process import Listener
from .protocol import Event, percent


class FeedbackListener(Listener):
    """Translates the engine's events for a ``QgsProcessingFeedback``."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback

    def is_cancelled(self) -> bool:
        """Return whether the user has pressed cancel."""
        return self._feedback.isCanceled()

    def event(self, event: Event) -> None:
        """Show one event."""
        kind = event["event"]
        if kind == "progress":
            value = percent(event)
            if value is not None:
                self._feedback.setProgress(value)
        elif kind == "stage":
            self._feedback.setProgressText(tr(str(event.get("name", ""))))
        elif kind == "log":
            self._log(str(event.get("level", "")), problem(event))
        elif kind == "hello":
            self._feedback.pushDebugInfo(
                tr("HyperKD engine {version}").format(version=event.get("version", ""))
            )
        elif kind == "metric":
            values = event.get("values")
            if isinstance(values, dict):
                shown = ", ".join(f"{name} {value}" for name, value in values.items())
                self._feedback.pushInfo(f"{event.get('step', '')}: {shown}")

    def _log(self, level: str, message: str) -> None:
        if level == "warning":
            self._feedback.pushWarning(message)
        else:
            self._feedback.pushInfo(message)
