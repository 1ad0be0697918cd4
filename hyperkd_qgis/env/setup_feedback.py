"""Shows a set-up in the log, the progress bar and the cancel button of Processing."""

from __future__ import annotations

from qgis.core import QgsProcessingFeedback

from .request import SetupListener


class FeedbackListener(SetupListener):
    """Translates what a set-up tells for a ``QgsProcessingFeedback``."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback

    def line(self, text: str) -> None:
        """Show one line of its log."""
        self._feedback.pushConsoleInfo(text)

    def stage(self, text: str) -> None:
        """Show what it begins."""
        self._feedback.setProgressText(text)

    def progress(self, percent: float) -> None:
        """Show how far it is."""
        self._feedback.setProgress(percent)

    def is_cancelled(self) -> bool:
        """Return whether the user has pressed cancel."""
        return self._feedback.isCanceled()
