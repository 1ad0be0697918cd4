"""HyperKD for QGIS: hyperspectral students in the Processing Toolbox.

This module must stay light: QGIS imports it at start for everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plugin import HyperKDPlugin


def classFactory(iface: Any) -> HyperKDPlugin:
    """Return the plugin; QGIS calls this."""
    from .plugin import HyperKDPlugin

    return HyperKDPlugin(iface)
