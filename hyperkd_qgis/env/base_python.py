"""Finds QGIS's own Python as a program, for inside QGIS it is only a library.

An environment made from it sees QGIS's GDAL and numpy, which no package index has for
every system.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..runner.environment import ISOLATED

# Run by a candidate; standard library only. Prints one JSON object.
_QUESTION = """
import importlib, importlib.util, json, sys
def version(name):
    try:
        return str(getattr(importlib.import_module(name), "__version__", "?"))
    except Exception:
        return ""
print(json.dumps({
    "version": ".".join(map(str, sys.version_info[:3])),
    "prefix": sys.base_prefix,
    "numpy": version("numpy"),
    "gdal": version("osgeo.gdal"),
    "venv": importlib.util.find_spec("venv") is not None,
    "pip": importlib.util.find_spec("pip") is not None,
    "ensurepip": importlib.util.find_spec("ensurepip") is not None,
    "ssl": importlib.util.find_spec("_ssl") is not None,
}))
"""


@dataclass(frozen=True)
class Base:
    """A Python from which an environment can be made, and what it has.

    Attributes:
        version: for instance ``3.11.2``.
        prefix: where it is installed.
        numpy, gdal: versions, empty where they cannot be imported.
        venv, pip, ensurepip, ssl: whether it has these modules.
    """

    python: Path
    version: str
    prefix: str
    numpy: str
    gdal: str
    venv: bool
    pip: bool
    ensurepip: bool
    ssl: bool


def candidates(
    *,
    platform: str = sys.platform,
    prefix: str = sys.base_prefix,
    executable: str = sys.executable,
    version: Sequence[int] = sys.version_info[:2],
) -> list[Path]:
    """Return where QGIS's Python may be as a program, the likeliest first; those that exist."""
    home, program = Path(prefix), Path(executable or "python")
    branch = ".".join(map(str, version[:2]))
    if platform == "win32":
        places = [home / "python.exe", home / "python3.exe"]
    else:
        places = [home / "bin" / f"python{branch}", home / "bin" / "python3"]
    if platform == "darwin":
        # QGIS.app/Contents/MacOS/QGIS is what runs; older bundles have bin/ beside it.
        beside = program.parent
        names = (f"bin/python{branch}", "bin/python3", f"python{branch}", "python3", "python")
        places += [beside / name for name in names]
    if program.name.lower().startswith("python"):
        places.append(program)
    return [place for place in dict.fromkeys(places) if place.is_file()]


def question() -> list[str]:
    """Return the arguments with which a candidate tells what it is."""
    return [*ISOLATED, "-c", _QUESTION]


def answer(python: Path, output: str) -> Base:
    """Return what a candidate has told.

    Raises:
        ValueError: it is no Python, or none of ours.
    """
    lines = output.strip().splitlines()
    values = json.loads(lines[-1]) if lines else None
    if not isinstance(values, dict):
        raise ValueError(f"{python} gave no answer")
    try:
        return Base(python, **values)
    except TypeError as error:
        raise ValueError(f"{python} gave another answer than expected") from error
