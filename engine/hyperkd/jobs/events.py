"""How a running job speaks: JSON lines for a program, a progress bar for a person.

Each event is one JSON object on one line; the key ``event`` names its kind and
its values follow: ``{"event": "progress", "done": 1, "total": 4, "unit": "tiles"}``.
The kinds and their values are in ``schema.json``. Readers ignore kinds and keys
that they do not know. Lines are ASCII; a number that is not finite is null.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import hyperkd
from hyperkd.errors import HyperKDError
from hyperkd.jobs.control import Commands
from hyperkd.problems import NOTE, Problem
from hyperkd.requests.option import PROTOCOL

_INTERVAL_S = 0.1  # ten progress events a second look continuous and cost nothing
_PLAIN_INTERVAL_S = 5.0  # a log file wants a sign of life, not a film
_BAR_WIDTH = 30
_PAUSE_S = 0.1  # how often a paused job checks whether to continue


class EventReporter(ABC):
    """The rules that every reporter keeps; subclasses show one event in ``_show``.

    Progress never goes back within a stage and is limited in rate, but the last
    value of a stage is always reported. Events may come from any thread. A reader
    that closed its end cancels the job.

    Args:
        cancelled: set by whoever wants the job to stop.
        interval_s: shortest time between two progress events of a stage.
        commands: pause and stop, and where the job marks that it noticed a cancel; its
            ``cancelled`` is ignored.
    """

    def __init__(
        self,
        stream: TextIO,
        cancelled: threading.Event,
        interval_s: float = _INTERVAL_S,
        commands: Commands | None = None,
    ) -> None:
        self._stream = stream
        self._cancelled = cancelled
        self._commands = commands or Commands()
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._done = -math.inf
        self._told_at = -math.inf
        self._pending: tuple[float, float, str] | None = None

    def hello(self, device: str | None) -> None:
        """Begin the stream; ``device`` is what the job asks for, None where it does not."""
        self._tell(
            "hello", protocol=PROTOCOL, version=hyperkd.__version__, pid=os.getpid(), device=device
        )

    def stage(self, name: str) -> None:
        """Begin a stage; ``name`` is shown to the user."""
        self._tell("stage", name=name)

    def progress(self, done: float, total: float, unit: str) -> None:
        """Report that ``done`` of ``total`` units of the current stage are finished."""
        with self._lock:
            reached = min(done, total)
            if not (0 < total < math.inf and reached > self._done):
                return
            self._done = reached
            self._pending = (reached, total, unit)
            now = time.monotonic()
            if reached == total or now - self._told_at >= self._interval_s:
                self._told_at = now
                self._flush_progress()

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        """Give named numbers of one step, for instance losses."""
        self._tell("metric", step=step, values=dict(values))

    def log(self, level: str, message: str) -> None:
        """Write a message; ``level`` is ``info`` or ``warning``."""
        self._tell("log", level=level, message=message)

    def problem(self, problem: Problem, scene: str) -> None:
        """Say what is odd about a raster: a ``log`` event with more keys."""
        self._tell(
            "log",
            level="info" if problem.severity == NOTE else "warning",
            message=problem.message,
            code=problem.code,
            severity=problem.severity,
            hint=problem.hint,
            scene=scene,
        )

    def artifact(self, role: str, path: str) -> None:
        """Name a finished output file; ``role`` is the job's field that asked for it."""
        self._tell("artifact", role=role, path=os.path.abspath(path))

    def claim(self, path: str, files: Sequence[str], lock: str) -> None:
        """Name files that are the job's to write and to remove, under a name for them.

        Whoever ends the process by force can remove them then, and only them.

        Args:
            path: the name; with no files the job is done with those of this name.
            files: the files, which need not exist.
            lock: the file that is locked while the job owns them, or an empty string.
        """
        self._tell("claim", path=path, files=list(files), lock=lock)

    def error(self, code: str, message: str, hint: str, context: Mapping[str, Any]) -> None:
        """Report why the job ends without its result."""
        self._tell("error", code=code, message=message, hint=hint, context=dict(context))

    def fail(self, failure: HyperKDError) -> None:
        """Report the error with which the job ends."""
        self.error(failure.code, failure.message, failure.hint, failure.context)

    def done(self, summary: Mapping[str, Any]) -> None:
        """End the stream of a job that succeeded."""
        self._tell("done", summary=dict(summary))

    def check_cancelled(self) -> None:
        """Raise ``HyperKDError("cancelled")`` where the job was cancelled; wait while paused."""
        if self._commands.paused.is_set() and not self._cancelled.is_set():
            self.log("info", "Paused.")
            while self._commands.paused.is_set() and not self._cancelled.wait(_PAUSE_S):
                continue
            self.log("info", "Continued.")
        if self._cancelled.is_set():
            self._commands.heard.set()
            raise cancelled_error()

    def stop_requested(self) -> bool:
        """Return whether the job is to end soon, with the best result so far."""
        return self._commands.stopped.is_set()

    def _tell(self, event: str, **values: Any) -> None:
        with self._lock:
            self._flush_progress()
            if event == "stage":
                self._done = self._told_at = -math.inf
            self._show(event, values)

    def _flush_progress(self) -> None:
        if self._pending is not None:
            done, total, unit = self._pending
            self._pending = None
            self._show("progress", {"done": done, "total": total, "unit": unit})

    @abstractmethod
    def _show(self, event: str, values: Mapping[str, Any]) -> None:
        """Write one event."""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._cancelled.set()


class JsonReporter(EventReporter):
    """Writes each event as one line of JSON."""

    def _show(self, event: str, values: Mapping[str, Any]) -> None:
        line = json.dumps(plain({"event": event, **values}), allow_nan=False)
        self._write(line + "\n")


class TextReporter(EventReporter):
    """Writes for a person: a progress bar at a terminal, plain lines elsewhere."""

    def __init__(
        self,
        stream: TextIO,
        cancelled: threading.Event,
        commands: Commands | None = None,
        *,
        bar: bool | None = None,
    ) -> None:
        self._bar = stream.isatty() if bar is None else bar
        self._bar_length = 0
        interval_s = _INTERVAL_S if self._bar else _PLAIN_INTERVAL_S
        super().__init__(stream, cancelled, interval_s, commands)

    def _show(self, event: str, values: Mapping[str, Any]) -> None:
        if event == "progress":
            self._show_progress(**values)
        elif event == "stage":
            self._line(values["name"])
        elif event == "metric":
            numbers = ", ".join(f"{name} {value:.4g}" for name, value in values["values"].items())
            self._line(f"step {values['step']}: {numbers}")
        elif event == "log":
            prefix = "" if values["level"] == "info" else f"{values['level']}: "
            self._line(f"{prefix}{values['message']} {values.get('hint', '')}".rstrip())
        elif event == "artifact":
            self._line(f"{values['role']}: {values['path']}")
        elif event == "error":
            self._line(f"error [{values['code']}]: {values['message']}")
            if values["hint"]:
                self._line(values["hint"])

    def _show_progress(self, done: float, total: float, unit: str) -> None:
        share = done / total
        text = f"{share:4.0%}  {done:g}/{total:g} {unit}"
        if not self._bar:
            self._line(text)
            return
        filled = int(share * _BAR_WIDTH)
        bar = f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {text}"
        finished = done == total
        self._write("\r" + bar.ljust(self._bar_length) + "\n" * finished)
        self._bar_length = 0 if finished else len(bar)

    def _line(self, text: str) -> None:
        """Write a line of its own, below a bar that stands unfinished."""
        self._write(("\n" if self._bar_length else "") + text + "\n")
        self._bar_length = 0


def cancelled_error() -> HyperKDError:
    """Return the error of a job that was cancelled."""
    return HyperKDError("cancelled", "The job was cancelled.", "Start it again to get its result.")


def plain(value: Any) -> Any:
    """Return ``value`` as what JSON knows: numpy becomes numbers and lists, NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
