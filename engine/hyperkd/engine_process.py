"""Whether this process is the engine's own, or somebody's Python session that uses the engine.

In its own process the engine closes for good what no raster, label file or model may use
(``raster.gdal.restrictions``). In a notebook, a script or QGIS's Python it must leave
everything as it was for the files and the programs of others.
"""

from __future__ import annotations

_state = {"engine": False}


def mark_engine_process() -> None:
    """Say that this process is the engine's own; it stays so."""
    _state["engine"] = True


def in_engine_process() -> bool:
    """Return whether this process is the engine's own."""
    return _state["engine"]
