"""The environments that HyperKD has made for its engine: where they are and which one holds.

Pure Python. An environment is a folder in which a stamp lies. The stamp is written last,
so a folder without one is a set-up that was never finished, and never used. A new
environment gets a folder of its own and the old one stays until the new one is complete.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

from .pins import COMPUTE, TIERS, fingerprint

# Moves the environments to another place, for instance off a small or roaming home folder.
VARIABLE = "HYPERKD_ENGINES"
STAMP = "hyperkd-engine.json"
_SCHEMA = 1
# An unfinished folder may be another QGIS's set-up that is still running.
_UNFINISHED_S = 24 * 3600.0
_REMOVE_ATTEMPTS = 5
# How set-ups call the folders that they begin. Others, which a user may keep here, are not ours.
_OURS = re.compile(r"(\d+\.\d+|tmp)-[a-z0-9_]{8}")


@dataclass(frozen=True)
class Environment:
    """A complete environment.

    Attributes:
        base: prefix of the Python that it was made from.
        python_version: version of that Python, for instance ``3.11.2``.
        tiers: what is installed, names of ``pins.TIERS``.
        compute: one of ``pins.COMPUTE``.
        pins: the fingerprint of the list that it was made from.
        made: when, ISO 8601 in UTC.
        packages: the version of each package that was imported at the end.
    """

    folder: Path
    base: str
    python_version: str
    tiers: tuple[str, ...]
    compute: str
    pins: str
    made: str
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return venv_python(self.folder)

    @property
    def is_current(self) -> bool:
        """Whether it is what this version of the plugin would make."""
        return self.pins == fingerprint(self.tiers, self.compute)

    @property
    def is_of_this_qgis(self) -> bool:
        """Whether it was made from the Python of the QGIS that runs."""
        return _same(self.base, sys.base_prefix)

    @property
    def fits(self) -> bool:
        """Whether its packages are for the Python that its interpreter now is."""
        return _branch(self.python_version) == _branch(platform.python_version())

    def write(self) -> None:
        """Write the stamp: from now on the environment counts."""
        values = {"schema": _SCHEMA, **asdict(self)}
        del values["folder"]
        part = self.folder / (STAMP + ".part")
        part.write_text(json.dumps(values, indent=1), encoding="utf-8")
        os.replace(part, self.folder / STAMP)


def venv_python(folder: Path) -> Path:
    """Return where the interpreter of a virtual environment is, on this system."""
    windows = folder / "Scripts" / "python.exe"
    return windows if os.name == "nt" else folder / "bin" / "python"


def engines_folder() -> Path:
    """Return the folder of all environments of this user; it need not exist."""
    named = os.environ.get(VARIABLE, "")
    if named:
        return Path(named).absolute()
    return data_folder() / "engines"


def data_folder() -> Path:
    """Return where HyperKD keeps what belongs to this user; the engine's models are there too."""
    home, system = Path.home(), platform.system()
    if system == "Windows":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif system == "Darwin":
        base = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME", ""))
        # The specification of the variable says to ignore relative paths.
        base = data if data.is_absolute() else home / ".local" / "share"
    return base / "HyperKD"


def find(root: Optional[Path] = None, base: str = sys.base_prefix) -> Optional[Environment]:
    """Return the newest complete environment that was made from this QGIS's Python.

    One that was made for an older branch of that Python is returned only where there is
    no other; its ``fits`` is False.
    """
    found = [each for each in environments(root) if _same(each.base, base)]
    return max(found, key=lambda each: (each.fits, each.made), default=None)


def environments(root: Optional[Path] = None) -> list[Environment]:
    """Return every complete environment, of other QGIS installations too."""
    folder = engines_folder() if root is None else root
    read = (_read(path.parent) for path in sorted(folder.glob(f"*/{STAMP}")))
    return [each for each in read if each is not None]


def leftovers(root: Path) -> list[Path]:
    """Return the folders of set-ups that were never finished and that nobody works on."""
    oldest = time.time() - _UNFINISHED_S
    return [
        path
        for path in sorted(root.glob("*"))
        if _OURS.fullmatch(path.name)
        and path.is_dir()
        and not path.is_symlink()
        and not (path / STAMP).exists()
        and path.stat().st_mtime < oldest
    ]


def remove(folder: Path) -> bool:
    """Remove an environment, its stamp first, and return whether nothing is left of it.

    On Windows a running engine holds its libraries; a killed pip may live on for a moment.
    """
    (folder / STAMP).unlink(missing_ok=True)
    for attempt in range(_REMOVE_ATTEMPTS):
        if attempt:
            time.sleep(0.2 * attempt)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return True
    return False


def _read(folder: Path) -> Optional[Environment]:
    """Return the environment in a folder, or None where its stamp is none of ours."""
    try:
        values: dict[str, Any] = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        if values.pop("schema") != _SCHEMA:
            return None
        values["tiers"] = tuple(values["tiers"])
        environment = Environment(folder=folder, **values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    known = set(environment.tiers) <= set(TIERS) and environment.compute in COMPUTE
    return environment if known and environment.tiers else None


def _branch(version: str) -> Sequence[str]:
    return version.split(".")[:2]


def _same(one: str, other: str) -> bool:
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
