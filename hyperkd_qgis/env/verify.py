"""Asks an interpreter what it has, and the engine whether it works there."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from qgis.PyQt.QtCore import QProcess

from .. import messages
from ..messages import tr
from ..paths import shipped_students
from ..runner.process import POLL_MS, Engine, Listener, process_environment, run_job
from ..runner.protocol import Cancelled, Crashed, Event, Failed

# The first import of onnxruntime after an installation reads hundreds of MB.
PROBE_S = 120.0


@dataclass(frozen=True)
class Finding:
    """One line of the result: what was looked at, whether it is fine, and what was found."""

    subject: str
    fine: bool
    detail: str


class _Ear(Listener):
    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self.version = ""
        self._is_cancelled = is_cancelled

    def event(self, event: Event) -> None:
        if event["event"] == "hello":
            self.version = str(event.get("version", ""))

    def is_cancelled(self) -> bool:
        return self._is_cancelled()


def verify(engine: Engine, is_cancelled: Callable[[], bool] = lambda: False) -> list[Finding]:
    """Import each package in the interpreter, then let the engine read a student.

    Takes seconds; call it from a task.
    """
    packages, problem = _probe(engine.python, is_cancelled)
    if problem:
        return [Finding("python", False, problem)]
    findings = [
        Finding(name, "error" not in found, found.get("error") or found.get("version", ""))
        for name, found in packages.items()
    ]
    if all(finding.fine for finding in findings):
        findings.append(_engine_reads_a_student(engine, is_cancelled))
    return findings


def _engine_reads_a_student(engine: Engine, is_cancelled: Callable[[], bool]) -> Finding:
    ear = _Ear(is_cancelled)
    student = shipped_students() / "tiny.onnx"
    ending = run_job(engine, "info", {"path": str(student)}, ear).ending
    problem = ""
    if isinstance(ending, Failed):
        problem = messages.failed(ending)
    elif isinstance(ending, Crashed):
        problem = messages.crashed(ending)
    elif isinstance(ending, Cancelled):
        problem = tr("Cancelled.")
    return Finding("hyperkd", not problem, problem or ear.version)


def _probe(
    python: Path, is_cancelled: Callable[[], bool]
) -> tuple[dict[str, dict[str, str]], Optional[str]]:
    """Return the packages of an interpreter, or a sentence that says why it has none."""
    if not python.is_file():
        return {}, messages.interpreter_gone(str(python))
    process = QProcess()
    process.setProcessEnvironment(process_environment(python))
    script = Path(__file__).with_name("probe.py")
    process.start(str(python), ["-I", "-X", "utf8", str(script)])
    stop_at = time.monotonic() + PROBE_S
    while process.state() != QProcess.ProcessState.NotRunning:
        process.waitForFinished(POLL_MS)
        if is_cancelled() or time.monotonic() > stop_at:
            process.kill()
    output = bytes(process.readAllStandardOutput()).decode("utf-8", "replace")
    try:
        return json.loads(output), None
    except ValueError:
        errors = bytes(process.readAllStandardError()).decode("utf-8", "replace").strip()
        said = errors.splitlines()[-1] if errors else process.errorString()
        return {}, tr("{python} is no Python that works: {said}").format(python=python, said=said)
