"""Runs one job in the engine's process and watches it until it ends.

The process runs on its own and this module polls it without an event loop, so it
works in the thread of a Processing algorithm, in a task, and in ``qgis_process``.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Optional

from qgis.PyQt.QtCore import QProcess, QProcessEnvironment

from ..messages import tr
from .environment import ISOLATED, engine_environment, shares_bundled_gdal
from .jobfile import job_file
from .leftovers import Leftovers
from .protocol import Ending, Event, Failed, Transcript, ending, speaks_our_protocol

# How often progress and cancelling are looked at; a user feels more than 100 ms.
POLL_MS = 50
# A virus scanner may read the interpreter first.
START_MS = 30_000
# How long the engine may tidy up after it was asked to stop; it gives itself 2 s.
GRACE_S = 2.5
STDERR_TAIL_LINES = 200

# An environment must not be removed while a job imports from it.
_running: list[Path] = []


@dataclass(frozen=True)
class Engine:
    """What runs a job: an interpreter and the folder with the engine's ``__main__.py``."""

    python: Path
    folder: Path

    def arguments(self, job: Path, control: Optional[Path] = None) -> list[str]:
        """Return the arguments that run a job file.

        Args:
            control: the folder of a job that goes on without QGIS. Without one, the standard
                input that we hold open ends the engine when QGIS ends in whatever way.
        """
        life = ["--exit-with-stdin"] if control is None else ["--control", str(control)]
        return [*ISOLATED, str(self.folder), "run", str(job), "--events", "json", *life]


class Listener:
    """Where a run tells what happens, and asks whether to go on. Does nothing by itself."""

    def event(self, event: Event) -> None:
        """Take one event of the engine."""

    def stderr(self, line: str) -> None:
        """Take one line of the engine's standard error."""

    def is_cancelled(self) -> bool:
        """Return whether the run shall stop; asked every ``POLL_MS`` milliseconds."""
        return False


@dataclass(frozen=True)
class Run:
    """A finished run: how it ended, and what a bug report needs."""

    ending: Ending
    log: str = ""


def run_job(
    engine: Engine,
    kind: str,
    fields: Mapping[str, Any],
    listener: Listener,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Run:
    """Run a job to its end in the calling thread.

    What an engine that died left half written is removed.

    Args:
        kind: the job, for instance ``embed``.
        fields: its fields by the names of the engine's schema.
        listener: hears events and decides on cancelling.
        variables: what the process gets besides its environment, for instance a proxy.
    """
    if not engine.python.is_file():
        return Run(_no_interpreter(engine.python))
    _running.append(engine.python)
    try:
        with job_file(kind, fields) as job:
            return _Watch(engine, listener, variables).run(job)
    finally:
        _running.remove(engine.python)


def running_pythons() -> list[Path]:
    """Return the interpreters in which jobs of this QGIS run now."""
    return list(_running)


class _Watch:
    """The life of one process."""

    def __init__(self, engine: Engine, listener: Listener, variables: Mapping[str, str]) -> None:
        self._engine = engine
        self._listener = listener
        self._variables = variables
        self._transcript = Transcript()
        self._leftovers = Leftovers()
        self._stderr: deque[str] = deque(maxlen=STDERR_TAIL_LINES)
        self._stderr_partial = b""
        self._refusal: Optional[Failed] = None

    def run(self, job: Path) -> Run:
        engine = self._engine
        process = QProcess()
        variables = {**engine_variables(engine.python), **self._variables}
        process.setProcessEnvironment(as_process_environment(variables))
        process.start(str(engine.python), engine.arguments(job))
        if not process.waitForStarted(START_MS):
            return Run(_not_started(engine.python, process.errorString()))
        try:
            cancelled = self._poll(process)
        finally:
            # Only an exception from the listener leaves it running.
            if process.state() != QProcess.ProcessState.NotRunning:
                process.kill()
                process.waitForFinished()
            self._leftovers.remove()
        return Run(self._refusal or self._ending(process, cancelled), self._log())

    def _poll(self, process: QProcess) -> bool:
        """Watch until the process has ended; return whether it was asked to stop."""
        kill_at: Optional[float] = None
        cancelled = False
        while process.state() != QProcess.ProcessState.NotRunning:
            process.waitForFinished(POLL_MS)  # reads both pipes while it waits
            self._drain(process)
            if kill_at is None:
                cancelled = self._listener.is_cancelled()
                if cancelled or self._refusal is not None:
                    kill_at = time.monotonic() + GRACE_S
                    process.closeWriteChannel()
                    process.terminate()
            elif time.monotonic() > kill_at:
                process.kill()
        self._drain(process)
        for event in self._transcript.close():
            self._hear(event)
        if self._stderr_partial:
            self._hear_stderr(self._stderr_partial)
        return cancelled

    def _drain(self, process: QProcess) -> None:
        for event in self._transcript.feed(bytes(process.readAllStandardOutput())):
            self._hear(event)
        chunk = self._stderr_partial + bytes(process.readAllStandardError())
        *lines, self._stderr_partial = chunk.split(b"\n")
        for line in lines:
            self._hear_stderr(line)

    def _hear(self, event: Event) -> None:
        if event["event"] == "hello" and not speaks_our_protocol(event):
            self._refusal = _other_engine(event)
        self._leftovers.take(event)
        self._listener.event(event)

    def _hear_stderr(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        self._stderr.append(text)
        self._listener.stderr(text)

    def _ending(self, process: QProcess, cancelled: bool) -> Ending:
        killed = process.exitStatus() == QProcess.ExitStatus.CrashExit
        return ending(self._transcript, process.exitCode(), killed, cancelled)

    def _log(self) -> str:
        noise = [f"stdout: {line}" for line in self._transcript.noise]
        return "\n".join([*noise, *self._stderr])


def engine_variables(python: Path) -> dict[str, str]:
    """Return the cleaned variables with which this interpreter runs."""
    return engine_environment(os.environ, shares_bundled_gdal(python))


def as_process_environment(variables: Mapping[str, str]) -> QProcessEnvironment:
    """Return variables as Qt takes them."""
    environment = QProcessEnvironment()
    for name, value in variables.items():
        environment.insert(name, value)
    return environment


def _no_interpreter(python: Path) -> Failed:
    return Failed(
        "missing_dependency",
        tr("The engine's Python interpreter {python} does not exist.").format(python=python),
        tr("Choose another one under Plugins › HyperKD › Engine…"),
    )


def _not_started(python: Path, reason: str) -> Failed:
    return Failed(
        "missing_dependency",
        tr("The engine's Python interpreter {python} could not be started: {reason}.").format(
            python=python, reason=reason.rstrip(".")
        ),
        tr("Choose another one under Plugins › HyperKD › Engine…"),
    )


def _other_engine(hello: Event) -> Failed:
    return Failed(
        "missing_dependency",
        tr("The engine {version} speaks protocol {theirs}, which this plugin cannot read.").format(
            version=hello.get("version", "?"), theirs=hello.get("protocol", "?")
        ),
        tr("Install the plugin again: plugin and engine must have the same version."),
    )
