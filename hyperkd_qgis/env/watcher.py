"""Passes on what one step of a set-up says, and measures downloads meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from .command import CommandListener

if TYPE_CHECKING:
    from .steps import Steps


class Watcher(CommandListener):
    """Passes on what one step says; measures downloads once a second."""

    def __init__(self, steps: Steps, quiet: bool) -> None:
        self._steps = steps
        self._quiet = quiet
        self._look_at = 0.0

    def line(self, text: str) -> None:
        """Show a line of a step that the user may see."""
        if not self._quiet:
            self._steps.hear(text)

    def tick(self) -> None:
        """Look at the downloads where a second has passed."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + 1.0
            self._steps.look()

    def is_cancelled(self) -> bool:
        """Return whether the set-up shall end."""
        return self._steps.is_cancelled()


def file_size(path: Path) -> int:
    """Return its bytes, 0 where it is gone."""
    try:
        return path.stat().st_size
    except OSError:  # pip has just moved it
        return 0
