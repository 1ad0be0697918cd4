"""How long something takes, and how long the window stands still meanwhile."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable

# What a user does not notice.
LIMIT_S = 0.1

ATTEMPTS = 3


def longest_pause(action: Callable[[], object]) -> float:
    """Return the longest pause of the window's event loop during ``action``, in seconds."""

    def measure() -> float:
        beats = _Beats()
        action()
        return beats.longest()

    return shortest(measure, LIMIT_S)


def shortest(measure: Callable[[], float], limit_s: float) -> float:
    """Return the shortest of a few measured times, in seconds, or the first below the limit.

    What is slow of its own is so every time; a machine that is busy elsewhere is now and then.
    """
    times: list[float] = []
    while len(times) < ATTEMPTS and min(times, default=limit_s) >= limit_s:
        times.append(measure())
    return min(times)


class _Beats:
    """Beats every few milliseconds in the thread of the window, from its making to ``longest``."""

    def __init__(self) -> None:
        from qgis.PyQt.QtCore import QTimer

        # Objects that earlier tests left behind would be searched for garbage meanwhile.
        gc.collect()
        gc.freeze()
        self._beats = [(time.monotonic(), time.thread_time())]
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(5)

    def _beat(self) -> None:
        self._beats.append((time.monotonic(), time.thread_time()))

    def longest(self) -> float:
        """Stop, and return the longest pause between two turns of the event loop in seconds.

        Where no processor is idle, pauses are mostly waits for one of them; there only the time
        counts that the window's thread has computed itself.
        """
        self._timer.stop()
        gc.unfreeze()
        self._beat()
        is_idle = os.getloadavg()[0] < (os.cpu_count() or 1) - 1
        clock = 0 if is_idle else 1
        times = [beat[clock] for beat in self._beats]
        return max(after - before for before, after in zip(times, times[1:]))
