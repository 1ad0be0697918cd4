"""Folders for files that are of use while QGIS is open."""

from __future__ import annotations

import tempfile
from pathlib import Path

from qgis.core import QgsProcessingUtils


def session_folder(prefix: str) -> Path:
    """Return a new folder, which QGIS removes with its own temporary files when it ends."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=QgsProcessingUtils.tempFolder()))
