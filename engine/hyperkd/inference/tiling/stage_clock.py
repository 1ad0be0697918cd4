"""Where the time of a run goes: seconds on the clock and on the processor, by stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds spent in each stage, by any number of threads.

    The seconds of threads that work side by side are added up, so that the stages
    together may last longer than the job. Processor seconds are those of the
    thread that timed the stage; a library's own threads are not among them.

    Attributes:
        wall, cpu: seconds by stage.
    """

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the time of the block to ``stage``; stages do not nest."""
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
            with self._lock:
                self.wall[stage] = self.wall.get(stage, 0.0) + wall
                self.cpu[stage] = self.cpu.get(stage, 0.0) + cpu

    def summary(self) -> dict[str, dict[str, float]]:
        """Return ``seconds`` and ``cpu_seconds`` by stage, to a millisecond."""
        return {
            name: {stage: round(value, 3) for stage, value in seconds.items()}
            for name, seconds in (("seconds", self.wall), ("cpu_seconds", self.cpu))
        }
