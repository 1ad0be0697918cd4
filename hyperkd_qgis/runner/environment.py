"""The environment of the engine's process: QGIS's own, less what would harm it.

QGIS, conda, OSGeo4W and other plugins set variables that point Python, GDAL and
PROJ at *their* files. A child with another interpreter that inherits them dies
at start or reads the wrong coordinate database, so they are dropped.

``LD_LIBRARY_PATH`` and ``PATH`` stay: on clusters they lead to CUDA, on Windows
to the libraries of QGIS's own interpreter.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

# How every Python of ours starts: -I keeps the user's Python variables and folders out, and
# -X utf8 makes text the same everywhere.
ISOLATED = ("-I", "-X", "utf8")
_DROPPED_PREFIXES = ("PYTHON", "GDAL_", "PROJ_", "QGIS_")
# QGIS points OpenSSL at its own certificate folder, which other builds misread.
_DROPPED_NAMES = ("SSL_CERT_DIR", "SSL_CERT_FILE")
_GDAL_FOLDERS = ("GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA")


def engine_environment(environment: Mapping[str, str], keep_gdal_folders: bool) -> dict[str, str]:
    """Return the variables that the engine's process gets.

    Args:
        environment: the variables of this process.
        keep_gdal_folders: keep where GDAL and PROJ find their data, see
            ``shares_bundled_gdal``.
    """
    kept = {}
    for name, value in environment.items():
        # Windows does not tell upper case from lower case in these names.
        upper = name.upper()
        if keep_gdal_folders and upper in _GDAL_FOLDERS:
            kept[name] = value
        elif not upper.startswith(_DROPPED_PREFIXES) and upper not in _DROPPED_NAMES:
            kept[name] = value
    return kept


def shares_bundled_gdal(python: Path, platform: str = sys.platform) -> bool:
    """Return whether this interpreter uses the GDAL that came with a QGIS bundle.

    On Windows and macOS QGIS brings its own Python and GDAL and finds their data
    by variables; an engine made from that Python needs these variables too. On
    Linux GDAL knows its folders by itself.
    """
    if platform not in ("win32", "darwin"):
        return False
    qgis_python = Path(sys.base_prefix).resolve()
    home = _base_of_environment(python) or python.resolve().parent
    return home == qgis_python or qgis_python in home.parents


def _base_of_environment(python: Path) -> Optional[Path]:
    """Return where the interpreter lies that a virtual environment was made from."""
    for folder in (python.parent, python.parent.parent):
        configuration = folder / "pyvenv.cfg"
        if configuration.is_file():
            for line in configuration.read_text(encoding="utf-8").splitlines():
                key, _, value = line.partition("=")
                if key.strip() == "home":
                    return Path(value.strip()).resolve()
    return None
