"""Asks an interpreter what it has, and the engine whether it works there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .. import messages
from ..messages import tr
from ..paths import shipped_students
from ..runner.environment import ISOLATED
from ..runner.process import Engine, Listener, engine_variables, run_job
from ..runner.protocol import Cancelled, Crashed, Event, Failed
from .command import CommandListener, Outcome, run_command
from .probe import NEEDED

# The first import of onnxruntime after an installation reads hundreds of MB.
PROBE_S = 120.0


@dataclass(frozen=True)
class Finding:
    """One line of the result: what was looked at, whether it is fine, and what was found."""

    subject: str
    fine: bool
    detail: str


class _Ear(Listener, CommandListener):
    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self.version = ""
        self._is_cancelled = is_cancelled

    def event(self, event: Event) -> None:
        if event["event"] == "hello":
            self.version = str(event.get("version", ""))

    def is_cancelled(self) -> bool:
        return self._is_cancelled()


def verify(
    engine: Engine,
    is_cancelled: Callable[[], bool] = lambda: False,
    modules: Sequence[str] = NEEDED,
) -> list[Finding]:
    """Import each package in the interpreter, then let the engine read a student.

    Takes seconds; call it from a task.
    """
    if not engine.python.is_file():
        return [Finding("python", False, messages.interpreter_gone(str(engine.python)))]
    ear = _Ear(is_cancelled)
    findings = _probe(engine.python, modules, ear)
    if all(finding.fine for finding in findings):
        findings.append(_engine_reads_a_student(engine, ear))
    return findings


def _engine_reads_a_student(engine: Engine, ear: _Ear) -> Finding:
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


def _probe(python: Path, modules: Sequence[str], ear: _Ear) -> list[Finding]:
    """Return what an interpreter says of itself and of each package."""
    script = Path(__file__).with_name("probe.py")
    arguments = [*ISOLATED, str(script), *modules]
    outcome = run_command(python, arguments, engine_variables(python), ear, PROBE_S)
    findings = []
    for line in outcome.output.splitlines():
        try:
            found = json.loads(line)
            wrong = found.get("error", "")
            findings.append(Finding(found["name"], not wrong, wrong or found["version"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a package that prints while it is imported
    missing = [name for name in modules if name not in [each.subject for each in findings]]
    if missing and not ear.is_cancelled():
        findings.append(_silent(python, findings, missing[0], outcome))
    return findings


def _silent(python: Path, findings: Sequence[Finding], module: str, outcome: Outcome) -> Finding:
    """Say why an interpreter has told nothing of a package."""
    said = outcome.lines[-1] if outcome.lines else ""
    if not findings:
        return Finding(
            "python",
            False,
            tr("{python} is not a working Python: {said}").format(python=python, said=said),
        )
    if outcome.timed_out:
        return Finding(module, False, tr("Importing it took too long."))
    if outcome.killed:
        text = tr("Importing it ended the interpreter (signal or code {code}): {said}")
        return Finding(module, False, text.format(code=outcome.status, said=said))
    return Finding(
        module, False, tr("Importing it ended the interpreter: {said}").format(said=said)
    )
