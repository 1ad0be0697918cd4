"""Folders for files that are of use while QGIS is open."""

from __future__ import annotations

import tempfile

from qgis.core import QgsProcessingUtils


def session_folder(prefix: str) -> str:
    """Return a new folder, which QGIS removes with its own temporary files when it ends."""
    return tempfile.mkdtemp(prefix=prefix, dir=QgsProcessingUtils.tempFolder())
