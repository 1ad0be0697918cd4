"""Starts QGIS itself with a profile of its own, and has it run a session: a file of steps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

# The variable that tells a session its paths, as JSON; its findings go to the file "result".
TOLD = "HYPERKD_SESSION"
# By its path: with the checkout among the places of modules, QGIS would take the plugin from there.
_START = """
import importlib.util
spec = importlib.util.spec_from_file_location("session", {path!r})
session = importlib.util.module_from_spec(spec)
spec.loader.exec_module(session)
session.start()
"""
_SCREEN = "-screen 0 1500x950x24"


def program() -> Optional[str]:
    """Return QGIS's own program, or None where it is not on the path."""
    return shutil.which("qgis.bin") or shutil.which("qgis")


def has_screen() -> bool:
    """Return whether a screen can be made for QGIS's window."""
    return shutil.which("xvfb-run") is not None


def on_a_screen(session: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command and the variables that start QGIS in a fresh profile with a session.

    Without Xvfb its window is drawn into memory, where all but the window system works.

    Args:
        session: a file with a function ``start``.
        folder: for the profile.
    """
    code = folder / "start.py"
    code.write_text(_START.format(path=str(session)), encoding="utf-8")
    options = ["--nologo", "--noversioncheck", "--profiles-path", str(folder / "profiles")]
    command = [str(program()), *options, "--code", str(code)]
    if not has_screen():
        return command, {"QT_QPA_PLATFORM": "offscreen"}
    return ["xvfb-run", "-a", "-s", _SCREEN, *command], {"QT_QPA_PLATFORM": "xcb"}


def environment(folder: Path, told: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a QGIS that knows neither the developer's engine nor the checkout's.

    Args:
        folder: for engines, models and jobs.
        told: what the session is told.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HYPERKD_")}
    return {
        **kept,
        TOLD: json.dumps(told),
        "HYPERKD_ENGINES": str(folder / "engines"),
        "HYPERKD_MODELS": str(folder / "models"),
        "HYPERKD_JOBS": str(folder / "jobs"),
        "OMP_NUM_THREADS": "1",
    }


def run(command: list[str], variables: Mapping[str, str], log: Path, limit_s: float) -> str:
    """Run a program, end it and its children where it hangs, and return what it said."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def found_by(result: Path, said: str) -> dict[str, Any]:
    """Return what a session has found.

    Raises:
        AssertionError: it ended early; with what it said.
    """
    assert result.is_file(), said
    found = json.loads(result.read_text(encoding="utf-8"))
    assert "failed" not in found, found["failed"]
    return dict(found)
