"""Reporters for Python: a silent one, a progress bar, and what a call gives back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional, TextIO

from hyperkd.problems import NOTE, Problem
from hyperkd.types import Reporter


class SilentReporter:
    """Says nothing, and never wants the work to end."""

    def stage(self, name: str) -> None:
        """Say nothing."""

    def progress(self, done: float, total: float, unit: str) -> None:
        """Say nothing."""

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        """Say nothing."""

    def log(self, level: str, message: str) -> None:
        """Say nothing."""

    def problem(self, problem: Problem, scene: str) -> None:
        """Say it in the log."""
        self.log("info" if problem.severity == NOTE else "warning", problem.message)

    def artifact(self, role: str, path: str) -> None:
        """Say nothing."""

    def check_cancelled(self) -> None:
        """Go on."""

    def stop_requested(self) -> bool:
        """Return False."""
        return False


class RecordingReporter(SilentReporter):
    """Keeps problems, warnings and output files for a ``Result``, and passes everything on.

    A problem that was told already is kept to itself: a job may open a raster twice.

    Args:
        listener: gets everything as well; None: nobody does.
    """

    def __init__(self, listener: Optional[Reporter] = None) -> None:
        heard = listener or SilentReporter()
        self._problem = getattr(heard, "problem", None)  # a user's own reporter may have none
        self._log, self._artifact = heard.log, heard.artifact
        self.stage, self.progress, self.metric = heard.stage, heard.progress, heard.metric  # type: ignore[method-assign]
        self.check_cancelled, self.stop_requested = heard.check_cancelled, heard.stop_requested  # type: ignore[method-assign]
        self.warnings: list[str] = []
        self.problems: list[tuple[Problem, str]] = []
        self.files: dict[str, Path] = {}

    def log(self, level: str, message: str) -> None:
        """Keep a warning."""
        if level == "warning":
            self.warnings.append(message)
        self._log(level, message)

    def problem(self, problem: Problem, scene: str) -> None:
        """Keep a problem, and tell it where it is new."""
        if (problem, scene) in self.problems:
            return
        self.problems.append((problem, scene))
        if self._problem is None:
            super().problem(problem, scene)
            return
        if problem.severity != NOTE:
            self.warnings.append(problem.message)
        self._problem(problem, scene)

    def artifact(self, role: str, path: str) -> None:
        """Keep the path of an output."""
        made = Path(path)
        if made not in self.files.values():
            number = sum(each.partition("#")[0] == role for each in self.files) + 1
            self.files[role if number == 1 else f"{role}#{number}"] = made
        self._artifact(role, path)


class Result(Mapping[str, Any]):
    """What a job found: a mapping of its summary, whose keys are attributes too.

    Attributes:
        files: the files that were written by what they are: ``output``, ``checkpoint``,
            ``report`` and so on; several of a kind as ``map``, ``map#2``, ...
        problems: what was inferred, or is odd about the input; see docs/problems.md.
        warnings: the same without mere notes, and what else may be wrong, one sentence each.
    """

    def __init__(self, summary: Mapping[str, Any], heard: RecordingReporter) -> None:
        self._summary = dict(summary)
        self.files = dict(heard.files)
        self.warnings = tuple(heard.warnings)
        self.problems = tuple(problem for problem, _ in heard.problems)

    def __getitem__(self, key: str) -> Any:
        return self._summary[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._summary)

    def __len__(self) -> int:
        return len(self._summary)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._summary:
            raise AttributeError(f"the result has no {name!r}; it has {', '.join(self)}")
        return self._summary[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})

    def __repr__(self) -> str:
        lines = [str(self._summary["text"])] if "text" in self else []
        lines += [f"{key}: {value!r}" for key, value in self.items() if key != "text" and not lines]
        lines += [f"{role}: {path}" for role, path in self.files.items()]
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)])


def progress(stream: Optional[TextIO] = None) -> Reporter:
    """Return a reporter that shows stages, a progress bar and warnings.

    Args:
        stream: where to; default: standard error. A terminal and a notebook get a bar,
            a file gets plain lines.
    """
    from hyperkd.jobs.events import TextReporter

    shown = sys.stderr if stream is None else stream
    in_notebook = stream is None and "ipykernel" in sys.modules
    return TextReporter(shown, threading.Event(), bar=True if in_notebook else None)
