"""Which interpreter runs the engine, and who said so."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import QgsSettings

from . import messages
from .env import managed
from .env.managed import Environment
from .paths import checkout_python, engine_folder
from .runner.process import Engine

PYTHON_KEY = "hyperkd/enginePython"
PYTHON_VARIABLE = "HYPERKD_ENGINE_PYTHON"


@dataclass(frozen=True)
class Interpreter:
    """The chosen interpreter.

    Attributes:
        path: where it is; it need not exist.
        origin: ``setting``, ``environment``, ``managed`` or ``checkout``.
        environment: of a managed one, what is known of it.
    """

    path: Path
    origin: str
    environment: Optional[Environment] = None


def interpreter() -> Optional[Interpreter]:
    """Return the interpreter of the engine, or None where there is none.

    A choice whose file is gone is returned all the same: to run something else
    than what the user chose would hide the fault.
    """
    chosen = chosen_interpreter()
    if chosen:
        return Interpreter(Path(chosen), "setting")
    named = os.environ.get(PYTHON_VARIABLE, "")
    if named:
        return Interpreter(Path(named), "environment")
    made = managed.find()
    if made is not None:
        return Interpreter(made.python, "managed", made)
    if checkout_python().is_file():
        return Interpreter(checkout_python(), "checkout")
    return None


def chosen_interpreter() -> str:
    """Return the path that the user has chosen, or an empty string."""
    return str(QgsSettings().value(PYTHON_KEY, "") or "")


def choose_interpreter(path: str) -> None:
    """Store the user's choice; an empty string takes it back."""
    if path:
        QgsSettings().setValue(PYTHON_KEY, path)
    else:
        QgsSettings().remove(PYTHON_KEY)


def engine() -> Optional[Engine]:
    """Return what runs a job, or None where there is no interpreter."""
    chosen = interpreter()
    return None if chosen is None else Engine(chosen.path, engine_folder())


def problem(tier: str = "inference") -> str:
    """Return why the engine cannot do this, and what to do, or an empty string.

    Args:
        tier: what it shall do, a name of ``env.pins.TIERS``.
    """
    chosen = interpreter()
    if chosen is None:
        return messages.no_engine()
    made = chosen.environment
    if made is not None and not (made.fits and chosen.path.is_file()):
        return messages.engine_outdated(made.python_version, platform.python_version())
    if not chosen.path.is_file():
        return messages.interpreter_gone(str(chosen.path))
    if made is not None and tier not in made.tiers:
        return messages.no_training()
    return ""
