"""A reporter for tests that call a job's function directly."""

from __future__ import annotations

from hyperkd.errors import HyperKDError
from hyperkd.reporting import SilentReporter


class SilentReport(SilentReporter):
    """Keeps what it hears; cancels after ``cancel_after`` checks where that is given."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.artifacts: list[tuple[str, str]] = []
        self.logs: list[tuple[str, str]] = []
        self.stages: list[str] = []
        self.progresses: list[tuple[float, float, str]] = []
        self._checks_left = cancel_after

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def progress(self, done: float, total: float, unit: str) -> None:
        self.progresses.append((done, total, unit))

    def log(self, level: str, message: str) -> None:
        self.logs.append((level, message))

    def artifact(self, role: str, path: str) -> None:
        self.artifacts.append((role, path))

    def check_cancelled(self) -> None:
        if self._checks_left is not None:
            if self._checks_left == 0:
                raise HyperKDError("cancelled", "The test wants no more: cancelled.")
            self._checks_left -= 1
