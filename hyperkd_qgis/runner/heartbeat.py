"""Whether the engine of a job in the background lives.

On Linux the system tells: the process of its number has the job's folder among its
arguments, or it has not. Elsewhere the number tells at most that the process is gone; then
the age of the file ``alive`` decides, which the engine touches. That age grows while the
whole machine sleeps, so silence is counted in time in which this QGIS ran itself.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Callable, Optional

ALIVE = "alive"
# Longer between two looks, this QGIS slept or was held up, and perhaps the engine with it.
_AWAKE_S = 2.0
_LARGEST_PID = 2**31 - 1


class Pulse:
    """What is known of the life of one engine; ``look`` finds it out, twice a second or so.

    Args:
        pid: number of the engine's process, 0 where it is not known.
        clock: seconds that never go back.
    """

    def __init__(self, folder: Path, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._pid = pid
        self._clock = clock
        self._looked = clock()
        self._touched = self._last_touch()
        self._silent_s = max(0.0, time.time() - self._touched)
        self._is_running: Optional[bool] = None

    def look(self) -> None:
        """Look at the process and at its sign of life."""
        was_gone = self._is_running is False
        # Before the file: what a process that is gone by now has touched is touched already.
        self._is_running = is_running(self._pid, self._folder)
        now, touched = self._clock(), self._last_touch()
        self._silent_s += min(now - self._looked, _AWAKE_S)
        self._looked = now
        if touched and touched != self._touched:
            self._touched, self._silent_s = touched, 0.0
            if was_gone:  # it runs on another machine, whose numbers say nothing here
                self._pid, self._is_running = 0, None

    def is_felt(self, patience_s: float) -> bool:
        """Return whether it lives, by the last look.

        Args:
            patience_s: how long it may be silent where the system cannot tell.
        """
        if self._is_running is not None:
            return self._is_running
        return self._silent_s < patience_s

    def _last_touch(self) -> float:
        try:
            return (self._folder / ALIVE).stat().st_mtime
        except OSError:
            return 0.0


def is_running(pid: int, folder: Path) -> Optional[bool]:
    """Return whether this process runs the job of this folder; None where nobody can tell."""
    if sys.platform == "win32" or not 0 < pid <= _LARGEST_PID:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there and another user's
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # a system without such files
        return None
    # The number may be another's by now. The name alone: its path can be spelled in many ways.
    return os.fsencode(folder.name) in command
