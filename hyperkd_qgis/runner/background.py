"""Jobs that outlive the window that started them, and QGIS itself.

Each has a folder with the job, what the engine has said, and what is wanted of it. The
engine is started detached from QGIS; it reads the file ``wish`` there and touches the file
``alive``. So a training goes on when QGIS is closed, and is found again, running or
interrupted, when it is opened.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any, Optional

from qgis.PyQt.QtCore import QObject, QProcess, QTimer, pyqtSignal

from ..env.managed import data_folder
from ..messages import tr
from .process import Engine, as_process_environment, engine_variables
from .protocol import PROTOCOL, Cancelled, Crashed, Done, Ending, Event, Failed, Transcript

VARIABLE = "HYPERKD_JOBS"
JOB, INFO, EVENTS, ERRORS, WISH, ALIVE = (
    "job.json",
    "info.json",
    "events.jsonl",
    "stderr.log",
    "wish",
    "alive",
)
_OURS = (JOB, INFO, EVENTS, ERRORS, WISH, ALIVE)
# The engine touches its sign of life twice a second; a busy machine may be slower.
STALE_S = 15.0
# Before its first word it imports its libraries, which a virus scanner may read first.
START_S = 60.0
_POLL_MS = 500
# Read in one go; a long training's events must not hold up the window.
_CHUNK = 256 * 1024
_STDERR_BYTES = 20_000

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
        python: what runs it.
        transcript: what it has said so far.
        said: its events so far, for a window that is opened later.
    """

    heard = pyqtSignal(object)
    changed = pyqtSignal()

    def __init__(self, folder: Path, parent: Optional[QObject] = None) -> None:
        """Open a job by its folder.

        Raises:
            OSError, ValueError, KeyError: the folder holds no job.
        """
        super().__init__(parent)
        self.folder = folder
        job = json.loads((folder / JOB).read_text(encoding="utf-8"))
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        self.kind = str(job["job"])
        self.fields: dict[str, Any] = {
            name: value for name, value in job.items() if name not in ("protocol", "job")
        }
        self.title = str(info["title"])
        self.started = str(info["started"])
        self.python = Path(info["python"])
        self._pid = int(info.get("pid", 0))
        self.transcript = Transcript()
        self.said: list[Event] = []
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
        if not self._ended:
            return None
        said = self.transcript
        if said.done is not None:
            summary = said.done.get("summary")
            return Done(summary if isinstance(summary, dict) else {})
        code = str((said.error or {}).get("code", ""))
        if code == "cancelled":
            return Cancelled()
        if said.error is not None and code != "bug":
            texts = (str(said.error.get(key) or "") for key in ("message", "hint"))
            return Failed(code, *texts)
        return Crashed(1, said.error is None)

    @property
    def was_interrupted(self) -> bool:
        """Whether it ended without a word, as after a power cut."""
        return self._ended and self.transcript.done is None and self.transcript.error is None

    def errors(self) -> str:
        """Return what the engine said last on standard error."""
        try:
            with (self.folder / ERRORS).open("rb") as file:
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
        for event in self._new_events():
            self.said.append(event)
            self.heard.emit(event)
        self._look()

    def _new_events(self) -> list[Event]:
        try:
            with (self.folder / EVENTS).open("rb") as file:
                file.seek(self._read_to)
                chunk = file.read(_CHUNK)
        except OSError:  # not there yet
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
        elif self._all_read and not self._is_alive():
            self._ended = True
        wish = self._read_wish()
        if self._ended:
            self.state = ENDED
        else:
            self.state = {"pause": PAUSED, "stop": STOPPING, "cancel": STOPPING}.get(wish, RUNNING)
        if before != (self.state, self._ended):
            self.changed.emit()

    def _is_alive(self) -> bool:
        try:
            age_s = time.time() - (self.folder / ALIVE).stat().st_mtime
        except OSError:
            return False
        patience_s = STALE_S if self.transcript.hello is not None else START_S
        # A process number tells only that it is gone: it may be another's by now.
        return age_s < patience_s and not _is_gone(self._pid)

    def _read_wish(self) -> str:
        try:
            return (self.folder / WISH).read_text(encoding="utf-8").strip()
        except OSError:
            return ""


class BackgroundJobs(QObject):
    """All jobs in the background of this user.

    Signals:
        added: a job was started, or found.
        ended: a job that this QGIS has seen running has ended.

    Args:
        root: the folder of their folders; None takes ``jobs_folder``.
    """

    added = pyqtSignal(object)
    ended = pyqtSignal(object)

    def __init__(self, root: Optional[Path] = None, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._root = jobs_folder() if root is None else root
        self._jobs: dict[Path, BackgroundJob] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def jobs(self) -> list[BackgroundJob]:
        """The jobs that are known, the newest first."""
        return sorted(self._jobs.values(), key=lambda job: job.started, reverse=True)

    def find(self) -> list[BackgroundJob]:
        """Look for jobs that another QGIS, or this one earlier, has started; return new ones."""
        found = []
        for path in sorted(self._root.glob(f"*/{JOB}")):
            if path.parent in self._jobs:
                continue
            try:
                job = BackgroundJob(path.parent, self)
            except (OSError, ValueError, KeyError, TypeError):
                continue  # half written by a QGIS that was killed, or none of ours
            self._take(job)
            found.append(job)
        return found

    def start(
        self,
        engine: Engine,
        kind: str,
        fields: Mapping[str, Any],
        title: str,
        files: Mapping[str, Sequence[Path]] = MappingProxyType({}),
    ) -> BackgroundJob:
        """Start a job that goes on without QGIS.

        Args:
            engine: what runs it.
            kind: the job.
            fields: its fields; relative paths are those of its folder.
            title: what to call it.
            files: fields that name temporary files: they are copied into its folder.

        Raises:
            OSError: its folder cannot be written, or the engine cannot be started.
        """
        values = {name: value for name, value in fields.items() if value is not None}
        for name, paths in files.items():
            values[name] = [path.name for path in paths]
        every = [path for paths in files.values() for path in paths]
        return self._begin(engine, kind, values, title, every)

    def start_again(self, job: BackgroundJob, engine: Engine, resume: bool) -> BackgroundJob:
        """Start a job that was interrupted anew, and forget the old one.

        Args:
            job: the old one.
            engine: what runs it.
            resume: whether the job can go on with what the old one has finished.

        Raises:
            OSError: as ``start``.
        """
        fields = {**job.fields, "resume": True} if resume else job.fields
        own = [path for path in job.folder.iterdir() if path.is_file() and path.name not in _OURS]
        made = self._begin(engine, job.kind, fields, job.title, own)
        self.forget(job)
        return made

    def forget(self, job: BackgroundJob) -> None:
        """Remove what is kept about a job that is over; its results stay."""
        if job.is_over:
            self._jobs.pop(job.folder, None)
            shutil.rmtree(job.folder, ignore_errors=True)
            job.deleteLater()

    def _begin(
        self,
        engine: Engine,
        kind: str,
        fields: Mapping[str, Any],
        title: str,
        files: Sequence[Path],
    ) -> BackgroundJob:
        """Make a folder with a job and the files that it names, and start it."""
        stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")
        folder = self._root / f"{stamp}-{kind}"
        folder.mkdir(parents=True)
        try:
            for path in files:
                shutil.copyfile(path, folder / path.name)
            _write(folder / JOB, {"protocol": PROTOCOL, "job": kind, **fields})
            return self._launch(folder, engine, title)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _launch(self, folder: Path, engine: Engine, title: str) -> BackgroundJob:
        (folder / ALIVE).touch()
        process = QProcess()
        process.setProgram(str(_without_console(engine.python)))
        options = ["--events", "json", "--control", str(folder)]
        process.setArguments(
            ["-I", "-X", "utf8", str(engine.folder), "run", str(folder / JOB), *options]
        )
        process.setProcessEnvironment(as_process_environment(engine_variables(engine.python)))
        process.setWorkingDirectory(str(folder))
        process.setStandardInputFile(QProcess.nullDevice())
        process.setStandardOutputFile(str(folder / EVENTS))
        process.setStandardErrorFile(str(folder / ERRORS))
        started, pid = process.startDetached()
        if not started:
            raise OSError(
                tr("The engine's Python interpreter {python} could not be started.").format(
                    python=engine.python
                )
            )
        info = {
            "title": title,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "python": str(engine.python),
            "pid": pid,
        }
        _write(folder / INFO, info)
        job = BackgroundJob(folder, self)
        self._take(job)
        return job

    def _take(self, job: BackgroundJob) -> None:
        self._jobs[job.folder] = job
        self.added.emit(job)
        self._timer.start()

    def _poll(self) -> None:
        for job in list(self._jobs.values()):
            was_over = job.is_over
            job.poll()
            if job.is_over and not was_over:
                self.ended.emit(job)
        if all(job.is_over for job in self._jobs.values()):
            self._timer.stop()


def jobs_folder() -> Path:
    """Return the folder of the jobs of this user; it need not exist."""
    named = os.environ.get(VARIABLE, "")
    return Path(named).absolute() if named else data_folder() / "jobs"


def pythons_in_use(root: Optional[Path] = None) -> list[Path]:
    """Return the interpreters that jobs in the background may be running in."""
    found = []
    for path in (jobs_folder() if root is None else root).glob(f"*/{INFO}"):
        try:
            age_s = time.time() - (path.parent / ALIVE).stat().st_mtime
            if age_s < STALE_S:
                found.append(Path(json.loads(path.read_text(encoding="utf-8"))["python"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _write(path: Path, values: Mapping[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(part, path)


def _is_gone(pid: int) -> bool:
    """Return whether there is certainly no process of this number; False where unknown."""
    if sys.platform == "win32" or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is there and another user's
        return False
    return False


def _without_console(python: Path) -> Path:
    """Return the interpreter that opens no black window on Windows, where there is one."""
    windowless = python.with_name("pythonw.exe")
    return windowless if python.suffix.lower() == ".exe" and windowless.is_file() else python
