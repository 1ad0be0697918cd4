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
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any, Optional

from qgis.PyQt.QtCore import QObject, QProcess, QTimer, pyqtSignal

from ..env.managed import data_folder
from ..messages import log_traceback, tr
from ..regular import read_regular
from .background_job import (
    ERRORS,
    EVENTS,
    INFO,
    JOB,
    LONGEST_FILE,
    OURS,
    STALE_S,
    BackgroundJob,
)
from .heartbeat import ALIVE
from .process import Engine, as_process_environment, engine_variables
from .protocol import PROTOCOL

VARIABLE = "HYPERKD_JOBS"
_POLL_MS = 500


class BackgroundJobs(QObject):
    """All jobs in the background of this user.

    Signals:
        added: a job was started, or found.
        caught_up: all is read that a job had said when it was found.
        ended: a job that this QGIS has seen running has ended.

    Args:
        root: the folder of their folders; None takes ``jobs_folder``.
    """

    added = pyqtSignal(object)
    caught_up = pyqtSignal(object)
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
            # Half written by a QGIS that was killed, or none of ours: the others count.
            except Exception:  # noqa: BLE001
                log_traceback()
                continue
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
            fields: its fields; relative paths are those of its folder.
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
            resume: whether the job can go on with what the old one has finished.

        Raises:
            OSError: as ``start``, and where the old one lives.
        """
        _refuse_living(job)
        fields = {**job.fields, "resume": True} if resume else job.fields
        own = [path for path in job.folder.iterdir() if path.is_file() and path.name not in OURS]
        made = self._begin(engine, job.kind, fields, job.title, own)
        self._remove(job)
        return made

    def forget(self, job: BackgroundJob) -> None:
        """Remove what is kept about a job that is over; its results stay.

        Raises:
            OSError: it lives.
        """
        _refuse_living(job)
        self._remove(job)

    def _remove(self, job: BackgroundJob) -> None:
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
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise OSError(_unusable(self._root, error)) from error
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
        process.setArguments(engine.arguments(folder / JOB, folder))
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
        job = BackgroundJob(folder, self, is_new=True)
        self._take(job)
        return job

    def _take(self, job: BackgroundJob) -> None:
        self._jobs[job.folder] = job
        self.added.emit(job)
        self._timer.start()

    def _poll(self) -> None:
        for job in list(self._jobs.values()):
            was_caught_up, was_over = job.is_caught_up, job.is_over
            job.poll()
            if not was_caught_up:
                if job.is_caught_up:
                    self.caught_up.emit(job)
            elif job.is_over and not was_over:
                self.ended.emit(job)
        # An interrupted one may come back to life.
        if all(job.is_over and not job.was_interrupted for job in self._jobs.values()):
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
                found.append(Path(json.loads(read_regular(path, LONGEST_FILE))["python"]))
        except (OSError, ValueError, LookupError, RecursionError, TypeError):
            continue
    return found


def _refuse_living(job: BackgroundJob) -> None:
    """Raise OSError where a job lives: two engines must not write the same files."""
    job.poll()
    if not job.is_over:
        raise OSError(
            tr("“{title}” still runs. Cancel it, or wait until it has ended.").format(
                title=job.title
            )
        )


def _unusable(folder: Path, error: OSError) -> str:
    return tr(
        "The folder {folder}, which keeps the trainings, cannot be used: {reason}. Make it one "
        "that you may write to, or name another one in the environment variable HYPERKD_JOBS "
        "and start QGIS again."
    ).format(folder=folder, reason=error.strerror)


def _write(path: Path, values: Mapping[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(part, path)


def _without_console(python: Path) -> Path:
    """Return the interpreter that opens no black window on Windows, where there is one."""
    windowless = python.with_name("pythonw.exe")
    return windowless if python.suffix.lower() == ".exe" and windowless.is_file() else python
