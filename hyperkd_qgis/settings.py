"""Which interpreter runs the engine, and who said so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import QgsSettings

from .paths import checkout_python, engine_folder
from .runner.process import Engine

PYTHON_KEY = "hyperkd/enginePython"
PYTHON_VARIABLE = "HYPERKD_ENGINE_PYTHON"


@dataclass(frozen=True)
class Interpreter:
    """The chosen interpreter.

    Attributes:
        path: where it is; it need not exist.
        origin: ``setting``, ``environment`` or ``checkout``.
    """

    path: Path
    origin: str


def interpreter() -> Optional[Interpreter]:
    """Return the interpreter of the engine, or None where nobody has chosen one.

    A choice whose file is gone is returned all the same: to run something else
    than what the user chose would hide the fault.
    """
    chosen = str(QgsSettings().value(PYTHON_KEY, "") or "")
    if chosen:
        return Interpreter(Path(chosen), "setting")
    named = os.environ.get(PYTHON_VARIABLE, "")
    if named:
        return Interpreter(Path(named), "environment")
    if checkout_python().is_file():
        return Interpreter(checkout_python(), "checkout")
    return None


def choose_interpreter(path: str) -> None:
    """Store the user's choice; an empty string takes it back."""
    if path:
        QgsSettings().setValue(PYTHON_KEY, path)
    else:
        QgsSettings().remove(PYTHON_KEY)


def engine() -> Optional[Engine]:
    """Return what runs a job, or None where no interpreter is chosen."""
    chosen = interpreter()
    return None if chosen is None else Engine(chosen.path, engine_folder())
