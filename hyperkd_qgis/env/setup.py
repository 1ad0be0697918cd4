"""Makes the environment of the engine: complete, or not at all.

A new environment is made beside the old one and holds only once its stamp is written, so
a cancel, a crash or a full disk at any moment leaves what was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from . import managed, pins
from .managed import Environment
from .request import Request, SetupListener
from .scrub import scrub
from .steps import Steps

# Kept beside the environments for bug reports.
LOG_NAME = "setup.log"


def set_up(request: Request, listener: SetupListener) -> Environment:
    """Make the environment in the calling thread and return it; takes minutes.

    Where nothing is there yet and fine-tuning is wanted too, inference is completed
    first: the large step may fail alone.

    Raises:
        SetupFailed: with the reason; what was there before still holds.
        SetupCancelled: likewise.
    """
    tiers = pins.cumulative(request.tiers)
    log = _Log(listener, request.network.secrets)
    try:
        made: Optional[Environment] = None
        steps = [tiers]
        if len(tiers) > 1 and managed.find(request.root) is None:
            steps = [tiers[:1], tiers]
        for number, step in enumerate(steps):
            part = _Part(log, number, len(steps))
            made = Steps(request, step, part).run()
        return made
    finally:
        log.write(request.root)


class _Log(SetupListener):
    """Passes everything on without credentials, and keeps it for a bug report."""

    def __init__(self, listener: SetupListener, secrets: Sequence[str]) -> None:
        self._listener = listener
        self._secrets = secrets
        self._lines: list[str] = []

    def line(self, text: str) -> None:
        text = scrub(text, self._secrets)
        self._lines.append(text)
        self._listener.line(text)

    def stage(self, text: str) -> None:
        self._lines.append(f"== {text}")
        self._listener.stage(text)

    def progress(self, percent: float) -> None:
        self._listener.progress(percent)

    def is_cancelled(self) -> bool:
        return self._listener.is_cancelled()

    def write(self, root: Path) -> None:
        """Keep the log beside the environments, where that can be written."""
        try:
            (root / LOG_NAME).write_text("\n".join(self._lines) + "\n", encoding="utf-8")
        except OSError as error:
            self._listener.line(scrub(f"{LOG_NAME}: {error}", self._secrets))


class _Part(SetupListener):
    """One of several environments in a row, with its share of the progress bar."""

    def __init__(self, listener: SetupListener, number: int, count: int) -> None:
        self._listener = listener
        self._number = number
        self._count = count

    def line(self, text: str) -> None:
        self._listener.line(text)

    def stage(self, text: str) -> None:
        self._listener.stage(text)

    def progress(self, percent: float) -> None:
        self._listener.progress((self._number * 100.0 + percent) / self._count)

    def is_cancelled(self) -> bool:
        return self._listener.is_cancelled()
