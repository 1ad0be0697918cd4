"""How long the window stands still while something happens."""

from __future__ import annotations

import os
import time

# What a user does not notice.
LIMIT_S = 0.1


class Beats:
    """Beats every few milliseconds in the thread of the window, from its making to ``longest``."""

    def __init__(self) -> None:
        from qgis.PyQt.QtCore import QTimer

        self._beats = [(time.monotonic(), time.thread_time())]
        self._timer = QTimer()
        self._timer.timeout.connect(
            lambda: self._beats.append((time.monotonic(), time.thread_time()))
        )
        self._timer.start(5)

    def longest(self) -> float:
        """Stop, and return the longest pause between two turns of the event loop in seconds.

        On a machine with more to do than it has processors, pauses are mostly waits for one of
        them; there only the time counts that the window's thread has computed itself.
        """
        self._timer.stop()
        clock = 1 if os.getloadavg()[0] > (os.cpu_count() or 1) else 0
        times = [beat[clock] for beat in self._beats]
        return max(after - before for before, after in zip(times, times[1:]))
