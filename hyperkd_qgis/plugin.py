"""What QGIS loads: the provider, and in a window also the menu."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction

from .messages import tr
from .paths import icon_path
from .provider import HyperKDProvider

MENU = "HyperKD"


class HyperKDPlugin:
    """Registers HyperKD with QGIS, and takes everything back on unload.

    Args:
        iface: the window of QGIS, or None in ``qgis_process``.
    """

    def __init__(self, iface: Any) -> None:
        self._iface = iface
        self._provider: Optional[HyperKDProvider] = None
        self._engine_action: Optional[QAction] = None

    def initProcessing(self) -> None:
        """Register the provider."""
        self._provider = HyperKDProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Register the provider and the menu."""
        self.initProcessing()
        self._engine_action = QAction(
            QIcon(icon_path("hyperkd")), tr("Engine…"), self._iface.mainWindow()
        )
        self._engine_action.triggered.connect(self._show_engine)
        self._iface.addPluginToMenu(MENU, self._engine_action)

    def unload(self) -> None:
        """Take the provider and the menu back."""
        if self._engine_action is not None:
            self._iface.removePluginMenu(MENU, self._engine_action)
            self._engine_action.deleteLater()
            self._engine_action = None
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None

    def _show_engine(self) -> None:
        from .ui.engine_dialog import EngineDialog  # widgets only when somebody asks

        EngineDialog(self._iface.mainWindow()).exec()
