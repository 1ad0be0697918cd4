"""What is known of a running job from its events: its stage, how far it is, how long it takes.

Pure Python, with the clock handed in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Callable, Optional

from .protocol import Event

# A log is read by people; the engine's own file has all of it.
_LOG_LINES = 2000
# The last minutes say more about the rest than the first ones, which warm caches up.
_WINDOW_S = 180.0


class Tracker:
    """Takes events and keeps what a window shows.

    Attributes:
        stage: what the job does now.
        done, total, unit: how far its stage is.
        log: lines that were said, with ``warning: `` before warnings.
        artifacts: the last path of each role.
        step, metrics: the last metrics.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.stage = ""
        self.done = 0.0
        self.total = 0.0
        self.unit = ""
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self.artifacts: dict[str, str] = {}
        self.step = 0.0
        self.metrics: dict[str, Any] = {}
        self._points: deque[tuple[float, float]] = deque()

    @property
    def share(self) -> Optional[float]:
        """How far the stage is, 0 to 1, or None where it does not tell."""
        return self.done / self.total if self.total > 0 else None

    def take(self, event: Event) -> None:
        """Take one event; unknown ones are left alone."""
        kind = event["event"]
        if kind == "stage":
            self.stage = str(event.get("name", ""))
            self.log.append(f"== {self.stage}")
            self.done = self.total = 0.0
            self._points.clear()
        elif kind == "progress":
            self._progress(event)
        elif kind == "log":
            level = "" if event.get("level") == "info" else f"{event.get('level', '')}: "
            said = f"{event.get('message', '')} {event.get('hint', '')}".rstrip()
            self.log.append(level + said)
        elif kind == "metric":
            values = event.get("values")
            if isinstance(values, Mapping):
                self.step = float(event.get("step", 0))
                self.metrics.update(values)
        elif kind == "artifact":
            self.artifacts[str(event.get("role", ""))] = str(event.get("path", ""))

    def seconds_left(self) -> Optional[float]:
        """Return how long the stage still takes at the pace of the last minutes, or None."""
        if len(self._points) < 2 or not self.total > 0:
            return None
        (since, before), (_, now) = self._points[0], self._points[-1]
        elapsed = self._clock() - since
        if now <= before or elapsed <= 0:
            return None
        return max(0.0, (self.total - now) * elapsed / (now - before))

    def forget_pace(self) -> None:
        """Begin to measure anew, for instance after a pause."""
        self._points.clear()

    def _progress(self, event: Event) -> None:
        done, total = event.get("done"), event.get("total")
        if isinstance(done, (int, float)) and isinstance(total, (int, float)):
            self.done, self.total = float(done), float(total)
            self.unit = str(event.get("unit", ""))
            now = self._clock()
            self._points.append((now, self.done))
            while now - self._points[0][0] > _WINDOW_S and len(self._points) > 2:
                self._points.popleft()
