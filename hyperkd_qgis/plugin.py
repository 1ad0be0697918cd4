"""What QGIS loads: the provider, and in a window also its menu and toolbar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from qgis.core import QgsApplication

from .provider import HyperKDProvider
from .translation import Translation

if TYPE_CHECKING:
    from .ui.window import Window

# Whose algorithms the shipped models use.
_USED_PROVIDERS = ("native", "qgis", "gdal")


class HyperKDPlugin:
    """Registers HyperKD with QGIS, and takes everything back on unload.

    Args:
        iface: the window of QGIS, or None in ``qgis_process``.
    """

    def __init__(self, iface: Any) -> None:
        self._iface = iface
        self._translation = Translation()
        self._provider: Optional[HyperKDProvider] = None
        self._window: Optional[Window] = None

    def initProcessing(self) -> None:
        """Register the provider."""
        registry = QgsApplication.processingRegistry()
        provider = HyperKDProvider()
        if not registry.addProvider(provider):
            return  # another copy of this plugin was faster; the log of QGIS names it
        self._provider = provider
        # Only now are the steps of the shipped models known, and with them their outputs.
        self._provider.refreshAlgorithms()
        registry.providerAdded.connect(self._refresh_workflows)

    def initGui(self) -> None:
        """Register the provider, the menu and the toolbar."""
        from .ui.window import Window

        self.initProcessing()
        self._window = Window(self._iface)

    def unload(self) -> None:
        """Take everything back."""
        if self._window is not None:
            self._window.close()
            self._window = None
        if self._provider is not None:
            registry = QgsApplication.processingRegistry()
            registry.providerAdded.disconnect(self._refresh_workflows)
            registry.removeProvider(self._provider)
            self._provider = None
        self._translation.remove()

    def _refresh_workflows(self, provider: str) -> None:
        """Load the models again when QGIS loads an algorithm that they use after us."""
        if provider in _USED_PROVIDERS and self._provider is not None:
            self._provider.refreshAlgorithms()
