"""One job in the background, by its folder: what it said, what is wanted of it, how it ended."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Optional

from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..regular import open_regular, read_regular
from .heartbeat import ALIVE, Pulse
from .protocol import Ending, Event, Transcript, unseen_ending

JOB, INFO, EVENTS, ERRORS = "job.json", "info.json", "events.jsonl", "stderr.log"
WISH, TOLD = "wish", "told"
# What is in the folder beside the job's own files.
OURS = (JOB, INFO, EVENTS, ERRORS, WISH, TOLD, ALIVE)
# The engine touches its sign of life twice a second; a busy machine may be slower.
STALE_S = 15.0
# Before its first word it imports its libraries, which a virus scanner may read first.
START_S = 60.0
# Read in one go; a long training's events must not hold up the window.
_CHUNK = 256 * 1024
_STDERR_BYTES = 20_000
LONGEST_FILE = 16 * 1024 * 1024  # bytes of a job, and of what is noted beside it

RUNNING, PAUSED, STOPPING, ENDED = "running", "paused", "stopping", "ended"


class BackgroundJob(QObject):
    """One job in the background.

    Signals:
        heard: an event of the engine, in the order in which they came; those from before
            this QGIS was opened come first.
        changed: its state is another one.

    Attributes:
        folder: where everything about it is.
        kind, fields, title: what it is.
        started: when, ISO 8601 in UTC.
        transcript: what it has said so far.
        said: its events so far, for a window that is opened later.
        is_caught_up: whether all is read that was there when it was found; what it says
            from then on is news.
    """

    heard = pyqtSignal(object)
    changed = pyqtSignal()

    def __init__(
        self, folder: Path, parent: Optional[QObject] = None, is_new: bool = False
    ) -> None:
        """Open a job by its folder.

        Args:
            folder: where everything about it is.
            is_new: it was started just now, so all that it says is news.

        Raises:
            OSError, ValueError, KeyError: the folder holds no job.
        """
        super().__init__(parent)
        self.folder = folder
        job = json.loads(read_regular(folder / JOB, LONGEST_FILE))
        info = json.loads(read_regular(folder / INFO, LONGEST_FILE))
        self.kind = str(job["job"])
        self.fields: dict[str, Any] = {
            name: value for name, value in job.items() if name not in ("protocol", "job")
        }
        self.title = str(info["title"])
        self.started = str(info["started"])
        self.python = Path(info["python"])
        self._pulse = Pulse(folder, int(info.get("pid", 0)))
        self.transcript = Transcript()
        self.said: list[Event] = []
        self.is_caught_up = is_new
        self._read_to = 0
        self._all_read = False
        self._ended = False
        self.state = RUNNING
        self._look()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._ended

    @property
    def ending(self) -> Optional[Ending]:
        """How it ended, or None while it runs."""
        return unseen_ending(self.transcript) if self._ended else None

    @property
    def was_interrupted(self) -> bool:
        """Whether it ended without a word, as after a power cut.

        It may turn out to live after all: its machine may have slept.
        """
        return self._ended and self.transcript.done is None and self.transcript.error is None

    @property
    def was_told(self) -> bool:
        """Whether the user was told how it ended."""
        return (self.folder / TOLD).exists()

    def remember_told(self) -> None:
        """Remember, for every later QGIS, that the user was told how it ended."""
        # Where nothing can be written, it is told once more.
        with contextlib.suppress(OSError):
            (self.folder / TOLD).touch()

    def errors(self) -> str:
        """Return what the engine said last on standard error."""
        try:
            with open_regular(self.folder / ERRORS) as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _STDERR_BYTES))
                return file.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def wish(self, wish: str) -> None:
        """Tell the engine what is wanted: ``run``, ``pause``, ``stop`` or ``cancel``."""
        part = self.folder / (WISH + ".part")
        part.write_text(wish, encoding="utf-8")
        os.replace(part, self.folder / WISH)
        self._look()

    def poll(self) -> None:
        """Read what the engine has said since; called by the timer of ``BackgroundJobs``."""
        # First: an engine that is gone by now has said all that it will.
        self._pulse.look()
        for event in self._new_events():
            self.said.append(event)
            self.heard.emit(event)
        self._look()
        self.is_caught_up = self.is_caught_up or self._all_read

    def _new_events(self) -> list[Event]:
        try:
            with open_regular(self.folder / EVENTS) as file:
                file.seek(self._read_to)
                chunk = file.read(_CHUNK)
        except OSError:  # not there yet
            self._all_read = True
            return []
        self._read_to += len(chunk)
        self._all_read = len(chunk) < _CHUNK
        return self.transcript.feed(chunk)

    def _look(self) -> None:
        """Find out its state, and tell where it is another one."""
        before = self.state, self._ended
        said = self.transcript
        if said.done is not None or said.error is not None:
            self._ended = True
        elif self._all_read:
            self._ended = not self._pulse.is_felt(STALE_S if said.hello else START_S)
        wish = self._read_wish()
        if self._ended:
            self.state = ENDED
        else:
            self.state = {"pause": PAUSED, "stop": STOPPING, "cancel": STOPPING}.get(wish, RUNNING)
        if before != (self.state, self._ended):
            self.changed.emit()

    def _read_wish(self) -> str:
        try:
            return read_regular(self.folder / WISH, LONGEST_FILE).decode().strip()
        except (OSError, ValueError):
            return ""
